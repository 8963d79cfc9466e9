"""Something is mounted in a cache during a clean: nothing under it changes."""

from __future__ import annotations

import os
import subprocess

import pytest

from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.filesystem.paths import is_within
from tests.support.attacked import DIST, EVERYTHING, attacked_installation, fill, look
from tests.support.cleaning import executed, plan_of
from tests.support.trees import QUARANTINE


@pytest.fixture
def made(tmp_path):
    with attacked_installation(str(tmp_path)) as made:
        yield made


@pytest.fixture
def mount(made):
    """Mount something in the installation, or skip the test where that is not allowed."""

    def mount(point, *options):
        os.makedirs(point, exist_ok=True)
        done = subprocess.run(
            ["mount", *options, point], check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")

    yield mount
    points = [mounted.mount_point for mounted in read_mount_table().mounts]
    for point in reversed(points):
        if is_within(point, os.path.realpath(made.directory)):  # other tests mount something, too
            subprocess.run(["umount", "--lazy", point], check=True)


MOUNTED = {
    "package": f"{DIST}/lib/mounted",
    "package itself": DIST,
    "left-over": "old.c~/lib/mounted",
    "folder of packages": "https",
}


class Mounting:
    """Mounts a precious folder, or a new filesystem with precious files on it."""

    def __init__(self, mount, how, precious):
        self._mount = mount
        self._how = how
        self._precious = precious
        self.descriptor = -1
        self.before = None

    def at(self, path):
        if self._how == "bind":
            self._mount(path, "--bind", self._precious)
        else:
            self._mount(path, "-t", "tmpfs", "none")
            fill(f"{path}/pkgs")
        self.descriptor = os.open(path, os.O_RDONLY)
        self.before = self.look()

    def look(self):
        return look(f"/proc/self/fd/{self.descriptor}/.")


@pytest.fixture
def mounting(made, mount):
    mounted = []

    def mounting(how):
        mounted.append(Mounting(mount, how, f"{made.directory}/precious"))
        return mounted[-1]

    yield mounting
    for each in mounted:
        os.close(each.descriptor)


@pytest.mark.parametrize("how", ["bind", "tmpfs"])
@pytest.mark.parametrize("where", MOUNTED)
@pytest.mark.parametrize("when", ["before the plan", "after the plan", "while away"])
def test_nothing_under_a_mount_is_removed(made, mounting, where, how, when):
    cache = made.caches[0]
    there = mounting(how)
    if when == "before the plan":
        there.at(f"{cache}/{MOUNTED[where]}")
    plan = plan_of(made, **EVERYTHING)
    if when == "after the plan":
        there.at(f"{cache}/{MOUNTED[where]}")

    def replan():
        if there.before is None:
            name, _, below = MOUNTED[where].partition("/")
            entries = os.listdir(f"{cache}/{QUARANTINE}")
            (moved,) = [entry for entry in entries if entry.endswith(f"-{name}")] or [f"../{name}"]
            there.at(os.path.normpath(f"{cache}/{QUARANTINE}/{moved}/{below}"))
        return plan_of(made, **EVERYTHING)

    outcome = executed(made, plan, replan)
    assert there.look() == there.before
    name = MOUNTED[where].partition("/")[0]
    assert f"{cache}/{name}" not in [removal.path for removal in outcome.removed]
