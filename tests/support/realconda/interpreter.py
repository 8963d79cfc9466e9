"""A ``python`` package whose environments run.

It is shaped like a virtual environment: ``bin/python`` is a symbolic link to
the interpreter this file runs on and ``pyvenv.cfg`` makes the environment its
prefix. The package may claim any version of Python: a link leads the real
interpreter to the claimed version's ``site-packages``, and a start-up module has
it name bytecode as that version would, which is where conda expects it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tests.support.realconda.packages import PackageSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

_RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

_BYTECODE_NAMES = '''\
"""Has this environment's bytecode named as the Python that conda sees here names it."""
import importlib._bootstrap_external as external
import os
import sys

_plain = external.cache_from_source
_tag = {tag!r}


def cache_from_source(path, debug_override=None, *, optimization=None):
    path = os.fspath(path)
    if not os.path.abspath(path).startswith(os.path.join(sys.prefix, "")):
        return _plain(path, debug_override, optimization=optimization)
    if _tag is None:
        return path + "c"
    head, tail = os.path.split(path)
    return os.path.join(head, "__pycache__", tail[:-3] + "." + _tag + ".pyc")


external.cache_from_source = cache_from_source
if "importlib.util" in sys.modules:
    sys.modules["importlib.util"].cache_from_source = cache_from_source
'''


def python_package(
    version: str | None = None,
    *,
    build: str = "0",
    depends: tuple[str, ...] = (),
    files: Mapping[str, str | bytes | int] | None = None,
) -> PackageSpec:
    """A ``python`` of the given version, really executed by the running interpreter.

    Args:
        version: What conda is told, such as ``"3.6.8"``; default: the truth.
        build: The build string.
        depends: The dependencies.
        files: More files of the package, as for ``PackageSpec``.
    """
    version = version or ".".join(map(str, sys.version_info[:3]))
    major, minor = version.split(".")[:2]
    short = f"{major}.{minor}"
    library = f"lib/python{short}"
    interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    symlinks = {
        f"bin/python{short}": interpreter,
        f"bin/python{major}": f"python{short}",
        "bin/python": f"python{short}",
    }
    contents: dict[str, str | bytes | int] = {
        "pyvenv.cfg": f"home = {os.path.dirname(interpreter)}\n"
        "include-system-site-packages = false\n",
        f"{library}/site-packages/README.txt": "Packages go here.\n",
    }
    if short != _RUNNING:
        symlinks[f"lib/python{_RUNNING}"] = f"python{short}"
        tag = None if major == "2" else f"cpython-{major}{minor}"
        contents[f"{library}/site-packages/_bytecode_names.py"] = _BYTECODE_NAMES.format(tag=tag)
        contents[f"{library}/site-packages/_bytecode_names.pth"] = "import _bytecode_names\n"
    return PackageSpec(
        "python",
        version,
        build,
        depends=depends,
        files=contents | dict(files or {}),
        symlinks=symlinks,
    )
