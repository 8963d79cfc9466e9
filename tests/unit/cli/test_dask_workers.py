"""Connecting to a Dask scheduler; `tests/conda/test_dask.py` runs one."""

from __future__ import annotations

import sys

import pytest

from conda_hardlink_plugin.cli import dask_workers as module
from conda_hardlink_plugin.cli.dask_workers import dask_workers, node_name
from conda_hardlink_plugin.exceptions import HardlinksError


def test_without_distributed_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(HardlinksError, match="--dask needs the package distributed"),
        dask_workers("tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize("where", ["tcp://127.0.0.1:1", "no-such-file.json", "nonsense://x"])
def test_where_no_scheduler_answers_a_sentence_says_how_to_start_one(monkeypatch, where):
    pytest.importorskip("distributed")
    monkeypatch.setattr(module, "_SECONDS_TO_CONNECT", 0.5)
    with (
        pytest.raises(HardlinksError, match=r"no scheduler answers there.*dask scheduler"),
        dask_workers(where),
    ):
        pass


def test_a_scheduler_file_that_is_damaged_is_an_error(tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "scheduler.json").write_text("{", encoding="utf-8")
    with (
        pytest.raises(HardlinksError, match="no scheduler answers there"),
        dask_workers(str(tmp_path / "scheduler.json")),
    ):
        pass


def test_a_machine_has_a_name():
    assert node_name()
