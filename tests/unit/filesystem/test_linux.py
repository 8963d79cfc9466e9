"""The file operations of Linux, on real files, links and locks."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import resource
import stat
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager

import pytest

from conda_hardlink_plugin.filesystem import closing, linux
from conda_hardlink_plugin.filesystem.protocol import Access

from ...support.forking import forked, in_child
from ...support.oracles import NOBODY, du
from ...support.trees import ODD_NAMES, link, symlink, write, write_sparse


@pytest.fixture
def top(tmp_path):
    """An open directory."""
    with closing(linux.open_root(str(tmp_path))) as handle:
        yield handle


def test_the_status_of_a_file_is_that_of_its_inode(tmp_path):
    path = write_sparse(f"{tmp_path}/file", 1 << 30)
    link(path, f"{tmp_path}/again")
    status = linux.status(path)
    assert (status.link_count, status.size_bytes) == (2, 1 << 30)
    assert [status.disk_bytes] == du(path)
    assert status.disk_bytes < 1 << 20
    assert status.owner == os.geteuid()
    assert linux.status(f"{tmp_path}/again") == status


def test_the_status_of_a_symbolic_link_is_its_own_unless_it_is_followed(tmp_path):
    path = write(f"{tmp_path}/file", b"x" * 100)
    alias, broken = symlink("file", f"{tmp_path}/alias"), symlink("no", f"{tmp_path}/broken")
    assert linux.status(alias).is_symlink
    assert linux.status(alias).size_bytes == len("file")
    assert linux.status(alias, follow_symlinks=True) == linux.status(path)
    assert linux.status(broken).is_symlink
    with pytest.raises(FileNotFoundError):
        linux.status(broken, follow_symlinks=True)


def test_facts_that_are_read_in_less_time_are_those_of_the_status(tmp_path, top):
    write(f"{tmp_path}/folder/file", b"x" * 5000)
    symlink("nowhere", f"{tmp_path}/folder/broken")
    os.utime(f"{tmp_path}/folder", ns=(0, 0))  # the time of its status is another one
    with closing(linux.open_directory("folder", top)) as folder:
        status = linux.status_at("folder", top)
        assert linux.status_of(folder) == status == linux.status(f"{tmp_path}/folder")
        assert linux.directory_facts_of(folder) == status.directory_facts
        assert linux.directory_facts_at(["folder", b"folder"], top) == [status.directory_facts] * 2
        names = ["file", b"broken"]
        assert linux.entry_facts_at(names, folder) == [
            linux.status_at(name, folder).entry_facts for name in names
        ]


def test_every_name_is_listed_and_found_again_by_its_bytes(tmp_path, top):
    for name in ODD_NAMES:
        symlink(f"to {name}", f"{tmp_path}/{name}")
    assert sorted(linux.list_names(top)) == sorted(ODD_NAMES)
    with linux.scan(top) as entries:
        assert {entry.name for entry in entries} == set(ODD_NAMES)
    for name in ODD_NAMES:
        assert linux.read_link_at(name, top) == f"to {name}"
        assert linux.status_at(os.fsencode(name), top) == linux.status(f"{tmp_path}/{name}")


def test_a_symbolic_link_is_followed_only_as_a_root(tmp_path, top):
    write(f"{tmp_path}/folder/file")
    alias = symlink("folder", f"{tmp_path}/alias")
    with closing(linux.open_root(alias)) as handle:
        assert linux.list_names(handle) == ["file"]
    for opening in (
        lambda: linux.open_directory("alias", top),
        lambda: linux.open_own_directory(alias),
        lambda: linux.open_file("alias", Access.READ, parent=top),
    ):
        with pytest.raises(OSError, match=r"Not a directory|symbolic links") as caught:
            opening()
        assert caught.value.errno in (errno.ENOTDIR, errno.ELOOP)


def test_a_file_is_not_opened_as_a_directory(tmp_path, top):
    write(f"{tmp_path}/file")
    with pytest.raises(NotADirectoryError):
        linux.open_directory("file", top)


def test_opening_a_pipe_without_a_writer_does_not_block(tmp_path):
    os.mkfifo(f"{tmp_path}/pipe")

    def opened():
        with closing(linux.open_file(f"{tmp_path}/pipe", Access.READ)) as handle:
            return linux.status_of(handle).is_regular

    with forked(opened) as process:
        assert process.ends_within(60), "it waits for a writer"
        assert process.result() is False


@pytest.mark.parametrize(
    ("access", "creates", "replaces", "content"),
    [
        (Access.READ, False, True, b"old"),
        (Access.CHANGE, False, True, b"new"),
        (Access.APPEND, False, True, b"oldnew"),
        (Access.CREATE, True, False, b"old"),
        (Access.CREATE_APPENDING, True, False, b"old"),
        (Access.LOCK, True, True, b"new"),
    ],
)
def test_the_access_decides_whether_a_file_is_created_and_where_it_is_written(
    tmp_path, top, access, creates, replaces, content
):
    path = write(f"{tmp_path}/exists", b"old")
    if replaces:
        with closing(linux.open_file("exists", access, parent=top)) as handle:
            if access is not Access.READ:
                os.write(handle, b"new")
    else:
        with pytest.raises(FileExistsError):
            linux.open_file("exists", access, parent=top)
    with open(path, "rb") as file:
        assert file.read() == content
    if creates:
        with closing(linux.open_file("created", access, parent=top)):
            assert stat.S_IMODE(os.stat(f"{tmp_path}/created").st_mode) == 0o600
    else:
        with pytest.raises(FileNotFoundError):
            linux.open_file("created", access, parent=top)


def test_renaming_replaces_an_empty_directory_and_no_other(tmp_path, top):
    for path in ("a/file", "full/file"):
        write(f"{tmp_path}/{path}")
    linux.make_directory("empty", top)
    with pytest.raises(OSError, match="not empty"):
        linux.rename("a", top, "full", top)
    linux.rename("a", top, "empty", top)
    assert sorted(linux.list_names(top)) == ["empty", "full"]
    assert os.path.exists(f"{tmp_path}/empty/file")


def test_a_hard_link_of_a_symbolic_link_is_the_link_itself(tmp_path, top):
    write(f"{tmp_path}/file")
    symlink("file", f"{tmp_path}/alias")
    linux.link("alias", top, "again", top)
    assert linux.read_link_at("again", top) == "file"
    assert linux.status_at("alias", top).link_count == 2
    assert linux.status_at("file", top).link_count == 1


def test_removing_a_symbolic_link_leaves_its_target(tmp_path, top):
    write(f"{tmp_path}/folder/file")
    symlink("folder", f"{tmp_path}/alias")
    with pytest.raises(NotADirectoryError):
        linux.remove_directory("alias", top)
    with pytest.raises(OSError, match="not empty"):
        linux.remove_directory("folder", top)
    linux.unlink("alias", top)
    assert linux.list_names(top) == ["folder"]


def test_a_new_file_takes_over_the_permissions_of_another(tmp_path):
    before = write(f"{tmp_path}/before")
    os.chmod(before, 0o641)
    if os.geteuid() == 0:
        os.chown(before, NOBODY, NOBODY)
    with closing(linux.open_file(f"{tmp_path}/after", Access.CREATE)) as handle:
        linux.take_over_permissions(handle, before)
        after, expected = os.fstat(handle), os.stat(before)
    assert after.st_mode == expected.st_mode
    assert (after.st_uid, after.st_gid) == (expected.st_uid, expected.st_gid)


def test_a_read_only_directory_is_made_writable_for_its_owner_alone(tmp_path, top):
    os.chmod(tmp_path, 0o555)
    linux.make_writable(top)
    assert stat.S_IMODE(os.stat(tmp_path).st_mode) == 0o700


def test_a_directory_without_permissions_is_found_and_gets_them():
    def found(top):
        with closing(linux.open_root(top)) as parent:
            with closing(linux.locate_directory("closed", parent)) as handle:
                inode = linux.status_of(handle).inode
                linux.make_writable(handle)
            with closing(linux.open_directory("closed", parent)) as handle:
                return inode, linux.status_of(handle).inode, linux.list_names(handle)

    with tempfile.TemporaryDirectory() as top:
        closed = f"{top}/closed"
        os.mkdir(closed)
        os.symlink("closed", f"{top}/symlink")
        with closing(linux.open_root(top)) as parent, pytest.raises(NotADirectoryError):
            linux.locate_directory("symlink", parent)
        if os.geteuid() == 0:
            os.chown(top, NOBODY, NOBODY)
            os.chown(closed, NOBODY, NOBODY)
        os.chmod(closed, 0)
        inode = os.stat(closed).st_ino
        assert in_child(lambda: found(top), user=NOBODY) == (inode, inode, [])
        assert stat.S_IMODE(os.stat(closed).st_mode) == 0o700


@contextmanager
def locked_by_another(path, lock, name=None):
    """Have another process lock a file; yield the process."""
    locked, report = os.pipe()
    wait, release = os.pipe()

    def hold():
        if name:
            with open("/proc/self/comm", "wb") as file:
                file.write(name)
        handle = linux.open_file(path, Access.CHANGE)
        lock(handle)
        os.write(report, b".")
        os.read(wait, 1)

    with ExitStack() as stack:
        for descriptor in (locked, wait, release):
            stack.callback(os.close, descriptor)
        process = stack.enter_context(forked(hold))
        os.close(report)
        assert os.read(locked, 1) == b"."
        yield process


def test_a_lock_on_a_file_is_seen_by_others_until_it_is_closed(tmp_path):
    path = write(f"{tmp_path}/lock")
    with closing(linux.open_file(path, Access.CHANGE)) as mine:
        with locked_by_another(path, linux.lock_file) as process:
            assert linux.is_locked(mine)
            with pytest.raises(BlockingIOError):
                linux.lock_file(mine)
            holder = linux.lock_holder(mine)
            assert holder.startswith(f"process {process.pid} (")
        assert not linux.is_locked(mine)
        linux.lock_file(mine)


def test_a_lock_on_one_byte_leaves_the_others(tmp_path):
    path = write(f"{tmp_path}/lock")
    with (
        closing(linux.open_file(path, Access.CHANGE)) as mine,
        locked_by_another(path, lambda handle: linux.lock_byte(handle, 21)),
    ):
        linux.lock_byte(mine, 20)
        linux.lock_byte(mine, 22)
        with pytest.raises(OSError, match="unavailable") as caught:
            linux.lock_byte(mine, 21)
        assert isinstance(caught.value, BlockingIOError)
        assert not linux.is_locked(mine)  # a whole file is locked in another way


def test_the_holder_of_a_lock_is_named_whatever_its_name(tmp_path):
    path = write(f"{tmp_path}/lock")
    with (
        closing(linux.open_file(path, Access.READ)) as mine,
        locked_by_another(path, linux.lock_file, b"odd) \xff name") as process,
    ):
        assert linux.lock_holder(mine) == f"process {process.pid} (odd) \ufffd name)"


def test_the_holder_of_a_lock_that_nobody_holds_has_no_name(tmp_path):
    with closing(linux.open_file(f"{tmp_path}/lock", Access.LOCK)) as mine:
        assert linux.lock_holder(mine) == "another process"
        fcntl.flock(mine, fcntl.LOCK_EX)
        assert linux.lock_holder(mine).startswith(f"process {os.getpid()} (")


def test_a_user_without_an_account_has_a_number():
    accounts = {entry.pw_uid for entry in pwd.getpwall()}
    without = next(number for number in range(4_000_000_000, 0, -1) if number not in accounts)
    assert linux.user_name(without) == f"user {without}"
    assert linux.user_name(0) == subprocess.check_output(["id", "-nu", "0"], text=True).strip()


@pytest.mark.parametrize(
    ("variable", "home", "expected"),
    [
        ("/elsewhere", None, "/elsewhere"),
        ("/elsewhere", "/home/other", "/home/other/.cache"),
        ("relative", None, "/home/me/.cache"),
        ("", None, "/home/me/.cache"),
    ],
)
def test_the_cache_home_of_this_user_may_be_elsewhere(monkeypatch, variable, home, expected):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    assert linux.cache_home(home) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator can become another user")
def test_hard_links_are_protected_if_another_user_cannot_make_one():
    with tempfile.TemporaryDirectory() as top:  # pytest's own lets nobody else in
        os.chmod(top, 0o777)
        path = write(f"{top}/of-root")
        os.chmod(path, 0o600)

        def fails():
            try:
                os.link(path, f"{top}/again")
            except PermissionError:
                return True
            return False

        assert in_child(fails, user=NOBODY) is linux.hard_links_are_protected()


def test_the_most_open_directories_are_those_that_the_process_is_allowed():
    def allowed():
        resource.setrlimit(resource.RLIMIT_NOFILE, (77, 77))
        return linux.most_open_directories()

    assert in_child(allowed) == 77


@pytest.mark.parametrize(
    ("path", "own"),
    [("/proc/self/fd", True), ("/dev/fd", True), ("/dev/shm", False), ("/process/fd", False)],
)
def test_names_in_the_folders_of_descriptors_are_open_files(path, own):
    assert linux.is_own_descriptor(path) is own


def test_directories_of_one_mount_have_the_same_value_and_others_do_not(tmp_path, top):
    os.mkdir(f"{tmp_path}/below")
    with (
        closing(linux.open_directory("below", top)) as below,
        closing(linux.open_root("/proc")) as other,
    ):
        assert linux.mount_of(below) == linux.mount_of(top)
        assert linux.mount_of(other) != linux.mount_of(top)
