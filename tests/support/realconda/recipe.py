"""Build and test the packages of ``recipe/``: ``python -m tests.support.realconda.recipe``.

No conda channel is asked: all that the recipe needs comes from a small one, made
of what this interpreter has installed. The oldest Python that the recipe asks for
is a package that claims to be it and runs the interpreter at hand, which is the
true one only where this runs on that version. In the same way, the compiler is a
package that runs the compiler of this machine.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from glob import glob
from importlib.metadata import distribution

from ruamel.yaml import YAML

from tests.support.realconda.distributions import (
    NotFromWheelError,
    installed_packages,
    requirements_of,
)
from tests.support.realconda.interpreter import python_package
from tests.support.realconda.packages import PackageSpec, native_subdir, write_channel
from tests.support.repository import TOP

REPOSITORY = TOP
RECIPE = os.path.join(REPOSITORY, "recipe")
DIST = os.path.join(REPOSITORY, "dist")

# What the recipe names beside the plugin's own requirements.
_NAMED = ("conda", "pip", "setuptools")


class BuildFailedError(RuntimeError):
    """The recipe could not be built, or its package fails its tests; the output tells why."""


def build(directory: str) -> tuple[list[str], str]:
    """Build the recipe's packages and run their tests, all in one directory.

    Args:
        directory: Where everything is put; made if it is missing.

    Returns:
        The paths of the packages and the URL of a channel with them and all they need.

    Raises:
        BuildFailedError: One does not build, or fails a test.
    """
    channel = os.path.join(directory, "channel")
    output = os.path.join(directory, "output")
    url = write_channel(channel, (*_pythons(), *_packages(), *_compiler()))
    _run_rattler_build(directory, url, output)
    # Copies have the usual permissions.
    paths = [
        shutil.copyfile(path, os.path.join(channel, os.path.relpath(path, output)))
        for subdir in (native_subdir(), "noarch")
        for path in sorted(glob(f"{output}/{subdir}/*.conda"))
    ]
    write_channel(channel, ())
    return paths, url


def oldest_python() -> str:
    """The oldest Python that the recipe is built and tested for: ``"3.10"``."""
    with open(os.path.join(RECIPE, "variants.yaml"), encoding="utf-8") as file:
        (version,) = YAML(typ="safe").load(file)["python_min"]
    return str(version)


def main() -> int:
    """Build, and put the packages into ``dist/``."""
    with tempfile.TemporaryDirectory(prefix="recipe-") as directory:
        try:
            paths, _ = build(directory)
        except (BuildFailedError, NotFromWheelError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        for path in paths:
            subdir, name = path.split(os.sep)[-2:]
            os.makedirs(os.path.join(DIST, subdir), exist_ok=True)
            built = shutil.copyfile(path, os.path.join(DIST, subdir, name))
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


def _compiler() -> tuple[PackageSpec, ...]:
    """The compiler, and the packages by which conda-forge builds for any Python."""
    subdir, oldest = native_subdir(), oldest_python()
    compiler = f"{platform.machine()}-conda-linux-gnu-cc"
    return (
        PackageSpec(
            f"gcc_{subdir}",
            files={"etc/conda/activate.d/activate-gcc.sh": f"export CC={compiler}\n"},
            symlinks={f"bin/{compiler}": shutil.which("cc") or "/usr/bin/cc"},
        ),
        PackageSpec(f"sysroot_{subdir}", "2.17", noarch="generic"),
        PackageSpec(
            "python-abi3",
            oldest,
            noarch="generic",
            depends=(f"python {oldest}.*", "_python_abi3_support"),
            run_exports=("_python_abi3_support 1.*", f"cpython >={oldest}"),
        ),
        PackageSpec("_python_abi3_support", noarch="generic", depends=("cpython",)),
        *(
            PackageSpec(
                "cpython", python.version, noarch="generic", depends=(f"python {python.version}",)
            )
            for python in _pythons()
        ),
    )


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
