"""The check of shared files that were edited in place, and the fix that gives copies."""

from __future__ import annotations

import os
import tempfile

import pytest
from conda_package_handling.api import extract

from conda_hardlink_plugin.hooks.health_checks.edited_files import check, fix
from tests.support.disk import snapshot
from tests.support.realconda.packages import PackageSpec, write_package
from tests.support.trees import link, symlink, write
from tests.unit.analysis.test_edited_files import edit

TITLE = "Shared files edited in place"
DIST = "p-1-0"
FILES = {"bin/tool": b"tool", "lib/f": b"f" * 9_000}
EDIT = b"edited in place\n"
REINSTALL = "the cache has no archive of the package; reinstall it"


class DeclinedError(Exception):
    """What conda raises where the user says no."""


@pytest.fixture
def shared(conda):
    """Two environments with hard links to a package whose archive is in the cache."""
    prefixes = [conda.environment(name) for name in ("one", "two")]
    extracted = conda.link(prefixes[0], DIST, FILES)
    for name in FILES:
        os.makedirs(os.path.dirname(f"{prefixes[1]}/{name}"), exist_ok=True)
        os.link(f"{extracted}/{name}", f"{prefixes[1]}/{name}")
    conda.record(prefixes[1], DIST, FILES)
    write_package(conda.pkgs, PackageSpec("p", "1", "0", files=FILES))
    return prefixes


def checked(capsys, prefix, *, verbose=False):
    """Return the lines that the check prints, without the empty ones."""
    check(prefix, verbose)
    return [line for line in capsys.readouterr().out.splitlines() if line]


def fixed(capsys, prefix):
    """Fix an environment; return the exit code, the questions, and the lines that are printed."""
    questions = []
    code = fix(prefix, None, questions.append)
    return code, questions, capsys.readouterr().out.splitlines()


def content(path):
    with open(path, "rb") as file:
        return file.read()


def described(prefix, name, *others):
    where = ", ".join(others) or "no other environment at that path"
    return f"  {prefix}/{name} of {DIST}; shared with {where}"


# ---------------------------------------------------------------------------- check


def test_an_environment_without_edits_is_good(capsys, shared, conda):
    before = snapshot(conda.top)
    assert checked(capsys, shared[0]) == [f"✅ {TITLE}: none."]
    assert snapshot(conda.top) == before


def test_an_edited_file_is_named_with_its_package_and_who_shares_it(capsys, shared):
    one, two = shared
    edit(f"{one}/lib/f", EDIT)
    first, named, *remedy = checked(capsys, one)
    assert (first, named) == (f"❌ {TITLE}: 1.", described(one, "lib/f", two))
    assert "conda doctor --fix" in " ".join(remedy)
    assert checked(capsys, two)[1] == described(two, "lib/f", one)


def test_a_file_that_only_the_cache_shares_is_named_too(capsys, shared):
    one, two = shared
    os.unlink(f"{two}/lib/f")
    edit(f"{one}/lib/f", EDIT)
    assert checked(capsys, one)[1] == described(one, "lib/f")


def test_a_record_that_cannot_be_read_is_named_and_nothing_is_called_good(capsys, shared):
    path = write(f"{shared[0]}/conda-meta/q-1-0.json", b"{")
    (line,) = checked(capsys, shared[0])
    assert line.startswith(f"❌ {TITLE}: {path} cannot be checked: ")
    edit(f"{shared[0]}/lib/f", EDIT)
    first, *_, last = checked(capsys, shared[0])
    assert (first, last) == (f"❌ {TITLE}: 1.", line)


def test_many_records_that_cannot_be_read_are_a_number_and_the_first_ones(capsys, shared):
    for number in range(9):
        write(f"{shared[0]}/conda-meta/q{number}-1-0.json", b"{")
    first, *listed, last = checked(capsys, shared[0])
    assert first == f"❌ {TITLE}: 9 paths cannot be checked."
    assert (len(listed), last) == (5, "  ... and 4 more paths: -v shows all.")
    assert len(checked(capsys, shared[0], verbose=True)) == 10


def test_a_frozen_environment_is_not_changed_unless_conda_may(capsys, shared, mocker):
    one = shared[0]
    edit(f"{one}/lib/f", EDIT)
    write(f"{one}/conda-meta/frozen", b"{}")
    code, questions, (line,) = fixed(capsys, one)
    assert (code, questions) == (1, [])
    assert "the environment is frozen" in line
    assert "--override-frozen" in line
    assert content(f"{one}/lib/f") == EDIT
    mocker.patch("conda.base.context.context.protect_frozen_envs", new=False, create=True)
    assert fixed(capsys, one)[0] == 0
    assert content(f"{one}/lib/f") == FILES["lib/f"]


def test_of_many_files_the_first_are_named_unless_verbose(capsys, conda):
    env = conda.environment("env")
    names = [f"lib/{number}" for number in range(7)]
    conda.link(env, DIST, dict.fromkeys(names, b"f"))
    for name in names:
        edit(f"{env}/{name}", EDIT)
    lines = checked(capsys, env)
    assert lines[0] == f"❌ {TITLE}: 7."
    assert lines[6] == "  ... and 2 more files: -v shows all."
    named = [described(env, name) for name in names]
    assert checked(capsys, env, verbose=True)[1:8] == named


# ---------------------------------------------------------------------------- fix


def test_without_edits_nothing_is_asked(capsys, shared):
    assert fixed(capsys, shared[0]) == (0, [], [f"{TITLE}: none."])


def test_a_fix_gives_one_environment_its_copy_and_leaves_the_edit_to_the_others(
    capsys, shared, conda
):
    one, two = shared
    edit(f"{one}/bin/tool", EDIT)
    before = set(snapshot(conda.top))
    assert fixed(capsys, one) == (
        0,
        ["Replace these by copies with the content of their packages?"],
        [described(one, "bin/tool", two), "  bin/tool: replaced"],
    )
    assert content(f"{one}/bin/tool") == FILES["bin/tool"]
    assert os.access(f"{one}/bin/tool", os.X_OK)
    assert os.stat(f"{one}/bin/tool").st_nlink == 1
    assert content(f"{two}/bin/tool") == content(f"{conda.pkgs}/{DIST}/bin/tool") == EDIT
    assert set(snapshot(conda.top)) == before
    assert checked(capsys, one) == [f"✅ {TITLE}: none."]


def test_a_user_who_declines_keeps_everything(capsys, shared, conda):
    one, two = shared
    edit(f"{one}/lib/f", EDIT)
    before = snapshot(conda.top)

    def decline(_question):
        raise DeclinedError

    with pytest.raises(DeclinedError):
        fix(one, None, decline)
    assert snapshot(conda.top) == before
    assert described(one, "lib/f", two) in capsys.readouterr().out


def test_a_package_without_an_archive_is_named_and_the_others_are_mended(capsys, shared, conda):
    one, _ = shared
    conda.link(one, "gone-1-0", {"lib/g": b"g"})
    for name in ("lib/f", "lib/g"):
        edit(f"{one}/{name}", EDIT)
    code, _, lines = fixed(capsys, one)
    assert code == 1
    assert lines[-2:] == [f"  lib/g: {REINSTALL}", "  lib/f: replaced"]
    assert (content(f"{one}/lib/f"), content(f"{one}/lib/g")) == (FILES["lib/f"], EDIT)


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        ("of other content", "the archive of the package has different content; reinstall it"),
        ("without the file", "the archive of the package has different content; reinstall it"),
        ("broken", "its archive cannot be unpacked (InvalidArchiveError); reinstall it"),
    ],
)
def test_an_archive_that_does_not_have_the_content_replaces_nothing(
    capsys, shared, conda, archive, reason
):
    one, _ = shared
    edit(f"{one}/lib/f", EDIT)
    path = f"{conda.pkgs}/{DIST}.conda"
    os.unlink(path)
    if archive == "broken":
        write(path, b"not an archive")
    else:
        name = "lib/f" if archive == "of other content" else "lib/other"
        write_package(conda.pkgs, PackageSpec("p", "1", "0", files={name: b"other"}))
    before = snapshot(one)
    code, _, lines = fixed(capsys, one)
    assert (code, lines[-1]) == (1, f"  lib/f: {reason}")
    assert snapshot(one) == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lib/own/f", "passes through a symbolic link"),
        ("lib/own/deep/f", "passes through a symbolic link"),
        ("lib/../../../own/f", "leads out of the environment"),
        ("{}/own/f", "leads out of the environment"),
    ],
)
def test_a_file_outside_the_environment_is_not_replaced(capsys, conda, name, reason):
    env, name = conda.environment("env"), name.format(conda.top)
    os.mkdir(f"{env}/lib")
    files = {"lib/f": b"f"}
    for path in (f"{conda.top}/own/f", f"{conda.top}/own/deep/f", f"{conda.root}/own/f"):
        link(write(path, b"not of the package"), f"{conda.top}/again{path}")
    symlink(f"{conda.top}/own", f"{env}/lib/own")
    record = conda.record(env, DIST, files)
    with open(record, encoding="utf-8") as file:
        text = file.read()
    write(record, text.replace('"files": ["lib/f"]', f'"files": ["{name}"]').encode())
    write_package(conda.pkgs, PackageSpec("p", "1", "0", files=files))
    before = snapshot(conda.top)
    code, _, lines = fixed(capsys, env)
    assert (code, lines[-1]) == (1, f"  {name}: its path {reason}; reinstall the package")
    assert snapshot(conda.top) == before


def test_a_link_to_an_environment_is_followed(capsys, shared, conda):
    edit(f"{shared[0]}/lib/f", EDIT)
    prefix = symlink(shared[0], f"{conda.top}/alias")
    assert fixed(capsys, prefix)[2][-1] == "  lib/f: replaced"
    assert content(f"{shared[0]}/lib/f") == FILES["lib/f"]


def test_a_copy_has_the_mode_and_the_time_of_the_file_in_the_package(capsys, shared, conda):
    one, _ = shared
    edit(f"{one}/bin/tool", EDIT)
    with tempfile.TemporaryDirectory() as folder:
        extract(f"{conda.pkgs}/{DIST}.conda", dest_dir=folder)
        packed = os.stat(f"{folder}/bin/tool")
    fixed(capsys, one)
    copy = os.stat(f"{one}/bin/tool")
    assert (copy.st_mode, copy.st_uid) == (packed.st_mode, os.geteuid())
    assert copy.st_mtime_ns == packed.st_mtime_ns


def test_names_that_a_terminal_would_obey_are_printed_with_escapes(capsys, conda):
    env = conda.environment("a\x1b[31mb")
    conda.link(env, DIST, {"new\nline": b"f"})
    edit(f"{env}/new\nline", EDIT)
    shown = env.replace("\x1b", "\\x1b")
    assert checked(capsys, env)[1] == described(shown, "new\\nline")
    _, _, lines = fixed(capsys, env)
    assert lines == [described(shown, "new\\nline"), f"  new\\nline: {REINSTALL}"]
