"""Throw-away conda installations, cut off from the machine's own."""

from __future__ import annotations

import os
import shlex
import site
import subprocess
import sys
import venv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.realconda import warm

if TYPE_CHECKING:
    from collections.abc import Mapping

# sh runs the second line, which hands the file to the python beside it; to
# python, that line is in a string. No path of the installation is written down.
_CONDA_SCRIPT = """\
#!/bin/sh
'''exec' "${0%/*}/python" "$0" "$@"
' '''
import sys

from conda.cli import main

# Newer condas unpack in spawned processes, which import this file.
if __name__ == "__main__":
    sys.exit(main())
"""

_CONDARC = """\
add_pip_as_python_dependency: false
aggressive_update_packages: []
always_yes: true
auto_update_conda: false
channels: [{channels}]
default_channels: []
notify_outdated_conda: false
offline: true
repodata_fns: [repodata.json]
report_errors: false
"""

_OWN_HOMES = """\
import os
import pwd


def getpwall():
    ids = (os.getuid(), os.getgid())
    homes = os.environ.get("OWN_HOMES", os.environ["HOME"]).split(os.pathsep)
    return [pwd.struct_passwd(("user", "x", *ids, "", home, "/bin/sh")) for home in homes]


pwd.getpwall = getpwall
"""


class CommandFailedError(RuntimeError):
    """A command that had to succeed did not; the message has all it printed."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        """Take the finished process."""
        super().__init__(
            f"exit code {done.returncode} of: {shlex.join(done.args)}\n{done.stdout}{done.stderr}"
        )
        self.done = done


@dataclass(frozen=True, slots=True)
class Installation:
    """A conda installation in a directory of its own; make one with ``Installation.new``.

    It runs the conda that the running interpreter imports.

    Attributes:
        directory: Everything is in here: ``conda`` (the base environment, with
            ``pkgs`` and ``envs``), ``home``, ``.condarc``.
        channels: URLs of the channels it installs from.
        environ: The environment variables of all its processes.
    """

    directory: str
    channels: tuple[str, ...]
    environ: Mapping[str, str]

    @classmethod
    def new(cls, directory: str, channels: tuple[str, ...] = ()) -> Installation:
        """Make an installation in ``directory``, which may exist but has none yet."""
        directory = os.path.abspath(directory)
        root_prefix = os.path.join(directory, "conda")
        for path in ("home", "tmp", "conda/conda-meta", "conda/envs", "conda/pkgs"):
            os.makedirs(os.path.join(directory, path))
        with open(os.path.join(root_prefix, "conda-meta", "history"), "x", encoding="utf-8"):
            pass  # what makes a directory an environment
        venv.EnvBuilder(symlinks=True, with_pip=False).create(root_prefix)
        _link_site_directories(root_prefix)
        _see_own_homes_only(root_prefix)
        with open(os.path.join(directory, ".condarc"), "x", encoding="utf-8") as condarc:
            condarc.write(_CONDARC.format(channels=", ".join(channels)))
        script = os.path.join(root_prefix, "bin", "conda")
        with open(script, "x", encoding="utf-8") as file:
            file.write(_CONDA_SCRIPT)
        os.chmod(script, 0o755)
        return cls(directory, channels, _environ(directory))

    @property
    def root_prefix(self) -> str:
        """The base environment."""
        return os.path.join(self.directory, "conda")

    @property
    def pkgs_dir(self) -> str:
        """The package cache."""
        return os.path.join(self.root_prefix, "pkgs")

    @property
    def envs_dir(self) -> str:
        """Where named environments are."""
        return os.path.join(self.root_prefix, "envs")

    @property
    def environments_txt(self) -> str:
        """Conda's list of environments."""
        return os.path.join(self.environ["HOME"], ".conda", "environments.txt")

    def prefix(self, name: str) -> str:
        """The prefix of a named environment."""
        return os.path.join(self.envs_dir, name)

    def run(
        self,
        *command: str,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        fresh: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run any command with the installation's environment variables.

        Args:
            *command: The program and its arguments.
            check: Whether to raise when it fails.
            env: Variables on top of the installation's.
            fresh: Start the program. Otherwise a script of the installation's python, or code after
                its ``-c``, may run in a fork of a process that has imported conda (``warm.py``).

        Raises:
            CommandFailedError: It failed, and ``check`` is true.
        """
        environ = {**self.environ, **(env or {})}
        of_python = None if fresh else self._of_python(command)
        if of_python is not None and warm.can_run(environ, self.environ):
            python = os.path.join(self.root_prefix, "bin", "python")
            variables = {"environ": environ, "started_with": self.environ}
            answer = warm.run(python, of_python, directory=self.directory, **variables)
            done = subprocess.CompletedProcess(command, *answer)
        else:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                cwd=self.directory,
                env=environ,
                stdin=subprocess.DEVNULL,
            )
        if check and done.returncode:
            raise CommandFailedError(done)
        return done

    def _of_python(self, command: tuple[str, ...]) -> tuple[str, ...] | None:
        """What the installation's python is to run; None where it is not that python's command."""
        if command[0] == os.path.join(self.root_prefix, "bin", "conda"):
            return command
        if command[0] == os.path.join(self.root_prefix, "bin", "python") and command[1] == "-c":
            return command[1:]
        return None

    def conda(
        self,
        *args: str,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run conda; as ``run``, but in a fork where that makes no difference."""
        program = os.path.join(self.root_prefix, "bin", "conda")
        return self.run(program, *args, check=check, env=env, fresh=fresh)

    def hardlinks(
        self,
        *args: str,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``conda hardlinks``; as ``conda``."""
        return self.conda("hardlinks", *args, check=check, env=env, fresh=fresh)

    def create(self, name: str, *specs: str, env: Mapping[str, str] | None = None) -> str:
        """Create an environment from the installation's channels and return its prefix."""
        self.conda("create", "--quiet", "--name", name, *self.source_options, *specs, env=env)
        return self.prefix(name)

    def remove(self, name: str) -> None:
        """Remove an environment, as ``conda env remove`` does."""
        self.conda("env", "remove", "--quiet", "--yes", "--name", name)

    def pip_install(self, name: str, *requirements: str) -> None:
        """Have the running interpreter's pip install wheels into an environment with python."""
        self.run(
            *(
                sys.executable,
                "-m",
                "pip",
                "--python",
                os.path.join(self.prefix(name), "bin/python"),
            ),
            *("install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir"),
            *("--disable-pip-version-check", "--root-user-action=ignore"),
            *requirements,
        )

    @property
    def source_options(self) -> tuple[str, ...]:
        """The options with which conda installs from the installation's channels only."""
        channels = (option for url in self.channels for option in ("--channel", url))
        return ("--yes", "--offline", "--override-channels", *channels)


def _link_site_directories(root_prefix: str) -> None:
    """Have the installation's python import what the running interpreter can.

    ``addsitedir`` and not a plain path: the ``.pth`` files in there are obeyed
    too, such as those of the bundled conda and of editable installs.
    """
    directories = [*site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        directories.append(site.getusersitepackages())
    pth = os.path.join(_site_packages(root_prefix), "running_interpreter.pth")
    with open(pth, "x", encoding="utf-8") as file:
        file.writelines(
            f"import site; site.addsitedir({directory!r})\n"
            for directory in directories
            if os.path.isdir(directory)
        )


def _see_own_homes_only(root_prefix: str) -> None:
    """Keep an administrator's conda from the homes of this machine's users.

    conda lists and rewrites the ``environments.txt`` of everybody for an administrator: here
    everybody are the homes in ``OWN_HOMES``, or ``HOME`` alone.
    """
    site_packages = _site_packages(root_prefix)
    for name, text in (("own_homes.py", _OWN_HOMES), ("own_homes.pth", "import own_homes\n")):
        with open(os.path.join(site_packages, name), "x", encoding="utf-8") as file:
            file.write(text)


def _site_packages(root_prefix: str) -> str:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return os.path.join(root_prefix, "lib", version, "site-packages")


def _environ(directory: str) -> dict[str, str]:
    """A minimal environment: nothing of the caller's but the way to the system's programs."""
    home = os.path.join(directory, "home")
    root_prefix = os.path.join(directory, "conda")
    return {
        "CONDARC": os.path.join(directory, ".condarc"),
        "CONDA_ENVS_PATH": os.path.join(root_prefix, "envs"),
        # Asking for the driver takes a process each time.
        "CONDA_OVERRIDE_CUDA": "",
        "CONDA_PKGS_DIRS": os.path.join(root_prefix, "pkgs"),
        "CONDA_REGISTER_ENVS": "true",
        "CONDA_SOLVER": "classic",
        "HOME": home,
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([os.path.join(root_prefix, "bin"), "/usr/local/bin", os.defpath]),
        "TMPDIR": os.path.join(directory, "tmp"),
        "XDG_CACHE_HOME": os.path.join(home, ".cache"),
        "XDG_CONFIG_HOME": os.path.join(home, ".config"),
        "XDG_DATA_HOME": os.path.join(home, ".local", "share"),
        "XDG_STATE_HOME": os.path.join(home, ".local", "state"),
    }
