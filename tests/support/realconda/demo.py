"""``python -m tests.support.realconda.demo [DIR]``: a conda installation to try the plugin on.

Five environments that overlap, as in the well-known answer to "why are packages
installed rather than linked", and one that is softlinked into the package cache.
The report on them is what comes out at the end.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time

from tests.support.realconda.installation import CommandFailedError, Installation
from tests.support.realconda.packages import write_channel
from tests.support.realconda.stack import stack
from tests.support.realconda.wheels import write_wheel
from tests.support.repository import TOP

DEFAULT = os.path.join(TOP, ".demo")
MARKER = ".hardlinks-demo"

ENVIRONMENTS = {
    "pymc36": ("python=3.6", "pymc3", "matplotlib", "notebook", "ipykernel-kernelspec", "git"),
    "pymc3_27": ("python=2.7", "pymc3", "matplotlib", "wheel"),
    "r-keras": ("r-keras", "r-ggplot2", "python=3.6", "keras"),
    "stan": ("r-rstan", "r-shinystan", "git", "samtools"),
    "velocyto": ("python=3.6", "velocyto.py", "scikit-learn=0.19", "samtools", "notebook", "wheel"),
}
# Everything in the demo was made a moment ago, and would be kept for that alone.
OPTIONS = ("--grace", "0")
# sqlalchemy is linked nowhere else: to a count of links, nobody uses it.
SOFTLINKED = ("python=3.6", "pandas", "ipython", "sqlalchemy")

_ACTIVATE = """\
# To be read by a shell: `. {activate}`. It then uses the conda of the demo, and
# its HOME, so that nothing of yours is seen or changed. Start a shell for it.
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
    channel = write_channel(os.path.join(directory, "channel"), specs)
    installation = Installation.new(directory, (channel,))
    for name, packages in ENVIRONMENTS.items():
        _say(f"environment {name}")
        installation.create(name, *packages)
    _say("environment softlinked, with symbolic links into the package cache")
    installation.create("softlinked", *SOFTLINKED, env={"CONDA_ALWAYS_SOFTLINK": "1"})
    _say("pip's files in velocyto, and packages in the cache that nothing uses any more")
    installation.pip_install("velocyto", _wheel(os.path.join(directory, "wheels")))
    options = ("--quiet", "--name", "velocyto", *installation.source_options)
    installation.conda("install", *options, "scikit-learn=0.20")
    installation.create("scratch", "python=3.6", "pytorch")
    installation.remove("scratch")
    _write_activate(installation)
    return installation


def main(arguments: list[str] | None = None) -> int:
    """Build the demo, print the report on it, and say how to go on."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.realconda.demo", description=__doc__
    )
    parser.add_argument("directory", nargs="?", default=os.path.normpath(DEFAULT))
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        installation = build(options.directory)
    except (FileExistsError, CommandFailedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _say(f"built in {time.monotonic() - started:.0f} s\n")
    _say(f"$ conda hardlinks report {' '.join(OPTIONS)}")
    _say("# --grace 0 because everything there was made a moment ago: without it a package that")
    _say("# nobody uses is kept for 15 minutes, as somebody may be about to use it.")
    # The report draws for the terminal this runs in.
    terminal = ("TERM", "COLORTERM", "COLUMNS", "NO_COLOR")
    variables = {name: os.environ[name] for name in terminal if name in os.environ}
    code = subprocess.run(
        [os.path.join(installation.root_prefix, "bin", "conda"), "hardlinks", "report", *OPTIONS],
        check=False,
        cwd=installation.directory,
        env={**installation.environ, **variables},
    ).returncode
    activate = shlex.quote(os.path.join(installation.directory, "activate"))
    _say(f"\nThe installation is in {installation.directory}. To go on playing, in a shell:")
    _say(f"    . {activate} && conda hardlinks report --help")
    return code


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
    variables = dict(installation.environ)
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
