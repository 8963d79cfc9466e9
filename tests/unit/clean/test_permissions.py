"""Closed caches: read-only ones, and without --cache those that other users own or can change."""

from __future__ import annotations

import json
import os
import pwd
import stat
import tempfile

import pytest

from conda_hardlink_plugin.clean.permissions import closed_caches, is_named
from tests.conda.test_unreadable_paths import as_ordinary_user
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
CLEAN = ("clean", "--yes", "--grace", "0", "--unobtainable")

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
