"""What a report says beside its figures, sentence by sentence."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from conda_hardlink_plugin.analysis.analysis import is_on_other_filesystem
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.report.warnings import find_warnings
from conda_hardlink_plugin.scan.inventory import Problem, ProblemKind
from tests.support.circumstances import LATER, analysis_of, filesystems_of
from tests.support.small_installation import SmallInstallation
from tests.support.trees import symlink, write

UNSEEN = (
    "What cannot be looked at may use any package, so nothing counts as UNUSED or for WITH CLEAN;"
    " of an environment that is gone for good say so with --ignore-env PATH."
)


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def notes_of(made, inventory=None, filesystems=None, unsearched=(), terms=LATER):
    inventory = inventory or made.scan()
    filesystems = filesystems or ["ext4"] * len(inventory.roots)
    terms = replace(
        terms,
        filesystems=filesystems_of(inventory, filesystems),
        unsearched=tuple(unsearched),
    )
    return find_warnings(analysis_of(inventory, made.names(), terms))


def problem(kind, path, reason="Permission denied"):
    return Problem(kind, 0, path, reason)


def on_devices(made, *root_devices):
    return replace(made.scan(), root_devices=root_devices)


def test_nothing_is_said_where_everything_was_seen(made):
    made.install(made.environment("env"), made.package("thing-1-0", {"lib/a": b"a"}))
    notes = notes_of(made, filesystems=["ext4", "ext4", ""])
    assert (notes.unreadable, notes.warnings) == ((), ())


@pytest.mark.parametrize("root", ["cache", "environment"])
def test_unreadable_paths_make_the_figures_lower_bounds(made, root):
    made.package("thing-1-0", {})
    made.environment("env")
    inventory = made.scan()
    problems = (
        replace(problem(ProblemKind.UNREADABLE, "/top/one"), root=int(root == "environment")),
        problem(ProblemKind.UNREADABLE, "/top/two", "Input/output error"),
    )
    one = notes_of(made, replace(inventory, problems=problems[:1]))
    assert one.unreadable == (PathProblem("/top/one", "Permission denied"),)
    at_least = (
        "1 path could not be read: all sizes are at least so much, and lack what is in there"
        " (/top/one: permission denied)."
    )
    # What is hidden in a cache uses no package of it: the links to it show.
    hidden = [f"/top/one: permission denied. {UNSEEN}"] * (root == "environment")
    assert one.warnings == (at_least, *hidden)
    two = notes_of(made, replace(inventory, problems=problems))
    assert two.unreadable[1] == PathProblem("/top/two", "Input/output error")
    assert two.warnings[0].startswith("2 paths could not be read:")


def test_what_vanished_or_was_met_twice_is_counted_apart(made):
    made.environment("env")
    problems = (
        problem(ProblemKind.VANISHED, "/envs/gone", "No such file or directory"),
        problem(ProblemKind.REPEATED, "/envs/again", "seen before"),
        problem(ProblemKind.REPEATED, "/envs/more", "seen before"),
    )
    notes = notes_of(made, replace(made.scan(), problems=problems))
    assert notes.unreadable == ()
    assert notes.warnings == (
        (
            "1 path vanished while they were read: something is changing these trees, so run the"
            " report again when it has finished."
        ),
        (
            "2 paths can be reached in two ways, by a mount, and counted where met first"
            " (/envs/again)."
        ),
    )


def test_folders_that_could_not_be_searched_may_hide_environments(made):
    made.environment("env")
    notes = notes_of(made, unsearched=[PathProblem("/envs", "permission denied")])
    assert notes.warnings == (
        (
            "1 folder could not be looked through for environments, which count as outside these"
            " trees (/envs: permission denied)."
        ),
    )


@pytest.mark.parametrize(
    ("files", "words"), [(1, "1 file is also linked"), (2, "2 files are also linked")]
)
def test_files_with_unseen_links_are_counted(made, tmp_path, files, words):
    prefix = made.environment("env")
    for number in range(files):
        write(f"{prefix}/{number}")
        for copy in "ab":
            os.link(f"{prefix}/{number}", tmp_path / f"{number}{copy}")
    assert notes_of(made).warnings == (
        (
            f"{words} from outside these trees: an environment or a cache that conda does not list"
            " holds them (--search DIR and --cache DIR take it in)."
        ),
    )


def test_an_environment_apart_from_every_cache_holds_copies_whatever_conda_says(made):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    made.install(made.environment("claimed"), package, "copy", claim="hardlink")
    made.install(made.environment("honest"), package, "copy")
    made.environment("empty")
    both = (
        (
            "claimed: packages of a cache on another filesystem. conda says hard link; these are"
            " copies."
        ),
        (
            "honest: packages of a cache on another filesystem, from where nothing can be"
            " hard-linked."
        ),
    )
    assert notes_of(made, on_devices(made, 0, 1, 1, 1)).warnings == both
    assert notes_of(made, on_devices(made, 0, 0, 1, 1)).warnings == both[1:]


def test_packages_of_one_cache_are_copies_though_another_cache_is_near(made):
    made.package("near-1-0", {"lib/near": b"n"})
    far = made.package("far-1-0", {"lib/far": b"f"}, "other")
    made.install(made.environment("env"), far, "copy", claim="hardlink")
    here = [1 if cache.endswith("other") else 0 for cache in made.caches]
    assert notes_of(made, on_devices(made, *here, 0)).warnings == (
        "env: packages of a cache on another filesystem. conda says hard link; these are copies.",
    )


@pytest.mark.parametrize(
    ("count", "others"), [(1, ""), (2, ", and 1 more place"), (3, ", and 2 more places")]
)
def test_what_was_not_looked_at_is_named_with_what_it_keeps(made, count, others):
    made.environment("env")
    unseen = [
        PathProblem("/disk/env", "its folder cannot be reached"),
        PathProblem("/envs", "permission denied"),
        PathProblem("/disk/other", "its folder cannot be reached"),
    ][:count]
    terms = replace(LATER, unseen=tuple(unseen))
    expected = f"/disk/env: its folder cannot be reached{others}. {UNSEEN}"
    assert notes_of(made, terms=terms).warnings == (expected,)
    assert notes_of(made, terms=replace(terms, ignored=("/disk", "/envs"))).warnings == ()


def test_an_environment_whose_records_cannot_be_listed_keeps_every_package(made):
    prefix = made.environment("env")
    inventory = replace(made.scan(), records={})
    assert notes_of(made, inventory).warnings == (
        f"{prefix}/conda-meta: cannot be listed. {UNSEEN}",
    )


@pytest.mark.parametrize(
    ("entries", "waiting"),
    [
        ([], None),
        (["held-99-r1-a-1-0"], None),
        (["moving-r1-a-1-0"], "1 package"),
        (["purge-r1-a-1-0"], "1 package"),
        (["held-99-r1-a-1-0", "moving-r1-b-1-0", "purge-r1-c-1-0"], "2 packages"),
    ],
)
def test_what_an_interrupted_clean_left_is_counted_and_what_is_held_is_not(made, entries, waiting):
    made.package("thing-1-0", {})
    for name in entries:
        made.package(f".conda-hardlinks/{name}", {})
    said = (
        f"{waiting} of an interrupted `conda hardlinks clean` wait in the quarantine: the next"
        " clean puts them back or finishes them."
    )
    assert notes_of(made).warnings == ((said,) if waiting else ())


def test_a_system_that_does_not_name_its_filesystems_is_told_of_reflinks(made):
    made.environment("env")
    (warning,) = notes_of(made, filesystems=["", ""]).warnings
    assert warning.startswith("This system does not say which filesystems these are")


def test_an_environment_is_apart_only_where_that_is_known(made):
    made.package("thing-1-0", {})
    made.package("thing-1-0", {}, "other")
    made.environment("env")
    unopened = -1
    for devices, special_inodes in [
        ((0, 1, 2), True),
        ((0, 1, 1), False),
        ((unopened, 1, 2), True),
        ((unopened, unopened, 2), False),
        ((0, 1, unopened), False),
        ((unopened, unopened, unopened), False),
    ]:
        assert is_on_other_filesystem(on_devices(made, *devices), 2) is special_inodes, devices
    made.caches.clear()
    assert not is_on_other_filesystem(on_devices(made, 2), 0)


def test_many_environments_are_not_all_named(made):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    for name in "abcdef":
        made.install(made.environment(name), package, "softlink")
    assert notes_of(made).warnings == (
        (
            "a, b, c, d and 2 more: softlinked into a package cache. `conda clean --packages` may"
            " not see that and would break it."
        ),
    )


def test_symbolic_links_into_a_cache_where_nothing_is_are_told(made):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    prefix = made.environment("env")
    for name in ("gone", "lost"):
        symlink(f"{package}/lib/{name}", f"{prefix}/{name}")
    softlinked, broken = notes_of(made).warnings
    assert softlinked.startswith("env: softlinked into a package cache.")
    assert broken.startswith("env: 2 symbolic links into a package cache where nothing is (")
    assert broken.endswith(("/env/gone).", "/env/lost)."))


def test_filesystems_on_which_figures_are_bounds_are_named(made):
    for number in range(4):
        made.environment(f"env{number}")
    assert notes_of(made, filesystems=["overlay", "btrfs", "xfs", "btrfs"]).warnings == (
        (
            "overlay: files of a lower layer, such as those of a container's image, are not freed"
            " by removing them, and linking copies them up: EXCLUSIVE and WITH CLEAN are at most so"
            " much."
        ),
        (
            "btrfs, xfs: blocks that files share by reflink are not visible here and are counted"
            " for each of them: what is freed may be less."
        ),
    )
