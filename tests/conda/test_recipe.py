"""The conda package of `recipe/`, built, and then had by `conda install`."""

from __future__ import annotations

import json
import os
from importlib.metadata import distribution
from importlib.util import find_spec

import pytest
from packaging.requirements import Requirement

import conda_hardlink_plugin
from tests.support.oracles import du
from tests.support.realconda.distributions import requirements_of
from tests.support.realconda.installation import Installation
from tests.support.terminal_session import row_of
from tests.support.transactions import added_line, linked_line, packages_of, said

NEEDED = ("rattler_build", "hatchling")  # by the recipe alone
PACKAGE = "conda_hardlink_plugin"
DIST = "conda-hardlink-plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An installation, and the prefix of an environment in it that has the package."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        command = "pip install --use-pep517 -r tests/support/realconda/requirements.txt"
        pytest.skip(f"cannot build it without {', '.join(missing)}: {command}")
    from tests.support.realconda import recipe  # noqa: PLC0415  # needs what may be missing

    directory = str(tmp_path_factory.mktemp("recipe"))
    _, channel = recipe.build(directory)
    installation = Installation.new(f"{directory}/i", (channel,))
    installation.conda("create", "--name", "plugged")
    installation.conda("install", "--name", "plugged", *installation.source_options, DIST)
    return installation, installation.prefix("plugged")


def record(prefix):
    (name,) = (name for name in os.listdir(f"{prefix}/conda-meta") if name.startswith(f"{DIST}-"))
    with open(f"{prefix}/conda-meta/{name}", encoding="utf-8") as file:
        return json.load(file)


def specified(requirements):
    return {(one.name.lower(), one.specifier) for one in requirements}


def test_the_package_is_this_version_and_requires_what_this_requires(installed):
    _, prefix = installed
    found = record(prefix)
    assert (found["version"], found["noarch"]) == (conda_hardlink_plugin.__version__, "python")
    here = distribution(DIST)
    needed = ("conda>=24.7", f"python{here.metadata['Requires-Python']}")
    required = [*map(Requirement, needed), *requirements_of(here)]
    assert specified(map(Requirement, found["depends"])) == specified(required)


def test_the_package_has_every_module(installed):
    _, prefix = installed
    top = os.path.dirname(conda_hardlink_plugin.__file__)
    modules = {
        os.path.relpath(os.path.join(folder, name), os.path.dirname(top))
        for folder, _, names in os.walk(top)
        for name in names
        if not name.endswith(".pyc")
    }
    files = record(prefix)["files"]
    packed = {name[name.index(PACKAGE) :] for name in files if f"site-packages/{PACKAGE}/" in name}
    assert {name for name in packed if not name.endswith(".pyc")} == modules


def test_the_environment_reports_with_its_own_conda_and_its_own_plugin(installed):
    installation, prefix = installed
    code = f"import conda, {PACKAGE}; print(conda.__file__, {PACKAGE}.__file__)"
    origins = installation.run(f"{prefix}/bin/python", "-c", code).stdout.split()
    assert all(origin.startswith(f"{prefix}/lib/") for origin in origins), origins
    assert {"conda", "rich", "python"} < set(packages_of(prefix))
    done = installation.run(f"{prefix}/bin/conda", "hardlinks", "report", "--json")
    row = row_of(json.loads(done.stdout), "base")  # which it is to the conda in it
    assert (row["prefix"], row["size_bytes"]) == (prefix, du(prefix)[0])
    assert row["shared_bytes"]


def test_the_hooks_of_the_package_report_what_a_transaction_linked(installed):
    installation, prefix = installed
    options = ("--name", "made", *installation.source_options)
    done = installation.run(f"{prefix}/bin/conda", "create", *options, "mdurl")
    made = installation.prefix("made")
    linked, added = said(done)
    assert linked == linked_line(installation, made, "mdurl", "python")
    assert added.partition("; ")[0] == added_line(installation, made)
