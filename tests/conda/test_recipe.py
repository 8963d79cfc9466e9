"""The conda packages of `recipe/`, built, and then installed by `conda install`."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import distribution
from importlib.util import find_spec

import pytest
from packaging.requirements import Requirement

import conda_hardlink_plugin
from tests.support.oracles import du
from tests.support.realconda.distributions import requirements_of
from tests.support.realconda.installation import Installation
from tests.support.realconda.packages import native_subdir
from tests.support.repository import NATIVE, PACKAGE, installed_files
from tests.support.terminal_session import row_of
from tests.support.transactions import added_line, linked_line, packages_of, said

NEEDED = ("rattler_build", "setuptools")  # by the recipe alone
DIST = "conda-hardlink-plugin"
SPECS = {"compiled": DIST, "pure": f"{DIST}=*=pyh*"}
if sys.platform != "linux":
    del SPECS["compiled"]


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """An installation whose channel has the packages."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        command = "pip install --use-pep517 -r tests/support/realconda/requirements.txt"
        pytest.skip(f"cannot build it without {', '.join(missing)}: {command}")
    from tests.support.realconda import recipe  # noqa: PLC0415  # needs what may be missing

    directory = str(tmp_path_factory.mktemp("recipe"))
    _, channel = recipe.build(directory)
    return Installation.new(f"{directory}/i", (channel,))


@pytest.fixture(scope="module", params=SPECS)
def installed(request, installation):
    """The installation, and the prefix of an environment in it that has one of the packages."""
    name = request.param
    installation.conda("create", "--name", name)
    installation.conda("install", "--name", name, *installation.source_options, SPECS[name])
    return installation, installation.prefix(name)


def is_compiled(prefix):
    return prefix.endswith("compiled")


def record(prefix):
    (name,) = (name for name in os.listdir(f"{prefix}/conda-meta") if name.startswith(f"{DIST}-"))
    with open(f"{prefix}/conda-meta/{name}", encoding="utf-8") as file:
        return json.load(file)


def specified(requirements):
    return {(one.name.lower(), one.specifier) for one in requirements}


def test_conda_prefers_the_compiled_package_and_installs_the_pure_one_by_its_build(installed):
    _, prefix = installed
    found = record(prefix)
    assert found["subdir"] == (native_subdir() if is_compiled(prefix) else "noarch")
    # solvers other than this conda's do not prefer the packages of a platform
    assert ("track_features" in found) != is_compiled(prefix)


def test_the_package_is_this_version_and_requires_what_this_requires(installed):
    _, prefix = installed
    found = record(prefix)
    assert (found["version"], found["noarch"]) == (conda_hardlink_plugin.__version__, "python")
    here = distribution(DIST)
    needed = ("conda>=24.7", f"python{here.metadata['Requires-Python']}")
    required = [*map(Requirement, needed), *requirements_of(here)]
    # a Python that has the stable ABI
    stable = {"_python_abi3_support 1.*", "cpython >=3.10"} & set(found["depends"])
    assert len(stable) == (2 if is_compiled(prefix) else 0)
    others = set(found["depends"]) - stable
    assert specified(map(Requirement, others)) == specified(required)


def test_the_package_has_every_module(installed):
    _, prefix = installed
    files = record(prefix)["files"]
    packed = {name[name.index(PACKAGE) :] for name in files if f"site-packages/{PACKAGE}/" in name}
    expected = installed_files() | ({NATIVE} if is_compiled(prefix) else set())
    assert {name for name in packed if not name.endswith(".pyc")} == expected


def test_the_environment_reports_with_its_own_conda_and_its_own_plugin(installed):
    installation, prefix = installed
    code = f"import conda, {PACKAGE}; print(conda.__file__, {PACKAGE}.__file__)"
    origins = installation.run(f"{prefix}/bin/python", "-c", code).stdout.split()
    assert all(origin.startswith(f"{prefix}/lib/") for origin in origins), origins
    assert {"conda", "rich", "python"} < set(packages_of(prefix))
    done = installation.run(f"{prefix}/bin/conda", "hardlinks", "report", "--json")
    report = json.loads(done.stdout)
    assert report["reading"]["reader"] == ("native" if is_compiled(prefix) else "python")
    row = row_of(report, "base")  # which it is to the conda in it
    assert (row["prefix"], row["size_bytes"]) == (prefix, du(prefix)[0])
    assert row["shared_bytes"]


def test_the_hooks_of_the_package_report_what_a_transaction_linked(installed):
    installation, prefix = installed
    name = f"made-{os.path.basename(prefix)}"
    options = ("--name", name, *installation.source_options)
    done = installation.run(f"{prefix}/bin/conda", "create", *options, "mdurl")
    made = installation.prefix(name)
    linked, added = said(done)
    assert linked == linked_line(installation, made, "mdurl", "python")
    assert added.partition("; ")[0] == added_line(installation, made)
