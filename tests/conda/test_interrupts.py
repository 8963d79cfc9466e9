"""Ctrl-C, and readers that have had enough."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess

import pytest

from tests.support.disk import indexes_of, snapshot, snapshot_but_index
from tests.support.oracles import du
from tests.support.trees import package

# The reader in Python, whose listings an audit hook sees; tests/unit/scan/test_interrupts.py stops
# the native one.
IN_PYTHON = {"HARDLINKS_READER": "python"}
# Presses Ctrl-C at the given one of the folders that the scan lists: nobody else does it by
# descriptor.
_STOPPED = """\
import os, signal, sys

left = int(sys.argv.pop(1))


def press(event, arguments):
    global left
    if event == "os.scandir" and isinstance(arguments[0], int):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)


sys.addaudithook(press)
from conda.cli import main

sys.exit(main())
"""


def start(installation, *options, **streams):
    conda = os.path.join(installation.root_prefix, "bin", "conda")
    return subprocess.Popen(
        [conda, "hardlinks", "report", *options],
        env=installation.environ,
        cwd=installation.directory,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **streams,
    )


@pytest.mark.parametrize("folder", ["1", "30"])
@pytest.mark.parametrize("options", [(), ("--json",), ("--why", "--packages")], ids=" ".join)
def test_ctrl_c_while_scanning_ends_with_130_and_leaves_nothing(installation, folder, options):
    python = os.path.join(installation.root_prefix, "bin", "python")
    before = snapshot(installation.directory)
    done = installation.run(
        *(python, "-c", _STOPPED, folder, "hardlinks", "report", "--no-index", *options),
        check=False,
        env=IN_PYTHON,
    )
    assert done.returncode == 130
    assert "Interrupted. Nothing was changed." in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "on disk" not in done.stdout
    assert snapshot(installation.directory) == before


def test_ctrl_c_while_an_index_is_written_leaves_none(changing):
    python = os.path.join(changing.root_prefix, "bin", "python")
    before = snapshot_but_index(changing)
    command = (python, "-c", _STOPPED, "30", "hardlinks", "report")
    assert changing.run(*command, check=False, env=IN_PYTHON).returncode == 130
    assert indexes_of(changing) == []
    assert snapshot_but_index(changing) == before


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="pipes are of one size here")
def test_ctrl_c_while_printing_ends_with_130(installation):
    readable, writable = os.pipe()
    room = fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4096)
    process = start(installation, "--json", "--packages", "--why", "--du", stdout=writable)
    os.close(writable)
    # It has begun to print, and cannot end: there is more than the pipe takes.
    printed = os.read(readable, 1)
    process.send_signal(signal.SIGINT)
    with open(readable, "rb") as rest:
        printed += rest.read()
    _, errors = process.communicate()
    assert len(printed) > room
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_a_cache_of_many_packages_has_the_figures_of_du(changing):
    for number in range(250):
        package(changing.pkgs_dir, f"many-{number}-0", {"lib/file": b"x" * number})
    rows = json.loads(changing.hardlinks("report", "--json", "--du").stdout)["du"]
    assert [row["added_bytes"] for row in rows] == du(*(row["path"] for row in rows))


@pytest.mark.parametrize("options", [(), ("--json",), ("--packages",), ("--why",)], ids=" ".join)
def test_a_reader_that_ends_early_is_not_an_error(installation, options):
    readable, writable = os.pipe()
    os.close(readable)
    process = start(installation, *options, stdout=writable)
    os.close(writable)
    _, errors = process.communicate()
    assert errors == ""
    assert process.returncode == 0


@pytest.mark.parametrize("options", ["", "--json --packages --why"])
def test_head_gets_its_line_without_an_error(installation, options):
    done = installation.run("sh", "-c", f"conda hardlinks report {options} | head -n 1")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_closed_stdout_is_reported_on_stderr(installation, option):
    command = f"conda hardlinks report {option} >&-"
    done = installation.run("sh", "-c", command, check=False)
    assert done.returncode == 1
    assert done.stderr == "stdout is closed: cannot print the report.\n"


@pytest.mark.parametrize(
    "command",
    [
        "report",
        "report --json",
        "report --format csv",
        "clean --dry-run",
        "clean --yes --grace 0",
        "clean --dry-run --json",
        "explain entry",
        "index",
        "",
    ],
)
def test_a_full_disk_below_stdout_gives_one_sentence(installation, command):
    before = snapshot_but_index(installation)
    command = f"conda hardlinks {command} > /dev/full"
    done = installation.run("sh", "-c", command, check=False)
    assert done.returncode == 1
    expected = "The output cannot be written to stdout: no space left on device.\n"
    assert done.stderr == expected
    assert snapshot_but_index(installation) == before
