"""How many threads read."""

from __future__ import annotations

import os
import resource

import pytest

from conda_hardlink_plugin.filesystem.thread_counts import native_threads, threads_where_calls_wait
from tests.support.forking import in_child


@pytest.mark.parametrize(
    ("descriptors", "threads"), [(1_000, 16), (128, 16), (80, 10), (24, 3), (8, 1), (4, 1)]
)
def test_each_thread_may_open_a_few_directories(descriptors, threads):
    def allowed():
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        return threads_where_calls_wait()

    assert in_child(allowed) == threads


def test_a_job_begins_with_a_thread_for_each_processor_it_may_use():
    def on_one_processor():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        return native_threads()

    assert in_child(on_one_processor) == (1, 32)
    assert native_threads()[0] == min(len(os.sched_getaffinity(0)), 16)
