"""A small installation that conda's own configuration names, for modules that ask conda."""

from __future__ import annotations

import json
import os
import pwd

import pytest

from tests.support.small_installation import SmallInstallation
from tests.support.trees import link, write


@pytest.fixture
def made(tmp_path):
    """A package that the environment `env` hard-links, and one that nothing uses."""
    made = SmallInstallation(str(tmp_path))
    used, unused = (
        made.package(f"{name}-1-0", {f"lib/{name}": b"x" * 9000}) for name in ("used", "unused")
    )
    for path, name in ((used, "used"), (unused, "unused")):
        url = f"https://made.up/{name}-1-0.conda"
        record = {"name": name, "version": "1", "build_number": 0, "url": url}
        write(f"{path}/info/repodata_record.json", json.dumps(record).encode())
    prefix = made.environment("env")
    link(f"{used}/lib/used", f"{prefix}/lib/used")
    return made


def _read_configuration(*files, options=None):
    # Not above: this file may be loaded before the process is isolated.
    from conda.base.context import context, reset_context  # noqa: PLC0415

    context.__dict__.pop("plugins", None)  # conda 24.7 would keep the settings of plugins
    reset_context(files, options)


@pytest.fixture
def read_configuration(monkeypatch):
    """Return a function that has conda read variables, some files and options; undo that."""
    _read_configuration()
    yield _read_configuration
    monkeypatch.undo()
    _read_configuration()


@pytest.fixture
def configured(made, isolated, monkeypatch, mocker, read_configuration):
    """The small installation, with conda's context for it and for nothing else of this machine."""
    user = pwd.struct_passwd(("user", "x", os.getuid(), 1, "", str(isolated), "/bin/sh"))
    mocker.patch("pwd.getpwall", return_value=[user])
    monkeypatch.setenv("CONDA_ROOT_PREFIX", f"{made.directory}/base")
    monkeypatch.setenv("CONDA_PKGS_DIRS", f"{made.directory}/pkgs")
    monkeypatch.setenv("CONDA_ENVS_DIRS", f"{made.directory}/envs")
    read_configuration()
    return made
