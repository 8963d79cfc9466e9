"""Imports conda once, then forks a child for each command that `warm.py` sends.

An installation's own python runs this file. A child is a process like any other: it has its own
process id, arguments, environment variables, folder, umask and standard streams, runs the command
as ``__main__``, and ends as an interpreter ends. Only modules of conda and of its dependencies are
loaded before the fork, none of the package under test.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import runpy
import socket
import sys
import threading
import traceback
from types import ModuleType, TracebackType

# What almost every command imports. Importing these calls none of their functions that remember.
_MODULES = (
    *("conda.cli.main", "conda.cli.conda_argparse", "conda.cli.install", "conda.cli.main_info"),
    *("conda.cli.main_env_config", "conda.cli.main_env_create", "conda.cli.main_env_list"),
    *("conda.cli.main_env_remove", "conda.cli.main_env_update", "conda.cli.main_env_vars"),
    *("conda.exception_handler", "conda.plugins.manager", "conda.gateways.subprocess"),
    *("archspec.cpu", "conda_index.plugin", "conda_index.cli", "distro", "pycosat"),
    *("rich.console", "rich.table", "rich.progress", "jinja2"),
)
_OURS = (__file__, runpy.run_path.__code__.co_filename)
_UNDER_TEST = "conda_hardlink_plugin"
_LONGEST_REQUEST = 200_000


def main(control: socket.socket) -> tuple[str, ...] | None:
    """Serve; return a command in the child that is to run it, None when nobody asks any more."""
    unset = set(os.environ)
    try:
        _import_conda()
    except Exception:  # noqa: BLE001  # whoever asks is told, whatever it is
        control.send(traceback.format_exc().encode())
        return None
    unset = set(os.environ) - unset
    defaults = {name: os.environ[name] for name in unset}  # importing conda has set these
    control.send(b"ready")
    gc.collect()
    gc.freeze()  # a collection in a child is not to copy all pages
    while True:
        request, descriptors, *_ = socket.recv_fds(control, _LONGEST_REQUEST, 3)
        if not request:
            return None
        child = os.fork()
        if child == 0:
            control.close()
            return _become(defaults, descriptors, **pickle.loads(request))  # ours
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(child).encode())
        _, status = os.waitpid(child, 0)
        control.send(str(os.waitstatus_to_exitcode(status)).encode())


def _import_conda() -> None:
    for name in _MODULES:
        importlib.import_module(name)
    if _UNDER_TEST in sys.modules:
        raise RuntimeError(f"importing conda imports {_UNDER_TEST}")
    if threading.active_count() != 1:
        raise RuntimeError(f"importing conda starts threads: {threading.enumerate()}")


def _become(
    defaults: dict[str, str],
    descriptors: list[int],
    *,
    command: tuple[str, ...],
    environ: dict[str, str],
    directory: str,
    umask: int,
) -> tuple[str, ...]:
    """Give this process what a new one would have."""
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update({**defaults, **environ})
    os.umask(umask)
    os.chdir(directory)
    return command


def run(command: tuple[str, ...]) -> None:
    """Run a script, or code after ``-c``, as the interpreter would."""
    sys.orig_argv[1:] = command
    sys.excepthook = _without_frames_of_ours
    if command[0] == "-c":
        sys.argv[:] = ["-c", *command[2:]]
        sys.path[0] = ""
        code = compile(command[1], "<string>", "exec", dont_inherit=True)
        sys.modules["__main__"] = ModuleType("__main__")
        vars(sys.modules["__main__"])["__annotations__"] = {}  # as there
        exec(code, sys.modules["__main__"].__dict__)
    else:
        sys.argv[:] = command
        sys.path[0] = os.path.dirname(command[0])
        runpy.run_path(command[0], run_name="__main__")


def _without_frames_of_ours(
    kind: type[BaseException], error: BaseException, frames: TracebackType | None
) -> None:
    while frames and frames.tb_frame.f_code.co_filename in _OURS:
        frames = frames.tb_next
    sys.__excepthook__(kind, error.with_traceback(frames), frames)


if __name__ == "__main__":
    asked = main(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        run(asked)
