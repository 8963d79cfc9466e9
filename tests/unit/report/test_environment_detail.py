"""The details of one environment, from real trees: causes, packages and sharing."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.analysis.usage import Measure, Usage
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.report.environment_detail import (
    PackagePrivate,
    SharedWith,
    environment_detail,
    private_usage,
)
from tests.support.small_installation import SmallInstallation, below, directory_bytes
from tests.support.trees import symlink, write

SITE = "lib/python3.11/site-packages"


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def cached_in(made):
    return {name for cache in made.caches for name in os.listdir(cache)}


def private_usage_of(made, prefix, measure=Measure.APPARENT):
    """Return the private usage, and check that its causes add up to the exclusive usage."""
    inventory = made.scan(detailed=True)
    usage = Usage(inventory, measure)
    root = [root.path for root in inventory.roots].index(prefix)
    private = private_usage(usage, root, cached_in(made))
    assert sum(private.by_cause.values()) == usage.exclusive_by_root[root]
    return private


def conda_meta_bytes(prefix):
    return sum(os.lstat(path).st_size for path in below(f"{prefix}/conda-meta")[1:])


def causes_of(made, prefix):
    """Return the causes without records and directories, which depend on the filesystem."""
    by_cause = private_usage_of(made, prefix).by_cause
    assert by_cause.pop("directories") == directory_bytes(prefix)
    by_cause["entry_points_and_records"] -= conda_meta_bytes(prefix)
    return {cause: amount for cause, amount in by_cause.items() if amount}


def test_every_file_of_an_environment_has_its_cause(made):
    hard = made.package("hard-1-0", {"lib/hard": b"h" * 10})
    copied = made.package("copied-1-0", {"lib/copied": b"c" * 20})
    prefix = made.environment("env")
    made.install(prefix, hard)
    made.install(prefix, copied, "copy", claim="hardlink")
    files = {
        "bin/tool": (30, {"path_type": "unix_python_entry_point"}),
        "lib/rewritten": (40, {"prefix_placeholder": "/opt"}),
        "lib/locked": (50, {"no_link": True}),
        "lib/x.pyc": (60, {"path_type": "pyc_file"}),
    }
    made.record(prefix, "various-1-0", {name: detail for name, (_, detail) in files.items()})
    made.record(prefix, "uncached-1-0", {"lib/uncached": {}})
    made.package("various-1-0", {})
    for name, (length, _) in files.items():
        write(f"{prefix}/{name}", b"v" * length)
    write(f"{prefix}/lib/uncached", b"u" * 70)
    write(f"{prefix}/{SITE}/piped.py", b"p" * 80)
    listing = b"piped.py,,\npiped-1.dist-info/RECORD,,\nlib/hard,,\n"
    write(f"{prefix}/{SITE}/piped-1.dist-info/RECORD", listing)
    write(f"{prefix}/Menu/entry.desktop", b"m" * 90)
    write(f"{prefix}/{SITE}/__pycache__/piped.pyc", b"b" * 100)
    write(f"{prefix}/home-made", b"s" * 110)
    assert causes_of(made, prefix) == {
        "copied": 20,
        "entry_points_and_records": 30 + 90,
        "prefix_rewritten": 40,
        "no_link": 50,
        "bytecode": 60 + 100,
        "not_in_cache": 70,
        "pip": 80 + len(listing),
        "unowned": 110,
    }


def test_the_links_of_a_softlinked_environment_are_symbolic_links_and_no_copies(made):
    soft = made.package("soft-1-0", {"lib/soft": b"s" * 5000})
    prefix = made.environment("env")
    made.install(prefix, soft, "softlink")
    assert causes_of(made, prefix) == {"symlinks": len(f"{soft}/lib/soft")}
    assert private_usage_of(made, prefix).copied_packages == ()


def test_a_link_of_a_package_itself_is_a_symbolic_link(made):
    prefix = made.environment("env")
    symlink("target", f"{prefix}/lib/link")
    made.record(prefix, "linked-1-0", {"lib/link": {"path_type": "softlink"}})
    assert causes_of(made, prefix) == {"symlinks": len("target")}


def test_what_is_linked_several_times_within_the_environment_counts_once(made):
    prefix = made.environment("env")
    write(f"{prefix}/one", b"o" * 10)
    os.link(f"{prefix}/one", f"{prefix}/two")
    assert causes_of(made, prefix) == {"unowned": 10}


def test_a_file_with_other_holders_has_no_cause(made, tmp_path):
    prefix, other = made.environment("env"), made.environment("other")
    for holder in (f"{other}/held", str(tmp_path / "unseen")):
        name = os.path.basename(holder)
        write(f"{prefix}/{name}", b"h" * 10)
        os.link(f"{prefix}/{name}", holder)
    assert causes_of(made, prefix) == {}


def test_the_causes_add_up_in_disk_usage_too(made):
    package = made.package("thing-1-0", {"lib/a": b"a" * 9000})
    prefix = made.environment("env")
    made.install(prefix, package, "copy")
    private = private_usage_of(made, prefix, Measure.DISK)
    assert private.by_cause["copied"] == os.lstat(f"{prefix}/lib/a").st_blocks * 512


def test_copies_that_conda_records_as_links_are_named(made):
    prefix = made.environment("env")
    for dist, link, claim in [
        ("linked-1-0", "hardlink", "hardlink"),
        ("lied-1-0", "copy", "hardlink"),
        ("copied-1-0", "copy", "copy"),
    ]:
        package = made.package(dist, {f"lib/{dist}": b"x" * 10})
        made.install(prefix, package, link, claim=claim)
    private = private_usage_of(made, prefix)
    assert private.copied_packages == ("lied-1-0",)
    assert private.by_package == {"linked-1-0": 0, "lied-1-0": 10, "copied-1-0": 10}


def test_a_damaged_record_is_named_and_its_files_are_unowned(made):
    prefix = made.environment("env")
    write(f"{prefix}/lib/a", b"a" * 10)
    path = write(f"{prefix}/conda-meta/broken-1-0.json", b"{}")
    assert causes_of(made, prefix) == {"unowned": 10}
    assert private_usage_of(made, prefix).unreadable == (
        PathProblem(path, "it has no list of files"),
    )


def test_the_detail_lists_packages_and_other_environments_most_bytes_first(made):
    big = made.package("big-1-0", {"lib/big": b"b" * 3000})
    small = made.package("small-1-0", {"lib/small": b"s" * 20})
    prefix = made.environment("env")
    both, one, unnamed = (made.environment(name) for name in ("both", "one", "unnamed"))
    made.environment("none")
    for target in (prefix, both):
        made.install(target, big)
        made.install(target, small)
    made.install(unnamed, big)
    made.install(one, small)
    for dist, length in (("b-1-0", 10), ("a-1-0", 10), ("c-1-0", 30)):
        write(f"{prefix}/lib/{dist}", b"x" * length)
        made.record(prefix, dist, {f"lib/{dist}": {}})
    names = made.names()
    del names[unnamed]
    inventory = made.scan(detailed=True)
    usage = Usage(inventory, Measure.APPARENT)
    root = [root.path for root in inventory.roots].index(prefix)
    detail = environment_detail(usage, names, root, private_usage(usage, root, cached_in(made)))
    assert detail.prefix == prefix
    assert detail.packages == (
        PackagePrivate("c-1-0", 30),
        PackagePrivate("a-1-0", 10),
        PackagePrivate("b-1-0", 10),
        PackagePrivate("big-1-0", 0),
        PackagePrivate("small-1-0", 0),
    )
    assert detail.shares_with == (
        SharedWith("both", both, 3020),
        SharedWith(unnamed, unnamed, 3000),
        SharedWith("one", one, 20),
    )
