"""Kinds of the entries of a package cache: package, tarball, quarantined, trash, or other."""

from __future__ import annotations

import os
import tempfile

import pytest

from conda_hardlink_plugin.metadata.quarantine_names import QUARANTINE
from conda_hardlink_plugin.scan.inventory import UnitKind
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.scanning import scan
from tests.support.trees import cache_root, package, symlink, write

pytestmark = pytest.mark.usefixtures("each_way")

PACKAGE, ARCHIVE, QUARANTINED, TRASH, OTHER = (
    UnitKind.PACKAGE,
    UnitKind.ARCHIVE,
    UnitKind.QUARANTINED,
    UnitKind.TRASH,
    UnitKind.OTHER,
)


def kinds_in(cache):
    """Return the kind of each unit by its path in the cache; other paths belong to the rest."""
    inventory = scan([cache_root(cache)])
    assert inventory.units[0].kind is OTHER
    return {os.path.relpath(unit.path, cache): unit.kind for unit in inventory.units[1:]}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("thing-1-0", PACKAGE),
        ("https/host/channel/linux-64/thing-1-0", PACKAGE),
        ("thing-1-0.conda", PACKAGE),
        (".thing-1-0Xy", OTHER),
        ("thing-1-0.c~", TRASH),
        ("thing-1-0.trash", TRASH),
        ("thing-1-0.conda_trash", TRASH),
        ("thing-1-0.conda_trash_12", TRASH),
        ("thing-1-0.mamba_trash", TRASH),
        ("new\nline.c~", TRASH),
        (".trash", TRASH),
        ("https/host/.trash", TRASH),
        ("trash", PACKAGE),
        ("thing-1-0.trash_1", PACKAGE),
        ("thing-1-0.conda_trash_", PACKAGE),
        ("thing-1-0.c~.d", PACKAGE),
        (f"{QUARANTINE}/moving-r1-thing-1-0", PACKAGE),
        (f"{QUARANTINE}/moving-r1-https%2Fhost%2Fthing-1-0", PACKAGE),
        (f"{QUARANTINE}/moving-r1-thing.c~", QUARANTINED),
        (f"{QUARANTINE}/purge-r1-thing-1-0", QUARANTINED),
        (f"{QUARANTINE}/held-1700000000-r1-thing-1-0", QUARANTINED),
        (f"{QUARANTINE}/held-r1-thing-1-0", PACKAGE),
        (f"{QUARANTINE}/thing-1-0", PACKAGE),
        (f"{QUARANTINE}/deeper/purge-r1-thing-1-0", PACKAGE),
        (f"deeper/{QUARANTINE}/purge-r1-thing-1-0", PACKAGE),
        ("purge-r1-thing-1-0", PACKAGE),
    ],
)
def test_a_directory_with_index_json_gets_its_kind_from_name_and_location(tmp_path, name, kind):
    cache = str(tmp_path)
    inner = package(package(cache, name), "share/inner-1-0")
    expected = {} if kind is OTHER else {name: kind}
    if kind is OTHER:  # the walker searches for packages inside
        expected = {os.path.relpath(inner, cache): PACKAGE}
    assert kinds_in(cache) == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("thing-1-0", OTHER),
        ("thing-1-0.c~", TRASH),
        (f"{QUARANTINE}/moving-r1-thing-1-0", QUARANTINED),
        (f"{QUARANTINE}/purge-r1-thing-1-0", QUARANTINED),
        (f"{QUARANTINE}/thing-1-0", OTHER),
    ],
)
@pytest.mark.parametrize("index", [None, "folder", "symlink", "loop"])
def test_a_directory_without_index_json_is_not_a_package(tmp_path, name, kind, index):
    path = write(f"{tmp_path}/{name}/lib/file", b"x").removesuffix("/lib/file")
    if index == "folder":
        os.makedirs(f"{path}/info/index.json")
    elif index == "symlink":
        symlink("../lib/file", f"{path}/info/index.json")
    elif index == "loop":
        symlink("info", f"{path}/info")
    assert kinds_in(str(tmp_path)) == ({} if kind is OTHER else {name: kind})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("thing-1-0.conda", ARCHIVE),
        ("thing-1-0.tar.bz2", ARCHIVE),
        ("thing-1-0.conda.partial", ARCHIVE),
        ("thing-1-0.conda.c~", TRASH),
        ("thing-1-0.conda.trash", TRASH),
        ("https/host/thing-1-0.tar.bz2.mamba_trash", TRASH),
        (".trash", TRASH),
        ("urls.txt", OTHER),
        ("thing-1-0.lock", OTHER),
        (f"{QUARANTINE}/lock", OTHER),
        (f"{QUARANTINE}/thing-1-0.conda", ARCHIVE),
        (f"{QUARANTINE}/moving-r1-thing-1-0.conda", QUARANTINED),
        (f"{QUARANTINE}/purge-r1-thing-1-0.conda", QUARANTINED),
        (f"{QUARANTINE}/held-1700000000-r1-thing-1-0.conda", QUARANTINED),
        (f"deeper/{QUARANTINE}/purge-r1-thing-1-0.conda", ARCHIVE),
    ],
)
@pytest.mark.parametrize("make", [write, lambda path: symlink("nowhere", path)])
def test_a_file_or_symlink_gets_its_kind_from_name_and_location(tmp_path, name, kind, make):
    make(f"{tmp_path}/{name}")
    assert kinds_in(str(tmp_path)) == ({} if kind is OTHER else {name: kind})


def test_no_unit_is_searched_for_inside_another_unit(tmp_path):
    cache = str(tmp_path)
    for name in ("thing-1-0", "thing-1-0.c~", f"{QUARANTINE}/purge-r1-thing-1-0"):
        package(cache, f"{name}/inner-1-0")
        package(cache, name)
        for file in ("inner.conda", "inner.c~", f"{QUARANTINE}/purge-r1-x"):
            write(f"{cache}/{name}/{file}")
    assert kinds_in(cache) == {
        "thing-1-0": PACKAGE,
        "thing-1-0.c~": TRASH,
        f"{QUARANTINE}/purge-r1-thing-1-0": QUARANTINED,
    }


@pytest.mark.parametrize("mode", [0o000, 0o444])
@pytest.mark.parametrize("name", ["thing-1-0", f"{QUARANTINE}/moving-r1-thing-1-0"])
def test_packages_inside_an_unreadable_package_are_not_units(mode, name):
    """Otherwise an unreadable `info` would turn its content into unused packages."""
    with tempfile.TemporaryDirectory() as cache:
        os.chmod(cache, 0o755)
        path = package(cache, name)
        package(path, "share/inner-1-0")
        os.chmod(f"{path}/info", mode)
        try:
            assert in_child(lambda: kinds_in(cache), user=NOBODY) == {name: PACKAGE}
        finally:
            os.chmod(f"{path}/info", 0o755)
