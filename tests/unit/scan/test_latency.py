"""Latency: whether calls to the filesystem wait."""

from __future__ import annotations

import select

from conda_hardlink_plugin.filesystem.mounts import read_mount_table
from conda_hardlink_plugin.scan.latency import Latency
from conda_hardlink_plugin.scan.scan_roots import survey_roots
from conda_hardlink_plugin.scan.walker import Walker
from tests.support.trees import cache_root


def wait(milliseconds=10):
    """Wait once, as a call does whose answer comes from elsewhere."""
    select.select([], [], [], milliseconds / 1000)


def compute():
    sum(range(300_000))


def test_calls_wait_if_nearly_all_of_the_time_is_spent_waiting():
    latency = Latency()
    assert not latency.waits
    wait()
    latency.look(1)
    assert latency.waits
    assert latency.directories > 10, "threads are not stopped after each few directories"


def test_calls_do_not_wait_if_the_time_is_spent_computing():
    latency = Latency()
    compute()
    latency.look(10)
    assert not latency.waits


def test_one_wait_for_many_directories_is_not_a_wait_for_each():
    """The process was stopped for some time, or waited for the processor."""
    latency = Latency()
    wait(20)
    latency.look(50)
    assert not latency.waits


def test_a_short_time_says_nothing():
    latency = Latency()
    latency.look(0)
    directories = latency.directories
    wait(1)
    latency.look(1)
    assert (latency.waits, latency.directories) == (False, directories)


def test_it_is_tried_without_threads_after_some_rounds():
    latency = Latency()
    wait()
    latency.look(1)
    many = latency.directories
    for _ in range(100):
        latency.look(1)
    assert not latency.waits
    assert latency.directories < many, "it is not tried for long"


def test_threads_that_cannot_be_started_are_not_tried_again():
    latency = Latency()
    wait()
    latency.look(1)
    latency.forbid()
    assert not latency.waits
    for _ in range(3):
        wait()
        latency.look(1)
        assert not latency.waits


def test_the_time_between_two_reads_does_not_count_as_waiting(tree):
    scan_roots = survey_roots([cache_root(tree[0])], (), read_mount_table())
    walker = Walker(scan_roots, ())
    for _ in range(5):
        walker.open_root(0)
        for _ in range(4):
            wait(2)
        walker.read_below()
        assert not walker.latency.waits
    walker.close()
