"""Cleaning with the real command, and packages in a cache that nobody installed."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import stat
import struct
import termios
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from conda_package_handling import api as archives

from tests.conda.test_unreadable_paths import as_ordinary_user
from tests.support.realconda.packages import PackageSpec, write_package

NOW = ("--grace", "0")  # everything here was extracted a moment ago
YES = ("--yes", *NOW)
ASKING = {"CONDA_ALWAYS_YES": "false"}  # the .condarc of the installations says yes
URL = "https://made.up/channel"
_PATIENCE_S = 60  # with a command that prints nothing and does not end

# Does something at the last of some steps: `os.rename:3,os.scandir:1` is the first folder that is
# listed after three renames. Nobody but us does these by descriptor.
_DOING = """\
import os, signal, sys

steps = [step.split(":") for step in sys.argv.pop(1).split(",")]
doing = sys.argv.pop(1)


def watch(event, arguments):
    if not steps or event != steps[0][0]:
        return
    descriptor = arguments[0] if event == "os.scandir" else arguments[-1]
    if not isinstance(descriptor, int) or descriptor == -1:
        return
    event, left = steps.pop(0)
    if int(left) > 1:
        steps.insert(0, (event, int(left) - 1))
    elif not steps:
        exec(doing)


signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs this may ignore it
sys.addaudithook(watch)
from conda.cli import main

sys.exit(main())
"""


def clean(installation, *options, code=0, env=None):
    """The object that `clean --json` prints; that it prints nothing else is asserted."""
    done = installation.hardlinks("clean", "--json", *options, check=False, env=env)
    return _object_of(done, code)


def plan(installation, *options, code=0, env=None):
    """What `clean --json --dry-run` says, of packages that may be new."""
    return clean(installation, "--dry-run", *NOW, *options, code=code, env=env)


def clean_as_ordinary_user(installation, *options, code=0):
    """The same, of somebody who is held to permissions, root or not."""
    command = ("conda", "hardlinks", "clean", "--json", *options)
    return _object_of(as_ordinary_user(installation, *command), code)


def restore(installation, *options, code=0):
    """The object that `restore --json` prints."""
    done = installation.hardlinks("restore", "--json", *options, check=False)
    return _object_of(done, code)


def explain(installation, subject, *options, code=0):
    """The object that `explain --json` prints."""
    done = installation.hardlinks("explain", "--json", subject, *options, check=False)
    return _object_of(done, code)


def _object_of(done, code):
    assert done.stderr == ""
    assert done.returncode == code, done.stdout
    answer = json.loads(done.stdout)
    assert answer["success"] is (code == 0)
    return answer


def clean_while(installation, doing, steps, *options):
    """Clean, and run some code in the process at one of its steps; return what became of it."""
    python = f"{installation.root_prefix}/bin/python"
    command = ("hardlinks", "clean", *YES, *options)
    script = (python, "-c", _DOING, steps, doing)
    # The native reader lists directories where no audit hook sees it.
    env = {"HARDLINKS_READER": "python"} if "os.scandir" in steps else None
    return installation.run(*script, *command, check=False, env=env, fresh=False)


def at_once(ask, questions):
    """What a function returns for each of some questions, asked two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(ask, questions))


def names(rows):
    """The names of what goes or stays."""
    return [row["name"] for row in rows]


def kept(answer, name):
    """The one row of what is kept of this name."""
    (row,) = (row for row in answer["keep"] if row["name"] == name)
    return row


def packages_in(cache):
    """The names of the extracted packages in a cache."""
    return sorted(name for name in os.listdir(cache) if os.path.isdir(f"{cache}/{name}/info"))


def archives_in(cache):
    """The names of the archives in a cache."""
    return sorted(name for name in os.listdir(cache) if name.endswith((".conda", ".tar.bz2")))


def extract(cache, spec, *, url=URL, archive=False):
    """Put a package into a cache as conda extracts it; return its path.

    Args:
        cache: The folder that it is extracted in; made if it is missing.
        spec: The package.
        url: The channel that it is said to be from, without one no word is said.
        archive: Leave its archive beside it.

    """
    os.makedirs(cache, exist_ok=True)
    written = write_package(cache, spec)
    path = f"{cache}/{spec.dist}"
    archives.extract(written, path)
    if not archive:
        os.unlink(written)
    with open(f"{path}/info/index.json", encoding="utf-8") as file:
        record = json.load(file)
    if url is not None:
        record["url"] = f"{url}/{spec.subdir}/{spec.dist}.conda"
    with open(f"{path}/info/repodata_record.json", "x", encoding="utf-8") as file:
        json.dump(record, file)
    return path


def versions(cache, name, *spellings, size=5_000):
    """Put several versions of a package into a cache, the first extracted first."""
    paths = []
    for version in spellings:
        path = extract(cache, PackageSpec(name, version, files={"lib/f": size}))
        if paths:
            use(path, after=paths[-1])
        paths.append(path)
    return paths


def use(package, *, after):
    """Make one package the last used of two: conda tries a hard link before it links."""
    probe = f"{package}/../probe"
    while _last_use_ns(package) <= _last_use_ns(after):  # clocks of filesystems are coarse
        os.link(f"{package}/info/index.json", probe)
        os.unlink(probe)


def _last_use_ns(package):
    files = (f"{package}/info/{name}.json" for name in ("index", "repodata_record"))
    return max(os.lstat(path).st_ctime_ns for path in files)


def read_through(*trees):
    """What a program reads in some trees, symbolic links followed; `None` where it fails."""
    found = {}
    for tree in trees:
        for directory, directories, files in os.walk(tree):
            for name in (*directories, *files):
                path = os.path.join(directory, name)
                found[path] = _content(path)
    return found


def _content(path):
    if os.path.isdir(path):
        return sorted(os.listdir(path))
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


@contextmanager
def mode_of(path, mode):
    """Give a file or folder other permissions meanwhile."""
    before = stat.S_IMODE(os.lstat(path).st_mode)
    os.chmod(path, mode)
    try:
        yield
    finally:
        os.chmod(path, before)


def on_terminal(
    installation, *command, columns=80, lines=50, env=None, answer=None, prompt=b"Proceed"
):
    """Run a command on a terminal of this size; return its exit code and what it prints.

    Args:
        installation: Where.
        *command: The program and its arguments.
        columns: The width of the terminal.
        lines: Its height.
        env: Variables on top of the installation's.
        answer: What is typed at the prompt of conda, or at each of several.
        prompt: What the prompt has in it, or what each of several has.

    """
    child, master = pty.fork()  # makes it the terminal that Ctrl-C comes from
    if child == 0:
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs this may ignore it
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.chdir(installation.directory)
            environ = {**installation.environ, "TERM": "dumb", **(env or {})}
            os.execvpe(command[0], command, environ)
        finally:
            os._exit(127)
    prompts = deque(
        [(prompt, answer)] if isinstance(prompt, bytes) else zip(prompt, answer, strict=True)
    )
    printed = b""
    while True:
        if not select.select([master], [], [], _PATIENCE_S)[0]:
            os.kill(child, signal.SIGKILL)
            prompts.clear()
        try:
            chunk = os.read(master, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not chunk:
            break
        printed += chunk
        if prompts and prompts[0][0] in printed and prompts[0][1] is not None:
            os.write(master, prompts.popleft()[1])
    os.close(master)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), printed.decode().replace("\r\n", "\n")
