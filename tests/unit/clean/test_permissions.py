"""Closed caches: read-only ones, and without --cache those that other users own or can change."""

from __future__ import annotations

import os
import pwd
import tempfile

import pytest

from conda_hardlink_plugin.clean.permissions import closed_caches, is_named
from tests.support.cleaning import executed, plan_of
from tests.support.disk import snapshot
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE

READ_ONLY = "it is read-only for you"
TO_CLEAN_IT = "to clean it, name it with --cache (in Python: caches)"
OPEN_TO_OTHERS = f"users other than root can write to it; {TO_CLEAN_IT}"
NOT_NAMED = "you named other caches"
NO_SUCH_USER = 54321

for_root = pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator can give files away")


def owned_by(name):
    return f"it belongs to {name}; {TO_CLEAN_IT}"


@pytest.fixture
def caches():
    """Two caches of this user, in a folder that any user may enter."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        paths = [f"{directory}/mine", f"{directory}/other"]
        for path in paths:
            os.mkdir(path, 0o755)
        yield paths


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o750])
def test_a_cache_of_the_user_is_open(caches, mode):
    os.chmod(caches[0], mode)
    assert closed_caches(caches, []) == {}


@for_root
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o770, 0o1777])
def test_root_does_not_clean_a_cache_that_others_can_write_to(caches, mode):
    os.chmod(caches[0], mode)
    assert closed_caches(caches, []) == {caches[0]: OPEN_TO_OTHERS}
    assert closed_caches(caches, caches) == {}


@for_root
@pytest.mark.parametrize("mode", [0o775, 0o777])
def test_an_ordinary_user_may_share_a_cache(caches, mode):
    os.chown(caches[0], NOBODY, NOBODY)
    os.chmod(caches[0], mode)
    assert in_child(lambda: closed_caches(caches[:1], []), user=NOBODY) == {}


@for_root
@pytest.mark.parametrize(
    ("owner", "name"),
    [(NOBODY, pwd.getpwuid(NOBODY).pw_name), (NO_SUCH_USER, f"user {NO_SUCH_USER}")],
)
def test_a_cache_of_another_user_is_closed_unless_it_is_named(caches, owner, name):
    os.chown(caches[0], owner, owner)
    assert closed_caches(caches, []) == {caches[0]: owned_by(name)}
    assert closed_caches(caches, caches[:1]) == {caches[1]: NOT_NAMED}


@for_root
@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_an_ordinary_user_does_not_clean_a_writable_cache_of_another_user(caches, mode):
    os.chmod(caches[0], mode)
    assert in_child(lambda: closed_caches(caches[:1], []), user=NOBODY) == {
        caches[0]: owned_by("root")
    }
    assert in_child(lambda: closed_caches(caches[:1], caches), user=NOBODY) == {}


@for_root
@pytest.mark.parametrize("mode", [0o755, 0o555, 0o700, 0o766])
def test_a_cache_that_cannot_be_written_is_closed_even_if_it_is_named(caches, mode):
    os.chmod(caches[0], mode)
    for named in ([], caches):
        closed = in_child(lambda named=named: closed_caches(caches[:1], named), user=NOBODY)
        assert closed == {caches[0]: READ_ONLY}


def test_if_a_cache_is_named_all_others_are_closed(caches):
    assert closed_caches(caches, caches[1:]) == {caches[0]: NOT_NAMED}


def test_a_cache_may_be_named_by_another_path(caches):
    alias = f"{caches[0]}-alias"
    os.symlink(caches[0], alias)
    for named in (alias, f"{caches[0]}/", f"{caches[1]}/../mine", os.path.relpath(caches[0])):
        assert is_named(caches[0], [named])
        assert closed_caches(caches, [named]) == {caches[1]: NOT_NAMED}
    assert closed_caches([alias], caches[:1]) == {}
    assert not is_named(caches[0], [caches[1], f"{caches[0]}\0"])


def test_in_a_closed_cache_nothing_is_removed_healed_or_made(tmp_path):
    made = SmallInstallation(str(tmp_path))
    for cache in ("open", "closed"):
        made.package("unused-1-0", {"lib/a": b"a"}, cache)
        made.package(f"{QUARANTINE}/moving-run_1-moved-1-0", {"lib/a": b"a"}, cache)
        made.package(f"{QUARANTINE}/purge-run_1-given-up-1-0", {"lib/a": b"a"}, cache)
        made.package("left.c~", {"lib/a": b"a"}, cache)
        os.chmod(f"{tmp_path}/{cache}/{QUARANTINE}", 0o700)
    closed = {f"{tmp_path}/closed": "for a reason"}

    def plan():
        return plan_of(made, closed=closed, trash=True, tarballs=True)

    before = snapshot(f"{tmp_path}/closed")
    outcome = executed(made, plan(), plan)
    assert outcome.problems == []
    assert snapshot(f"{tmp_path}/closed") == before
    assert {removal.cache for removal in outcome.removed} == {f"{tmp_path}/open"}
    assert outcome.moved_back == [f"{tmp_path}/open/moved-1-0"]
    kept = {item.path: item.reason for item in plan().keep}
    assert kept[f"{tmp_path}/closed/unused-1-0"] == "its cache is not cleaned: for a reason"
