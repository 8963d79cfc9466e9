"""Why conda copies: what stands between an environment and a package, and what room there is."""

from __future__ import annotations

import os
import subprocess
import tempfile

import pytest

from conda_hardlink_plugin.hooks.copy_reasons import free_bytes, why_copied, will_copy
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.trees import link, package, symlink, write

SHM = "/dev/shm"
PROTECTED = "belongs to another user, and `fs.protected_hardlinks` forbids linking its files"
LOWER = "is in a lower layer of an overlay, from where it is copied up"
REFUSED = "the filesystem refused to link them"


@pytest.fixture
def cache(tmp_path):
    package(f"{tmp_path}/pkgs", "p-1-0", {"f": b"f"})
    return f"{tmp_path}/pkgs"


@pytest.fixture
def elsewhere(tmp_path):
    """A folder on another filesystem."""
    if not os.path.isdir(SHM) or os.stat(SHM).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("no second filesystem")
    with tempfile.TemporaryDirectory(dir=SHM) as folder:
        yield folder


def test_on_one_filesystem_nothing_will_be_copied(cache, tmp_path):
    assert will_copy(f"{tmp_path}/envs/new", f"{cache}/p-1-0") == ""
    assert will_copy(str(tmp_path), f"{cache}/not-yet-1-0") == ""


def test_copies_on_one_filesystem_are_explained_by_a_refused_link(cache, tmp_path):
    assert why_copied(str(tmp_path), f"{cache}/p-1-0") == REFUSED


def test_two_filesystems_are_named_by_the_folders_that_exist(cache, elsewhere):
    for path in (cache, f"{cache}/p-1-0"):
        reason = f"{elsewhere} and {path} are on different filesystems"
        for prefix in (elsewhere, f"{elsewhere}/envs/new"):
            assert will_copy(prefix, path) == reason
            assert why_copied(prefix, path) == reason


def test_a_folder_is_where_its_symbolic_link_leads(cache, elsewhere, tmp_path):
    alias = symlink(elsewhere, f"{tmp_path}/envs")
    assert will_copy(f"{alias}/new", cache) == f"{alias} and {cache} are on different filesystems"
    assert will_copy(f"{elsewhere}/new", symlink(elsewhere, f"{tmp_path}/cache")) == ""


def test_an_unknown_package_or_prefix_gives_no_reason(cache, tmp_path):
    for why in (why_copied, will_copy):
        assert why(str(tmp_path), "") == ""
        assert why("", cache) == ""
        assert why("relative/env", cache) == ""


def test_a_package_of_another_user_is_copied_if_the_system_protects_hard_links():
    with open("/proc/sys/fs/protected_hardlinks", encoding="ascii") as file:
        is_protected = file.read().strip() == "1"
    if os.geteuid() != 0 or not is_protected:
        pytest.skip("only an administrator can make a cache for another user")
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        path = package(f"{top}/pkgs", "p-1-0", {"f": b"f"})
        reason = f"{path} {PROTECTED}"
        assert will_copy(top, path) == ""
        assert in_child(lambda: will_copy(top, path), user=NOBODY) == reason
        assert in_child(lambda: why_copied(top, path), user=NOBODY) == reason
        os.chmod(path, 0o777)  # the system looks at the files
        assert in_child(lambda: will_copy(top, path), user=NOBODY) == reason
        os.chmod(f"{path}/info/index.json", 0o666)
        assert in_child(lambda: will_copy(top, path), user=NOBODY) == ""
        os.chmod(f"{path}/info/index.json", 0o444)
        os.chown(f"{path}/info/index.json", NOBODY, NOBODY)
        assert in_child(lambda: will_copy(top, path), user=NOBODY) == ""


@pytest.fixture(params=["of another filesystem", "of the same filesystem"])
def overlay(request, tmp_path):
    """An overlay over a folder with a package in it."""
    lower = f"{tmp_path}/lower"
    if request.param == "of another filesystem":
        lower = request.getfixturevalue("elsewhere")
    package(f"{lower}/pkgs", "p-1-0", {"f": b"f"})
    merged = f"{tmp_path}/merged"
    for folder in (merged, f"{tmp_path}/upper", f"{tmp_path}/work"):
        os.mkdir(folder)
    layers = f"lowerdir={lower},upperdir={tmp_path}/upper,workdir={tmp_path}/work,xino=off"
    mount = ["mount", "-t", "overlay", "overlay", "-o", layers, merged]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    yield merged
    subprocess.run(["umount", merged], check=True)


def test_a_package_in_a_lower_layer_of_an_overlay_is_copied_up(overlay):
    path = f"{overlay}/pkgs/p-1-0"
    assert will_copy(f"{overlay}/envs/new", path) == f"{path} {LOWER}"
    assert why_copied(f"{overlay}/envs/new", path) == f"{path} {LOWER}"


def test_a_package_in_the_upper_layer_of_an_overlay_is_linked(overlay):
    new = package(f"{overlay}/pkgs", "new-1-0", {"f": b"f"})
    link(f"{new}/f", f"{overlay}/envs/new/f")
    assert os.stat(f"{new}/f").st_nlink == 2
    assert will_copy(f"{overlay}/envs/new", new) == ""
    assert why_copied(f"{overlay}/envs/new", new) == REFUSED


def test_a_package_that_was_copied_up_is_linked(overlay):
    path = f"{overlay}/pkgs/p-1-0"
    os.utime(f"{path}/info/index.json")
    assert will_copy(f"{overlay}/envs/new", path) == ""


def test_a_package_that_is_not_there_yet_is_linked(overlay):
    assert will_copy(f"{overlay}/envs/new", f"{overlay}/pkgs/new-1-0") == ""


def test_free_space_is_that_of_the_innermost_folder_that_exists(tmp_path, elsewhere):
    write(f"{tmp_path}/file")
    alias = symlink(elsewhere, f"{tmp_path}/alias")
    of_top, of_elsewhere = (blocks_of(folder) for folder in (str(tmp_path), elsewhere))
    assert of_top != of_elsewhere
    assert free_bytes(f"{tmp_path}/file/new") == pytest.approx(of_top, rel=0.01)
    assert free_bytes(f"{alias}/envs/new") == pytest.approx(of_elsewhere, rel=0.01)


def blocks_of(folder):
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def test_free_space_of_a_path_without_a_folder_is_unknown():
    assert free_bytes("") is None
    assert free_bytes("no-such-folder/new") is None
