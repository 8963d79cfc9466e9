"""Wheels, source distributions and editable installations, as pip makes them of a checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.metadata import version

import pytest
from packaging.version import Version

from tests.support.repository import NATIVE, PACKAGE, TOP, c_files, installed_files

ANY = "py3-none-any.whl"
COMPILED = f"cp310-abi3-{sysconfig.get_platform().replace('-', '_')}.whl"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the module is compiled on Linux"),
    pytest.mark.skipif(
        Version(version("setuptools")) < Version("77.0.3"), reason="needs setuptools 77.0.3"
    ),
]
needs_compiler = pytest.mark.skipif(
    shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) is None,
    reason="there is no C compiler",
)


@pytest.fixture
def checkout(tmp_path):
    """A copy of the checkout without what was built in it."""
    ignored = shutil.ignore_patterns(
        *(".*", "__pycache__", "*.so", "*.egg-info", "build", "dist", "_build")
    )
    return shutil.copytree(TOP, tmp_path / "checkout", ignore=ignored)


def run(*arguments, cwd, **env):
    """Run Python with these arguments and return what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def build_wheel(source, directory, **env):
    """Have pip build a wheel; return its path and the lines of the log."""
    options = ("--no-build-isolation", "--no-deps", "--no-index", "--verbose")
    log = run("-m", "pip", "wheel", *options, "-w", directory, source, cwd=directory.parent, **env)
    (name,) = os.listdir(directory)
    return directory / name, log.splitlines()


def run_hook(hook, checkout, directory, before="pass", **env):
    """Call a hook of the build backend, as a frontend does; return the path of what it built."""
    directory.mkdir()
    code = f"{before}; from setuptools import build_meta; build_meta.{hook}({str(directory)!r})"
    run("-c", code, cwd=checkout, **env)
    (name,) = os.listdir(directory)
    return directory / name


def package_files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@needs_compiler
def test_a_wheel_has_the_compiled_module_for_every_python_from_3_10(checkout, tmp_path):
    wheel, _ = build_wheel(checkout, tmp_path / "wheels")
    assert wheel.name.endswith(COMPILED)
    assert package_files(wheel) == installed_files() | {NATIVE}
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = f"from {PACKAGE}.filesystem import _native; print(_native.__file__)"
    assert run("-c", code, cwd=tmp_path / "site").strip() == str(tmp_path / "site" / NATIVE)


def test_a_wheel_without_the_compiled_module_fits_every_platform(checkout, tmp_path):
    wheel, _ = build_wheel(checkout, tmp_path / "wheels", HARDLINKS_PURE="1")
    assert wheel.name.endswith(ANY)
    assert package_files(wheel) == installed_files()


@pytest.mark.parametrize("variable", ["CC", "PATH"])
def test_without_a_compiler_the_build_warns_in_one_line(checkout, tmp_path, variable):
    value = {"CC": "false", "PATH": str(tmp_path)}[variable]
    wheel, log = build_wheel(checkout, tmp_path / "wheels", **{variable: value})
    assert wheel.name.endswith(ANY)
    assert package_files(wheel) == installed_files()
    (line,) = (line for line in log if "native reader" in line)
    assert line.strip().startswith("warning: ")
    assert "install a C compiler and Python's headers" in line


def test_nothing_is_compiled_for_a_python_without_a_global_lock(checkout, tmp_path):
    threaded = "import sysconfig; sysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1"
    wheel = run_hook("build_wheel", checkout, tmp_path / "wheels", before=threaded)
    assert wheel.name.endswith(ANY)


@needs_compiler
def test_a_module_that_no_longer_compiles_is_not_packed(checkout, tmp_path):
    build_wheel(checkout, tmp_path / "before")
    with open(checkout / PACKAGE / "filesystem" / "_native.c", "a", encoding="utf-8") as source:
        source.write("#error\n")
    wheel, _ = build_wheel(checkout, tmp_path / "after")
    assert wheel.name.endswith(ANY)
    assert package_files(wheel) == installed_files()


@needs_compiler
@needs_compiler
@pytest.mark.parametrize(
    ("flags", "compiler", "fails"),
    [("-Werror", None, True), ("", None, False), ("-Werror", "/nonexistent/cc", False)],
)
def test_sources_that_do_not_compile_fail_only_where_a_developer_builds(
    checkout, flags, compiler, fails
):
    """`make native` sets the flags; without a compiler it leaves no module."""
    (checkout / PACKAGE / "filesystem" / "_native.c").write_text("#error made up\n")
    env = {"HARDLINKS_CFLAGS": flags, **({"CC": compiler} if compiler else {})}
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        cwd=checkout,
        env=os.environ | env,
        capture_output=True,
        check=False,
    )
    assert (done.returncode != 0) == fails
    assert not list(checkout.glob("**/_native*.so"))


def test_a_source_distribution_builds_the_same_wheel(checkout, tmp_path):
    (checkout / NATIVE).write_bytes(b"of an editable installation")
    (checkout / "tests" / "conftest.pyc").write_bytes(b"of another Python")
    # the sources of the module must be there wherever it is made
    archive = run_hook("build_sdist", checkout, tmp_path / "sources", HARDLINKS_PURE="1")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert c_files() | installed_files() | {"setup.py", "LICENSE", "README.md"} < names
    assert not [name for name in names if name.endswith((".so", ".pyc"))]
    wheel, _ = build_wheel(archive, tmp_path / "wheels")
    assert wheel.name.endswith(COMPILED)
    assert package_files(wheel) == installed_files() | {NATIVE}


def test_an_editable_installation_is_one_path_and_no_import_finder(checkout, tmp_path):
    wheel = run_hook("build_editable", checkout, tmp_path / "wheels")
    (name,) = package_files(wheel)
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(name).decode().splitlines() == [str(checkout)]
        archive.extractall(tmp_path / "site")
    code = (
        "import json, site, sys; finders = [*sys.meta_path, *sys.path_hooks];"
        f"site.addsitedir({str(tmp_path / 'site')!r}); import {PACKAGE};"
        f"print(json.dumps([{PACKAGE}.__file__, finders == [*sys.meta_path, *sys.path_hooks]]))"
    )
    found = json.loads(run("-I", "-S", "-c", code, cwd=tmp_path))
    assert found == [str(checkout / PACKAGE / "__init__.py"), True]
