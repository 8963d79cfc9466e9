"""Whether a filesystem responds before a path on it is examined."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from conda_hardlink_plugin.filesystem import responsiveness
from conda_hardlink_plugin.filesystem.mounts import Mount, MountTable
from conda_hardlink_plugin.filesystem.responsiveness import ResponsivenessCheck

from ...support.forking import forked

MOUNTS = MountTable((Mount("/", "ext4"), Mount("/no/share", "nfs")), known=True)


@pytest.fixture
def started(monkeypatch):
    """The threads started so far: each examines one path."""
    threads, start = [], threading.Thread.start

    def begin(thread):
        threads.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", begin)
    return threads


def test_a_filesystem_that_was_read_is_not_examined_again(started):
    check = ResponsivenessCheck(MOUNTS, ["/conda/pkgs", "/no/share/env"])
    for path in ("/", "/home/x", "/no/share", "/no/share/other/x"):
        check.check(path)
    assert started == []


def test_without_a_mount_table_no_path_is_examined(started):
    ResponsivenessCheck(MountTable((), known=False), []).check("/no/share/x")
    assert started == []


def test_each_mount_point_and_each_folder_of_another_filesystem_is_examined_once(started):
    check = ResponsivenessCheck(MOUNTS, ["/conda/pkgs"])
    for path, threads in (
        ("/no/other", 0),
        ("/no/share/a/x", 1),
        ("/no/share/a/y", 1),
        ("/no/share/b/x", 2),
        ("/no/share", 3),
        ("/no/share", 3),
        ("/no/share/a/z", 3),
    ):
        check.check(path)
        assert len(started) == threads, path


@pytest.mark.parametrize("name", ["no/such", "new\nline", "\x1b[31m", os.fsdecode(b"\xff")])
def test_an_error_is_a_response(tmp_path, name):
    check = ResponsivenessCheck(MOUNTS, [])
    check.check(f"{tmp_path}/{name}")


def test_a_filesystem_counts_as_responsive_if_no_thread_can_be_started(monkeypatch):
    def fail(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    ResponsivenessCheck(MOUNTS, []).check("/no/share/x")


def test_a_filesystem_that_does_not_answer_is_waited_for_once(
    never_answering, monkeypatch, started
):
    monkeypatch.setattr(responsiveness, "_PATIENCE_S", 0.1)
    mounts = MountTable((Mount("/", "ext4"), Mount(never_answering.point, "fuse")), known=True)
    paths = [f"{never_answering.point}/{name}" for name in ("a", "b/c", "a")]

    def checked():
        never_answering.leave_to_others()
        check, errors = ResponsivenessCheck(mounts, ["/conda"]), []
        for path in paths:
            with pytest.raises(OSError, match="its filesystem does not answer") as caught:
                check.check(path)
            errors.append((caught.value.errno, caught.value.filename))
        check.check("/home/x")
        return errors, len(started)

    with forked(checked) as process:
        assert process.ends_within(60), "it waits for the mount"
        errors, threads = process.result()
    assert errors == [(errno.ETIMEDOUT, path) for path in paths]
    assert threads == 1
