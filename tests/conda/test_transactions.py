"""What is said of real transactions is what du says; and nothing else of them is changed."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from conda_hardlink_plugin.formatting import size
from tests.support.disk import index_folder_of, size_of, whole
from tests.support.oracles import du
from tests.support.terminal_session import plant, report_of
from tests.support.transactions import (
    added_line,
    conda_after,
    held_by,
    in_one_process,
    linked_line,
    packages_of,
    records_of,
    removed_line,
    said,
    said_in,
)

# Each thing that conda treats specially; less than 1 MiB, so that no figure is rounded.
PACKAGES = ("all-placeholder", "entry", "library=1.0", "odd-names", "placeholder", "python")
PACKAGES += ("self-linked", "symlinked")
NAMES = tuple(package.partition("=")[0] for package in PACKAGES)
COPIED = {"CONDA_ALWAYS_COPY": "true"}

# Another conda makes an environment while this one links its first file.
_MEANWHILE = """\
import shutil

def copy(event, arguments):
    if event == "os.link" and not os.path.exists(other):
        shutil.copytree(source, other)

source, other = sys.argv.pop(1), sys.argv.pop(1)
sys.addaudithook(copy)
"""


def create(installation, name, *arguments, env=None):
    options = ("--name", name, *installation.source_options)
    return installation.conda("create", *options, *arguments, env=env)


def created(installation):
    return create(installation, "new", *PACKAGES)


def cloned(installation):
    installation.create("source", *PACKAGES)
    return installation.conda("create", "--name", "new", "--clone", "source", "--offline")


def renamed(installation):
    installation.create("source", *PACKAGES)
    return installation.conda("rename", "--name", "source", "new")


def listed(installation):
    installation.create("source", *PACKAGES)
    path = f"{installation.directory}/explicit.txt"
    with open(path, "x", encoding="utf-8") as file:
        file.write(installation.conda("list", "--name", "source", "--explicit").stdout)
    return installation.conda("create", "--name", "new", "--file", path, "--offline")


def described(installation):
    return installation.conda("env", "create", "--file", write_file(installation, *PACKAGES))


def write_file(installation, *packages):
    path = f"{installation.directory}/environment.yml"
    content = {
        "name": "new",
        "channels": [*installation.channels, "nodefaults"],
        "dependencies": packages,
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)  # which is YAML too
    return path


def lines_of_new(installation, prefix, *packages, pkgs_dir=None):
    return [
        linked_line(installation, prefix, *packages, pkgs_dir=pkgs_dir),
        added_line(installation, prefix, pkgs_dir=pkgs_dir),
    ]


def cached(installation, *dists):
    return sum(du(*(f"{installation.pkgs_dir}/{dist}" for dist in dists)))


def sizes(installation, prefix):
    """What du prints for an environment and for everything, but for its history, which grows."""
    history = du(f"{prefix}/conda-meta/history")[0]
    return du(prefix)[0] - history, whole(installation) - history


def lost(installation, prefix, before):
    """How much less du prints for both."""
    after = sizes(installation, prefix)
    return [was - now for was, now in zip(before, after, strict=True)]


# ---------------------------------------------------------------------------- figures


@pytest.mark.parametrize("make", [created, cloned, listed, described])
def test_a_new_environment_adds_what_du_says(empty, make):
    done = make(empty)
    assert said(done) == lines_of_new(empty, empty.prefix("new"), *NAMES)
    causes = ("prefix", "bytecode", "entry points", "not linkable")
    assert all(f"{cause} " in done.stderr for cause in causes)


def test_the_totals_of_the_last_report_are_printed_with_a_new_environment(changing):
    totals = report_of(changing)["totals"]
    environments = len(report_of(changing)["environments"])
    _, line = said(create(changing, "new", "library=1.0"))
    line, _, beside = line.partition("; in the report of ")
    assert line == added_line(changing, changing.prefix("new"))
    on_disk, copies = size(totals["on_disk_bytes"]), size(totals["as_copies_bytes"])
    assert beside[len("2026-11-20 14:05 ") :] == (
        f"{environments} environments and the cache used {on_disk}, {copies} as copies"
    )


@pytest.mark.parametrize("taken_s", [0, 2 * 24 * 3600, -3600], ids=["none", "old", "future"])
def test_an_old_report_is_not_mentioned(changing, taken_s):
    path = f"{index_folder_of(changing)}/report.index"
    changing.hardlinks("report")
    if taken_s:
        os.utime(path, (time.time() - taken_s,) * 2)
    else:
        os.unlink(path)
    _, line = said(create(changing, "new", "library=1.0"))
    assert line == added_line(changing, changing.prefix("new"))


def test_a_report_of_other_caches_is_not_mentioned(changing):
    other = f"{changing.directory}/other/pkgs"
    changing.hardlinks("report", env={"CONDA_PKGS_DIRS": other})
    _, line = said(create(changing, "new", "library=1.0"))
    assert line == added_line(changing, changing.prefix("new"))


def test_a_renamed_environment_is_reported_and_adds_nothing(empty):
    done = renamed(empty)
    assert said(done) == [linked_line(empty, empty.prefix("new"), *NAMES)]


def test_packages_of_another_cache_are_hardlinked_to_it(changing):
    other = f"{changing.directory}/other/pkgs"
    done = create(changing, "new", "library=1.0", "placeholder", env={"CONDA_PKGS_DIRS": other})
    names = ("library", "placeholder")
    assert said(done) == lines_of_new(changing, changing.prefix("new"), *names, pkgs_dir=other)


def test_an_existing_environment_does_not_count_as_added(changing):
    prefix = changing.prefix("sharing")
    options = ("--name", "sharing", *changing.source_options)
    done = changing.conda("install", *options, "all-placeholder", "odd-names")
    assert said(done) == [linked_line(changing, prefix, "all-placeholder", "odd-names")]


def test_requested_copies_count_as_copies_and_cause_no_warning(empty):
    done = create(empty, "new", *PACKAGES, env=COPIED)
    assert said(done) == lines_of_new(empty, empty.prefix("new"), *NAMES)
    assert "(prefix" in done.stderr
    assert ", copies " in done.stderr


def test_an_update_reports_linked_and_removed_packages(empty):
    prefix = empty.prefix("new")
    empty.create("other", "library=2.0")  # so that it is in the cache
    empty.create("new", "library=1.0", "placeholder")
    before = sizes(empty, prefix)
    done = empty.conda("update", "--name", "new", *empty.source_options, "library")
    unlinked, freed = lost(empty, prefix, before)
    unlinked += held_by(prefix, "library")  # which came; its files are hard links
    freed += du(f"{prefix}/conda-meta/library-2.0-0.json")[0]
    assert said(done) == [
        linked_line(empty, prefix, "library"),
        removed_line(1, unlinked, freed, left=cached(empty, "library-1.0-0")),
    ]


def test_removing_packages_frees_what_du_loses(empty):
    prefix = empty.prefix("new")
    empty.create("new", *PACKAGES)
    empty.create("other", "library=1.0")
    before, least = sizes(empty, prefix), held_by(prefix, "library", "placeholder")
    done = empty.conda("remove", "--yes", "--name", "new", "library")
    unlinked, freed = lost(empty, prefix, before)
    assert unlinked > least  # of folders
    left = cached(empty, "placeholder-1.0-0")  # the library is of the other
    assert said(done) == [removed_line(2, unlinked, freed, left)]


@pytest.mark.parametrize("command", [("remove", "--all"), ("env", "remove")], ids=" ".join)
def test_removing_an_environment_frees_what_du_loses(empty, command):
    prefix = empty.prefix("new")
    empty.create("new", *PACKAGES)
    empty.create("other", "library=1.0")
    plant(f"{prefix}/share/own/data.bin")
    os.link(plant(f"{empty.root_prefix}/kept.bin"), f"{prefix}/share/kept.bin")
    unlinked, before = du(prefix, exclude=[f"{prefix}/share/kept.bin"])[0], whole(empty)
    left = [name for name in os.listdir(empty.pkgs_dir) if name.rsplit("-", 2)[0] in NAMES]
    left = [name for name in left if not name.endswith(".conda") and name != "library-1.0-0"]
    assert len(left) == len(NAMES) - 1
    done = empty.conda(*command, "--yes", "--name", "new")
    freed = before - whole(empty)
    assert said(done) == [removed_line(len(NAMES), unlinked, freed, cached(empty, *left))]


def test_files_that_are_hard_links_of_one_another_are_freed_with_the_environment(empty):
    prefix = empty.prefix("new")
    empty.create("new", "library=1.0")
    os.link(plant(f"{prefix}/share/own.bin"), f"{prefix}/share/again.bin")
    unlinked, before = du(prefix)[0], whole(empty)
    done = empty.conda("remove", "--all", "--yes", "--name", "new")
    freed, left = before - whole(empty), cached(empty, "library-1.0-0")
    assert said(done) == [removed_line(1, unlinked, freed, left)]


def test_a_folder_that_the_user_removed_is_not_an_error(empty):
    prefix = empty.prefix("new")
    empty.create("new", "library=1.0", "symlinked")
    shutil.rmtree(f"{prefix}/include")
    before = sizes(empty, prefix)
    done = empty.conda("remove", "--yes", "--name", "new", "library")
    unlinked, freed = lost(empty, prefix, before)
    left = cached(empty, "library-1.0-0")
    assert said(done) == [removed_line(1, unlinked, freed, left)]


def test_env_update_reports_linked_and_removed_packages(empty):
    prefix = empty.prefix("new")
    empty.create("other", "library=2.0", "all-placeholder")
    empty.create("new", "library=1.0", "placeholder")
    path = write_file(empty, "library=2.0", "all-placeholder")
    before = sizes(empty, prefix)
    done = empty.conda("env", "update", "--prune", "--file", path)
    assert packages_of(prefix) == ["all-placeholder", "library"]
    unlinked, freed = lost(empty, prefix, before)
    unlinked += held_by(prefix, "all-placeholder", "library")  # which came, with two folders
    came = du(empty.pkgs_dir, f"{prefix}/share", *records_of(prefix, "all-placeholder", "library"))
    unlinked += sum(map(size_of, (f"{prefix}/share", f"{prefix}/share/kernels")))
    assert said(done) == [
        linked_line(empty, prefix, "all-placeholder", "library"),
        removed_line(
            *(2, unlinked, freed + sum(came[1:])),
            left=cached(empty, "library-1.0-0", "placeholder-1.0-0"),
        ),
    ]


def test_each_of_several_environments_in_one_process_is_reported(empty):
    prefixes = [empty.prefix("one"), empty.prefix("two")]
    options = empty.source_options
    done = in_one_process(
        empty,
        [
            ["create", "--name", "one", *options, "library=1.0", "placeholder"],
            ["create", "--name", "two", *options, "library=1.0", "symlinked"],
            ["install", "--name", "one", *options, "library=1.0"],
        ],
    )
    names = (("library", "placeholder"), ("library", "symlinked"))
    for result, prefix, packages in zip(done[:2], prefixes, names, strict=True):
        assert said_in(result) == lines_of_new(empty, prefix, *packages)
    assert said_in(done[2]) == []
    unlinked = [du(prefix)[0] for prefix in prefixes]
    first = du(empty.pkgs_dir, *reversed(prefixes))[2]
    second = du(empty.pkgs_dir, prefixes[1])[1]
    done = in_one_process(
        empty, [["remove", "--all", "--yes", "--name", name] for name in ("one", "two")]
    )
    left = [cached(empty, "placeholder-1.0-0"), cached(empty, "library-1.0-0", "symlinked-1.0-0")]
    assert said_in(done[0]) == [removed_line(2, unlinked[0], first, left[0])]
    assert said_in(done[1]) == [removed_line(2, unlinked[1], second, left[1])]


def test_the_work_of_another_conda_is_not_reported(empty):
    empty.create("source", *PACKAGES)
    places = (empty.prefix("source"), empty.prefix("other"))
    options = ("--name", "new", *empty.source_options)
    done = conda_after(empty, _MEANWHILE, *places, "create", *options, "library=1.0")
    assert packages_of(places[1])
    assert said(done) == lines_of_new(empty, empty.prefix("new"), "library")
