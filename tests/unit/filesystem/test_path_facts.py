"""What is at many paths: the same with each reader."""

from __future__ import annotations

import os
import stat
import tempfile

import pytest

from conda_hardlink_plugin.filesystem import path_facts
from conda_hardlink_plugin.filesystem.path_facts import path_facts_below
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.scanning import reader
from tests.support.trees import link, symlink, write

each_reader = pytest.mark.parametrize("name", ["python", "native"])


@each_reader
def test_each_path_has_the_facts_of_stat_in_order(tmp_path, name, monkeypatch):
    monkeypatch.setattr(path_facts, "_AT_ONCE", 700)
    names = [f"d{number % 7}/f{number}" for number in range(1_500)]
    for number, path in enumerate(names):
        write(f"{tmp_path}/{path}", b"x" * number)
    link(f"{tmp_path}/{names[0]}", f"{tmp_path}/linked")
    symlink("nowhere", f"{tmp_path}/\udcff\n")
    names += ["linked", "\udcff\n", "d0", "d1/../linked"]
    with reader(name):
        found = list(path_facts_below(str(tmp_path), names))
    expected = [os.lstat(f"{tmp_path}/{path}") for path in names]
    assert found == [
        (0, status.st_dev, status.st_ino, status.st_mode, status.st_nlink, status.st_blocks * 512)
        for status in expected
    ]
    assert stat.S_ISLNK(found[-3][3])


@each_reader
@pytest.mark.parametrize("folder", ["", "/gone", "/file"])
def test_where_nothing_is_there_is_an_error(tmp_path, name, folder):
    write(f"{tmp_path}/file")
    with reader(name):
        found = list(path_facts_below(f"{tmp_path}{folder}", ["none", "file/below", "file"]))
    assert [bool(facts[0]) for facts in found] == [True, True, bool(folder)]


@pytest.mark.parametrize(
    "names",
    [["a", "x\0b", "a"], ["a", ""], ["", "a"], [""], ["a", "", "a"], ["/a"], ["a", "//a"], ["\0"]],
    ids=repr,
)
def test_names_that_are_none_do_not_shift_the_others_or_leave_the_folder(tmp_path, names):
    """The names are those of a record, which may say anything."""
    write(f"{tmp_path}/a", b"x" * 5_000)
    found = []
    for name in ("python", "native"):
        with reader(name):
            found.append(list(path_facts_below(str(tmp_path), names)))
    assert found[0] == found[1]
    assert len(found[0]) == len(names)
    inode = os.stat(f"{tmp_path}/a").st_ino
    assert [facts[2] == inode for facts in found[0]] == [name.strip("/") == "a" for name in names]


@each_reader
@pytest.mark.parametrize("mode", [0o711, 0o700])
def test_a_folder_that_may_not_be_read_may_be_passed_through(name, mode):
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/lib/f")
        os.chmod(folder, mode)

        def find():
            with reader(name):
                return list(path_facts_below(folder, ["lib/f"]))

        if mode & 1:
            assert in_child(find, user=NOBODY) == find()
        else:
            assert in_child(lambda: raises(PermissionError, find), user=NOBODY)


def raises(kind, function):
    try:
        function()
    except kind:
        return True
    return False
