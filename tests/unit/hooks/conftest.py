"""A made-up conda installation that conda's context points at, without any command of conda."""

from __future__ import annotations

import json
import logging
import os
from argparse import Namespace
from hashlib import sha256
from types import SimpleNamespace

import pytest
from conda.base.context import Context, context, reset_context
from conda.core.prefix_data import PrefixData

from conda_hardlink_plugin.hooks.transaction_state import Process
from tests.support.small_installation import LINK_TYPES
from tests.support.trees import install, package, write


class Conda:
    """An installation below a directory, and conda's context for it.

    Attributes:
        root: The root prefix.
        pkgs: The package cache.
    """

    def __init__(self, top, mocker, monkeypatch):
        self.top = str(top)
        self.root = f"{top}/conda"
        self.pkgs = f"{self.root}/pkgs"
        self._mocker = mocker
        self._monkeypatch = monkeypatch
        for folder in (self.pkgs, f"{self.root}/envs"):
            os.makedirs(folder)
        write(f"{self.root}/conda-meta/history")

    def set(self, *, pkgs=None, settings=None, env=(), **arguments):
        """Have conda run a command with these arguments, variables and settings of the plugin."""
        variables = {
            "CONDA_ROOT_PREFIX": self.root,
            "CONDA_PKGS_DIRS": pkgs or self.pkgs,
            "CONDA_ENVS_DIRS": f"{self.root}/envs",
            **dict(env),
        }
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        reset_context((), Namespace(**arguments) if arguments else None)
        if settings is not None:
            self._monkeypatch.delitem(context.__dict__, "plugins", raising=False)  # cached
            self._mocker.patch.object(Context, "plugins", SimpleNamespace(**settings))

    def prefix(self, name):
        return f"{self.root}/envs/{name}"

    def environment(self, name):
        """Make an empty environment; return its prefix."""
        write(f"{self.prefix(name)}/conda-meta/history")
        return self.prefix(name)

    def package(self, dist, files):
        return package(self.pkgs, dist, files)

    def link(self, prefix, dist, files, link="hardlink"):
        """Link or copy a package into an environment, with a record as conda writes it."""
        extracted = self.package(dist, files)
        if link == "hardlink":
            install(extracted, prefix)
        for name, content in files.items() if link == "copy" else ():
            write(f"{prefix}/{name}", content)
        for name in files if link == "softlink" else ():
            os.makedirs(os.path.dirname(f"{prefix}/{name}"), exist_ok=True)
            os.symlink(f"{extracted}/{name}", f"{prefix}/{name}")
        self.record(prefix, dist, files, link)
        return extracted

    def record(self, prefix, dist, files=None, link="hardlink"):
        """Write a record of files and their contents as conda does; return its path."""
        name, version, build = dist.rsplit("-", 2)
        files = files or {}
        paths = [
            {"_path": path, "path_type": "hardlink", "sha256": sha256(content).hexdigest()}
            for path, content in files.items()
        ]
        content = {
            "name": name,
            "version": version,
            "build": build,
            "build_number": 0,
            "channel": "https://made.up/noarch",
            "subdir": "noarch",
            "fn": f"{dist}.conda",
            "url": f"https://made.up/noarch/{dist}.conda",
            "files": list(files),
            "paths_data": {"paths": paths, "paths_version": 1},
            "link": {"source": f"{self.pkgs}/{dist}", "type": LINK_TYPES[link]},
            "extracted_package_dir": f"{self.pkgs}/{dist}",
        }
        write(f"{prefix}/conda-meta/history")
        return write(f"{prefix}/conda-meta/{dist}.json", json.dumps(content).encode())


@pytest.fixture
def conda(tmp_path, mocker, monkeypatch):
    mocker.patch("pwd.getpwall", return_value=[])  # the homes of the users of this machine
    mocker.patch.object(PrefixData, "_cache_", {})  # what conda has in memory
    made = Conda(tmp_path, mocker, monkeypatch)
    made.set()
    yield made
    monkeypatch.undo()
    reset_context(())


@pytest.fixture(autouse=True)
def no_command(monkeypatch):
    """Have no command running before each test."""
    monkeypatch.setattr(Process, "running", None)


@pytest.fixture
def logged(caplog):
    """Return the lines in conda's log that are ours."""
    logger = logging.getLogger("conda.hardlinks")
    logger.addHandler(caplog.handler)
    propagates, logger.propagate = logger.propagate, False
    yield lambda: [record.getMessage() for record in caplog.records]
    logger.propagate = propagates
    logger.removeHandler(caplog.handler)
