"""`conda hardlinks explain` says of a package, or of a file, what a walk over everything finds."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from conda_hardlink_plugin.scan.inventory import Root, RootKind
from tests.conda.test_unreadable_paths import as_ordinary_user
from tests.support.conda_cleaning import NOW, explain, extract, read_through, versions
from tests.support.disk import size_of
from tests.support.oracles import Model, du
from tests.support.realconda.packages import PackageSpec
from tests.support.terminal_session import make_prefix, plant, report_of

FORGOTTEN = "forgotten-1.0-0"
NAMES = ("work", "sharing", "softlinked")


def files_below(*trees):
    """Every path below some trees that is no folder."""
    for tree in trees:
        for directory, directories, files in os.walk(tree):
            links = [name for name in directories if os.path.islink(f"{directory}/{name}")]
            yield from (f"{directory}/{name}" for name in (*files, *links))


def identity(path):
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def witnesses_by_walking(installation, package):
    """Each file of an environment that shares an inode with a package, or leads into it."""
    inodes = {identity(path) for path in files_below(package)}
    found = []
    for name in NAMES:
        prefix = installation.prefix(name)
        for path in files_below(prefix):
            if identity(path) in inodes:
                found.append((name, prefix, "hardlink", path))
            elif os.path.islink(path) and os.path.realpath(path).startswith(f"{package}/"):
                found.append((name, prefix, "softlink", path))
        record = f"{prefix}/conda-meta/{os.path.basename(package)}.json"
        if os.path.exists(record):
            found.append((name, prefix, "record", record))
    return sorted(found)


@pytest.mark.parametrize(
    ("name", "verdict", "breaks"),
    [
        ("entry-1.0-0", "linked", ["softlinked"]),
        ("library-1.0-0", "linked", []),
        ("library-2.0-0", "softlinked", ["softlinked"]),
        ("metapackage-1.0-0", "recorded", []),
        (FORGOTTEN, "unused", []),
    ],
)
def test_every_file_that_proves_the_use_of_a_package_is_named(installation, name, verdict, breaks):
    package = f"{installation.pkgs_dir}/{name}"
    roots = [Root(RootKind.CACHE, installation.pkgs_dir)]
    prefixes = [installation.root_prefix, *map(installation.prefix, NAMES)]
    model = Model([*roots, *(Root(RootKind.ENVIRONMENT, prefix) for prefix in prefixes)])
    answer = explain(installation, name, *NOW)
    with open(f"{package}/info/repodata_record.json", encoding="utf-8") as file:
        url = json.load(file)["url"]
    assert sorted(tuple(row.values()) for row in answer.pop("witnesses")) == witnesses_by_walking(
        installation, package
    )
    assert answer.pop("last_use_ns") == max(
        os.lstat(f"{package}/info/{file}.json").st_ctime_ns for file in ("index", "repodata_record")
    )
    assert answer == {
        "schema_version": 1,
        "success": True,
        "name": name,
        "path": package,
        "verdict": verdict,
        "reasons": [],
        "size_bytes": du(package)[0],
        "exclusive_bytes": model.exclusive({package}),
        "url": url,
        "linked_outside": [],
        "would_break": breaks,
    }


def test_exactly_the_named_environments_break(changing):
    """And removing the folder frees what was said."""
    for name in ("library-2.0-0", "entry-1.0-0", "placeholder-1.0-0"):
        package = f"{changing.pkgs_dir}/{name}"
        answer = explain(changing, name)
        before, on_disk = read_through(changing.envs_dir), du(changing.root_prefix)[0]
        cache_before = size_of(changing.pkgs_dir)
        shutil.rmtree(package)
        shrunk = cache_before - size_of(changing.pkgs_dir)
        assert on_disk - du(changing.root_prefix)[0] - shrunk == answer["exclusive_bytes"]
        after = read_through(changing.envs_dir)
        broken = {path for path, content in before.items() if after.get(path) != content}
        soft = {row["path"] for row in answer["witnesses"] if row["use"] == "softlink"}
        assert broken == soft
        broken_in = {path[len(changing.envs_dir) :].split("/")[1] for path in broken}
        assert broken_in == set(answer["would_break"])


def test_a_package_has_the_same_explanation_under_each_of_its_names(changing):
    package = f"{changing.pkgs_dir}/{FORGOTTEN}"
    os.symlink(changing.root_prefix, f"{changing.directory}/other-way")
    os.symlink(package, f"{changing.directory}/link")
    expected = explain(changing, FORGOTTEN, *NOW)
    for subject in (
        "forgotten",
        f"conda/pkgs/{FORGOTTEN}/",
        f"{package}/lib",
        f"other-way/pkgs/{FORGOTTEN}",
        "./link",
    ):
        assert explain(changing, subject, *NOW) == expected
    file = explain(changing, f"{package}/lib/forgotten.bin", *NOW)
    assert file.pop("file")["packages"] == [package]
    assert file == expected


def test_every_reason_to_keep_a_package_is_listed_strongest_first(changing, tmp_path):
    cache = str(tmp_path)
    lost = extract(cache, PackageSpec("lost", files={"f": 10}), url=None)
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{changing.directory}/no-such-disk/env\n")
    answer = explain(changing, lost, "--cache", cache)
    unreachable = f"{changing.directory}/no-such-disk/env"
    assert answer["verdict"] == "unverifiable"
    assert answer["reasons"] == [
        f"{unreachable}: its folder cannot be reached (no such file or directory)",
        "extracted or about to be linked a moment ago",
        "it cannot be downloaded again: it has no archive and no http(s) URL",
    ]
    assert answer["url"] == ""
    ignoring = ("--cache", cache, "--ignore-env", unreachable, *NOW)
    assert explain(changing, lost, *ignoring)["verdict"] == "unobtainable"
    text = changing.hardlinks("explain", lost, *ignoring).stdout
    assert "Source: unknown" in text


def test_paths_that_an_ordinary_user_cannot_read_are_named(changing):
    record = f"{changing.pkgs_dir}/{FORGOTTEN}/info/repodata_record.json"
    os.chmod(record, 0)
    done = as_ordinary_user(changing, "conda", "hardlinks", "explain", "--json", FORGOTTEN, *NOW)
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (answer["verdict"], answer["last_use_ns"], answer["url"]) == ("unverifiable", None, "")
    assert answer["reasons"] == [f"{record}: permission denied"]


def test_an_environment_that_is_searched_for_is_a_witness(changing):
    elsewhere = f"{changing.directory}/elsewhere"
    prefix = make_prefix(f"{elsewhere}/env")
    os.symlink(f"{changing.pkgs_dir}/{FORGOTTEN}/lib", f"{prefix}/lib")
    assert explain(changing, "forgotten", *NOW)["verdict"] == "unused"
    answer = explain(changing, "forgotten", *NOW, "--search", elsewhere)
    assert answer["verdict"] == "softlinked"
    assert answer["would_break"] == [prefix]
    assert answer["witnesses"] == [
        {"name": prefix, "prefix": prefix, "use": "softlink", "path": f"{prefix}/lib"}
    ]


def test_a_file_has_its_links_and_its_packages(changing):
    cache, outside = changing.pkgs_dir, f"{changing.directory}/outside.so"
    linked = f"{changing.prefix('work')}/lib/liblibrary.so"
    os.link(linked, outside)
    paths = [f"{changing.prefix(name)}/lib/liblibrary.so" for name in ("sharing", "work")]
    links = [*paths, f"{cache}/library-1.0-0/lib/liblibrary.so"]
    answers = {path: explain(changing, path) for path in (linked, links[-1], outside)}
    for path, answer in answers.items():
        assert answer["file"] == {
            "path": path,
            "size_bytes": size_of(linked),
            "exclusive_bytes": 0,
            "link_count": 4,
            "links": links,
            "leads_to": None,
            "packages": [f"{cache}/library-1.0-0"],
            "archive_of": None,
        }
        assert answer["name"] == "library-1.0-0"
        assert answer["linked_outside"] == [links[-1]]
    text = changing.hardlinks("explain", outside).stdout
    assert "1 link outside the scanned trees." in text
    assert "Linked from outside the scanned trees:" in text


def test_a_symbolic_link_leads_to_the_package_that_it_needs(installation):
    link = f"{installation.prefix('softlinked')}/lib/liblibrary.so"
    answer = explain(installation, link)
    package = f"{installation.pkgs_dir}/library-2.0-0"
    assert answer["file"] == {
        "path": link,
        "size_bytes": size_of(link),
        "exclusive_bytes": size_of(link),
        "link_count": 1,
        "links": [link],
        "leads_to": f"{package}/lib/liblibrary.so",
        "packages": [package],
        "archive_of": None,
    }
    assert (answer["path"], answer["verdict"]) == (package, "softlinked")


def test_a_file_outside_every_package_is_explained_alone(changing):
    mine = plant(f"{changing.prefix('work')}/mine.bin", 30_000)
    elsewhere = plant(f"{changing.directory}/elsewhere.bin", 30_000)
    archive = f"{changing.pkgs_dir}/{FORGOTTEN}.conda"
    dangling = f"{changing.prefix('work')}/share/sym/dangling"
    for path, links in (
        (mine, [mine]),
        (elsewhere, []),
        (archive, [archive]),
        (dangling, [dangling]),
    ):
        answer = explain(changing, path)
        assert answer.keys() == {"schema_version", "success", "file"}
        assert answer["file"]["links"] == links
        assert answer["file"]["packages"] == []
        assert answer["file"]["exclusive_bytes"] == answer["file"]["size_bytes"] == size_of(path)
    text = changing.hardlinks("explain", elsewhere).stdout
    assert text.endswith("\n1 link outside the scanned trees.\nNo cached package contains it.\n")


@pytest.mark.parametrize(
    ("subject", "sentence"),
    [
        ("nope", "No package cache contains nope: `conda hardlinks report --packages` lists the"),
        ("library", "library matches several packages: give one of {pkgs}/library-1.0-0, {pkgs}"),
        ("./nope", "{directory}/nope does not exist: give the path of a package or of a file."),
        (
            "conda/envs/work",
            "{directory}/conda/envs/work is not a cached package: give the path of",
        ),
        ("a\x1b[31m\nb", "No package cache contains a\\x1b[31m\\nb: "),
    ],
    ids=repr,
)
def test_an_unknown_or_ambiguous_name_gives_one_sentence(installation, subject, sentence):
    done = installation.hardlinks("explain", subject, check=False)
    expected = sentence.format(directory=installation.directory, pkgs=installation.pkgs_dir)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = (line for line in done.stderr.splitlines() if line)
    assert line.startswith(f"NotFoundError: {expected}")


def test_wrong_usage_gives_exit_code_2(installation):
    done = installation.hardlinks("explain", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: " in done.stderr


def test_only_verbose_names_more_than_the_first_files_of_each_environment(changing):
    (path,) = versions(changing.pkgs_dir, "many", "1")
    for number in range(9):
        plant(f"{path}/many/{number}", 10)
        for name in ("work", "sharing"):
            os.makedirs(f"{changing.prefix(name)}/many", exist_ok=True)
            os.link(f"{path}/many/{number}", f"{changing.prefix(name)}/many/{number}")
    text = changing.hardlinks("explain", "many").stdout
    assert text.count("  ... and 4 more files: -v shows all.\n") == 2
    everything = changing.hardlinks("explain", "-v", "many").stdout
    assert "-v shows all" not in everything
    named = [line.strip() for line in everything.splitlines() if line.startswith("  /")]
    assert named == [row["path"] for row in explain(changing, "many")["witnesses"]]


def test_a_held_or_given_up_package_is_not_a_package(changing):
    quarantine = f"{changing.pkgs_dir}/.conda-hardlinks"
    os.mkdir(quarantine, 0o700)
    os.rename(f"{changing.pkgs_dir}/{FORGOTTEN}", f"{quarantine}/moving-r1-{FORGOTTEN}")
    aside = explain(changing, "forgotten", *NOW)
    assert (aside["name"], aside["verdict"]) == (FORGOTTEN, "unused")
    assert aside["path"] == f"{quarantine}/moving-r1-{FORGOTTEN}"
    os.rename(f"{quarantine}/moving-r1-{FORGOTTEN}", f"{quarantine}/held-9-r1-{FORGOTTEN}")
    done = changing.hardlinks("explain", "forgotten", check=False)
    assert done.returncode == 1
    assert "forgotten was moved aside by a clean: " in done.stderr
    assert "`conda hardlinks restore r1`" in done.stderr
    packages = [row["name"] for row in report_of(changing, "--packages")["packages"]]
    assert FORGOTTEN not in packages


def test_an_archive_is_found_by_its_name_and_a_folder_by_a_dot(installation):
    archive = f"{installation.pkgs_dir}/{FORGOTTEN}.conda"
    answer = explain(installation, os.path.basename(archive))
    assert answer["file"]["path"] == archive
    assert answer["file"]["archive_of"] == f"{installation.pkgs_dir}/{FORGOTTEN}"
    done = installation.hardlinks("explain", ".", check=False)
    assert done.returncode == 1
    assert f"{installation.directory} is not a cached package" in done.stderr
    done = installation.hardlinks("explain", "", check=False)
    assert done.returncode == 2
    assert "the path is empty, as an unset variable is" in done.stderr
