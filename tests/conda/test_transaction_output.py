"""What is said of transactions, to whom and how often, and that conda does the same with us."""

from __future__ import annotations

import json
import os
import tempfile

import pytest

from conda_hardlink_plugin.formatting import size
from tests.conda.test_unreadable_paths import as_ordinary_user
from tests.support.conda_cleaning import ASKING, on_terminal
from tests.support.realconda.packages import PackageSpec, native_subdir, write_channel
from tests.support.transactions import (
    OVER,
    SOFT,
    WITHOUT,
    added_line,
    conda_after,
    in_one_process,
    linked_line,
    said,
    said_in,
    unmeasured_line,
)

NAMES = ("library", "placeholder")
COPIED = {"CONDA_ALWAYS_COPY": "true"}
SHM = "/dev/shm"
MANY = PackageSpec("many", files={f"share/many/{number}": 10 for number in range(300)})

# The filesystem refuses some links, as if the file had too many already.
_REFUSED = """\
import errno

def refuse(event, arguments):
    if event == "os.link" and os.path.basename(arguments[0]) in refused:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

refused = sys.argv.pop(1).split(",")
sys.addaudithook(refuse)
"""
_FULL = "os.statvfs = lambda _: os.statvfs_result((4096, 4096, 10, 10, 10, 1, 1, 1, 0, 255))"
_NO_TIME = """\
from conda_hardlink_plugin.hooks import summary, transaction_state

transaction_state.UNLINK_BUDGET_S = summary._MAX_S = -1
"""
# A file that is opened after the commands has the number that a file of ours had.
_AFTERWARDS = """\
import os, sys
from conda.cli import main

def first_free():
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor

path, arguments = sys.argv[1], sys.argv[2:]
free = first_free()
main(*arguments)
files = [open(path, "w")]
while files[-1].fileno() < free + 20:
    files.append(open(f"{path}{len(files)}", "w"))
for file in files:
    file.write("written")
"""


@pytest.fixture
def elsewhere():
    """A folder on another filesystem."""
    if not os.path.isdir(SHM) or os.stat(SHM).st_dev == os.stat(tempfile.gettempdir()).st_dev:
        pytest.skip("no second filesystem")
    with tempfile.TemporaryDirectory(dir=SHM) as folder:
        yield folder


@pytest.fixture(scope="module")
def channel_of_many(tmp_path_factory):
    """The URL of a channel with a package of so many files that time is looked at."""
    return write_channel(str(tmp_path_factory.mktemp("many")), (MANY,))


def create(installation, *arguments, code=None, env=None):
    command = ("create", *installation.source_options, "--name", "new", *arguments)
    if code is not None:
        return conda_after(installation, *code, *command, env=env)
    return installation.conda(*command, env=env)


def write_explicit(installation, name):
    path = f"{installation.directory}/explicit.txt"
    with open(path, "w", encoding="utf-8") as file:
        file.write(installation.conda("list", "--name", name, "--explicit").stdout)
    return path


def softlinked(prefix):
    return (
        f"warning: {prefix} is made of symbolic links into the cache: `conda clean --packages` may"
        " break it, `conda hardlinks clean` does not"
    )


# ---------------------------------------------------------------------------- warnings


def test_a_warning_about_symbolic_links_comes_once_and_before_the_transaction(empty):
    prefix = empty.prefix("new")
    done = create(empty, "library", "symlinked", env=SOFT)
    figures = [linked_line(empty, prefix, "library", "symlinked"), added_line(empty, prefix)]
    assert said(done) == [softlinked(prefix), *figures]
    # Also where they are to stay what they are, whatever the next command would make.
    options = ("--name", "new", *empty.source_options)
    done = empty.conda("install", *options, "all-placeholder")
    assert said(done) == [softlinked(prefix), linked_line(empty, prefix, "all-placeholder")]
    assert said(empty.conda("remove", "--yes", "--name", "new", "symlinked"))[0][:7] == "removed"


def test_executables_of_softlinked_packages_count_as_copies(empty):
    done = create(empty, "self-linked", env=SOFT)
    assert said(done)[1] == linked_line(empty, empty.prefix("new"), "self-linked")


def test_the_warning_comes_before_the_question(empty):
    command = ("conda", "create", "--name", "new", "--offline", "--override-channels")
    command += ("--channel", *empty.channels, "library")
    _, text = on_terminal(empty, *command, columns=1000, env={**SOFT, **ASKING}, answer=b"n\n")
    assert not os.path.exists(empty.prefix("new"))
    assert text.count("hardlinks: ") == 1
    assert 0 <= text.index(softlinked(empty.prefix("new"))) < text.index("Proceed")


def test_without_a_solver_the_warning_about_symbolic_links_comes_afterwards(empty):
    prefix = empty.prefix("new")
    empty.create("source", "library=1.0", "odd-names")
    path = write_explicit(empty, "source")
    done = empty.conda("create", "--name", "new", "--file", path, "--offline", env=SOFT)
    assert said(done) == [
        linked_line(empty, prefix, "library", "odd-names"),
        added_line(empty, prefix),
        (
            "warning: 2 packages were linked by symbolic links: `conda clean --packages` may break"
            " this environment, `conda hardlinks clean` does not"
        ),
    ]


@pytest.mark.parametrize("how", ["solver", "clone", "explicit", "rename"])
def test_a_warning_about_another_filesystem_comes_once(empty, elsewhere, how):
    prefix, package = f"{elsewhere}/new", f"{empty.pkgs_dir}/library-1.0-0"
    empty.create("source", "library=1.0")
    path = write_explicit(empty, "source")
    target = ("create", "--prefix", prefix, "--offline")
    command = {
        "solver": (*target, *empty.source_options, "library=1.0"),
        "clone": (*target, "--clone", "source"),
        "explicit": (*target, "--file", path),
        "rename": ("rename", "--name", "source", prefix),
    }[how]
    done = empty.conda(*command)
    figures = [linked_line(empty, prefix, "library"), added_line(empty, prefix)]
    different = "are on different filesystems"
    after = (
        "warning: library-1.0-0 was copied instead of hard-linked:"
        f" {prefix} and {package} {different}"
    )
    source = empty.pkgs_dir if how == "clone" else package
    before = f"warning: the packages will be copied: {elsewhere} and {source} {different}"
    if how == "rename":  # what is moved is not added
        del figures[1]
    assert said(done) == ([before, *figures] if how in ("solver", "clone") else [*figures, after])


@pytest.mark.parametrize(
    ("refused", "subject"),
    [
        (("liblibrary.so",), "library-1.0-0 was"),
        (("liblibrary.so", "libplaceholder.so"), "2 packages were"),
    ],
)
def test_a_warning_about_refused_links_comes_once(empty, refused, subject):
    prefix = empty.prefix("new")
    done = create(empty, "library=1.0", "placeholder", code=(_REFUSED, ",".join(refused)))
    assert said(done) == [
        linked_line(empty, prefix, "library", "placeholder"),
        added_line(empty, prefix),
        f"warning: {subject} copied instead of hard-linked: the filesystem refused to link them",
    ]
    assert ", copies " in done.stderr


def test_a_warning_says_if_copies_do_not_fit_on_the_disk(empty):
    done = create(empty, "library=1.0", "placeholder", code=(_FULL,), env=COPIED)
    folder = f"{empty.channels[0].removeprefix('file://')}/{native_subdir()}"
    least = sum(os.path.getsize(f"{folder}/{name}-1.0-0.conda") for name in NAMES)
    assert said(done)[0] == (
        f"warning: the packages will be copied and need at least {size(least)}, and"
        f" {empty.envs_dir} has {size(10 * 4096)} free"
    )
    assert len(said(done)) == 3


# ---------------------------------------------------------------------------- silence


def quietly(installation, *options, env=None):
    """What two commands do that would be warned of, with us and without, in all detail."""
    name = ("--yes", "--name", "new")
    commands = [
        ["create", *name, *installation.source_options, *options, "library=1.0", "odd-names"],
        ["install", *name, *installation.source_options, *options, "library=2.0"],
        ["remove", *name, "--all", *options],
    ]
    in_one_process(installation, commands)  # so that all is in the cache
    with_us = in_one_process(installation, commands, env={**SOFT, **(env or {})})
    without = in_one_process(installation, commands, env={**SOFT, **WITHOUT})
    assert with_us[0]["tree"]["new/lib/liblibrary.so"]
    return with_us, without


@pytest.mark.parametrize("options", [("--quiet",), ("--json",), ("-q", "--json")], ids=" ".join)
def test_nothing_is_printed_with_quiet_or_json(empty, options):
    with_us, without = quietly(empty, *options)
    assert with_us == without
    if "--json" in options:
        assert all(json.loads(result["stdout"])["success"] for result in with_us)


def test_nothing_is_printed_without_plugins_or_summary(empty):
    off = {"CONDA_PLUGINS_HARDLINKS_SUMMARY": "false"}
    with_us, without = quietly(empty, env=off)
    assert with_us == without
    assert all(result["stderr"] == "" for result in without)
    with open(f"{empty.directory}/.condarc", "a", encoding="utf-8") as file:
        file.write("plugins:\n  hardlinks_summary: false\n")
    with_us, without = quietly(empty)
    assert with_us == without


@pytest.mark.parametrize("option", ["--dry-run", "--download-only"])
def test_nothing_is_printed_about_a_transaction_that_is_not_executed(empty, option):
    empty.create("old", "library=1.0")
    options = (*empty.source_options, option)
    commands = [
        ["create", "--name", "new", *options, "library=1.0"],
        ["update", "--name", "old", *options, "library"],
    ]
    if option == "--dry-run":
        commands += [["remove", "--name", "old", *tail] for tail in ("library", "--all")]
        commands = [[*command[:1], option, *command[1:]] for command in commands]
    in_one_process(empty, commands)
    with_us = in_one_process(empty, commands)
    assert with_us == in_one_process(empty, commands, env=WITHOUT)
    assert sum("hardlinks" in result["stderr"] for result in with_us) == 0


@pytest.mark.parametrize("option", ["--dry-run", "--download-only"])
def test_no_warning_is_printed_about_a_transaction_that_is_not_executed(empty, option):
    done = create(empty, option, "library", env=SOFT)
    assert said(done) == []


def test_nothing_is_printed_if_there_is_nothing_to_do(empty):
    options = ("--name", "new", *empty.source_options)
    assert said(empty.conda("create", *options)) == []
    assert said(empty.conda("install", *options, "library=2.0")) != []
    for command in (("install", "library"), ("update", "library"), ("update", "--all")):
        assert said(empty.conda(*command[:1], *options, *command[1:])) == []
    assert said(empty.conda("remove", "--all", "--yes", "--name", "new"))
    assert said(empty.conda("remove", "--all", "--yes", "--name", "new", check=False)) == []


def test_a_line_says_if_measuring_takes_too_long(empty, channel_of_many):
    options = ("--offline", "--override-channels", "--channel", channel_of_many)
    done = conda_after(empty, _NO_TIME, "create", "--name", "new", *options, "many")
    assert said(done) == [OVER]
    assert len(os.listdir(f"{empty.prefix('new')}/share/many")) == 300
    done = conda_after(empty, _NO_TIME, "remove", "--all", "--yes", "--name", "new")
    assert said(done) == [unmeasured_line(1)]


# ---------------------------------------------------------------------------- the same


def test_conda_does_the_same_with_and_without_the_plugin(empty):
    """In several commands that succeed or fail, one after another."""
    options = [*empty.source_options, "--name", "new"]
    environment = f"{empty.directory}/environment.yml"
    with open(environment, "w", encoding="utf-8") as file:
        dependencies = ["library=2.0", "all-placeholder"]
        json.dump({"channels": list(empty.channels), "dependencies": dependencies}, file)
    commands = [
        ["create", *options, "library=1.0", "placeholder", "symlinked"],
        ["create", *options, "nonesuch"],
        ["create", "--yes", "--name", "new", "--clone", "nonesuch"],
        ["env", "create", "--file", environment, "--name", "new"],
        ["env", "create", "--file", f"{environment}.not", "--name", "other"],
        ["install", *options, "library=3.0"],
        ["install", *options, "all-placeholder", "--force-reinstall"],
        ["update", *options, "--all"],
        ["remove", "--yes", "--name", "new", "nonesuch"],
        ["remove", "--yes", "--name", "new", "symlinked"],
        ["create", "--yes", "--name", "other", "--clone", "new", "--offline"],
        ["rename", "--name", "other", "new"],
        ["rename", "--name", "other", "another"],
        ["env", "update", "--prune", "--file", environment, "--name", "new"],
        ["remove", "--yes", "--name", "another", "--all"],
        ["env", "remove", "--yes", "--name", "new"],
        ["env", "remove", "--yes", "--name", "new"],
        ["install", "--name", "new", "--nonesuch"],
    ]
    in_one_process(empty, commands)
    with_us, without = in_one_process(empty, commands), in_one_process(empty, commands, env=WITHOUT)
    told = 0
    for result, plain in zip(with_us, without, strict=True):
        lines = said_in(result)
        told += bool(lines)
        assert not lines or result["code"] == 0
        ours = [f"hardlinks: {line}" for line in lines]
        kept = [line for line in result["stderr"].splitlines() if line not in ours]
        assert {**result, "stderr": "\n".join(kept)} == {
            **plain,
            "stderr": "\n".join(plain["stderr"].splitlines()),
        }
    assert told >= 7
    assert sum(result["code"] != 0 for result in without) >= 7


@pytest.mark.parametrize("where", ["cache folder", "home"])
def test_conda_works_if_the_home_cannot_be_written(empty, where):
    home = empty.environ["HOME"]
    empty.create("primer", "library=1.0")
    folder = home if where == "home" else empty.environ["XDG_CACHE_HOME"]
    os.makedirs(folder, exist_ok=True)
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o500)
    command = ("conda", "create", "--name", "new", *empty.source_options, "library=1.0")
    try:
        done = as_ordinary_user(empty, *command)
    finally:
        for path, _, _ in os.walk(folder):
            os.chmod(path, 0o700)
    prefix = empty.prefix("new")
    assert done.returncode == 0
    lines = [line.removeprefix("hardlinks: ") for line in done.stderr.splitlines()]
    assert lines[-2:] == [linked_line(empty, prefix, "library"), added_line(empty, prefix)]
    assert not [line for line in lines[:-2] if "hardlinks" in line]


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full", "2>fifo"])
def test_a_stderr_that_takes_nothing_changes_no_exit_code(empty, stderr):
    """As it is where what reads it is gone."""
    empty.create("primer", "library=1.0")
    command = (
        f"conda create --yes --offline --name new {' '.join(empty.source_options)} library=1.0"
    )
    if stderr == "2>fifo":
        script = f"{{ {command}; echo code $?; }} 2>&1 >out | true; tail -n 1 out"
    else:
        script = f"{command} {stderr} >out; echo code $?"
    codes = []
    for env in (WITHOUT, {}):
        codes.append(empty.run("sh", "-c", script, env=env).stdout)
        assert os.path.exists(f"{empty.prefix('new')}/lib/liblibrary.so")
        empty.remove("new")
    assert codes == ["code 0\n", "code 0\n"]


def test_files_that_are_opened_after_a_command_are_not_closed(empty):
    python, path = f"{empty.root_prefix}/bin/python", f"{empty.directory}/written"
    command = ("create", "--name", "new", *empty.source_options, "library=1.0")
    done = empty.run(python, "-c", _AFTERWARDS, path, *command, fresh=False)
    written = [name for name in os.listdir(empty.directory) if name.startswith("written")]
    assert len(written) > 1
    assert {os.path.getsize(f"{empty.directory}/{name}") for name in written} == {7}
    assert "Exception" not in done.stderr
