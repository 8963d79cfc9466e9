"""Whatever fails in what we do around a transaction, conda does what it does without us."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.hooks.transactions import has_transaction_hooks
from tests.support.realconda.installation import Installation
from tests.support.transactions import FAULTY, WITHOUT, conda_after, functions, in_one_process

COMMANDS = ("create", "update", "remove", "create of copies", "remove of copies")
# Whatever fails there is taken for an invalid value of a setting, which is reported once.
SAYS_ITSELF = "settings._read"
EXCEPTIONS = {"Exception", "KeyboardInterrupt", "MemoryError", "SystemExit"}

# One file of a package cannot be linked, and no disk has room for copies.
_BEFORE = """\
import errno

def refuse(event, arguments):
    if event == "os.link" and os.path.basename(arguments[0]) == "libplaceholder.so":
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

sys.addaudithook(refuse)
os.statvfs = lambda _: os.statvfs_result((4096, 4096, 10, 10, 10, 1, 1, 1, 0, 255))
"""
_BROKEN = """\
import importlib.abc

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "conda_hardlink_plugin.{}":
            raise KeyboardInterrupt("made up")

sys.meta_path.insert(0, Finder())
"""
_REPLACED = """\
from conda_hardlink_plugin import settings

def fail():
    raise {error}("made up")

settings.settings = fail
"""
# What conda asks for when it loads us, and what only `conda clean`, `conda doctor` and we ourselves
# ask for.
NOT_AROUND_A_TRANSACTION = {
    "metadata.leases.Lease.covers",
    "metadata.leases._leases_in",
    "metadata.leases._read",
    "metadata.leases.read_leases",
    "settings.Guard.__str__",
    "settings._folders",
    "settings.guard",
    "settings.read_only_caches",
    "settings.search",
    "settings.settings",
    "hooks.transactions.transaction_action.RecordingAction.reverse",
    "hooks.transactions.transaction_action.RecordingAction.verify",
}
# What conda does not ask for before 25.5, and what takes its place there.
NEWER = {
    "hooks.transactions.transaction_action",
    "hooks.transactions.transaction_action.RecordingAction.__init__",
    "hooks.transactions.transaction_action.RecordingAction.cleanup",
    "hooks.transactions.transaction_action.RecordingAction.execute",
    "hooks.transaction_state.record_transaction",
}
OLDER = {
    "hooks.transaction_state._is_newer",
    "hooks.transaction_state._loaded_prefixes",
    "hooks.transaction_state._name_of",
    "hooks.transaction_state._prefixes",
    "hooks.transaction_state.compare_records",
    "hooks.transaction_state.list_all_records",
    "hooks.transactions._record_removal",
    "hooks.transactions._record_solution",
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory, channel):
    """An installation of nobody else."""
    return Installation.new(str(tmp_path_factory.mktemp("faults") / "i"), (channel,))


def commands(installation):
    options = ("--name", "new", *installation.source_options)
    create = ("create", *options, "library=1.0", "placeholder")
    update = ("update", *options, "library")
    remove = ("remove", "--yes", "--name", "new", "--all")
    copied = {"CONDA_ALWAYS_COPY": "true"}
    return (create, update, remove), ((*create, copied), (*remove, copied))


@pytest.fixture(scope="module")
def runs(installation):
    """By command: what it does without us, and what it does with each fault."""
    sequences = commands(installation)
    cached = in_one_process(installation, *sequences, before=_BEFORE, env=WITHOUT)
    plain = in_one_process(installation, *sequences, before=_BEFORE, env=WITHOUT)
    assert [run["code"] for run in cached] == [0] * 5
    faulty = in_one_process(installation, *sequences, before=_BEFORE, faults=True)
    return dict(zip(COMMANDS, zip(plain, faulty, strict=True), strict=True))


@pytest.mark.parametrize("module", FAULTY)
def test_conda_does_the_same_whatever_fails(runs, module):
    seen = 0
    for plain, faulty in runs.values():
        for run in faulty:
            if run["fault"][0].startswith(f"{module}."):
                seen += 1
                same = {key: run[key] for key in plain if key != "stderr"}
                told = {key: plain[key] for key in plain if key != "stderr"}
                assert same == told, run["fault"]
                assert "hardlinks" not in run["stdout"]
    assert seen


@pytest.mark.parametrize("module", FAULTY)
def test_each_failure_is_in_the_log(runs, module):
    for _, faulty in runs.values():
        for run in faulty:
            name, _, error = run["fault"]
            if name.startswith(f"{module}.") and name != SAYS_ITSELF:
                lines = [line for line in run["stderr"].splitlines() if "conda.hardlinks" in line]
                assert lines, run["fault"]
                assert any(line.endswith(f"failed: {error}: made up") for line in lines), lines
                assert "Traceback" not in run["stderr"]


def test_every_function_has_failed_in_every_way(runs):
    failed = {}
    for _, faulty in runs.values():
        for run in faulty:
            name, _, error = run["fault"]
            failed.setdefault(name, set()).add(error)
    expected = functions() - NOT_AROUND_A_TRANSACTION
    assert expected >= NEWER | OLDER
    expected -= OLDER if has_transaction_hooks() else NEWER
    assert set(failed) == expected
    assert [name for name, errors in failed.items() if errors != EXCEPTIONS] == []


@pytest.mark.parametrize("module", FAULTY)
def test_conda_works_if_a_module_cannot_be_imported(installation, module):
    options = ("--name", "broken", *installation.source_options)
    code = _BROKEN.format(module)
    done = conda_after(installation, code, "create", *options, "library=1.0")
    assert "failed: KeyboardInterrupt: made up" in done.stderr
    assert "hardlinks" not in done.stdout
    assert os.path.exists(f"{installation.prefix('broken')}/lib/liblibrary.so")
    installation.remove("broken")


@pytest.mark.parametrize("error", ["Exception", "SystemExit"])
def test_conda_works_if_the_settings_fail(installation, error):
    options = ("--name", "broken", *installation.source_options)
    code = _REPLACED.format(error=error)
    done = conda_after(installation, code, "create", *options, "library=1.0")
    assert f"settings failed: {error}: made up" in done.stderr
    assert os.path.exists(f"{installation.prefix('broken')}/lib/liblibrary.so")
    installation.remove("broken")
