"""What the running interpreter has from the package index, as conda packages.

A wheel that is installed has all that a conda package of it needs: its files,
its entry points, and the names and versions of what it requires. So a small
channel of real packages comes from the site-packages at hand, and conda itself
from the one that this interpreter imports.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement

from tests.support.realconda import bundled, finder
from tests.support.realconda.packages import PackageSpec

# Not of the wheel, but of how it was installed here.
_MADE_HERE = {"__pycache__", "direct_url.json", "REQUESTED"}
_CONDA_REQUIREMENTS = os.path.join(os.path.dirname(__file__), "conda-requirements.txt")
# As conda's own packages have it; the one that conda's wheel declares says that
# conda is not initialized.
_CONDA_ENTRY_POINT = "conda = conda.cli:main"


class NotFromWheelError(RuntimeError):
    """An old pip installed a source distribution in the old way, and left no list of its files."""


def installed_packages(*names: str) -> tuple[PackageSpec, ...]:
    """Installed distributions, and all that these require, as noarch packages.

    Those with compiled modules too, and all for any Python: a channel of them is for
    the running interpreter alone, whatever version its packages of Python claim to be.

    Args:
        *names: The distributions, as the package index names them; ``conda`` is
            the conda that this interpreter imports, wherever that comes from.

    Raises:
        PackageNotFoundError: One of them is not installed.
        NotFromWheelError: One of them was not installed from a wheel.
    """
    found: dict[str, PackageSpec] = {}
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        bundled_one = name == "conda" and finder.other_conda_origin() is None
        spec = _bundled_conda() if bundled_one else _package(distribution(name))
        found[spec.name] = spec
        waiting += (one.partition(" ")[0] for one in spec.depends if one != "python")
    return tuple(found.values())


def conda_name(installed: Distribution) -> str:
    """The name that conda packages of a distribution have, mostly."""
    return installed.metadata["Name"].lower().replace("_", "-")


def requirements_of(installed: Distribution) -> list[Requirement]:
    """What a distribution requires on this machine, without its extras."""
    requirements = map(Requirement, installed.requires or ())
    return [one for one in requirements if not one.marker or one.marker.evaluate({"extra": ""})]


def _package(installed: Distribution) -> PackageSpec:
    name = conda_name(installed)
    scripts = {
        script.name: f"{script.name} = {script.value}"
        for script in installed.entry_points.select(group="console_scripts")
    }
    if name == "conda":
        scripts = {"conda": _CONDA_ENTRY_POINT}
    if not installed.read_text("RECORD"):
        raise NotFromWheelError(
            f"{name} was not installed from a wheel, and nobody knows its files. Run: "
            f"{sys.executable} -m pip install --force-reinstall --use-pep517 {name}"
        )
    files: dict[str, str | bytes | int] = {}
    for path in installed.files or ():
        # Relative to site-packages, which is three folders below the prefix.
        inside = path.as_posix().removeprefix("../../../")
        # Scripts are made by whoever installs, of the entry points.
        if inside.startswith("bin/") or not _MADE_HERE.isdisjoint(path.parts):
            continue
        target = f"site-packages/{inside}" if inside == path.as_posix() else inside
        files[target] = path.locate().read_bytes()
    return PackageSpec(
        name,
        installed.version,
        noarch="python",
        depends=("python", *map(_match_spec, requirements_of(installed))),
        files=files,
        entry_points=tuple(scripts.values()),
    )


def _match_spec(requirement: Requirement) -> str:
    """A requirement in conda's words."""
    return f"{conda_name(distribution(requirement.name))} {requirement.specifier}".strip()


def _bundled_conda() -> PackageSpec:
    """The conda that conda-lock carries, under its own name again."""
    vendored = os.path.join(bundled.site_directory(), "conda_lock", "_vendor")
    files: dict[str, str | bytes | int] = {}
    for folder, folders, names in os.walk(os.path.join(vendored, "conda")):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for path in (os.path.join(folder, name) for name in names):
            with open(path, "rb") as file:
                content = file.read()
            for alias in finder.ALIASES:
                content = content.replace(alias.encode(), b"conda")
            files[f"site-packages/{os.path.relpath(path, vendored)}"] = content
    from conda import __version__ as version  # noqa: PLC0415  # where there is one

    requirements = _conda_requirements()
    requires = "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
    metadata = f"Metadata-Version: 2.1\nName: conda\nVersion: {version}\n{requires}"
    files[f"site-packages/conda-{version}.dist-info/METADATA"] = metadata
    with open(os.path.join(vendored, "conda.LICENSE"), "rb") as file:
        files[f"site-packages/conda-{version}.dist-info/LICENSE"] = file.read()
    return PackageSpec(
        "conda",
        version,
        noarch="python",
        depends=("python", *map(_match_spec, requirements)),
        files=files,
        entry_points=(_CONDA_ENTRY_POINT,),
    )


def _conda_requirements() -> list[Requirement]:
    """What the bundled conda requires; no metadata of it came along."""
    with open(_CONDA_REQUIREMENTS, encoding="utf-8") as file:
        lines = [line.partition("#")[0].strip() for line in file]
    return [Requirement(line) for line in lines if line]
