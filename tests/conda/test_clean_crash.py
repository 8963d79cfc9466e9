"""`conda hardlinks clean` killed at a step: environments run, the report says so, a clean heals."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.support.disk import snapshot
from tests.support.trees import QUARANTINE

# Ends the process, as a power failure does, at the given one of the changes that follow the first
# rename to a name that begins like that.
_KILLED = """\
import os, signal, sys

stage, left = sys.argv.pop(1), int(sys.argv.pop(1))
reached = False


def kill(event, arguments):
    global left, reached
    if event == "os.rename":
        reached = reached or os.fsdecode(arguments[1]).startswith(stage)
    if reached and event in ("os.rename", "os.remove", "os.rmdir"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(kill)
from conda.cli import main

sys.exit(main())
"""
CLEAN = ("hardlinks", "clean", "--grace", "0", "--yes")


def killed(installation, stage, number):
    """Clean, and be killed on the way."""
    python = os.path.join(installation.root_prefix, "bin", "python")
    command = (python, "-c", _KILLED, stage, str(number), *CLEAN)
    done = installation.run(*command, check=False, fresh=False)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


def outputs(installation):
    """What programs of the environments print."""
    quietly = {"PYTHONDONTWRITEBYTECODE": "1"}
    programs = (("work", "entry"), ("work", "placeholder"), ("softlinked", "entry"))
    return [
        installation.run(f"{installation.prefix(name)}/bin/{program}", env=quietly).stdout
        for name, program in programs
    ]


def packages(installation):
    return {name for name in os.listdir(installation.pkgs_dir) if not name.startswith(".")}


def waiting(installation):
    """What an interrupted clean left, and what the report says of it."""
    quarantine = os.path.join(installation.pkgs_dir, QUARANTINE)
    names = os.listdir(quarantine) if os.path.isdir(quarantine) else []
    count = sum(name.startswith(("moving-", "purge-")) for name in names)
    said = " ".join(installation.hardlinks("report").stdout.split())
    packages = f"{count} package{'s' * (count != 1)}"
    sentence = f"The quarantine contains {packages} from an interrupted `conda hardlinks clean`"
    return count, sentence in said


@pytest.mark.parametrize(
    ("stage", "number", "left"), [("moving-", 2, 1), ("purge-", 2, 2), ("purge-", 8, 2)]
)
def test_the_next_clean_heals_what_a_killed_one_left(changing, stage, number, left):
    changing.remove("sharing")
    ran, environments = outputs(changing), snapshot(changing.envs_dir)
    plan = json.loads(changing.hardlinks("clean", "--grace", "0", "--dry-run", "--json").stdout)
    stays = packages(changing) - {os.path.basename(item["path"]) for item in plan["remove"]}
    assert len(plan["remove"]) == 2
    killed(changing, stage, number)
    assert outputs(changing) == ran
    assert waiting(changing) == (left, True)
    changing.conda(*CLEAN)
    assert packages(changing) - {"pkgs.lock"} == stays
    assert outputs(changing) == ran
    assert snapshot(changing.envs_dir) == environments
    assert waiting(changing) == (0, False)
