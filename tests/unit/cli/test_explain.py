"""`conda hardlinks explain`: what it takes, prints and refuses."""

from __future__ import annotations

import json
import sys

import pytest
from conda.base.context import Context

from conda_hardlink_plugin.exceptions import NotFoundError, StoppedError
from tests.support.disk import snapshot
from tests.support.trees import link, package, write

NOW = ("--grace", "0")


@pytest.mark.parametrize(
    ("subject", "options", "verdict"),
    [
        ("used", (), "linked"),
        ("used-1-0", NOW, "linked"),
        ("unused", (), "recent"),
        ("unused", NOW, "unused"),
        ("{}/pkgs/unused-1-0/", NOW, "unused"),
        ("{}/pkgs/unused-1-0/info/index.json", NOW, "unused"),
    ],
)
def test_a_package_has_its_verdict(hardlinks, made, subject, options, verdict):
    done = hardlinks("explain", subject.format(made.directory), *options)
    assert (done.code, done.stderr) == (0, "")
    name = "used-1-0" if verdict == "linked" else "unused-1-0"
    assert f"{name}: {verdict}" in done.stdout.splitlines()


def test_json_has_the_package_or_the_file_or_both(hardlinks, made, tmp_path):
    cached, linked = f"{made.caches[0]}/used-1-0", f"{made.prefixes[0]}/lib/used"
    package, both, file = (
        json.loads(hardlinks("explain", "--json", subject).stdout)
        for subject in ("used", linked, write(f"{tmp_path}/alone"))
    )
    assert (package["path"], package["verdict"]) == (cached, "linked")
    assert "file" not in package
    assert (both["path"], both["file"]["path"]) == (cached, linked)
    assert file["file"]["path"] == f"{tmp_path}/alone"
    assert "verdict" not in file


def test_a_file_comes_before_its_package(hardlinks, made):
    done = hardlinks("explain", f"{made.prefixes[0]}/lib/used")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{made.prefixes[0]}/lib/used")
    assert hardlinks("explain", "used").stdout.splitlines()[0] in done.stdout


def test_verbose_names_every_file(hardlinks, made):
    for number in range(20):
        path = write(f"{made.caches[0]}/used-1-0/lib/{number}")
        link(path, f"{made.prefixes[0]}/lib/{number}")
    last = f"{made.prefixes[0]}/lib/19"
    brief, whole = (hardlinks("explain", "used", *options).stdout for options in ((), ("-v",)))
    assert whole.count(f"{made.prefixes[0]}/lib/") == 21
    assert last in whole
    assert brief.count(f"{made.prefixes[0]}/lib/") < 21


@pytest.mark.parametrize(
    ("subject", "sentence"),
    [
        ("gone", "No package cache contains gone: `conda hardlinks report --packages` lists"),
        ("{}/gone", "{}/gone does not exist: give the path of a package or of a file."),
        ("{}/envs", "{}/envs is not a cached package: give the path of one, or of a file."),
        (".", "/ is not a cached package: give the path of one, or of a file."),
        ("new\nline\x1b", "No package cache contains new\nline\x1b: "),
    ],
)
def test_a_subject_that_is_neither_is_refused(hardlinks, tmp_path, monkeypatch, subject, sentence):
    monkeypatch.chdir("/")
    with pytest.raises(NotFoundError) as caught:
        hardlinks("explain", subject.format(tmp_path))
    assert str(caught.value).startswith(sentence.format(tmp_path))


def test_a_name_in_two_caches_is_refused_with_both_paths(hardlinks, made):
    other = package(f"{made.directory}/other", "used-1-0")
    with pytest.raises(NotFoundError) as caught:
        hardlinks("explain", "used-1-0", "--cache", f"{made.directory}/other")
    assert other in str(caught.value)
    assert f"{made.caches[0]}/used-1-0" in str(caught.value)
    assert hardlinks("explain", "used-1-0").code == 0
    assert hardlinks("explain", other, "--cache", f"{made.directory}/other").code == 0


def test_nothing_is_written(hardlinks, made, isolated):
    before = snapshot(made.directory, str(isolated))
    hardlinks("explain", "used")
    assert snapshot(made.directory, str(isolated)) == before


def test_ctrl_c_is_said_in_one_sentence(hardlinks, mocker):
    mocker.patch.object(Context, "pkgs_dirs", mocker.PropertyMock(side_effect=KeyboardInterrupt))
    with pytest.raises(StoppedError, match=r"^Interrupted\. Nothing was changed\.$"):
        hardlinks("explain", "used")
    with pytest.raises(NotFoundError):  # before anything is read
        hardlinks("explain", "/gone/file")


def test_a_closed_stdout_ends_with_1(hardlinks, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    done = hardlinks("explain", "gone")
    assert done == (1, "", "stdout is closed: cannot print the explanation.\n")


def test_an_empty_subject_is_wrong_usage(hardlinks):
    with pytest.raises(SystemExit) as stop:
        hardlinks("explain", "")
    assert stop.value.code == 2
