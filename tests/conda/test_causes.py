"""Why bytes are an environment's own: what is planted for a cause lands there, to the byte."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys

import pytest

from tests.support.disk import size_of
from tests.support.terminal_session import package_of, plant, report_of, row_of

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE_PACKAGES = f"lib/python{VERSION}/site-packages"
TAG = sys.implementation.cache_tag


def causes_of(installation, name="work", measure="disk"):
    """The causes of one environment; that those of each environment add up is asserted."""
    report = report_of(installation, "--why", measure=measure)
    for row in report["environments"]:
        assert sum(row["private"].values()) == row["private_bytes"] == row["exclusive_bytes"]
    return row_of(report, name)["private"]


def grow(path):
    """Add to a file, in its inode; return by how many bytes."""
    before = size_of(path)
    with open(path, "ab") as file:
        file.write(b"\n" * 30_000)
    return size_of(path) - before


def copy_in_place(path):
    """Give a hard-linked file an inode of its own; return its bytes."""
    assert os.lstat(path).st_nlink > 1
    shutil.copy2(path, f"{path}.copy")
    os.replace(f"{path}.copy", path)
    assert os.lstat(path).st_nlink == 1
    return size_of(path)


def record_path(prefix, name):
    (record,) = (
        entry
        for entry in os.listdir(f"{prefix}/conda-meta")
        if entry.startswith(f"{name}-") and entry.endswith(".json")
    )
    return f"{prefix}/conda-meta/{record}"


def assert_grew(before, after, **expected):
    changes = {cause: after[cause] - before[cause] for cause in after}
    assert changes == {cause: expected.get(cause, 0) for cause in after}


def test_the_causes_of_a_real_environment_follow_from_its_files(installation):
    prefix = installation.prefix("work")
    causes = causes_of(installation)
    placeholders = ("bin/placeholder", "etc/placeholder.conf", "share/kernels/kernel.json")
    assert causes["prefix_rewritten"] == sum(size_of(f"{prefix}/{path}") for path in placeholders)
    compiled = [
        f"{prefix}/{SITE_PACKAGES}/entry/__pycache__/{stem}.{TAG}.pyc"
        for stem in ("__init__", "cli", "module")
    ]
    assert causes["bytecode"] == sum(map(size_of, compiled))
    records = [f"{prefix}/conda-meta/{name}" for name in os.listdir(f"{prefix}/conda-meta")]
    assert causes["entry_points_and_records"] == sum(
        map(size_of, [*records, f"{prefix}/bin/entry"])
    )
    folders = [directory for directory, _, _ in os.walk(prefix)]
    assert causes["directories"] == sum(map(size_of, folders))
    piped = [
        os.path.join(directory, name)
        for part in ("piped", "piped-1.0.dist-info")
        for directory, _, names in os.walk(f"{prefix}/{SITE_PACKAGES}/{part}")
        for name in names
    ]
    assert causes["pip"] == sum(map(size_of, piped)) > 30_000
    assert causes["no_link"] == size_of(f"{prefix}/bin/python{VERSION}")  # an absolute link, copied
    for none in ("copied", "not_in_cache", "unowned"):
        assert causes[none] == 0


@pytest.mark.parametrize("measure", ["disk", "apparent"])
def test_a_softlinked_environment_has_symbolic_links_and_copied_executables(installation, measure):
    apparent = measure == "apparent"
    prefix = installation.prefix("softlinked")
    causes = causes_of(installation, "softlinked", measure)
    links = [
        os.path.join(directory, name)
        for directory, directories, names in os.walk(prefix)
        for name in (*directories, *names)
        if os.path.islink(os.path.join(directory, name))
    ]
    assert causes["symlinks"] == sum(size_of(path, apparent=apparent) for path in links) > 0
    # Recorded as symbolic links, like everything in there.
    python = f"bin/python{sys.version_info.major}.{sys.version_info.minor}"
    copies = [python, "bin/self", "libexec/self-core/self", "libexec/self-core/self-add"]
    sizes = [size_of(f"{prefix}/{path}", apparent=apparent) for path in copies]
    assert causes["copied"] == sum(sizes) > 150_000
    rewritten = f"{prefix}/share/kernels/kernel.json"
    assert causes["prefix_rewritten"] == size_of(rewritten, apparent=apparent)
    assert causes["unowned"] == causes["not_in_cache"] == 0


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("etc/placeholder.conf", "prefix_rewritten"),
        (f"{SITE_PACKAGES}/entry/__pycache__/module.{TAG}.pyc", "bytecode"),
        ("bin/entry", "entry_points_and_records"),
        ("conda-meta/history", "entry_points_and_records"),
        (f"{SITE_PACKAGES}/piped/data.bin", "pip"),
        (f"{SITE_PACKAGES}/piped-1.0.dist-info/RECORD", "pip"),
    ],
)
def test_bytes_added_to_a_private_file_count_for_its_cause(changing, path, cause):
    before = causes_of(changing)
    grown = grow(f"{changing.prefix('work')}/{path}")
    assert_grew(before, causes_of(changing), **{cause: grown})


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("bin/by-hand", "unowned"),
        ("Menu/by-hand.json", "entry_points_and_records"),
        ("conda-meta/state", "entry_points_and_records"),
        (f"{SITE_PACKAGES}/entry/data.npy", "unowned"),
    ],
)
def test_an_unrecorded_file_has_the_cause_of_its_path(changing, path, cause):
    prefix = changing.prefix("work")
    before = causes_of(changing)
    folder = os.path.dirname(f"{prefix}/{path}")
    new_folder = not os.path.isdir(folder)
    planted = plant(f"{prefix}/{path}")
    after = causes_of(changing)
    expected = {cause: size_of(planted)}
    if new_folder:
        expected["directories"] = size_of(folder)
    assert_grew(before, after, **expected)


def test_bytecode_that_python_writes_when_it_runs_is_bytecode(changing):
    prefix = changing.prefix("work")
    module = f"{prefix}/{SITE_PACKAGES}/loose.py"
    with open(module, "x", encoding="utf-8") as file:
        file.write("value = 1\n" * 1_000)
    before = causes_of(changing)
    changing.run(f"{prefix}/bin/python", "-c", "import loose")
    cache = f"{prefix}/{SITE_PACKAGES}/__pycache__"
    written = size_of(f"{cache}/loose.{TAG}.pyc")
    assert written > 0
    assert_grew(before, causes_of(changing), bytecode=written, directories=size_of(cache))


def test_a_copy_of_a_cached_file_counts_as_copied_though_linkable(changing):
    before = causes_of(changing)
    copied = copy_in_place(f"{changing.prefix('work')}/lib/libplaceholder.so")
    assert_grew(before, causes_of(changing), copied=copied)
    detail = report_of(changing, "-n", "work")["detail"]
    assert detail["copied_packages"] == ["placeholder-1.0-0"]
    rewritten = ("bin/placeholder", "etc/placeholder.conf")
    sizes = [size_of(f"{changing.prefix('work')}/{path}") for path in rewritten]
    (row,) = (row for row in detail["packages"] if row["name"] == "placeholder-1.0-0")
    assert row["exclusive_bytes"] == copied + sum(sizes)


def test_a_file_of_conda_in_a_record_of_pip_stays_a_file_of_conda(changing):
    prefix = changing.prefix("work")
    before = causes_of(changing)
    copied = copy_in_place(f"{prefix}/lib/libplaceholder.so")
    record = f"{prefix}/{SITE_PACKAGES}/greedy-1.0.dist-info/RECORD"
    os.makedirs(os.path.dirname(record))
    with open(record, "x", encoding="utf-8") as file:
        file.write("../../libplaceholder.so,,\n../../../etc/placeholder.conf,,\ngreedy.so,,\n")
    planted = plant(f"{prefix}/{SITE_PACKAGES}/greedy.so")
    expected = {
        "copied": copied,
        "pip": size_of(planted),
        "unowned": size_of(record),  # it does not list itself
        "directories": size_of(os.path.dirname(record)),
    }
    assert_grew(before, causes_of(changing), **expected)


def test_files_of_a_package_that_left_the_cache_count_as_not_in_cache(changing):
    prefix = changing.prefix("work")
    before = causes_of(changing)
    with open(record_path(prefix, "odd-names"), encoding="utf-8") as file:
        paths = [f"{prefix}/{path}" for path in json.load(file)["files"]]
    shutil.rmtree(f"{changing.pkgs_dir}/odd-names-1.0-0")
    assert_grew(before, causes_of(changing), not_in_cache=sum(map(size_of, paths)))


def test_a_file_that_its_package_forbids_to_link_counts_as_no_link(changing):
    prefix = changing.prefix("work")
    before = causes_of(changing)
    record = record_path(prefix, "placeholder")
    record_before = size_of(record)
    with open(record, encoding="utf-8") as file:
        content = json.load(file)
    (detail,) = (
        item for item in content["paths_data"]["paths"] if item["_path"] == "lib/libplaceholder.so"
    )
    detail["no_link"] = True
    with open(record, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    copied = copy_in_place(f"{prefix}/lib/libplaceholder.so")
    grown = size_of(record) - record_before
    assert_grew(before, causes_of(changing), no_link=copied, entry_points_and_records=grown)


def test_a_symbolic_link_of_a_package_counts_as_symlinks(changing):
    link = f"{changing.prefix('work')}/share/sym/dangling"
    target = "nowhere/" * 100
    before = causes_of(changing, measure="apparent")
    length = size_of(link, apparent=True)
    os.unlink(link)
    os.symlink(target, link)
    after = causes_of(changing, measure="apparent")
    assert_grew(before, after, symlinks=len(target) - length)


def test_folders_count_as_directories(changing):
    prefix = changing.prefix("sharing")
    before = causes_of(changing, "sharing")
    os.makedirs(f"{prefix}/a/b/c")
    folders = [f"{prefix}/a", f"{prefix}/a/b", f"{prefix}/a/b/c"]
    assert_grew(before, causes_of(changing, "sharing"), directories=sum(map(size_of, folders)))


def test_the_report_names_the_copied_packages_of_an_environment(changing):
    changing.create("copied", "library=1.0", env={"CONDA_ALWAYS_COPY": "true"})
    prefix = changing.prefix("copied")
    files = [f"{prefix}/lib/liblibrary.so", f"{prefix}/include/l.h"]
    assert all(os.lstat(path).st_nlink == 1 for path in files)
    assert causes_of(changing, "copied")["copied"] == sum(map(size_of, files))
    # conda was asked to copy, and does not say hard link.
    assert report_of(changing, "-n", "copied")["detail"]["copied_packages"] == []


def test_a_record_that_is_not_json_is_named_and_its_files_are_unowned(changing):
    prefix = changing.prefix("work")
    before = causes_of(changing)
    record = record_path(prefix, "all-placeholder")
    record_before = size_of(record)
    with open(record, "w", encoding="utf-8") as file:
        file.write('{"files": ["share/kern')
    report = report_of(changing, "--why")
    row = row_of(report, "work")
    kernel = size_of(f"{prefix}/share/kernels/kernel.json")
    assert_grew(
        before,
        row["private"],
        prefix_rewritten=-kernel,
        unowned=kernel,
        entry_points_and_records=size_of(record) - record_before,
    )
    assert sum(row["private"].values()) == row["exclusive_bytes"]
    assert [problem["path"] for problem in report["unreadable"]] == [record]
    # Its name still says that the package is in use.
    package = package_of(report_of(changing, "--packages"), "all-placeholder-1.0-0")
    assert {user["name"] for user in package["environments"]} == {"softlinked", "work"}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff\xfe", b'{"files": [1]}', b"[" * 100_000, None]
)
def test_a_report_survives_any_malformed_record(changing, content):
    record = record_path(changing.prefix("work"), "placeholder")
    os.unlink(record)
    if content is None:
        os.mkfifo(record)
        assert stat.S_ISFIFO(os.lstat(record).st_mode)
    else:
        with open(record, "xb") as file:
            file.write(content)
    report = report_of(changing, "--why", "--packages", "-n", "work")
    assert record in [problem["path"] for problem in report["unreadable"]]
    row = row_of(report, "work")
    assert sum(row["private"].values()) == row["exclusive_bytes"]
