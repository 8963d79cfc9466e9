"""The reasons to remove nothing at all: what cannot be read, and closed caches that are named."""

from __future__ import annotations

import os
import shlex
import tempfile

import pytest

from conda_hardlink_plugin.clean.refusals import find_refusals
from conda_hardlink_plugin.filesystem.problems import PathProblem
from tests.support.circumstances import Circumstances, analysis_of
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.small_installation import SmallInstallation
from tests.support.trees import ODD_NAMES, symlink, write

READABLE = "Make it readable, or run this command as a user who can read it"


@pytest.fixture
def made(tmp_path):
    made = SmallInstallation(str(tmp_path))
    made.package("p-1-0", {"f": b"f"})
    made.environment("env")
    return made


def refusals(made, *unseen, closed=None, named=(), ignored=(), deleted=()):
    problems = tuple(PathProblem(*item) for item in unseen)
    circumstances = Circumstances(now_ns=2**62, unseen=problems, ignored=ignored)
    analysis = analysis_of(made.scan(), made.names(), circumstances)
    return find_refusals(analysis, [*made.prefixes, *deleted], closed or {}, named)


def unreadable(path, reason, remedy):
    return (
        f"{path} cannot be read ({reason}) and may use any package, so nothing was removed."
        f" {remedy}"
    )


def ignorable(path):
    option = f"--ignore-env {shlex.quote(path)} (in Python: ignored_environments)"
    return f"If that environment was deleted, add {option}"


def test_if_everything_can_be_read_nothing_is_refused(made):
    assert refusals(made) == []


def test_a_missing_environment_can_be_ignored(made):
    sentence = unreadable("/disk/env", "it is not mounted", ignorable("/disk/env"))
    for deleted in ((), ("/disk/env",)):
        assert refusals(made, ("/disk/env", "it is not mounted"), deleted=deleted) == [sentence]
    assert refusals(made, ("/disk/env", "it is not mounted"), ignored=("/disk",)) == []


@pytest.mark.parametrize("below", ["", "/lib", *(f"/lib/{name}" for name in ODD_NAMES)])
def test_an_existing_environment_and_what_is_in_it_must_become_readable(made, below):
    path = f"{made.prefixes[0]}{below}"
    if below:
        write(path)
    assert refusals(made, (path, "permission denied")) == [
        unreadable(path, "permission denied", READABLE)
    ]


def test_an_environment_that_vanished_below_another_one_can_be_ignored(made):
    path = f"{made.prefixes[0]}/envs/gone"
    assert refusals(made, (path, "why")) == [unreadable(path, "why", ignorable(path))]


@pytest.mark.parametrize("name", ["link", "with space"])
def test_a_symbolic_link_that_cannot_be_followed_can_be_ignored_alone(made, name):
    path = symlink("/root/closed/data", f"{made.prefixes[0]}/{name}")
    (sentence,) = refusals(made, (path, "permission denied"))
    assert "If no package is reached through that symbolic link, add --ignore-env" in sentence
    assert shlex.quote(path) in sentence


def test_a_folder_beside_an_environment_is_not_a_part_of_it(made):
    path = f"{made.prefixes[0]}-other"
    assert refusals(made, (path, "why")) == [unreadable(path, "why", ignorable(path))]


@pytest.mark.parametrize("folder", ["home/.conda", "gone/.conda"])
def test_a_list_of_environments_must_become_readable(made, folder):
    write(f"{made.directory}/home/.conda/environments.txt")
    path = f"{made.directory}/{folder}/environments.txt"
    assert refusals(made, (path, "why")) == [unreadable(path, "why", READABLE)]


def test_a_folder_of_environments_that_cannot_be_listed_must_become_readable():
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        closed, empty = f"{top}/closed", f"{top}/empty"
        os.mkdir(closed, 0o000)
        os.mkdir(empty)
        made = SmallInstallation(top)
        made.package("p-1-0", {})
        unseen = [(path, "why") for path in (closed, empty, f"{top}/nul\0")]
        assert in_child(lambda: refusals(made, *unseen), user=NOBODY) == [
            unreadable(closed, "why", READABLE),
            *(unreadable(path, "why", ignorable(path)) for path in (empty, f"{top}/nul\0")),
        ]


def test_each_path_is_named_once_with_its_first_reason(made):
    found = refusals(made, ("/a", "first"), ("/b", "other"), ("/a", "second"))
    assert [sentence.partition(" and ")[0] for sentence in found] == [
        "/a cannot be read (first)",
        "/b cannot be read (other)",
    ]


def test_no_sentence_has_a_full_stop_at_its_end(made):
    cache = made.caches[0]
    found = refusals(
        made,
        ("/a", "why"),
        (f"{made.prefixes[0]}/lib", "why"),
        closed={cache: "it is read-only for you"},
        named=[cache],
    )
    assert len(found) == 3
    assert not any(sentence.endswith(".") for sentence in found)


def test_only_a_closed_cache_that_the_user_named_is_refused(made):
    cache, other = made.caches[0], f"{made.directory}/other"
    os.mkdir(other)
    closed = {cache: "it is read-only for you", other: "it is not named with --cache"}
    assert refusals(made, closed=closed) == []
    assert refusals(made, named=[cache]) == []
    sentences = [f"{cache} cannot be cleaned: it is read-only for you"]
    assert refusals(made, closed=closed, named=[cache]) == sentences
    alias = symlink(cache, f"{made.directory}/alias")
    assert refusals(made, closed=closed, named=[alias]) == sentences


def test_unreadable_paths_come_before_closed_caches(made):
    cache = made.caches[0]
    first, second = refusals(made, ("/a", "why"), closed={cache: "no"}, named=[cache])
    assert first.startswith("/a cannot be read")
    assert second == f"{cache} cannot be cleaned: no"
