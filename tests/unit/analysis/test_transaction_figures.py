"""Measurements around a transaction agree with du, before and after removal."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.analysis.causes import Cause
from conda_hardlink_plugin.analysis.transaction_figures import (
    Budget,
    InstalledPackage,
    OverBudgetError,
    measure_added,
    measure_left,
    measure_linked,
    measure_rest,
    measure_unheld,
    measure_unlinked,
)
from conda_hardlink_plugin.metadata.conda_meta import FileRole
from tests.support.oracles import du
from tests.support.scanning import reader
from tests.support.trees import link, symlink, write, write_sparse

FOLDERS = ("", "lib", "lib/deep/er", "share")
ROLES = tuple(FileRole)
CAUSES = {
    FileRole.LINKABLE: Cause.COPIED,
    FileRole.PREFIX_REWRITTEN: Cause.PREFIX_REWRITTEN,
    FileRole.NO_LINK: Cause.NO_LINK,
    FileRole.SYMLINK: Cause.NO_LINK,
    FileRole.BYTECODE: Cause.BYTECODE,
    FileRole.ENTRY_POINT: Cause.CONDA_OWN,
}
few = settings(max_examples=30)  # each is compared with du
LONG = "x" * 200  # a symbolic link that has a block
LOOKS = 256  # the clock is looked at each so many files


def long():
    return Budget(3600)


def by_each(measure, *arguments, **options):
    """Measure with each reader, and return what both have measured."""
    found = []
    for name in ("python", "native"):
        with reader(name):
            found.append(measure(*arguments, long(), **options))
    assert found[0] == found[1]
    return found[0]


@dataclass
class Tree:
    """An environment of two packages, the cache they are linked from, and a folder outside both."""

    top: str
    files: list[list[str]] = field(default_factory=lambda: [[], []])
    roles: dict[str, FileRole] = field(default_factory=dict)

    @property
    def prefix(self):
        return f"{self.top}/env"

    @property
    def packages(self):
        return [self.package(number) for number in range(2)]

    def package(self, number, **more):
        files = self.files[number]
        parts = {
            "dist": f"p{number}-1-0",
            "files": tuple(files),
            "role_of": lambda index: self.roles[files[index]],
            "hard_link_requested": number == 0,
            "soft_link_requested": number == 1,
            "extracted": self.extracted(number),
        }
        return InstalledPackage(**(parts | more))

    def extracted(self, number):
        return f"{self.top}/pkgs/p{number}-1-0"

    def recorded(self, *, records=False):
        """Return the paths of the recorded files that exist."""
        names = [name for files in self.files for name in files]
        names += [f"conda-meta/p{number}-1-0.json" for number in range(2)] * records
        paths = dict.fromkeys(f"{self.prefix}/{name}" for name in names)
        return [path for path in paths if os.path.lexists(path)]


inodes = st.lists(
    st.tuples(
        st.sampled_from(["file", "file", "file", "hole", "symbolic link", "missing"]),
        st.integers(0, 30_000),
        st.lists(  # each link: where, in which folder, of which package or of none
            st.tuples(
                st.sampled_from(["env", "env", "cache", "cache", "outside"]),
                st.sampled_from(FOLDERS),
                st.sampled_from([0, 1, None]),
            ),
            min_size=1,
            max_size=4,
        ),
    ),
    max_size=14,
)


@contextmanager
def tree_of(made, *, link_in_rest=True):
    with tempfile.TemporaryDirectory() as top:
        tree = Tree(top)
        for number in range(2):
            write(f"{tree.prefix}/conda-meta/p{number}-1-0.json", b"{}")
            write(f"{tree.extracted(number)}/info/index.json", b"{}")
        for folder in ("outside", *(f"env/{folder}" for folder in FOLDERS)):
            os.makedirs(f"{top}/{folder}", exist_ok=True)
        for index, (kind, size, places) in enumerate(made):
            source = None
            for place, (area, folder, package) in enumerate(places):
                name = os.path.join(folder, f"f{index}-{place}")
                if area == "env" and package is not None:
                    tree.files[package].append(name)
                    # Where all was to be symbolic links, what is none is a copy.
                    roles = [role for role in ROLES if package == 0 or role is not FileRole.SYMLINK]
                    tree.roles[name] = roles[(index + place) % len(roles)]
                elif area == "env" and not link_in_rest and len(places) > 1:
                    continue
                inside = {"env": tree.prefix, "cache": tree.extracted(package or 0)}
                path = os.path.join(inside.get(area, f"{top}/outside"), name)
                if kind == "missing":
                    continue
                source = _make(kind, size, source, path)
        yield tree


def _make(kind, size, source, path):
    if source is not None:
        return link(source, path)
    if kind == "symbolic link":
        return symlink(LONG[: 1 + size % 199], path)
    if kind == "hole":
        return write_sparse(path, 10 * size)
    return write(path, b"x" * size)


@few
@given(inodes)
def test_linked_files_are_private_or_have_several_links(made):
    with tree_of(made) as tree:
        figures = by_each(measure_linked, tree.prefix, tree.packages)
        paths = tree.recorded()
        by_cause, copied = {}, set()
        for number, files in enumerate(tree.files):
            for name in files:
                path = f"{tree.prefix}/{name}"
                if path not in paths or os.lstat(path).st_nlink > 1:
                    continue
                cause = Cause.SYMLINKS if os.path.islink(path) else CAUSES[tree.roles[name]]
                by_cause[cause] = by_cause.get(cause, 0) + du(path)[0]
                copied |= {f"p{number}-1-0"} if cause is Cause.COPIED else set()
        assert figures.by_cause == by_cause
        assert figures.private_bytes == sum(by_cause.values())
        assert figures.size_bytes == (sum(du(*paths)) if paths else 0)
        assert figures.size_bytes - figures.hardlinked_bytes == figures.private_bytes
        assert {package.dist for package in figures.copied} == copied
        assert [package.dist for package in figures.softlinked] == ["p1-1-0"]
        assert figures.packages == 2


@few
@given(inodes)
def test_unlinking_frees_what_du_loses(made):
    with tree_of(made) as tree:
        figures = by_each(measure_unlinked, tree.prefix, tree.packages, everything=False)
        paths = tree.recorded(records=True)
        assert figures.size_bytes == sum(du(*paths))
        assert figures.rest_bytes is None
        before = du(tree.top)[0]
        for path in paths:
            os.unlink(path)
        assert figures.freed_bytes == before - du(tree.top)[0]
        # conda removes the folders that had files of theirs and are empty then.
        before, gone = du(tree.top)[0], 0
        names = ["conda-meta/p", *(name for files in tree.files for name in files)]
        for folder, _, _ in os.walk(tree.prefix, topdown=False):
            had = any(f"{tree.prefix}/{name}".startswith(f"{folder}/") for name in names)
            if had and folder != tree.prefix and not os.listdir(folder):
                os.rmdir(folder)
                gone += figures.folders.pop(folder)
        assert gone == before - du(tree.top)[0]
        assert all(os.path.isdir(folder) for folder in figures.folders)


def assert_freed_as_told(tree):
    """Assert that removing the environment frees the measured bytes."""
    figures = by_each(measure_unlinked, tree.prefix, tree.packages, everything=True)
    before = du(tree.top)[0]
    shutil.rmtree(tree.prefix)
    assert figures.freed_bytes + figures.rest_bytes == before - du(tree.top)[0]


@few
@given(inodes, st.integers(1, 4), st.booleans())
def test_what_could_not_be_removed_is_not_freed(made, every, everything):
    """Some files stay, every other one of them under the name that conda gives it."""
    with tree_of(made) as tree:
        figures = measure_unlinked(tree.prefix, tree.packages, long(), everything=everything)
        assert measure_left(figures, long())[1] >= figures.freed_bytes
        before = du(tree.top)[0]
        for number, path in enumerate(sorted(tree.recorded(records=True))):
            if number % every:
                os.unlink(path)
            elif number % 2:
                os.rename(path, f"{path}.c~")
        promised = figures.freed_bytes + (figures.rest_bytes or 0)
        _, not_freed_bytes = measure_left(figures, long())
        assert promised - not_freed_bytes == before - du(tree.top)[0]


def test_of_a_symbolic_link_to_an_environment_nothing_is_freed(tmp_path):
    tree = Tree(str(tmp_path))
    write(f"{tree.prefix}/lib/private", b"x" * 5_000)
    tree.files[0].append("lib/private")
    tree.roles = {"lib/private": FileRole.LINKABLE}
    os.makedirs(f"{tree.prefix}/conda-meta")
    link = symlink(tree.prefix, f"{tmp_path}/link")
    for everything in (True, False):
        figures = measure_unlinked(link, tree.packages, long(), everything=everything)
        assert measure_left(figures, long())[1] == figures.freed_bytes + (figures.rest_bytes or 0)
    os.unlink(link)
    assert measure_left(figures, long())[1] == figures.freed_bytes > 0
    shutil.rmtree(tree.prefix)
    assert measure_left(figures, long()) == (0, 0)


@few
@given(inodes)
def test_removing_an_environment_frees_what_du_loses(made):
    with tree_of(made, link_in_rest=False) as tree:
        write(f"{tree.prefix}/conda-meta/history", b"x" * 5_000)
        assert_freed_as_told(tree)


@few
@given(inodes)
def test_hard_links_within_an_environment_are_freed_with_it(made):
    """Even those in no package, or in only one of two."""
    with tree_of(made) as tree:
        assert_freed_as_told(tree)


@few
@given(inodes)
def test_a_new_environment_adds_what_du_reports(made):
    """All inodes with several links have the others in the cache."""
    made = [
        (kind, size, [("cache", *places[0][1:]), *places] if len(places) > 1 else places)
        for kind, size, places in made
    ]
    with tree_of(made) as tree:
        # du counts a file where it comes first.
        added = du(f"{tree.top}/pkgs", f"{tree.top}/outside", tree.prefix)[2]
        assert by_each(measure_added, tree.prefix) == added


@few
@given(inodes)
def test_links_within_a_new_environment_are_no_reason_not_to_count_a_file(made):
    with tree_of(made) as tree:
        found = [
            os.lstat(os.path.join(folder, name))
            for folder, folders, names in os.walk(tree.prefix)
            for name in (*names, *folders)
        ]
        links = Counter(status.st_ino for status in found)
        of_inode = {
            status.st_ino: status
            for status in found
            if stat.S_ISDIR(status.st_mode) or links[status.st_ino] == status.st_nlink
        }
        top = os.lstat(tree.prefix).st_blocks
        expected = 512 * (top + sum(status.st_blocks for status in of_inode.values()))
        assert by_each(measure_added, tree.prefix) == expected


@few
@given(inodes)
def test_a_package_without_outside_links_holds_what_du_reports(made):
    with tree_of(made) as tree:
        expected = 0
        for package in tree.packages:
            paths = [
                f"{folder}/{name}"
                for folder, folders, names in os.walk(package.extracted)
                for name in (*names, *folders)
            ]
            found = [os.lstat(path) for path in paths]
            files = [status.st_ino for status in found if status.st_mode & 0o170000 != 0o040000]
            links = {status.st_ino: status.st_nlink for status in found}
            if all(files.count(inode) == links[inode] for inode in files):
                expected += du(package.extracted)[0]
        assert by_each(measure_unheld, tree.packages) == expected


def test_a_path_in_two_packages_counts_once(tmp_path):
    """conda warns and continues: both records list the path."""
    tree = Tree(str(tmp_path))
    write(f"{tree.prefix}/lib/private", b"x" * 5_000)
    link(write(f"{tree.extracted(0)}/lib/linked", b"x" * 9_000), f"{tree.prefix}/lib/linked")
    for files in tree.files:
        files += ["lib/private", "lib/linked"]
    tree.roles = dict.fromkeys(tree.files[0], FileRole.PREFIX_REWRITTEN)
    private, linked = du(f"{tree.prefix}/lib/private", f"{tree.prefix}/lib/linked")
    figures = by_each(measure_linked, tree.prefix, tree.packages)
    assert (figures.private_bytes, figures.hardlinked_bytes) == (private, linked)
    figures = by_each(measure_unlinked, tree.prefix, tree.packages, everything=False)
    assert (figures.size_bytes, figures.freed_bytes) == (private + linked, private)


@pytest.mark.parametrize(("number", "cause"), [(0, Cause.NO_LINK), (1, Cause.COPIED)])
def test_a_copy_that_is_recorded_as_a_symbolic_link_has_a_cause(tmp_path, number, cause):
    """Conda copies the target of an absolute one, and the executables of a softlinked package."""
    tree = Tree(str(tmp_path))
    path = write(f"{tree.prefix}/bin/tool", b"x" * 5_000)
    tree.files[number].append("bin/tool")
    tree.roles["bin/tool"] = FileRole.SYMLINK
    figures = by_each(measure_linked, tree.prefix, tree.packages)
    assert figures.by_cause == {cause: du(path)[0]}


def test_a_symbolic_link_to_a_folder_belongs_to_the_package(tmp_path):
    tree = Tree(str(tmp_path))
    write(f"{tree.extracted(0)}/lib/real/file", b"x")
    symlink("../" * 40 + f"{tree.extracted(0)}/lib/real", f"{tree.extracted(0)}/lib/again")
    assert os.path.isdir(f"{tree.extracted(0)}/lib/again")
    assert [by_each(measure_unheld, [tree.package(0)])] == du(tree.extracted(0))


def test_a_missing_folder_holds_nothing(tmp_path):
    tree = Tree(str(tmp_path))
    write(f"{tree.prefix}/conda-meta/p0-1-0.json", b"{}")
    tree.files[0] += ["lib/gone/file", "conda-meta/p1-1-0.json/none"]
    figures = by_each(measure_unlinked, tree.prefix, [tree.package(0)], everything=False)
    assert figures.size_bytes == du(f"{tree.prefix}/conda-meta/p0-1-0.json")[0]
    assert set(figures.folders) == {f"{tree.prefix}/conda-meta"}


def test_a_package_that_is_not_in_the_cache_holds_nothing(tmp_path):
    tree = Tree(str(tmp_path))
    assert by_each(measure_unheld, [tree.package(0), tree.package(1, extracted="")]) == 0


# ---------------------------------------------------------------------------- budget


def spend_most(budget):
    for _ in range(LOOKS - 1):
        budget.spend()


def test_the_deadline_is_checked_once_in_many_files():
    over, enough = Budget(-1), long()
    spend_most(over)
    with pytest.raises(OverBudgetError):
        over.spend()
    for _ in range(10):
        spend_most(enough)
        enough.spend()


def test_a_budget_ends_at_its_deadline(monkeypatch):
    budget = Budget(5)
    monkeypatch.setattr(time, "monotonic", lambda: budget.deadline_s - 0.001)
    spend_most(budget)
    budget.spend()
    monkeypatch.setattr(time, "monotonic", lambda: budget.deadline_s + 0.001)
    spend_most(budget)
    with pytest.raises(OverBudgetError):
        budget.spend()


def _linked(tree, budget):
    measure_linked(tree.prefix, tree.packages, budget)


def _unlinked(tree, budget):
    measure_unlinked(tree.prefix, tree.packages, budget, everything=False)


def _rest(tree, budget):
    measure_rest(tree.prefix, (), Counter(), budget)


def _held(tree, budget):
    measure_unheld(tree.packages, budget)


def _added(tree, budget):
    measure_added(tree.prefix, budget)


@pytest.mark.parametrize("by", ["python", "native"])
@pytest.mark.parametrize("measure", [_linked, _unlinked, _rest, _held, _added])
def test_every_measurement_stops_at_the_deadline(tmp_path, measure, by):
    tree = Tree(str(tmp_path))
    os.makedirs(f"{tree.prefix}/conda-meta")
    for number in range(LOOKS):
        name = f"lib/{number}"
        link(write(f"{tree.extracted(0)}/{name}"), f"{tree.prefix}/{name}")
        tree.files[number % 2].append(name)
        tree.roles[name] = FileRole.LINKABLE
    measure(tree, long())
    with reader(by), pytest.raises(OverBudgetError):
        measure(tree, Budget(-1))
