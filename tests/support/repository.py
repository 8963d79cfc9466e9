"""Where the checkout under test is, and what is in it."""

from __future__ import annotations

import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PACKAGE = "conda_hardlink_plugin"
NATIVE = f"{PACKAGE}/filesystem/_native.abi3.so"

_NOT_INSTALLED = (".pyc", ".c", ".h", ".so")


def installed_files() -> set[str]:
    """The files of the package that each installation has: all but the compiled module."""
    return {path for path in _files() if not path.endswith(_NOT_INSTALLED)}


def c_files() -> set[str]:
    """The sources and headers of the compiled module."""
    return {path for path in _files() if path.endswith((".c", ".h"))}


def _files() -> set[str]:
    return {
        os.path.relpath(os.path.join(folder, name), TOP)
        for folder, _, names in os.walk(os.path.join(TOP, PACKAGE))
        for name in names
    }
