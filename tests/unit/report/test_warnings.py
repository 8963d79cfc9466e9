"""The warnings of a report, sentence by sentence."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.report.warnings import find_warnings, unreadable_trees
from conda_hardlink_plugin.scan.inventory import Problem, ProblemKind
from tests.support.circumstances import LATER, analysis_of, filesystems_of
from tests.support.small_installation import SmallInstallation
from tests.support.trees import symlink, write

UNSEEN = (
    "An environment that cannot be read may use any package, so no package counts as UNUSED or"
    " toward WITH CLEAN. If it is gone for good, pass --ignore-env PATH."
)

COPIES = (
    "{}: conda records hard links, but some packages are copies, because their cache is on another"
    " filesystem."
)


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def warnings_of(made, inventory=None, filesystems=None, unsearched=(), terms=LATER):
    inventory = inventory or made.scan()
    filesystems = filesystems or ["ext4"] * len(inventory.roots)
    terms = replace(
        terms,
        filesystems=filesystems_of(inventory, filesystems),
        unsearched=tuple(unsearched),
    )
    return list(find_warnings(analysis_of(inventory, made.names(), terms)))


def problem(kind, path, reason="Permission denied"):
    return Problem(kind, 0, path, reason)


def on_devices(made, *root_devices):
    return replace(made.scan(), root_devices=root_devices)


def test_a_complete_scan_has_no_warnings(made):
    made.install(made.environment("env"), made.package("thing-1-0", {"lib/a": b"a"}))
    assert warnings_of(made, filesystems=["ext4", "ext4", ""]) == []
    assert unreadable_trees(made.scan()) == []


@pytest.mark.parametrize("root", ["cache", "environment"])
def test_unreadable_paths_make_the_figures_lower_bounds(made, root):
    made.package("thing-1-0", {})
    made.environment("env")
    inventory = made.scan()
    problems = (
        replace(problem(ProblemKind.UNREADABLE, "/top/one"), root=int(root == "environment")),
        problem(ProblemKind.UNREADABLE, "/top/two", "Input/output error"),
    )
    one = replace(inventory, problems=problems[:1])
    assert unreadable_trees(one) == [PathProblem("/top/one", "Permission denied")]
    bound = "1 path could not be read, so sizes are lower bounds (/top/one: permission denied)."
    # A hidden part of a cache cannot use packages of that cache without visible links.
    hidden = [f"/top/one: permission denied. {UNSEEN}"] * (root == "environment")
    assert warnings_of(made, one) == [bound, *hidden]
    two = replace(inventory, problems=problems)
    assert unreadable_trees(two)[1] == PathProblem("/top/two", "Input/output error")
    assert warnings_of(made, two)[0].startswith("2 paths could not be read, so")


def test_vanished_and_repeated_paths_have_warnings_of_their_own(made):
    made.environment("env")
    problems = (
        problem(ProblemKind.VANISHED, "/envs/gone", "No such file or directory"),
        problem(ProblemKind.REPEATED, "/envs/again", "seen before"),
        problem(ProblemKind.REPEATED, "/envs/more", "seen before"),
    )
    inventory = replace(made.scan(), problems=problems)
    assert unreadable_trees(inventory) == []
    assert warnings_of(made, inventory) == [
        (
            "1 path vanished during the scan: something is changing these trees. Run the report"
            " again when it has finished."
        ),
        "2 paths can be reached in two ways, through a mount, but counted only once (/envs/again).",
    ]


def test_unsearched_folders_may_hide_environments(made):
    made.environment("env")
    folder = PathProblem("/envs", "permission denied")
    unsearched, uncertain = warnings_of(made, unsearched=[folder])
    assert unsearched == (
        "1 folder could not be searched for environments. Environments in there count as outside"
        " the scanned trees (/envs: permission denied)."
    )
    assert uncertain == f"/envs: permission denied. {UNSEEN}"


@pytest.mark.parametrize(
    ("files", "words"), [(1, "1 file is also linked"), (2, "2 files are also linked")]
)
def test_files_with_unseen_links_are_counted(made, tmp_path, files, words):
    prefix = made.environment("env")
    for number in range(files):
        write(f"{prefix}/{number}")
        for copy in "ab":
            os.link(f"{prefix}/{number}", tmp_path / f"{number}{copy}")
    assert warnings_of(made) == [
        (
            f"{words} from outside the scanned trees: from an environment or a cache that conda"
            " does not list. Include it with --search DIR or --cache DIR."
        )
    ]


def test_an_environment_on_another_filesystem_holds_copies_whatever_conda_records(made):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    made.install(made.environment("claimed"), package, "copy", claim="hardlink")
    made.install(made.environment("honest"), package, "copy")
    made.environment("empty")
    both = [
        COPIES.format("claimed"),
        (
            "honest: some packages cannot be hard-linked, because their cache is on another"
            " filesystem."
        ),
    ]
    assert warnings_of(made, on_devices(made, 0, 1, 1, 1)) == both
    assert warnings_of(made, on_devices(made, 0, 0, 1, 1)) == both[1:]


def test_packages_of_one_cache_are_copies_though_another_cache_is_near(made):
    made.package("near-1-0", {"lib/near": b"n"})
    far = made.package("far-1-0", {"lib/far": b"f"}, "other")
    made.install(made.environment("env"), far, "copy", claim="hardlink")
    here = [1 if cache.endswith("other") else 0 for cache in made.caches]
    assert warnings_of(made, on_devices(made, *here, 0)) == [COPIES.format("env")]


@pytest.mark.parametrize(
    ("count", "others"), [(1, ""), (2, " (and 1 more path)"), (3, " (and 2 more paths)")]
)
def test_unreachable_environments_keep_every_package(made, count, others):
    made.environment("env")
    unseen = [
        PathProblem("/disk/env", "its folder cannot be reached"),
        PathProblem("/envs", "permission denied"),
        PathProblem("/disk/other", "its folder cannot be reached"),
    ][:count]
    terms = replace(LATER, unseen=tuple(unseen))
    expected = f"/disk/env: its folder cannot be reached{others}. {UNSEEN}"
    assert warnings_of(made, terms=terms) == [expected]
    assert warnings_of(made, terms=replace(terms, ignored=("/disk", "/envs"))) == []


def test_an_environment_whose_records_cannot_be_listed_keeps_every_package(made):
    prefix = made.environment("env")
    inventory = replace(made.scan(), records={})
    assert warnings_of(made, inventory) == [f"{prefix}/conda-meta: cannot be listed. {UNSEEN}"]


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
def test_packages_of_an_interrupted_clean_are_counted_and_held_packages_are_not(
    made, entries, waiting
):
    made.package("thing-1-0", {})
    for name in entries:
        made.package(f".conda-hardlinks/{name}", {})
    warning = (
        f"The quarantine contains {waiting} from an interrupted `conda hardlinks clean`: the next"
        " clean restores or deletes each of them."
    )
    assert warnings_of(made) == ([warning] if waiting else [])


def test_unknown_filesystems_may_share_blocks(made):
    made.environment("env")
    assert warnings_of(made, filesystems=["", ""]) == [
        (
            "The types of these filesystems are unknown. Where files share blocks through reflinks,"
            " as on APFS, removing them may free less."
        )
    ]


def test_many_environments_are_not_all_named(made):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    for name in "abcdef":
        made.install(made.environment(name), package, "softlink")
    assert warnings_of(made) == [
        (
            "a, b, c, d and 2 more: symbolic links lead into a package cache. `conda clean"
            " --packages` may not notice that and break the environment."
        )
    ]


def test_broken_symbolic_links_into_a_cache_are_counted(made):
    package = made.package("thing-1-0", {"lib/a": b"a"})
    prefix = made.environment("env")
    for name in ("gone", "lost"):
        symlink(f"{package}/lib/{name}", f"{prefix}/{name}")
    softlinked, broken = warnings_of(made)
    assert softlinked.startswith("env: symbolic links lead into a package cache.")
    assert broken.startswith("env: 2 broken symbolic links into a package cache (")
    assert broken.endswith(("/env/gone).", "/env/lost)."))


def test_filesystems_on_which_figures_are_bounds_are_named(made):
    for number in range(4):
        made.environment(f"env{number}")
    assert warnings_of(made, filesystems=["overlay", "btrfs", "xfs", "btrfs"]) == [
        (
            "overlay: removing a file of a lower layer, such as a container image, frees nothing,"
            " and hard-linking it copies it to the upper layer. EXCLUSIVE and WITH CLEAN are upper"
            " bounds."
        ),
        (
            "btrfs, xfs: blocks that files share through reflinks count once for each file, so"
            " removing files may free less."
        ),
    ]
