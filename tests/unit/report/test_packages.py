"""The figures of each package: its users, and whether a clean removes it."""

from __future__ import annotations

import os

from conda_hardlink_plugin.analysis.verdicts import PackageUser
from conda_hardlink_plugin.report.packages import PackageFigures, package_figures
from tests.support.circumstances import LATER, Circumstances, analysis_of
from tests.support.oracles import du
from tests.support.trees import QUARANTINE, link, symlink

ODD = os.fsdecode(b"new\nline \x1b[31m\xff")


def figures_of(made, terms=LATER):
    return list(package_figures(analysis_of(made.scan(), made.names(), terms)))


def test_packages_list_their_users_and_kinds_of_use(made):
    cache, (one, other) = made.caches[0], made.prefixes
    symlink(f"{cache}/mine-1-0/lib/mine", f"{other}/mine")
    made.package("meta-1-0", {})
    made.record(other, "meta-1-0", {})
    link(f"{cache}/ours-1-0/lib/ours", f"{made.directory}/elsewhere/unseen")
    packages = {package.name: package for package in figures_of(made)}
    assert list(packages) == sorted(packages)
    assert {
        name: [(user.name, user.use) for user in row.environments] for name, row in packages.items()
    } == {
        "mine-1-0": [("one", "hardlink"), ("other", "softlink")],
        "ours-1-0": [("one", "hardlink"), ("other", "hardlink")],
        "spare-1-0": [],
        "meta-1-0": [("other", "record")],
    }
    assert [name for name, row in packages.items() if row.unused] == ["spare-1-0"]
    assert [name for name, row in packages.items() if row.used_outside] == ["ours-1-0"]
    assert packages["meta-1-0"].verdict == "recorded"
    assert packages["mine-1-0"] == PackageFigures(
        name="mine-1-0",
        path=f"{cache}/mine-1-0",
        size_bytes=du(f"{cache}/mine-1-0")[0],
        environments=(PackageUser("one", one, "hardlink"), PackageUser("other", other, "softlink")),
        used_outside=False,
        verdict="linked",
        unused=False,
    )


def test_a_package_is_unused_if_nothing_keeps_it(made):
    rows = {row.name: row for row in figures_of(made)}
    assert (rows["spare-1-0"].verdict, rows["spare-1-0"].unused) == ("unused", True)
    rows = {row.name: row for row in figures_of(made, Circumstances(2**62, grace_ns=2**62))}
    assert (rows["spare-1-0"].verdict, rows["spare-1-0"].unused) == ("recent", False)


def test_a_package_in_the_quarantine_has_the_name_that_it_had(made):
    aside = made.package(f"{QUARANTINE}/moving-r1-aside-1-0", {"lib/aside": b"a" * 9000})
    made.package(f"{QUARANTINE}/held-9-r1-held-1-0", {})
    rows = figures_of(made)
    names = ["mine-1-0", "ours-1-0", "spare-1-0", "aside-1-0"]
    assert sorted(row.name for row in rows) == sorted(names)
    (row,) = (row for row in rows if row.name == "aside-1-0")
    assert (row.size_bytes, row.path) == (du(aside)[0], f"{made.caches[0]}/aside-1-0")


def test_packages_of_several_caches_are_sorted_by_path_with_their_names_unchanged(made):
    paths = [made.package(f"{ODD}-1-0", {}, cache) for cache in ("z", "a")]
    rows = figures_of(made)
    assert [row.path for row in rows] == sorted(row.path for row in rows)
    assert [row.path for row in rows if row.name == f"{ODD}-1-0"] == paths[::-1]


def test_a_package_in_the_quarantine_is_sorted_by_the_path_that_is_shown(made):
    made.package(f"{QUARANTINE}/moving-r1-zz-1-0", {})
    rows = figures_of(made)
    assert [row.path for row in rows] == sorted(row.path for row in rows)
