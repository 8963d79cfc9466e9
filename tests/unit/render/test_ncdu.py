"""The file for ncdu: the sizes of the report, each inode once in every folder."""

from __future__ import annotations

import json
import os
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_hardlink_plugin.analysis.usage import Measure, Usage
from conda_hardlink_plugin.render.ncdu import render_ncdu
from conda_hardlink_plugin.scan.inventory import Problem, ProblemKind

from ...support.scanning import scan
from ...support.trees import (
    cache_root,
    environment_root,
    install,
    layouts,
    package,
    random_tree,
    write,
)

FIELD = {Measure.DISK: "dsize", Measure.APPARENT: "asize"}
moderate = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(inventory, names=None):
    """Return the outermost folder that ncdu reads, as the lists and objects of its format."""
    text = render_ncdu(inventory, names or {}, version="1", taken_s=5)
    major, minor, about, folder = json.loads(text)
    assert (major, minor) == (1, 2)
    assert about == {"progname": "conda-hardlink-plugin", "progver": "1", "timestamp": 5}
    return folder


def entries_of(folder):
    """Yield a folder and all entries below it."""
    own, *inside = folder
    yield own
    for entry in inside:
        if isinstance(entry, list):
            yield from entries_of(entry)
        else:
            yield entry


def size_of(folder, measure):
    """Return the size that ncdu shows for a folder: hard links to one inode count once in it."""
    field, total, counted = FIELD[measure], 0, set()
    for entry in entries_of(folder):
        if entry.get("hlnkc"):
            if (entry["dev"], entry["ino"]) in counted:
                continue
            counted.add((entry["dev"], entry["ino"]))
        total += entry.get(field, 0)
    return total


def at(folder, path):
    """Return the folder at a path below the outermost folder."""
    relative = os.path.relpath(path, folder[0]["name"])
    for name in [] if relative == "." else relative.split("/"):
        (folder,) = (
            inside
            for inside in folder[1:]
            if isinstance(inside, list) and inside[0]["name"] == name
        )
    return folder


@moderate
@given(layouts, st.randoms(use_true_random=False), st.sampled_from(Measure))
def test_every_folder_has_the_size_of_the_report(layout, random, measure):
    with random_tree(layout) as tree:
        roots = random.sample(tree.roots, random.randint(1, len(tree.roots)))
        inventory = scan(roots)
        folder = read(inventory)
        usage = Usage(inventory, measure)
        assert size_of(folder, measure) == usage.on_disk
        paths = [root.path for root in inventory.roots]
        for number, path in enumerate(paths):
            inside = {
                other for other, inner in enumerate(paths) if inner.startswith(f"{path}/")
            } | {number}
            assert size_of(at(folder, path), measure) == usage.unique(inside), path


def test_entries_of_a_folder_have_different_names(tmp_path):
    cache, first, second = (str(tmp_path / name) for name in ("pkgs", "a", "b"))
    extracted = package(cache, "x-1-0", {"both": b"1" * 5000, "one": b"2" * 5000})
    install(extracted, first)
    os.makedirs(second)
    os.link(f"{extracted}/both", f"{second}/both")
    folder = read(scan([cache_root(cache), environment_root(first), environment_root(second)]))
    for path in (cache, f"{cache}/x-1-0", first, second):
        names = [
            (entry[0] if isinstance(entry, list) else entry)["name"]
            for entry in at(folder, path)[1:]
        ]
        assert len(set(names)) == len(names)


def test_entries_name_their_packages_and_users(tmp_path):
    cache, prefix = str(tmp_path / "pkgs"), str(tmp_path / "env")
    extracted = package(cache, "x-1-0", {"file": b"1" * 5000})
    install(extracted, prefix)
    write(f"{prefix}/own", b"3" * 5000)
    folder = read(scan([cache_root(cache), environment_root(prefix)]), {prefix: "work"})
    in_package = {entry["name"] for entry in at(folder, f"{cache}/x-1-0")[1:]}
    assert any(name.startswith("in work: ") for name in in_package)
    in_prefix = {entry["name"] for entry in at(folder, prefix)[1:]}
    assert "files with a single link" in in_prefix
    assert any(name.startswith("x-1-0: ") for name in in_prefix)


def test_a_partly_unreadable_root_is_marked(tmp_path):
    whole, part = str(tmp_path / "whole"), str(tmp_path / "part")
    for path in (whole, part):
        os.mkdir(path)
    inventory = scan([environment_root(whole), environment_root(part)])
    problem = Problem(ProblemKind.UNREADABLE, 1, f"{part}/lib", "Permission denied")
    folder = read(replace(inventory, problems=(problem,)))
    assert at(folder, part)[0]["read_error"] is True
    assert "read_error" not in at(folder, whole)[0]


def test_a_name_keeps_its_bytes(tmp_path):
    prefix = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"\xff\x1b\nname"))
    write(f"{prefix}/file", b"1")
    text = render_ncdu(scan([environment_root(prefix)]), {}, version="1", taken_s=5)
    assert b"\xff\\u001b\\nname" in text.encode("utf-8", "surrogateescape")
