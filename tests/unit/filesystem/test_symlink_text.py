"""What the text of a symbolic link says about its target."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.filesystem.symlink_text import escapes, passes_link

from ...support.trees import symlink, write


@pytest.mark.parametrize(
    ("target", "directory", "leads_out"),
    [
        ("/", "", True),
        ("/abs", "a/b", True),
        ("x", "", False),
        ("..", "", True),
        ("..", "a", False),
        ("../..", "a", True),
        ("../..", "a/b", False),
        ("a/../..", "", True),
        ("a/..", "", False),
        (".//./a//../b", "", False),
        ("../../x/../../y", "a/b", True),
        ("..x", "", False),
        ("...", "", False),
        ("./..", "", True),
        ("", "", False),
    ],
)
def test_a_target_leads_out_if_it_climbs_above_the_top_on_its_way(target, directory, leads_out):
    assert escapes(target, directory) is leads_out


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(["..", ".", "", "a", "b"]), min_size=1, max_size=8),
    st.lists(st.sampled_from(["a", "b"]), max_size=3),
)
def test_a_target_leads_out_if_a_beginning_of_it_does(components, directory):
    top = "/some/top"
    here = "/".join([top, *directory])
    ways = [
        os.path.normpath("/".join([here, *components[:end]])) for end in range(len(components) + 1)
    ]
    expected = any(way != top and not way.startswith(f"{top}/") for way in ways)
    target = "/".join(components)
    if not target.startswith("/"):
        assert escapes(target, "/".join(directory)) is expected


TREE = "/some/top"
LINKS = {f"{TREE}/a", f"{TREE}/b/c", os.fsdecode(b"/some/top/new\n\xff")}


@pytest.mark.parametrize(
    ("path", "target", "passes"),
    [
        ("from", "a/file", True),
        ("from", "./a//file", True),
        ("from", "b/c/file", True),
        ("from", "a/../b/file", True),  # the folder above the target of `a`, not the top
        ("b/from", "../a/file", True),
        ("b/d/from", ".././c/x/y", True),
        ("from", os.fsdecode(b"new\n\xff/file"), True),
        ("from", "b/file", False),
        ("from", "aa/file", False),
        ("from", "b/a/file", False),
        ("b/from", "a/file", False),
    ],
)
def test_a_link_passes_another_one_that_is_a_folder_on_its_way(path, target, passes):
    assert passes_link(f"{TREE}/{path}", target, LINKS) is passes


@pytest.mark.parametrize("target", ["a", "./a", "b/c", "a/", "b/c/."])
def test_a_link_that_ends_at_another_one_does_not_pass_it(target):
    assert not passes_link(f"{TREE}/from", target, LINKS)


def test_a_link_that_passes_another_one_leads_elsewhere_than_its_text(tmp_path):
    write(f"{tmp_path}/far/file")
    links = {symlink(f"{tmp_path}/far", f"{tmp_path}/env/a")}
    through = symlink("a/../file", f"{tmp_path}/env/through")
    beside = symlink("b/../file", f"{tmp_path}/env/beside")
    os.mkdir(f"{tmp_path}/env/b")
    for path, passes in ((through, True), (beside, False)):
        text = os.readlink(path)
        assert not escapes(text, "")
        assert passes_link(path, text, links) is passes
        as_written = os.path.normpath(os.path.join(os.path.dirname(path), text))
        assert (os.path.realpath(path) != as_written) is passes
