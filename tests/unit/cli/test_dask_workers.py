"""Connecting to a Dask scheduler; `tests/conda/test_dask.py` runs one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from conda_hardlink_plugin.cli.dask_workers import dask_workers, node_name
from conda_hardlink_plugin.exceptions import HardlinksError
from tests.support.repository import TOP


def test_without_distributed_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(HardlinksError, match="--dask needs the package distributed"),
        dask_workers("tcp://127.0.0.1:1"),
    ):
        pass


# In a process of its own: distributed starts threads that outlive a test.
CONNECT = """\
import sys
from conda_hardlink_plugin.cli import dask_workers
from conda_hardlink_plugin.exceptions import HardlinksError
dask_workers._SECONDS_TO_CONNECT = 0.5
try:
    with dask_workers.dask_workers(sys.argv[1]):
        pass
except HardlinksError as error:
    print("REFUSED", error)
"""


NO_ANSWER = "no scheduler answers there"


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("tcp://127.0.0.1:1", NO_ANSWER),
        ("damaged.json", NO_ANSWER),
        ("no-such-file.json", "there is no such file. Give the scheduler file, or the address of"),
    ],
)
def test_where_no_scheduler_answers_a_sentence_says_how_to_start_one(tmp_path, where, says):
    pytest.importorskip("distributed")
    (tmp_path / "damaged.json").write_text("{", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", CONNECT, where],
        env=os.environ | {"PYTHONPATH": TOP},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert f"REFUSED --dask {where}: {says}" in done.stdout
    assert "dask scheduler" in done.stdout or says != NO_ANSWER


def test_a_machine_has_a_name():
    assert node_name()
