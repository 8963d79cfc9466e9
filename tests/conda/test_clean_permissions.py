"""Closed caches and the command: what it leaves alone, and what it says."""

from __future__ import annotations

import json
import os
import pwd
import stat

import pytest

from tests.conda.test_unreadable_paths import as_ordinary_user
from tests.support.disk import snapshot
from tests.support.oracles import NOBODY
from tests.support.trees import QUARANTINE
from tests.unit.clean.test_permissions import OPEN_TO_OTHERS, READ_ONLY, for_root, owned_by

CLEAN = ("clean", "--yes", "--grace", "0", "--unobtainable")


@pytest.fixture
def writable_again():
    """Take the write permission from folders; give it back at the end, so that they can go."""
    modes = {}

    def forbid(path):
        modes[path] = stat.S_IMODE(os.stat(path).st_mode)
        os.chmod(path, 0o555)

    yield forbid
    for path, mode in modes.items():
        os.chmod(path, mode)


def unused(installation):
    return os.path.exists(f"{installation.pkgs_dir}/forgotten-1.0-0")


def open_to_others(installation):
    os.chmod(installation.pkgs_dir, 0o777)
    return OPEN_TO_OTHERS


def given_away(installation):
    os.chown(installation.pkgs_dir, NOBODY, NOBODY)
    return owned_by(pwd.getpwuid(NOBODY).pw_name)


@for_root
@pytest.mark.parametrize("change", [open_to_others, given_away], ids=lambda how: how.__name__)
def test_the_command_cleans_a_closed_cache_only_if_it_is_named(changing, change):
    reason = change(changing)
    before = snapshot(changing.pkgs_dir)
    done = changing.hardlinks(*CLEAN, "--json")
    report = json.loads(done.stdout)
    assert report["remove"] == []
    assert f"its cache is not cleaned: {reason}" in [kept["reason"] for kept in report["keep"]]
    assert snapshot(changing.pkgs_dir) == before
    assert "is not cleaned" in " ".join(changing.hardlinks(*CLEAN).stdout.split())
    assert snapshot(changing.pkgs_dir) == before
    changing.hardlinks(*CLEAN, "--cache", changing.pkgs_dir)
    assert not unused(changing)


@pytest.mark.parametrize("option", ["", "--json"])
def test_the_command_refuses_to_clean_a_read_only_cache(changing, writable_again, option):
    writable_again(changing.pkgs_dir)
    before = snapshot(changing.pkgs_dir)
    options = [*CLEAN, *filter(None, [option])]
    done = as_ordinary_user(changing, "conda", "hardlinks", *options)
    assert done.returncode == 0
    named = ("--cache", changing.pkgs_dir)
    done = as_ordinary_user(changing, "conda", "hardlinks", *options, *named)
    assert done.returncode == 1
    sentence = f"{changing.pkgs_dir} cannot be cleaned: {READ_ONLY}"
    assert sentence in (json.loads(done.stdout)["errors"] if option else done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert snapshot(changing.pkgs_dir) == before


@pytest.mark.parametrize("option", ["", "--json"])
def test_the_command_fails_if_its_quarantine_is_a_symbolic_link(changing, option):
    quarantine = f"{changing.pkgs_dir}/{QUARANTINE}"
    os.symlink(changing.envs_dir, quarantine)
    before = snapshot(changing.envs_dir)
    done = changing.hardlinks(*CLEAN, *filter(None, [option]), check=False)
    assert done.returncode == 1
    sentence = f"{quarantine}: not a directory"
    said = " ".join(json.loads(done.stdout)["errors"] if option else done.stdout.split())
    assert sentence in said
    assert "Traceback" not in done.stdout + done.stderr
    assert snapshot(changing.envs_dir) == before
    assert unused(changing)
