"""``python -m tests.support.realconda.demo [DIR]``: a conda installation to try the plugin on.

The demo has five environments that overlap, as in the well-known answer to "why are packages
installed rather than linked", and one that is softlinked into the package cache. Its packages come
from a channel that a server on the loopback interface serves, so that each has an http URL. The
command ends with the report on the demo.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tests.support.realconda.installation import CommandFailedError, Installation
from tests.support.realconda.packages import write_channel
from tests.support.realconda.stack import stack
from tests.support.realconda.wheels import write_wheel
from tests.support.repository import TOP

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT = os.path.join(TOP, ".demo")
MARKER = ".hardlinks-demo"
CHANNEL = "demo"

ENVIRONMENTS = {
    "pymc36": ("python=3.6", "pymc3", "matplotlib", "notebook", "ipykernel-kernelspec", "git"),
    "pymc3_27": ("python=2.7", "pymc3", "matplotlib", "wheel"),
    "r-keras": ("r-keras", "r-ggplot2", "python=3.6", "keras"),
    "stan": ("r-rstan", "r-shinystan", "git", "samtools"),
    "velocyto": ("python=3.6", "velocyto.py", "scikit-learn=0.19", "samtools", "notebook", "wheel"),
}
# `conda hardlinks` keeps what conda extracted within the last 15 minutes, and no program can set
# the ctime that says so. With this variable, the clock of `conda hardlinks` is a day ahead.
CLOCK = {"DEMO_CLOCK_AHEAD_S": "86400"}
_CLOCK_MODULE = """\
import os
import sys
import time


def ahead_of(clock, by):
    return lambda: clock() + by


ahead_s = int(os.environ.get("DEMO_CLOCK_AHEAD_S", "0"))
if ahead_s and "hardlinks" in sys.orig_argv:
    time.time = ahead_of(time.time, ahead_s)
    time.time_ns = ahead_of(time.time_ns, ahead_s * 1_000_000_000)
"""
ONLINE = {"CONDA_OFFLINE": "false"}  # the .condarc of the installations says offline
# sqlalchemy is linked nowhere else: to a count of links, nobody uses it.
SOFTLINKED = ("python=3.6", "pandas", "ipython", "sqlalchemy")

_ACTIVATE = """\
# Read this in a shell of its own: `. {activate}`. The shell then uses the conda and the HOME of
# the demo, and neither sees nor changes anything of yours. The clock of its `conda hardlinks` is a
# day ahead, so that it does not keep packages because the demo is new.
for name in $(env | sed 's/=.*//' | grep -E '^(CONDA|_?CE|MAMBA|PIP|PYTHON)[A-Z_0-9]*$'); do
    unset "$name"
done
{exports}
"""


def build(directory: str) -> Installation:
    """Build the demo in ``directory``, replacing an earlier demo there.

    Raises:
        FileExistsError: There is something there that is not a demo.
        CommandFailedError: conda or pip failed.
    """
    directory = os.path.abspath(directory)
    _clear(directory)
    specs = stack()
    _say(f"a channel of {len(specs)} packages")
    write_channel(os.path.join(_channels(directory), CHANNEL), specs)
    with serving(directory) as url:
        installation = Installation.new(directory, (url,))
        _set_clock(installation)
        for name, packages in ENVIRONMENTS.items():
            _say(f"environment {name}")
            _create(installation, name, *packages)
        _say("environment webapp, with symbolic links into the package cache")
        _create(installation, "webapp", *SOFTLINKED, env={"CONDA_ALWAYS_SOFTLINK": "1"})
        _say("pip's files in velocyto, and packages in the cache that nothing uses any more")
        installation.pip_install("velocyto", _wheel(os.path.join(directory, "wheels")))
        _from_channel(installation, "install", "velocyto", "scikit-learn=0.20")
        _create(installation, "scratch", "python=3.6", "pytorch")
        installation.remove("scratch")
    _write_activate(installation)
    return installation


@contextmanager
def serving(directory: str, port: int = 0) -> Iterator[str]:
    """Serve the channel of the demo in ``directory`` on the loopback interface; yield its URL.

    Args:
        directory: Where the demo is.
        port: The port; the system chooses one if it is 0.
    """
    handler = partial(_Handler, directory=_channels(directory))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{CHANNEL}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing: conda says what fails."""


def main(arguments: list[str] | None = None) -> int:
    """Build the demo, print the report on it, and say how to go on."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.realconda.demo", description=__doc__
    )
    parser.add_argument("directory", nargs="?", default=os.path.normpath(DEFAULT))
    parser.add_argument(
        "--serve", action="store_true", help="serve the channel of a demo that is built already"
    )
    options = parser.parse_args(arguments)
    if options.serve:
        return _serve(options.directory)
    started = time.monotonic()
    try:
        installation = build(options.directory)
    except (FileExistsError, CommandFailedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _say(f"built in {time.monotonic() - started:.0f} s\n")
    _say("# The clock of `conda hardlinks` is a day ahead here, so that it does not keep packages")
    _say("# because the demo is new.")
    _say("$ conda hardlinks report")
    # The report draws for the terminal this runs in.
    terminal = ("TERM", "COLORTERM", "COLUMNS", "NO_COLOR")
    variables = {name: os.environ[name] for name in terminal if name in os.environ}
    code = subprocess.run(
        [os.path.join(installation.root_prefix, "bin", "conda"), "hardlinks", "report"],
        check=False,
        cwd=installation.directory,
        env={**installation.environ, **CLOCK, **variables},
    ).returncode
    activate = shlex.quote(os.path.join(installation.directory, "activate"))
    _say(f"\nThe installation is in {installation.directory}. To go on playing, in a shell:")
    _say(f"    . {activate} && conda hardlinks report --help")
    folder = shlex.quote(installation.directory)
    _say("To let conda download from its channel again, in another shell, from this checkout:")
    _say(f"    {sys.executable} -m tests.support.realconda.demo --serve {folder}")
    return code


def _serve(directory: str) -> int:
    """Serve the channel where the packages of a demo say that it is, until Ctrl-C."""
    try:
        with open(os.path.join(directory, ".condarc"), encoding="utf-8") as file:
            port = int(re.findall(r"127\.0\.0\.1:(\d+)", file.read())[0])
    except (OSError, IndexError):
        sys.stderr.write(f"{directory} has no demo\n")
        return 1
    with serving(directory, port) as url:
        _say(f"{url} is served until Ctrl-C. In the shell of the demo:")
        _say("    " + " ".join(f"export {name}={value}" for name, value in ONLINE.items()))
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


def _create(
    installation: Installation, name: str, *specs: str, env: dict[str, str] | None = None
) -> None:
    _from_channel(installation, "create", name, *specs, env=env)


def _from_channel(
    installation: Installation,
    command: str,
    name: str,
    *specs: str,
    env: dict[str, str] | None = None,
) -> None:
    """Have conda create or change an environment with packages that it downloads."""
    (url,) = installation.channels
    options = ("--quiet", "--yes", "--override-channels", "--channel", url, "--name", name)
    installation.conda(command, *options, *specs, env={**ONLINE, **(env or {})})


def _channels(directory: str) -> str:
    return os.path.join(directory, "channels")


def _set_clock(installation: Installation) -> None:
    """Have the python of the demo obey ``CLOCK``."""
    installation.run(
        f"{installation.root_prefix}/bin/python",
        "-c",
        "import os, sys, sysconfig\n"
        "folder = sysconfig.get_path('purelib')\n"
        "open(os.path.join(folder, 'demo_clock.py'), 'x').write(sys.argv[1])\n"
        "open(os.path.join(folder, 'demo_clock.pth'), 'x').write('import demo_clock\\n')\n",
        _CLOCK_MODULE,
    )


def _clear(directory: str) -> None:
    """Leave an empty directory with the marker that says whose it is."""
    marker = os.path.join(directory, MARKER)
    if os.path.lexists(directory) and not os.path.islink(directory) and os.path.isfile(marker):
        shutil.rmtree(directory)
    if os.path.lexists(directory) and (not os.path.isdir(directory) or os.listdir(directory)):
        raise FileExistsError(f"{directory} is there already and is no demo: give another place")
    os.makedirs(directory, exist_ok=True)
    with open(marker, "x", encoding="utf-8") as file:
        file.write("Made by tests.support.realconda.demo, which replaces this directory.\n")


def _wheel(directory: str) -> str:
    files: dict[str, str | bytes | int] = {"scvelo/__init__.py": "", "scvelo/data.h5": 160_000}
    for part in ("plotting", "preprocessing", "tools"):
        for number in range(8):
            files[f"scvelo/{part}/module{number}.py"] = 2_000 + 1_500 * number
    return write_wheel(directory, "scvelo", "0.1.0", files)


def _write_activate(installation: Installation) -> None:
    activate = os.path.join(installation.directory, "activate")
    variables = {**installation.environ, **CLOCK}
    del variables["PATH"]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    root_bin = shlex.quote(os.path.join(installation.root_prefix, "bin"))
    exports.append(f'export PATH={root_bin}:"$PATH"')
    with open(activate, "x", encoding="utf-8") as file:
        file.write(_ACTIVATE.format(activate=activate, exports="\n".join(exports)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
