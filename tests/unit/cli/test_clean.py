"""`conda hardlinks clean`: the plan, the question, and the exit code of each outcome."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest
from conda.base.context import Context

from conda_hardlink_plugin.exceptions import CleanRefusedError, HardlinksError, StoppedError
from tests.support.disk import snapshot
from tests.support.trees import write

NOW = ("--grace", "0")
UNUSED = "unused-1-0"


def packages_in(made):
    return {
        name for name in os.listdir(made.caches[0]) if os.path.isdir(f"{made.caches[0]}/{name}")
    }


def clean_as_json(hardlinks, *options, code=0):
    done = hardlinks("clean", "--json", *NOW, *options)
    assert (done.code, done.stderr) == (code, "")
    return json.loads(done.stdout)


@pytest.fixture
def answer(monkeypatch):
    """Return a function that sets what is typed when conda asks."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.fixture
def unreachable(isolated):
    """An environment on a disk that may not be mounted."""
    os.makedirs(f"{isolated}/disk")
    write(f"{isolated}/.conda/environments.txt", f"{isolated}/disk/env\n".encode())
    return f"{isolated}/disk/env"


def test_a_dry_run_shows_the_plan_and_changes_nothing(hardlinks, made, answer):
    before = snapshot(made.directory)
    for options in (("--dry-run",), ("--dry-run", "--yes"), ("--dry-run", "--keep", "7d")):
        done = hardlinks("clean", *NOW, *options)
        assert (done.code, done.stderr) == (0, "")
        assert UNUSED in done.stdout
        assert snapshot(made.directory) == before


def test_yes_removes_what_the_plan_shows_and_nothing_else(hardlinks, made, answer):
    environment = snapshot(*made.prefixes)
    answer("y\n")
    done = hardlinks("clean", *NOW)
    assert done.code == 0
    assert packages_in(made) == {"used-1-0"}
    assert snapshot(*made.prefixes) == environment
    assert hardlinks("clean", *NOW).code == 0  # which does not ask


@pytest.mark.parametrize("text", ["n\n", "\n", ""])
def test_any_other_answer_removes_nothing_and_ends_with_1(hardlinks, made, answer, text):
    answer(text)
    done = hardlinks("clean", *NOW)
    assert done.code == 1
    assert done.stdout.endswith("Nothing was removed.\n")
    assert UNUSED in packages_in(made)


def test_the_option_yes_does_not_ask(hardlinks, made, answer):
    assert hardlinks("clean", "--yes", *NOW).code == 0
    assert UNUSED not in packages_in(made)


def test_json_is_one_object_and_removes_only_with_yes(hardlinks, made):
    asked = clean_as_json(hardlinks, code=1)
    assert asked["errors"] == [
        "Nothing was removed: --json does not ask, so add --yes or --dry-run"
    ]
    dry = clean_as_json(hardlinks, "--dry-run", "--yes")
    assert [[item["name"] for item in done["remove"]] for done in (asked, dry)] == [[UNUSED]] * 2
    assert dry["removed"] == []
    assert UNUSED in packages_in(made)
    done = clean_as_json(hardlinks, "--yes")
    assert done["removed"] == [f"{made.caches[0]}/{UNUSED}"]
    assert UNUSED not in packages_in(made)


@pytest.mark.parametrize("options", [(), ("--yes",), ("--dry-run",)])
def test_with_nothing_to_remove_json_ends_with_0_as_the_text_does(hardlinks, made, options):
    hardlinks("clean", "--yes", *NOW)
    before = snapshot(made.directory)
    done = clean_as_json(hardlinks, *options)
    assert (done["remove"], done["removed"], done["errors"]) == ([], [], [])
    assert hardlinks("clean", *NOW, *options).code == 0
    assert snapshot(made.directory) == before


@pytest.mark.parametrize("options", [(), ("--yes",), ("--dry-run",)])
def test_a_refused_clean_is_an_error_with_the_reason(hardlinks, made, unreachable, options):
    before = snapshot(made.directory)
    with pytest.raises(CleanRefusedError) as caught:
        hardlinks("clean", *NOW, *options)
    (refusal,) = caught.value.refusals
    assert refusal.startswith(f"{unreachable} cannot be read")
    assert clean_as_json(hardlinks, *options, code=1)["errors"] == [refusal]
    assert snapshot(made.directory) == before


def test_an_ignored_environment_does_not_refuse(hardlinks, made, unreachable):
    assert hardlinks("clean", "--yes", *NOW, "--ignore-env", unreachable).code == 0
    assert UNUSED not in packages_in(made)


@pytest.mark.parametrize(
    ("options", "removes"),
    [
        (("--name", "un*"), True),
        (("--name", "env"), False),
        (("--older-than", "12h"), False),
        (("--older-than", "0"), True),
        (("--keep-newest", "1"), False),
        (("--keep-newest", "0"), True),
        (("--max-size", "1GiB"), False),
        (("--max-size", "0"), True),
        (("--grace", "15m"), False),
    ],
    ids=str,
)
def test_an_option_limits_what_is_removed(hardlinks, made, options, removes):
    clean_as_json(hardlinks, "--yes", *options)
    assert (UNUSED not in packages_in(made)) is removes


@pytest.mark.parametrize("option", ["--tarballs", "--trash", "--unobtainable", "--copied"])
def test_an_option_removes_more(hardlinks, made, option):
    cache = made.caches[0]
    write(f"{cache}/{UNUSED}.conda", b"archive")
    write(f"{cache}/lib.so.c~", b"trash")
    write(f"{made.package('lost-1-0', {'lib/f': b'f'})}/info/repodata_record.json", b"{}")
    copied = made.package("copied-1-0", {"lib/c": b"c"})
    made.install(made.prefixes[0], copied, link="copy")
    before, after = (
        {item["path"] for item in clean_as_json(hardlinks, "--dry-run", *options)["remove"]}
        for options in ((), (option,))
    )
    more = {
        "--tarballs": f"{UNUSED}.conda",
        "--trash": "lib.so.c~",
        "--unobtainable": "lost-1-0",
        "--copied": "copied-1-0",
    }
    assert after - before == {f"{cache}/{more[option]}"}


def test_a_plan_that_nobody_reads_is_not_executed(hardlinks, made, monkeypatch, answer, capsys):
    answer("y\n")
    readable, writable = os.pipe()
    os.close(readable)
    with open(writable, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        done = hardlinks("clean", *NOW)
    assert done.code == 1
    assert done.stderr == "Nothing was removed: the program that reads the plan ended early.\n"
    assert UNUSED in packages_in(made)


def test_a_closed_stdout_removes_nothing(hardlinks, made, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    done = hardlinks("clean", "--yes", *NOW)
    assert done == (1, "", "stdout is closed: cannot print the plan.\n")
    assert UNUSED in packages_in(made)


@pytest.mark.parametrize("seam", ["pkgs_dirs", "dry_run"])
def test_ctrl_c_before_the_answer_removes_nothing(hardlinks, made, mocker, seam):
    mocker.patch.object(Context, seam, mocker.PropertyMock(side_effect=KeyboardInterrupt))
    with pytest.raises(StoppedError, match=r"^Interrupted\. Nothing was removed\.$"):
        hardlinks("clean", *NOW, "--yes")
    assert UNUSED in packages_in(made)


def test_no_environment_and_no_cache_is_an_error(hardlinks, made):
    os.rename(made.directory + "/pkgs", made.directory + "/gone")
    os.rename(made.directory + "/envs", made.directory + "/gone-too")
    with pytest.raises(HardlinksError, match="There is no package cache"):
        hardlinks("clean", "--dry-run")


def test_an_empty_name_is_wrong_usage(hardlinks, capsys):
    with pytest.raises(SystemExit) as stop:
        hardlinks("clean", "--name", "")
    assert stop.value.code == 2
    assert "the name is empty, as an unset variable is" in capsys.readouterr().err
