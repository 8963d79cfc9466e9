"""Symbolic links that reach a package by a path that the text of no single link shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager

import pytest

from conda_hardlink_plugin.analysis.symlinks import follow_symlinks, symlinks_through
from conda_hardlink_plugin.analysis.verdicts import Verdict
from conda_hardlink_plugin.filesystem import responsiveness
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.metadata.quarantine_names import QUARANTINE, QuarantineEntry, Stage
from tests.support.circumstances import Circumstances
from tests.support.forking import forked, in_child
from tests.support.oracles import NOBODY
from tests.support.small_installation import SmallInstallation
from tests.support.trees import symlink, write


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def verdicts(made):
    """Return the verdict on each package, by the name of its directory."""
    inventory = made.scan()
    judged = made.judge(Circumstances(now_ns=time.time_ns(), grace_ns=0), inventory)
    return {
        os.path.basename(inventory.units[unit].path): judged.verdict(unit) for unit in judged.uses
    }


@pytest.fixture
def thing(made):
    return made.package("thing-1-0", {"lib/f": b"f"})


def base_of(made):
    """Make an environment that holds the caches and the other environments, as conda's does."""
    write(f"{made.directory}/conda-meta/history")
    made.prefixes.append(made.directory)
    return made.directory


def test_a_relative_link_of_base_into_the_cache_inside_it_is_followed(made, thing):
    symlink("../pkgs/thing-1-0/lib/f", f"{base_of(made)}/lib/f")
    assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}


@pytest.mark.parametrize(
    ("of_base", "of_cache"), [("", "alias/pkgs"), ("alias", "pkgs"), ("alias", "alias/pkgs")]
)
def test_a_relative_link_of_base_is_followed_if_either_has_another_path(
    made, thing, tmp_path, of_base, of_cache
):
    symlink("../pkgs/thing-1-0/lib/f", f"{base_of(made)}/lib/f")
    alias = f"{tmp_path}-again"
    os.symlink(made.directory, alias)
    paths = {"": made.directory, "alias": alias, "pkgs": made.caches[0]}
    paths["alias/pkgs"] = f"{alias}/pkgs"
    made.prefixes, made.caches = [paths[of_base]], [paths[of_cache]]
    assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}


@pytest.mark.parametrize(
    ("folder_link", "text", "link"),
    [
        (".", "around", "around/pkgs/thing-1-0/lib/f"),
        ("../..", "share/on/up", "share/on/up/pkgs/thing-1-0/lib/f"),
        ("../lib", "share/lib", "share/lib/../pkgs/thing-1-0/lib/f"),
    ],
)
def test_a_link_of_base_through_folders_of_base_that_are_links_is_followed(
    made, thing, folder_link, text, link
):
    base = base_of(made)
    write(f"{base}/lib/g")
    symlink(folder_link, f"{base}/{text}")
    symlink(link, f"{base}/f")
    assert os.path.samefile(f"{base}/f", f"{thing}/lib/f")
    assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}


@pytest.mark.parametrize(
    ("folders", "links", "leads"),
    [
        # A link of the environment, then one of a folder that nothing else tells of.
        (["ext"], {"ext/pk": "pkgs", "envs/env/sw": "ext"}, "envs/env/f -> sw/pk/thing-1-0/lib/f"),
        # From a link back by `..`.
        (["side"], {"envs/env/sd": "side"}, "envs/env/y -> sd/../pkgs/thing-1-0/lib/f"),
        # From a link into another package back by `..`.
        (
            ["envs/env/d/e"],
            {"envs/env/d/lnk": "pkgs/other-1-0/lib"},
            "envs/env/d/e/x -> ../lnk/../../thing-1-0/lib/f",
        ),
        # No text leads out.
        (
            ["envs/env/a/b/c"],
            {"envs/env/a/b/c/top": "envs/env"},
            "envs/env/a/b/c/x -> top/../../pkgs/thing-1-0/lib/f",
        ),
    ],
)
@pytest.mark.parametrize("relative", [True, False])
def test_a_link_that_continues_another_one_is_followed(
    made, thing, folders, links, leads, relative
):
    made.package("other-1-0", {"lib/g": b"g"})
    made.environment("env")
    for folder in folders:
        os.makedirs(f"{made.directory}/{folder}")
    for place, target in links.items():
        path, end = f"{made.directory}/{place}", f"{made.directory}/{target}"
        symlink(os.path.relpath(end, os.path.dirname(path)) if relative else end, path)
    place, _, target = leads.partition(" -> ")
    symlink(target, f"{made.directory}/{place}")
    assert os.path.samefile(f"{made.directory}/{place}", f"{thing}/lib/f")
    assert verdicts(made)["thing-1-0"] is Verdict.SOFTLINKED


@pytest.mark.parametrize("shown", ["", "pkgs", "pkgs/thing-1-0"])
def test_a_link_through_an_unlisted_bind_mount_is_followed(made, thing, tmp_path, shown):
    point = f"{tmp_path}-mounted"
    os.mkdir(point)
    command = ["mount", "--bind", f"{made.directory}/{shown}", point]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    try:
        below = os.path.relpath(f"{thing}/lib/f", f"{made.directory}/{shown}")
        symlink(f"{point}/{below}", f"{made.environment('env')}/f")
        assert os.path.samefile(f"{made.directory}/envs/env/f", f"{thing}/lib/f")
        assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}
    finally:
        subprocess.run(["umount", point], check=True)


@contextmanager
def bound(source, point):
    os.makedirs(point, exist_ok=True)
    command = ["mount", "--bind", source, point]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", point], check=True)


def test_a_link_of_base_into_the_cache_inside_it_is_followed_where_a_mount_of_that_is_listed(
    made, thing, tmp_path
):
    base = base_of(made)
    symlink("../pkgs/thing-1-0/lib/f", f"{base}/lib/f")
    with bound(f"{base}/pkgs", f"{tmp_path}-mounted"):
        made.caches[:] = [f"{tmp_path}-mounted"]
        assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}


def test_a_link_into_a_mount_of_the_cache_in_the_environment_is_followed(made, thing):
    prefix = made.environment("env")
    with bound(made.caches[0], f"{prefix}/cache"):
        assert verdicts(made) == {"thing-1-0": Verdict.UNUSED}
        symlink("../cache/thing-1-0/lib/f", f"{prefix}/lib/f")
        assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}


def test_a_part_of_a_package_that_is_mounted_in_an_environment_is_in_use(made, thing):
    prefix = made.environment("env")
    with bound(f"{thing}/lib", f"{prefix}/lib"):
        assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}
    assert verdicts(made) == {"thing-1-0": Verdict.UNUSED}


def test_a_link_too_deep_to_follow_keeps_every_package(made, thing):
    """A program that changes folder step by step can follow it."""
    prefix = made.environment("env")
    top = os.getcwd()
    try:
        os.chdir(prefix)
        for _ in range(25):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        os.symlink(f"{thing}/lib/f", "link")
    finally:
        os.chdir(top)
    assert verdicts(made) == {"thing-1-0": Verdict.UNVERIFIABLE}


def test_links_of_a_package_are_not_those_of_base_around_it(made, tmp_path):
    """All links of base are followed, and the cache is known by another path."""
    symlink("f", f"{made.package('thing-1-0', {'lib/f': b'f'})}/lib/g")
    base = base_of(made)
    symlink("pkgs", f"{base}/door")
    os.symlink(made.caches[0], f"{tmp_path}-again")
    made.caches = [f"{tmp_path}-again"]
    assert verdicts(made) == {"thing-1-0": Verdict.UNUSED}


def test_a_link_that_stays_inside_and_passes_a_link_to_the_cache_is_followed(made, thing):
    prefix = made.environment("env")
    symlink(made.caches[0], f"{prefix}/cache")
    symlink("cache/thing-1-0/lib/f", f"{prefix}/f")
    assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}


def test_a_link_that_passes_a_link_to_a_folder_above_the_cache_is_followed(made, thing):
    prefix = made.environment("env")
    symlink(made.directory, f"{prefix}/lib/up")
    symlink("lib/up", f"{prefix}/again")
    symlink("../again/pkgs/thing-1-0/lib", f"{prefix}/share/lib")
    assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}


def test_a_link_to_the_whole_cache_alone_uses_no_package(made, thing):
    symlink("../../pkgs", f"{made.environment('env')}/pkgs")
    assert verdicts(made) == {"thing-1-0": Verdict.UNUSED}


def test_a_folder_on_the_path_that_is_a_link_in_a_package_is_a_hop(made, thing, tmp_path):
    first = made.package("first-1-0", {})
    symlink(f"{thing}/lib", f"{first}/lib")
    symlink(f"{first}/lib", f"{tmp_path}/elsewhere/lib")
    symlink(f"{tmp_path}/elsewhere/lib/f", f"{made.environment('env')}/f")
    assert verdicts(made) == {
        "first-1-0": Verdict.SOFTLINKED,
        "thing-1-0": Verdict.SOFTLINKED,
    }


def test_a_package_that_a_path_only_leaves_by_dot_dot_is_a_hop(made, thing):
    made.package("door-1-0", {"lib/x": b""})
    path = f"{made.caches[0]}/door-1-0/lib/../../thing-1-0/lib/f"
    symlink(path, f"{made.environment('env')}/f")
    assert verdicts(made) == {"door-1-0": Verdict.SOFTLINKED, "thing-1-0": Verdict.SOFTLINKED}


def test_every_path_of_a_hard_linked_symbolic_link_is_followed(made, thing):
    prefix = made.environment("env")
    write(f"{prefix}/a/b/pkgs/thing-1-0/lib/f")
    inner = symlink("../../pkgs/thing-1-0/lib/f", f"{prefix}/a/b/c/d/f")
    os.link(inner, f"{prefix}/f", follow_symlinks=False)
    assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}


def moved_aside(thing, stage, **expires):
    cache, name = os.path.split(thing)
    entry = QuarantineEntry(stage, "r1", name, **expires)
    os.makedirs(f"{cache}/{QUARANTINE}", exist_ok=True)
    os.rename(thing, f"{cache}/{QUARANTINE}/{entry.name}")


@pytest.mark.parametrize("held_first", [True, False])
def test_of_two_packages_with_one_original_path_the_restorable_one_is_used(made, thing, held_first):
    symlink(f"{thing}/lib/f", f"{made.environment('env')}/f")
    shutil.copytree(thing, f"{thing}.copy")
    stages = [(Stage.HELD, {"expires_s": 10**10}), (Stage.MOVING, {})]
    for stage, expires in stages if held_first else stages[::-1]:
        moved_aside(thing, stage, **expires)
        if os.path.isdir(f"{thing}.copy"):
            os.rename(f"{thing}.copy", thing)
    assert set(verdicts(made).values()) == {Verdict.SOFTLINKED}


def test_a_link_through_an_unreadable_folder_and_out_again_does_not_count_as_resolved():
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        made = SmallInstallation(directory)
        made.package("thing-1-0", {"lib/f": b"f"})
        made.package("other-1-0", {})
        closed = f"{directory}/closed"
        os.makedirs(f"{closed}/inner")
        symlink(f"{closed}/inner/../../pkgs/thing-1-0/lib/f", f"{made.environment('env')}/f")
        os.chmod(closed, 0o000)
        found = in_child(lambda: verdicts(made), user=NOBODY)
        assert found == {"thing-1-0": Verdict.SOFTLINKED, "other-1-0": Verdict.UNVERIFIABLE}
        os.chmod(closed, 0o755)


@pytest.mark.parametrize("target", ["loop", "x" * 300], ids=["a loop", "too long a name"])
def test_a_link_that_never_resolves_keeps_nothing(made, thing, target):
    prefix = made.environment("env")
    symlink(f"{made.directory}/{target}", f"{prefix}/f")
    symlink("loop", f"{made.directory}/loop")
    assert verdicts(made) == {"thing-1-0": Verdict.UNUSED}


def test_indirect_links_through_a_package_are_found(made, thing):
    prefix = made.environment("env")
    symlink(made.caches[0], f"{prefix}/cache")
    symlink("cache/thing-1-0/lib/f", f"{prefix}/f")
    inventory = made.scan()
    (unit,) = (index for index, unit in enumerate(inventory.units) if unit.path == thing)
    assert [link.path for link in symlinks_through(inventory, unit)] == [f"{prefix}/f"]


def test_a_link_to_an_unresponsive_mount_keeps_every_package_without_waiting(
    made, thing, never_answering, monkeypatch
):
    env = made.environment("env")
    gone = [symlink(f"{never_answering.point}/{name}", f"{env}/{name}") for name in ("a", "b/c")]
    symlink(f"{thing}/lib/f", f"{env}/f")
    made.package("unused-1-0", {"f": b"f"})
    monkeypatch.setattr(responsiveness, "_PATIENCE_S", 0.1)

    def followed():
        never_answering.leave_to_others()
        found = follow_symlinks(made.scan())
        (symlinks,) = found.values()
        return symlinks.count, symlinks.unresolved, verdicts(made)

    with forked(followed) as process:
        assert process.ends_within(60), "it waits for the mount"
        count, unresolved, found = process.result()
    assert count == 1
    assert unresolved == [PathProblem(path, "its filesystem does not answer") for path in gone]
    assert found == {"thing-1-0": Verdict.SOFTLINKED, "unused-1-0": Verdict.UNVERIFIABLE}


@pytest.mark.parametrize("allowed", [True, False])
def test_another_mount_is_checked_once_and_never_without_threads(made, thing, monkeypatch, allowed):
    elsewhere, env = f"{made.directory}/elsewhere", made.environment("env")
    started, start = [], threading.Thread.start

    def begin(thread):
        started.append(thread)
        if not allowed:
            raise RuntimeError("can't start new thread")
        start(thread)

    for name in ("f", "g"):
        symlink(f"{elsewhere}/{name}", f"{env}/{name}")
        symlink(f"{thing}/lib/f", f"{made.directory}/source/{name}")
    with bound(f"{made.directory}/source", elsewhere):
        monkeypatch.setattr(threading.Thread, "start", begin)
        assert verdicts(made) == {"thing-1-0": Verdict.SOFTLINKED}
    assert len(started) == 2  # for the mount point, and for what is in it
