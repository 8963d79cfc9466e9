"""Build and test the package of ``recipe/``: ``python -m tests.support.realconda.recipe``.

No conda channel is asked: all that the recipe needs comes from a small one, made
of what this interpreter has installed. The oldest Python that the recipe asks for
is a package that claims to be it and runs the interpreter at hand, which is the
true one only where this runs on that version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from tests.support.realconda.distributions import (
    NotFromWheelError,
    installed_packages,
    requirements_of,
)
from tests.support.realconda.interpreter import python_package
from tests.support.realconda.packages import write_channel
from tests.support.repository import TOP

if TYPE_CHECKING:
    from tests.support.realconda.packages import PackageSpec

REPOSITORY = TOP
RECIPE = os.path.join(REPOSITORY, "recipe")
DIST = os.path.join(REPOSITORY, "dist")

# What the recipe names beside the plugin's own requirements.
_NAMED = ("conda", "hatchling", "pip")


class BuildFailedError(RuntimeError):
    """The recipe could not be built, or its package fails its tests; the output tells why."""


def build(directory: str) -> tuple[str, str]:
    """Build the recipe's package and run its tests, all in one directory.

    Args:
        directory: Where everything is put; made if it is missing.

    Returns:
        The path of the package and the URL of a channel with it and all it needs.

    Raises:
        BuildFailedError: It does not build, or fails a test.
    """
    channel = os.path.join(directory, "channel")
    output = os.path.join(directory, "output")
    url = write_channel(channel, (*_pythons(), *_packages()))
    _run_rattler_build(directory, url, output)
    (name,) = (name for name in os.listdir(f"{output}/noarch") if name.endswith(".conda"))
    # A copy has the usual permissions.
    path = shutil.copyfile(f"{output}/noarch/{name}", f"{channel}/noarch/{name}")
    write_channel(channel, ())
    return path, url


def oldest_python() -> str:
    """The oldest Python that the recipe is built and tested for: ``"3.10"``."""
    with open(os.path.join(RECIPE, "variants.yaml"), encoding="utf-8") as file:
        (version,) = YAML(typ="safe").load(file)["python_min"]
    return str(version)


def main() -> int:
    """Build, and put the package into ``dist/``."""
    with tempfile.TemporaryDirectory(prefix="recipe-") as directory:
        try:
            path, _ = build(directory)
        except (BuildFailedError, NotFromWheelError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        os.makedirs(DIST, exist_ok=True)
        built = shutil.copyfile(path, os.path.join(DIST, os.path.basename(path)))
    sys.stdout.write(f"Built and tested: {os.path.relpath(built)}\n")
    return 0


def _pythons() -> tuple[PackageSpec, ...]:
    running = python_package()
    oldest = python_package(f"{oldest_python()}.0")
    same = running.version.startswith(f"{oldest_python()}.")
    return (running,) if same else (oldest, running)


def _packages() -> tuple[PackageSpec, ...]:
    run = requirements_of(distribution("conda-hardlink-plugin"))
    return installed_packages(*_NAMED, *(requirement.name for requirement in run))


def _run_rattler_build(directory: str, channel: str, output: str) -> None:
    """Build and test in a process that sees nothing of the user's configuration and caches."""
    home, temporary = os.path.join(directory, "home"), os.path.join(directory, "tmp")
    for path in (home, temporary):
        os.makedirs(path)
    done = subprocess.run(
        [sys.executable, "-u", "-m", "tests.support.realconda.rattler", RECIPE, channel, output],
        check=False,
        cwd=REPOSITORY,
        env={"HOME": home, "LANG": "C.UTF-8", "PATH": os.defpath, "TMPDIR": temporary},
    )
    if done.returncode:
        raise BuildFailedError(f"rattler-build failed on {RECIPE}: see above")


if __name__ == "__main__":
    sys.exit(main())
