"""The quarantine of a cache: moves back, its lock file, and whether it is still in place."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.executor.errors import RefusedError
from conda_hardlink_plugin.executor.locks import locked_quarantine
from conda_hardlink_plugin.executor.quarantine import opened_quarantine
from conda_hardlink_plugin.executor.recheck import identity
from tests.support.cleaning import clean
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, write


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def test_a_quarantine_that_was_created_again_is_not_in_place(made):
    made.package("p-1-0", {})
    with opened_quarantine(made.caches[0]) as quarantine:
        assert quarantine.is_in_place()
        os.rename(quarantine.path, f"{quarantine.path}-before")
        assert not quarantine.is_in_place()
        os.mkdir(quarantine.path, 0o700)
        assert not quarantine.is_in_place()


def test_the_lock_file_is_kept_while_the_quarantine_has_entries(made):
    """A process that waits for the lock has that file open."""
    made.package("p-1-0", {})
    assert len(clean(made, hold_until_s=4_000_000_000).held) == 1
    assert "lock" in os.listdir(f"{made.caches[0]}/{QUARANTINE}")


def test_an_entry_that_goes_back_replaces_nothing(made):
    made.package("p-1-0", {})
    cache = made.caches[0]
    for name in ("a.conda", "folder"):
        path = write(f"{cache}/a.conda", b"old") if name == "a.conda" else f"{cache}/folder"
        if name == "folder":
            write(f"{path}/f", b"old")
        with locked_quarantine(cache) as quarantine:
            entry = quarantine.move(name, "run", identity(path))
            write(path if name == "a.conda" else f"{path}/f", b"new")
            with pytest.raises(RefusedError, match="something else is there now"):
                quarantine.back(entry)
            assert entry in quarantine.entries()
        with open(path if name == "a.conda" else f"{path}/f", "rb") as file:
            assert file.read() == b"new"
