"""Explanations of packages and files, against walks over all trees."""

from __future__ import annotations

import os
import shutil

import pytest

from conda_hardlink_plugin.report.explain import (
    Witness,
    explain_file,
    explain_package,
    find_packages,
    package_at,
)
from conda_hardlink_plugin.scan.inventory import Root, RootKind
from tests.support.circumstances import LATER, Circumstances, analysis_of
from tests.support.oracles import Model, du
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, link, symlink, write


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def analyzed(made, terms=LATER):
    return analysis_of(made.scan(), made.names(), terms)


def explained(made, path, terms=LATER):
    analysis = analyzed(made, terms)
    return explain_package(analysis, package_at(analysis, path))


def file_explained(made, path):
    return explain_file(analyzed(made), path)


def found(made, wanted):
    analysis = analyzed(made)
    return sorted(analysis.inventory.units[unit].path for unit in find_packages(analysis, wanted))


def test_a_package_is_found_by_its_full_name_or_its_name(made):
    paths = {
        dist: made.package(dist, {}, cache)
        for dist, cache in (("p-1-0", "pkgs"), ("p-2-0", "pkgs"), ("q-1-0", "other"))
    }
    for dist, path in paths.items():
        name = dist.split("-")[0].encode()
        write(f"{path}/info/repodata_record.json", b'{"name": "%s"}' % name)
    assert found(made, "p-1-0") == [paths["p-1-0"]]
    assert found(made, "p") == [paths["p-1-0"], paths["p-2-0"]]
    assert found(made, "q") == [paths["q-1-0"]]
    assert found(made, "p-1") == found(made, "P") == found(made, "") == []


def test_a_package_is_found_by_its_folder_name_with_the_origin_of_rattler(made):
    origin = "p-1-0-" + "ab" * 32
    path = made.package(origin, {})
    aside = made.package(f"{QUARANTINE}/moving-r1-q-1-0", {})
    assert found(made, "p-1-0") == found(made, origin) == [path]
    assert found(made, "q-1-0") == [aside]
    assert explained(made, aside).name == "q-1-0"


def test_a_full_name_does_not_match_the_name_of_other_packages(made):
    """The full name of one package is the name of another."""
    path = made.package("p-1-0", {})
    other = made.package("p-1-0-2-0", {})
    write(f"{other}/info/repodata_record.json", b'{"name": "p-1-0"}')
    assert found(made, "p-1-0") == [path]


def test_a_path_is_in_the_package_that_it_resolves_into(made, tmp_path):
    path = made.package("p-1-0", {"lib/f": b"f"})
    made.package("p-1-00", {"lib/f": b"f"})
    out = symlink("/nowhere", f"{path}/lib/out")
    symlink(path, f"{tmp_path}/link")
    symlink(f"{tmp_path}/pkgs", f"{tmp_path}/cache")
    symlink(f"{path}/lib/f", f"{tmp_path}/env/f")
    analysis = analyzed(made)
    for place in (
        *(path, f"{path}/lib", f"{path}/lib/f", out, f"{tmp_path}/link"),
        *(f"{tmp_path}/cache/p-1-0", f"{tmp_path}/env/f", f"{path}/no/such/thing"),
    ):
        assert analysis.inventory.units[package_at(analysis, place)].path == path
    for place in (f"{tmp_path}/pkgs", f"{tmp_path}/env", "/nowhere", f"{tmp_path}/pkgs/p-1"):
        assert package_at(analysis, place) is None


def test_a_cache_that_was_found_through_a_symbolic_link_has_its_packages(made, tmp_path):
    path = made.package("p-1-0", {"f": b"f"})
    symlink(f"{tmp_path}/pkgs", f"{tmp_path}/cache")
    made.caches[:] = [f"{tmp_path}/cache"]
    analysis = analyzed(made)
    unit = package_at(analysis, path)
    assert analysis.inventory.units[unit].path == f"{tmp_path}/cache/p-1-0"
    assert package_at(analysis, f"{tmp_path}/cache/p-1-0/f") == unit


def test_each_kind_of_use_has_witnesses(made):
    path = made.package("p-1-0", {"lib/a": b"a", "lib/b": b"b", "lib/c": b"c"})
    hard, soft, copied = map(made.environment, ("hard", "soft", "copied"))
    made.install(hard, path)
    made.install(soft, path, "softlink")
    made.install(copied, path, "copy")
    explanation = explained(made, path)
    record = "conda-meta/p-1-0.json"
    names = ("lib/a", "lib/b", "lib/c")
    assert explanation.witnesses == (
        *(Witness("hard", hard, "hardlink", f"{hard}/{name}") for name in names),
        *(Witness("soft", soft, "softlink", f"{soft}/{name}") for name in names),
        *(
            Witness(name, prefix, "record", f"{prefix}/{record}")
            for name, prefix in (("hard", hard), ("soft", soft), ("copied", copied))
        ),
    )
    assert explanation.would_break == ("soft",)
    assert explanation.linked_outside == ()
    assert explanation.verdict == "linked"
    roots = [Root(RootKind.CACHE, made.caches[0])]
    roots += [Root(RootKind.ENVIRONMENT, prefix) for prefix in made.prefixes]
    assert explanation.exclusive_bytes == Model(roots).exclusive({path})
    assert explanation.size_bytes == du(path)[0]


def test_the_innermost_environment_is_the_witness(made):
    path = made.package("p-1-0", {"f": b"f"})
    made.environment("env")
    inner = made.environment("env/envs/inner")
    made.install(inner, path)
    assert [(row.name, row.use) for row in explained(made, path).witnesses] == [
        ("inner", "hardlink"),
        ("inner", "record"),
    ]


def test_links_between_packages_are_not_witnesses_and_keep_their_bytes(made):
    one, two = (made.package(f"{name}-1-0", {"own": b"o" * 5_000}) for name in ("one", "two"))
    link(f"{one}/own", f"{two}/shared")
    link(f"{one}/own", f"{one}/again")
    explanation = explained(made, one)
    assert (explanation.verdict, explanation.witnesses) == ("unused", ())
    shared = os.lstat(f"{one}/own").st_blocks * 512
    assert explanation.exclusive_bytes == du(one)[0] - shared


def test_a_package_with_links_from_outside_names_its_files(made, tmp_path):
    path = made.package("p-1-0", {"a": b"a", "b": b"b", "c": b"c"})
    env = made.environment("env")
    link(f"{path}/a", f"{tmp_path}/outside")
    link(f"{path}/b", f"{env}/b")
    link(f"{path}/c", f"{env}/c")
    link(f"{path}/c", f"{tmp_path}/outside-too")
    explanation = explained(made, path)
    assert sorted(explanation.linked_outside) == [f"{path}/a", f"{path}/c"]
    assert [row.path for row in explanation.witnesses] == [f"{env}/b", f"{env}/c"]


def test_a_symbolic_link_over_several_hops_is_a_witness(made, tmp_path):
    path = made.package("p-1-0", {"lib/f": b"f"})
    env = made.environment("env")
    symlink(f"{path}/lib", f"{tmp_path}/way")
    symlink(f"{tmp_path}/way/f", f"{env}/f")
    explanation = explained(made, path)
    assert [(row.use, row.path) for row in explanation.witnesses] == [("softlink", f"{env}/f")]
    assert explanation.would_break == ("env",)


def test_reasons_to_keep_a_package_are_listed(made):
    path = made.package("p-1-0", {})
    write(f"{path}/info/repodata_record.json", b'{"url": "file:///p-1-0.conda"}')
    extracted = max(
        os.lstat(f"{path}/info/{name}.json").st_ctime_ns for name in ("index", "repodata_record")
    )
    explanation = explained(made, path, Circumstances(now_ns=extracted, grace_ns=1))
    assert explanation.verdict == "recent"
    assert explanation.reasons == (
        "extracted or about to be linked a moment ago",
        "it cannot be downloaded again: it has no archive and no http(s) URL",
    )
    assert (explanation.last_use_ns, explanation.url) == (extracted, "file:///p-1-0.conda")
    write(f"{path}/info/repodata_record.json", b"[")
    explanation = explained(made, path)
    assert explanation.verdict == "unverifiable"
    assert (explanation.last_use_ns, explanation.url) == (None, "")


def test_a_file_has_every_link_in_the_trees_once(made, tmp_path):
    path = made.package("p-1-0", {"lib/f": b"f" * 5_000})
    other = made.package("q-1-0", {}, "other")
    env = made.environment("env")
    made.environment("env/envs/inner")
    links = [
        link(f"{path}/lib/f", place)
        for place in (f"{env}/f", f"{env}/envs/inner/f", f"{other}/g", f"{path}/again")
    ]
    outside = link(f"{path}/lib/f", f"{tmp_path}/outside")
    size = os.lstat(outside).st_blocks * 512
    for place in (f"{path}/lib/f", *links, outside):
        explanation = file_explained(made, place)
        assert explanation.path == place
        assert list(explanation.links) == sorted([f"{path}/lib/f", *links])
        assert (explanation.link_count, explanation.exclusive_bytes) == (6, 0)
        assert explanation.size_bytes == size
        assert sorted(explanation.packages) == sorted([path, other])
        assert explanation.leads_to is None


def test_the_links_of_a_cache_inside_base_are_not_those_of_base(made, tmp_path):
    """Nor twice there where the cache is known by another path than base is."""
    path = made.package("p-1-0", {"lib/f": b"f"})
    base = os.path.dirname(made.caches[0])
    write(f"{base}/conda-meta/history")
    mine = link(f"{path}/lib/f", f"{base}/f")
    alias = f"{tmp_path}-again"
    os.symlink(made.caches[0], alias)
    made.prefixes, made.caches = [base], [alias]
    explanation = file_explained(made, mine)
    assert explanation.links == tuple(sorted([mine, f"{alias}/p-1-0/lib/f"]))
    package = explained(made, f"{alias}/p-1-0")
    assert [(each.use, each.path) for each in package.witnesses] == [("hardlink", mine)]


@pytest.mark.parametrize("name", ["p-1-0.conda", "p-1-0.tar.bz2"])
def test_an_archive_belongs_to_the_package_of_its_name(made, name):
    path = made.package("p-1-0", {})
    archive = write(f"{made.caches[0]}/{name}", b"archive")
    again = link(archive, f"{made.environment('env')}/{name}")
    explanation = file_explained(made, again)
    assert (explanation.archive_of, explanation.packages) == (path, ())
    assert file_explained(made, f"{path}/info/index.json").archive_of is None


def test_the_last_link_of_a_file_frees_its_inode(made):
    mine = write(f"{made.environment('env')}/mine", b"m" * 9_000)
    explanation = file_explained(made, mine)
    assert explanation.exclusive_bytes == explanation.size_bytes == du(mine)[0]
    assert (explanation.links, explanation.packages) == ((mine,), ())


def test_a_symbolic_link_is_explained_with_its_target(made, tmp_path):
    path = made.package("p-1-0", {"lib/f": b"f"})
    env = made.environment("env")
    symlink(f"{path}/lib", f"{tmp_path}/way")
    into = file_explained(made, symlink(f"{tmp_path}/way/f", f"{env}/into"))
    assert (into.leads_to, into.packages) == (f"{path}/lib/f", (path,))
    assert into.links == (f"{env}/into",)
    nowhere = file_explained(made, symlink("nowhere", f"{env}/dangling"))
    assert (nowhere.leads_to, nowhere.packages) == (f"{env}/nowhere", ())
    inside = file_explained(made, symlink("f", f"{path}/lib/g"))
    assert (inside.leads_to, inside.packages) == (f"{path}/lib/f", (path,))


def test_a_missing_file_raises_an_os_error(made):
    made.environment("env")
    with pytest.raises(FileNotFoundError):
        file_explained(made, f"{made.directory}/nope")


def test_a_change_between_the_scan_and_the_walk_hides_nothing_else(made):
    path = made.package("p-1-0", {"lib/f": b"f"})
    env = made.environment("env")
    link(f"{path}/lib/f", f"{env}/f")
    analysis = analyzed(made)
    shutil.rmtree(f"{env}/conda-meta")
    os.rename(f"{path}/lib", f"{path}/other")
    unit = package_at(analysis, path)
    explanation = explain_package(analysis, unit)
    assert [row.path for row in explanation.witnesses] == [f"{env}/f"]


def test_an_environment_that_records_symbolic_links_may_break(made):
    """Its symbolic links may lead here through a path that the scan did not follow."""
    path, env = made.package("p-1-0", {}), made.environment("env")
    record = made.record(env, "p-1-0", {}, link="softlink")
    explanation = explained(made, path)
    assert (explanation.verdict, explanation.would_break) == ("recorded", ("env",))
    assert explanation.reasons[0] == f"{record}: it records symbolic links to the package"
    made.record(env, "p-1-0", {}, link="copy")
    assert explained(made, path).would_break == ()
