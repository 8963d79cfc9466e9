"""A clean on a filesystem without a single free block."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess

import pytest

from tests.support.cleaning import clean
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, write, write_sparse
from tests.support.wholeness import Outside, tree


@pytest.fixture
def disk(tmp_path):
    """Mount an empty ext4 without reserved blocks, or skip the test if that is impossible."""
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("there is no mkfs.ext4")
    image, point = write_sparse(f"{tmp_path}/image", 4 * 2**20), f"{tmp_path}/disk"
    os.mkdir(point)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image], check=True)
    done = subprocess.run(
        ["mount", "-o", "loop", image, point], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    yield f"{point}/i"
    subprocess.run(["umount", point], check=True)


def fill(directory: str) -> None:
    """Use every free block."""
    path = write(f"{directory}/full/filling")
    with open(path, "wb", buffering=0) as file:
        for amount in (65_536, 1_024, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * amount):
                    pass
    with pytest.raises(OSError, match="No space"):
        os.mkdir(f"{directory}/folder")


def make(directory: str, unused: int) -> SmallInstallation:
    """Make an environment of one package, and unused packages."""
    made = SmallInstallation(directory)
    made.install(made.environment("work"), made.package("used-1-0", {"lib/used": b"u" * 5_000}))
    for number in range(unused):
        made.package(f"unused-{number}-0", {"lib/unused": b"x" * 5_000})
    return made


def unused(made: SmallInstallation) -> set[str]:
    return {name for name in os.listdir(made.caches[0]) if name.startswith("unused-")}


def test_a_full_disk_can_be_cleaned_if_the_quarantine_exists(disk):
    made = make(disk, 5)
    os.mkdir(f"{made.caches[0]}/{QUARANTINE}", 0o700)
    fill(disk)
    outside = Outside(made)
    free = shutil.disk_usage(disk).free
    outcome = clean(made)
    assert outcome.problems == []
    assert len(outcome.removed) == 5
    assert shutil.disk_usage(disk).free - free == outcome.freed_bytes > 5 * 5_000
    assert unused(made) == set()
    assert os.listdir(made.caches[0]).count("used-1-0") == 1
    outside.assert_untouched()


def test_a_full_disk_is_cleaned_in_several_runs_if_the_quarantine_is_full(disk):
    made = make(disk, 60)
    os.mkdir(f"{made.caches[0]}/{QUARANTINE}", 0o700)
    fill(disk)
    outside, whole = Outside(made), tree(f"{made.caches[0]}/unused-0-0")
    outcome = clean(made)
    assert 0 < len(outcome.removed) < 60
    assert {problem.reason for problem in outcome.problems} == {"no space left on device"}
    assert len(outcome.removed) + len(outcome.problems) == 60
    for name in unused(made):
        assert tree(f"{made.caches[0]}/{name}") == whole
    assert clean(made).problems == []
    assert unused(made) == set()
    outside.assert_untouched()


def test_a_disk_too_full_for_the_quarantine_is_refused_and_nothing_is_lost(disk):
    made = make(disk, 5)
    fill(disk)
    outside, before = Outside(made), tree(made.caches[0])
    outcome = clean(made)
    assert [problem.path for problem in outcome.problems] == [f"{made.caches[0]}/{QUARANTINE}"]
    assert outcome.problems[0].reason == (
        "no space left on device: clean moves packages to this folder. Free a few KiB elsewhere and"
        " run it again"
    )
    assert (outcome.removed, outcome.freed_bytes) == ([], 0)
    assert tree(made.caches[0]) == before
    outside.assert_untouched()
