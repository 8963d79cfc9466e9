"""A command in a fork of a process that has imported conda is like one in a new process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.support.realconda import warm
from tests.support.realconda.finder import other_conda_origin
from tests.support.repository import TOP

pytestmark = pytest.mark.skipif(
    other_conda_origin() is not None, reason="only the bundled conda is forked"
)

# Everything that a process has from whoever starts it; the order of a dictionary is no matter.
_GIVEN = """\
import json, os, signal, sys, threading
import conda

print(json.dumps({
    "argv": sys.argv,
    "orig_argv": sys.orig_argv,
    "cwd": os.getcwd(),
    "descriptors": [os.readlink(f"/proc/self/fd/{n}").partition(":")[0] for n in sorted(map(int,
        os.listdir("/proc/self/fd")[:-1]))],
    "encodings": [stream.encoding for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "environ": dict(sorted(os.environ.items())),
    "executable": sys.executable,
    "flags": list(sys.flags),
    "handlers": [str(signal.getsignal(number)) for number in signal.valid_signals()],
    "interactive": [os.isatty(n) for n in range(3)],
    "limits": open("/proc/self/limits").read(),
    "main": sorted(vars(sys.modules["__main__"])),
    "mask": os.umask(0),
    "path": sys.path,
    "prefix": sys.prefix,
    "session": [os.getpgrp(), os.getsid(0)],
    "signals": [line for line in open("/proc/self/status") if line.startswith("Sig")],
    "stdin": sys.stdin.read(),
    "threads": threading.active_count(),
}))
print("the end", file=sys.stderr)
"""
_ENDS = {
    "nothing": "",
    "a code": "import sys; sys.exit(3)",
    "a text": "import sys; sys.exit('why')",
    "an error": "1 / 0",
    "no flush": "import os, sys; sys.stdout.write('lost'); os._exit(4)",
    "atexit": "import atexit; atexit.register(print, 'at exit')",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "Ctrl-C": "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "a thread": "import threading; threading.Timer(0, print, ['a thread']).start()",
    "a child": "import os; os.fork() or print('a child')",
}
_VARIABLES = {"CONDA_CHANNELS": "one,two", "CONDA_PREFIX": "/a", "NO_COLOR": "1", "COLUMNS": "77"}


def python(installation, code, *arguments, fresh, env=None):
    program = f"{installation.root_prefix}/bin/python"
    done = installation.run(program, "-c", code, *arguments, check=False, env=env, fresh=fresh)
    return done.returncode, done.stdout, done.stderr


def both(run):
    """What a function returns of a command in a new process; that a fork does it was forked."""
    return run(fresh=True), run(fresh=False)


def test_a_fork_gets_the_same_input_as_a_new_process(installation):
    mask = os.umask(0o027)
    try:
        new, fork = both(
            lambda fresh: python(
                installation, _GIVEN, "an", "argument", fresh=fresh, env=_VARIABLES
            )
        )
    finally:
        os.umask(mask)
    assert json.loads(fork[1]) == json.loads(new[1])
    assert json.loads(fork[1])["mask"] == 0o027
    assert fork[2] == new[2] == "the end\n"


@pytest.mark.parametrize("code", _ENDS.values(), ids=_ENDS)
def test_a_fork_ends_as_a_new_process_does(installation, code):
    new, fork = both(lambda fresh: python(installation, code, fresh=fresh))
    assert fork == new


@pytest.mark.parametrize(
    "arguments",
    [
        ("config", "--show-sources"),
        ("config", "--show"),
        ("env", "list", "--json"),
        ("hardlinks", "report", "--json", "--no-index"),
        ("info", "--all"),
        ("list", "--name", "work", "--explicit"),
        ("nonsense",),
        ("shell.posix", "activate", "work"),
        ("--version",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("variables", [{}, _VARIABLES], ids=["plain", "variables"])
def test_conda_prints_the_same_in_both(installation, arguments, variables):
    def run(fresh):
        done = installation.conda(*arguments, check=False, env=variables, fresh=fresh)
        return done.returncode, done.stdout, done.stderr

    new, fork = both(run)
    assert fork == new


def test_no_module_of_the_plugin_is_loaded_before_the_fork(installation):
    code = "import sys; print(*sys.modules, sep='\\n')"
    modules = python(installation, code, fresh=False)[1].split()
    assert "conda.base.context" in modules  # it is a fork
    assert not any(name.startswith("conda_hardlink_plugin") for name in modules)


def test_each_command_has_a_fork_of_its_own(installation):
    code = "import os; print(os.getpid(), os.getppid())"
    (one, parent), (other, same) = (
        python(installation, code, fresh=False)[1].split() for _ in range(2)
    )
    assert parent == same
    assert len({one, other, parent}) == 3


@pytest.mark.parametrize("name", ["HOME", "PATH", "PYTHONOPTIMIZE", "LANG", "TZ", "LD_PRELOAD"])
def test_a_command_with_other_variables_of_the_interpreter_is_not_forked(installation, name):
    environ = {**installation.environ, name: "other"}
    assert not warm.can_run(environ, installation.environ)
    assert warm.can_run(installation.environ, installation.environ)


def test_two_commands_at_once_do_not_wait_for_each_other(installation, tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    writing = f"print('written', file=open({fifo!r}, 'w'))"
    found = []
    thread = threading.Thread(
        target=lambda: found.append(python(installation, writing, fresh=False))
    )
    thread.start()
    assert python(installation, f"print(open({fifo!r}).read())", fresh=False)[1] == "written\n\n"
    thread.join()
    assert found == [(0, "", "")]


def test_a_command_is_killed_when_its_caller_stops_waiting(installation, tmp_path):
    told = str(tmp_path / "told")
    code = f"import os, time; os.symlink(str(os.getpid()), {told!r}); time.sleep(600)"

    def stop(signum, frame):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    watching = threading.Thread(target=_alarm_when, args=(told,))
    watching.start()
    try:
        with pytest.raises(TimeoutError):
            python(installation, code, fresh=False)
    finally:
        signal.signal(signal.SIGALRM, before)
    watching.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(os.readlink(told)), 0)


def _alarm_when(path):
    while not os.path.lexists(path):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGALRM)


def test_the_server_ends_with_the_process_that_asked(installation, tmp_path):
    code = f"""
import os, signal, sys
from tests.support.realconda import warm
from tests.support.realconda.installation import Installation
warm.enable()
made = Installation.new({str(tmp_path / "i")!r})
python = made.root_prefix + "/bin/python"
print(made.run(python, "-c", "import os; print(os.getppid())", fresh=False).stdout, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=TOP
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    # It is nobody's child, and so is waited for by looking.
    while _is_running(int(done.stdout)):
        time.sleep(0.01)


def _is_running(process):
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
