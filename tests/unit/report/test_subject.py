"""What a name or path means: a package, a file, both, or an error that says what to give."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.exceptions import NotFoundError
from conda_hardlink_plugin.report.subject import check_subject, explain
from tests.support.circumstances import LATER, analysis_of
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, link, symlink, write

ODD = os.fsdecode(b"new\nline \x1b[31m\xff")


@pytest.fixture
def made(tmp_path):
    """A package, its archive, an environment that uses it, and another file."""
    made = SmallInstallation(str(tmp_path))
    package = made.package("p-1-0", {"lib/f": b"f", ODD: b"o"})
    write(f"{package}/info/repodata_record.json", b'{"name": "p"}')
    write(f"{made.caches[0]}/p-1-0.conda", b"archive")
    env = made.environment("env")
    link(f"{package}/lib/f", f"{env}/lib/f")
    write(f"{env}/own", b"own")
    return made


def explained(made, subject):
    """Return the path of the package, and that of the file, that a subject means."""
    found = explain(analysis_of(made.scan(), made.names(), LATER), subject)
    return found.package and found.package.path, found.file and found.file.path


def message_of(made, subject):
    with pytest.raises(NotFoundError) as caught:
        explained(made, subject)
    return str(caught.value)


def test_a_package_is_meant_by_its_name_and_by_the_path_of_it_or_of_a_folder_in_it(made):
    package = f"{made.caches[0]}/p-1-0"
    for subject in ("p", "p-1-0", package, f"{package}/", f"{package}/lib"):
        assert explained(made, subject) == (package, None), subject


def test_a_file_of_a_package_is_explained_with_the_package(made):
    package, (env,) = f"{made.caches[0]}/p-1-0", made.prefixes
    soft = symlink(f"{package}/lib/f", f"{env}/soft")
    for path in (f"{package}/lib/f", f"{package}/{ODD}", f"{env}/lib/f", soft):
        assert explained(made, path) == (package, path)


def test_a_file_outside_every_package_is_explained_alone(made):
    (env,) = made.prefixes
    for path in (f"{env}/own", symlink("nowhere", f"{env}/{ODD}")):
        assert explained(made, path) == (None, path)


def test_an_archive_is_meant_by_its_name_and_its_path(made):
    archive = f"{made.caches[0]}/p-1-0.conda"
    assert explained(made, "p-1-0.conda") == explained(made, archive) == (None, archive)


def test_a_relative_path_and_a_home_are_expanded(made, monkeypatch):
    monkeypatch.chdir(f"{made.caches[0]}/p-1-0")
    package = os.getcwd()
    monkeypatch.setenv("HOME", package)
    for subject in (".", "./lib", "~/lib", "$HOME/lib"):
        assert explained(made, subject) == (package, None), subject
    assert explained(made, "lib/f") == (package, f"{package}/lib/f")
    assert check_subject("..") == made.caches[0]


def test_a_name_without_a_slash_is_not_looked_up_in_the_current_folder(made, monkeypatch):
    monkeypatch.chdir(made.prefixes[0])
    assert check_subject("own") is None
    assert message_of(made, "own").startswith("No package cache contains own: ")


def test_a_path_that_does_not_exist_is_refused_before_a_scan(made):
    broken = symlink("nowhere", f"{made.directory}/broken")
    assert check_subject(broken) == broken
    for path in (f"{made.directory}/{ODD}", f"{made.directory}/no/such"):
        with pytest.raises(NotFoundError) as caught:
            check_subject(path)
        assert str(caught.value).startswith(f"{path} does not exist: ")


def test_a_name_of_several_packages_is_refused_with_their_paths(made):
    other = made.package("p-2-0", {}, "other")
    write(f"{other}/info/repodata_record.json", b'{"name": "p"}')
    paths = ", ".join(sorted((f"{made.caches[0]}/p-1-0", other)))
    assert message_of(made, "p") == f"p matches several packages: give one of {paths}."


def test_a_name_of_several_archives_is_refused_with_their_paths(made):
    made.package("q-1-0", {}, "other")
    other = write(f"{made.directory}/other/p-1-0.conda", b"archive")
    paths = ", ".join(sorted((f"{made.caches[0]}/p-1-0.conda", other)))
    assert message_of(made, "p-1-0.conda") == (
        f"p-1-0.conda matches several archives: give one of {paths}."
    )
    assert explained(made, other) == (None, other)


def test_a_folder_that_is_not_a_package_is_refused(made):
    for path in (made.caches[0], made.prefixes[0]):
        assert message_of(made, path).startswith(f"{path} is not a cached package: ")


def test_a_package_that_a_clean_holds_is_named_with_the_way_to_restore_it(made):
    held = made.package(f"{QUARANTINE}/held-9-r1-held-1-0", {})
    for subject in ("held", "held-1-0", held):
        assert message_of(made, subject) == (
            f"{subject} was moved aside by a clean: `conda hardlinks restore r1` restores it."
        )
