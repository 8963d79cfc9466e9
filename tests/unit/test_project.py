"""The files around the package agree with it and with each other."""

from __future__ import annotations

import os
import re
import sys
from glob import glob

import pytest
from ruamel.yaml import YAML

import conda_hardlink_plugin
from conda_hardlink_plugin.cli import VERBS
from tests.support.repository import TOP

# The objects that the functions and classes of the API return, and those in their fields.
RETURNED = {
    *("PackageUser", "EnvironmentDetail", "PathProblem"),  # of a report
    *("Explanation", "PackageExplanation", "Witness", "FileExplanation"),
    *("Plan", "RemovalPlan", "Removal", "Kept", "Outcome", "Spared", "HeldRun", "Restored"),
}
# What is tested as a whole, or in two files.
WITHOUT_A_MODULE = {
    *("imports", "layers", "project", "cli/verbs"),
    *("analysis/symlinks_indirect", "scan/faults", "scan/interrupts"),
    "filesystem/native_arguments",
}
WORKFLOWS = sorted(glob(os.path.join(TOP, ".github", "workflows", "*.yml")))


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def yaml(path):
    return YAML(typ="safe").load(read(path))


def files_below(folder, prefix=""):
    """The paths of the Python files below a folder, without the prefix of their names."""
    found = glob(f"**/{prefix}*.py", root_dir=os.path.join(TOP, folder), recursive=True)
    pairs = (os.path.split(path.removesuffix(".py")) for path in found)
    return {os.path.join(room, name.removeprefix(prefix)) for room, name in pairs}


def pyproject():
    if sys.version_info < (3, 11):
        pytest.skip("no tomllib before Python 3.11")
    import tomllib  # noqa: PLC0415  # as above

    return tomllib.loads(read("pyproject.toml"))


def project():
    return pyproject()["project"]


def without_spaces(specs):
    return {spec.replace(" ", "") for spec in specs if isinstance(spec, str)}


def test_the_version_is_the_same_everywhere():
    version = conda_hardlink_plugin.__version__
    assert yaml("CITATION.cff")["version"] == version
    assert yaml("recipe/recipe.yaml")["context"]["version"] == version


def test_the_licence_is_the_same_everywhere():
    licence = project()["license"]
    assert yaml("CITATION.cff")["license"] == licence
    assert yaml("recipe/recipe.yaml")["about"]["license"] == licence


def test_the_same_packages_build_a_wheel_and_the_conda_package_and_are_tested():
    needed = set(pyproject()["build-system"]["requires"])
    assert needed <= without_spaces(yaml("recipe/recipe.yaml")["requirements"]["host"])
    assert needed <= set(read("tests/support/realconda/requirements.txt").splitlines())


def test_the_conda_package_constrains_what_is_optional():
    extras = project()["optional-dependencies"]
    optional = {spec for name in extras.keys() - {"dev", "docs"} for spec in extras[name]}
    constraints = yaml("recipe/recipe.yaml")["requirements"]["run_constraints"]
    assert without_spaces(constraints) == optional


def test_each_named_python_version_is_tested():
    named = re.findall(r"Python :: (3\.\d+)", " ".join(project()["classifiers"]))
    tests = yaml(".github/workflows/tests.yml")["jobs"]
    assert tests["bundled"]["strategy"]["matrix"]["python"] == named
    assert project()["requires-python"] == f">={named[0]}"


def test_the_reference_of_the_api_has_every_public_name_and_what_callers_get():
    directive = r"^\.\. auto(?:function|class|exception):: conda_hardlink_plugin\.([\w.]+)"
    documented = re.findall(directive, read("docs/reference/api.md"), re.MULTILINE)
    public = {name for name in documented if "." not in name}
    assert public == set(conda_hardlink_plugin.__all__)
    assert {name.rpartition(".")[2] for name in documented} >= RETURNED


def test_each_module_has_a_test_file_of_its_name_and_each_test_file_a_module():
    modules = {
        path for path in files_below("conda_hardlink_plugin") if not path.endswith("__init__")
    }
    tested = files_below("tests/unit", "test_")
    assert modules - tested == set()
    assert tested - modules == WITHOUT_A_MODULE


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=os.path.basename)
def test_workflows_run_existing_targets_and_may_only_read(workflow):
    content = yaml(workflow)
    assert content["permissions"] == {"contents": "read"}
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    text = read(workflow)
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= targets
    for path in re.findall(r"-r (\S+\.txt)", text):
        assert os.path.isfile(os.path.join(TOP, path))
    # a value that somebody outside can choose is not to be run
    assert "github.event" not in text


def test_the_workflows_exist():
    names = {os.path.basename(path) for path in WORKFLOWS}
    assert names == {"tests.yml", "recipe.yml", "docs.yml"}


@pytest.mark.parametrize("form", ["wrong-figure", "broken-environment", "something-else"])
def test_issue_forms_have_a_required_field(form):
    content = yaml(f".github/ISSUE_TEMPLATE/{form}.yml")
    fields = [part for part in content["body"] if part["type"] != "markdown"]
    assert any(part.get("validations", {}).get("required") for part in fields)
    assert len({part["id"] for part in fields}) == len(fields)
    assert set(re.findall(r"`conda hardlinks (\w+)", str(content))) <= VERBS.keys()
