"""Each exclusive inode of an environment has one cause, and the bytes add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.analysis.causes import Cause, split_private_bytes
from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.metadata.conda_meta import FileRole, Record
from conda_hardlink_plugin.scan.inventory import OwnFile


def own(path, amount, *, is_symlink=False):
    return OwnFile(path, disk_bytes=amount * 512, apparent_bytes=amount, is_symlink=is_symlink)


def record(dist="thing-1-0", **files):
    return Record(dist, files, hard_link_requested=True)


def split(*own_files, directory_bytes=0, measure=Measure.APPARENT, **known):
    known = {"records": (), "cached": (), "pip_files": (), **known}
    return split_private_bytes(
        own_files,
        directory_bytes=directory_bytes,
        measure=measure,
        **known,
    )


def causes_of(private):
    return {cause: amount for cause, amount in private.by_cause.items() if amount}


@pytest.mark.parametrize(
    ("role", "cause"),
    [
        (FileRole.PREFIX_REWRITTEN, Cause.PREFIX_REWRITTEN),
        (FileRole.BYTECODE, Cause.BYTECODE),
        (FileRole.ENTRY_POINT, Cause.CONDA_OWN),
        (FileRole.SYMLINK, Cause.NO_LINK),  # absolute: conda copied its target
        (FileRole.NO_LINK, Cause.NO_LINK),
        (FileRole.LINKABLE, Cause.COPIED),
    ],
)
def test_a_recorded_file_of_a_cached_package_has_the_cause_of_its_role(role, cause):
    private = split(own("file", 7), records=[record(file=role)], cached={"thing-1-0"})
    assert causes_of(private) == {cause: 7}
    assert private.by_package == {"thing-1-0": 7}
    assert private.copied == ({"thing-1-0"} if cause is Cause.COPIED else set())


def test_a_linkable_file_whose_package_left_the_cache_was_not_copied():
    private = split(own("file", 7), records=[record(file=FileRole.LINKABLE)], cached={"other-1-0"})
    assert causes_of(private) == {Cause.NOT_IN_CACHE: 7}
    assert private.copied == set()


@pytest.mark.parametrize("cached", [{"thing-1-0"}, set()])
@pytest.mark.parametrize("role", FileRole)
@pytest.mark.parametrize("hard", [True, False])
def test_a_symbolic_link_is_never_counted_as_copied(role, cached, hard):
    private = split(
        own("file", 7, is_symlink=True),
        records=[Record("thing-1-0", {"file": role}, hard_link_requested=hard)],
        cached=cached,
    )
    assert causes_of(private) == {Cause.SYMLINKS: 7}
    assert private.by_package == {"thing-1-0": 7}
    assert private.copied == set()


def test_an_executable_of_a_softlinked_package_counts_as_copied():
    softlinked = Record(
        "thing-1-0",
        {"bin/tool": FileRole.SYMLINK, "lib/data": FileRole.SYMLINK},
        hard_link_requested=False,
    )
    private = split(
        own("bin/tool", 7),
        own("lib/data", 5, is_symlink=True),
        records=[softlinked],
        cached={"thing-1-0"},
    )
    assert causes_of(private) == {Cause.COPIED: 7, Cause.SYMLINKS: 5}


def test_an_unrecorded_link_out_of_the_environment_is_unowned():
    assert causes_of(split(own("file", 7, is_symlink=True))) == {Cause.UNOWNED: 7}


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("conda-meta/thing-1-0.json", Cause.CONDA_OWN),
        ("conda-meta/history", Cause.CONDA_OWN),
        ("Menu/thing.desktop", Cause.CONDA_OWN),
        ("conda-metamorphosis", Cause.UNOWNED),
        ("lib/thing.py", Cause.UNOWNED),
        ("lib/__pycache__/thing.cpython-311.pyc", Cause.BYTECODE),
        ("lib/thing.pyo", Cause.BYTECODE),
        ("lib/piped.py", Cause.PIP),
        ("lib/__pycache__/piped.cpython-311.pyc", Cause.PIP),
    ],
)
def test_the_cause_of_an_unrecorded_file_depends_on_its_path_and_on_pip(path, cause):
    pip_files = {"lib/piped.py", "lib/__pycache__/piped.cpython-311.pyc"}
    private = split(own(path, 7), pip_files=pip_files)
    assert causes_of(private) == {cause: 7}
    assert private.by_package == {}


def test_a_file_of_conda_never_counts_as_installed_by_pip():
    """conda's Python packages carry a RECORD too."""
    private = split(
        own("file", 7),
        records=[record(file=FileRole.LINKABLE)],
        cached={"thing-1-0"},
        pip_files={"file"},
    )
    assert causes_of(private) == {Cause.COPIED: 7}


def test_directories_are_a_cause_of_their_own():
    assert causes_of(split(directory_bytes=4096)) == {Cause.DIRECTORIES: 4096}


def test_every_cause_is_listed_even_without_bytes():
    assert split().by_cause == dict.fromkeys(Cause, 0)


def test_disk_usage_counts_blocks():
    assert causes_of(split(own("file", 7), measure=Measure.DISK)) == {Cause.UNOWNED: 7 * 512}


paths = st.sampled_from(["a", "b.pyc", "conda-meta/c.json", "lib/d", "Menu/e"])


@given(
    st.lists(st.tuples(paths, st.integers(0, 9), st.booleans()), max_size=9),
    st.lists(st.dictionaries(paths, st.sampled_from(FileRole)), max_size=3),
    st.sets(st.sampled_from(["thing-0", "thing-1"])),
    st.sets(paths),
    st.integers(0, 9),
)
def test_the_causes_add_up_to_the_exclusive_usage(
    own_files, files_of_records, cached, pip_files, directory_bytes
):
    files = [own(path, amount, is_symlink=is_symlink) for path, amount, is_symlink in own_files]
    private = split(
        *files,
        directory_bytes=directory_bytes,
        records=[record(f"thing-{n}", **each) for n, each in enumerate(files_of_records)],
        cached=cached,
        pip_files=pip_files,
    )
    exclusive = sum(file.apparent_bytes for file in files)
    assert sum(private.by_cause.values()) == exclusive + directory_bytes
    assert sum(private.by_package.values()) <= exclusive
