"""The check of a package at the last moment before it is moved."""

from __future__ import annotations

import errno
import itertools
import os

import pytest

from conda_hardlink_plugin.executor.recheck import Checker
from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from tests.support.cleaning import plan_of
from tests.support.faults import at_look, fail
from tests.support.small_installation import SmallInstallation
from tests.support.trees import link


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def checked(made, removal):
    return Checker(made.prefixes, read_mount_table()).reason_to_keep(removal)


def test_a_change_since_the_plan_is_seen_before_a_package_is_moved(made):
    """To move a package and put it back is not harmless, so the second plan would be too late."""
    path, env = made.package("p-1-0", {"f": b"f"}), made.environment("env")
    (removal,) = plan_of(made).remove
    assert checked(made, removal) is None
    made.record(env, "p-1-0", {})
    assert checked(made, removal) == f"it is now installed in {env}"
    os.unlink(f"{env}/conda-meta/p-1-0.json")
    link(f"{path}/f", f"{made.directory}/outside")
    assert checked(made, removal) == "its files have new hard links"


def test_a_package_that_cannot_be_checked_again_is_not_moved(made):
    path = made.package("p-1-0", {"lib/f": b"f"})
    (removal,) = plan_of(made).remove
    link(f"{path}/lib/f", f"{made.directory}/outside")
    for number in itertools.count(1):
        with at_look(number, fail(errno.EIO)) as steps:
            reason = checked(made, removal)
        if not steps.reached:
            break
        assert reason is not None
    assert number > 5
