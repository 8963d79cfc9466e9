"""`python -m conda_hardlink_plugin`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.support.repository import TOP


def run(configured, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "CONDA_PREFIX"}
    command = [sys.executable, "-m", "conda_hardlink_plugin", *arguments]
    return subprocess.run(
        command, env=environment, cwd=TOP, capture_output=True, text=True, check=False
    )


def test_the_verbs_run_as_those_of_conda_hardlinks(configured):
    done = run(configured, "report", "--json", "--no-index")
    assert done.returncode == 0, done.stderr
    prefixes = [row["prefix"] for row in json.loads(done.stdout)["environments"]]
    assert f"{configured.directory}/envs/env" in prefixes


def test_an_unknown_verb_is_an_error_with_exit_code_2(configured):
    done = run(configured, "shine")
    assert done.returncode == 2
    assert "shine" in done.stderr
