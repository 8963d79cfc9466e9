"""The settings: where conda takes them from, what they do, and what a wrong one does not."""

from __future__ import annotations

import os

import pytest
from conda import __version__ as conda_version

from tests.support.conda_cleaning import NOW, YES, clean, kept, names, packages_in, plan
from tests.support.disk import snapshot
from tests.support.terminal_session import make_prefix, report_of, trees_of

FORGOTTEN = "forgotten-1.0-0"
LIBRARY = "library-2.0-0"
SETTINGS = ("guard", "read_only_caches", "search", "summary")
PACKAGES = ("clean", "--yes", "--packages")
SOFT = {"CONDA_ALWAYS_SOFTLINK": "1"}
WIDEST = ("--copied", "--unobtainable", "--tarballs", "--trash")
MAY_BREAK = f"softlinked may break: symbolic links there lead into {LIBRARY} in the cache"

has_config = pytest.mark.skipif(
    tuple(map(int, conda_version.split(".")[:2])) < (25, 5),
    reason="conda config knows no settings of plugins before 25.5",
)


def write_condarc(installation, text):
    """Have settings of plugins in the `.condarc`; text is YAML in one line."""
    with open(f"{installation.directory}/.condarc", "a", encoding="utf-8") as file:
        file.write(f"plugins: {{{text}}}\n")


def in_condarc(installation, name, values):
    """Set a setting in the `.condarc`; return no variables."""
    several = isinstance(values, tuple)
    write_condarc(installation, f"hardlinks_{name}: {list(values) if several else values}")
    return {}


def in_variable(_installation, name, values):
    """Return the variable that sets a setting."""
    text = ",".join(values) if isinstance(values, tuple) else values
    return {f"CONDA_PLUGINS_HARDLINKS_{name.upper()}": text}


by_both_ways = pytest.mark.parametrize("way", [in_condarc, in_variable])


def create(installation, name="new"):
    return ("create", "-n", name, *installation.source_options, "library=1.0")


@by_both_ways
def test_summary_can_be_turned_off(changing, way):
    assert "hardlinks: 1 package, " in changing.conda(*create(changing, "before")).stderr
    env = way(changing, "summary", "false")
    assert changing.conda(*create(changing), env=env).stderr == ""


@by_both_ways
@pytest.mark.parametrize("value", ["warn", "block", "off"])
def test_the_guard_follows_its_setting(changing, way, value):
    env = way(changing, "guard", value)
    done = changing.conda(*PACKAGES, check=False, env=env)
    assert done.returncode == (1 if value == "block" else 0)
    assert (LIBRARY in packages_in(changing.pkgs_dir)) == (value == "block")
    assert (MAY_BREAK in done.stderr) == (value != "off")


def test_the_guard_warns_by_default(changing):
    done = changing.conda(*PACKAGES)
    assert MAY_BREAK in done.stderr


@by_both_ways
def test_the_listed_folders_are_searched_for_environments(changing, way):
    folders = (f"{changing.directory}/one", f"{changing.directory}/two/deep")
    softlinked = f"{folders[0]}/a/softlinked"
    create_it = ("create", "-q", "-p", softlinked, *changing.source_options, "forgotten")
    changing.conda(*create_it, env=SOFT)
    other = make_prefix(f"{folders[1]}/other")
    os.unlink(changing.environments_txt)
    before = report_of(changing)
    assert names(plan(changing)["remove"]) == [FORGOTTEN]

    env = way(changing, "search", folders)

    report = report_of(changing, env=env)
    assert set(trees_of(report)) - set(trees_of(before)) == {softlinked, other}
    row = kept(clean(changing, *YES, *WIDEST, env=env), FORGOTTEN)
    assert (row["verdict"], row["environments"][0]["prefix"]) == ("softlinked", softlinked)


def test_a_folder_may_begin_with_a_tilde(changing):
    home = changing.environ["HOME"]
    prefix = make_prefix(f"{home}/mine/env")
    env = in_variable(changing, "search", ("~/mine",))
    assert prefix in trees_of(report_of(changing, env=env))


@by_both_ways
def test_a_missing_folder_blocks_a_clean(changing, way):
    gone = f"{changing.directory}/disk/envs"
    env = way(changing, "search", (gone,))
    refusal = (
        f"{gone} cannot be read (hardlinks_search lists it: no such file or directory) and"
        " may use any package, so nothing was removed. If that environment was deleted, add"
        f" --ignore-env {gone} (in Python: ignored_environments)"
    )
    answer = clean(changing, *YES, env=env, code=1)
    assert answer["errors"] == [refusal]
    assert answer["remove"] == answer["removed"] == []
    text = changing.hardlinks("clean", *YES, check=False, env=env)
    assert text.returncode == 1
    assert text.stderr.strip() == f"CleanRefusedError: {refusal}."
    report = report_of(changing, "--packages", *NOW, env=env)
    assert [item["path"] for item in report["unreachable"]] == [gone]
    assert names(clean(changing, *YES, "--ignore-env", gone, env=env)["remove"]) == [FORGOTTEN]


def left_by_earlier_runs(cache):
    """Make what a clean would bring to an end if it could: given up, held too long, moved aside."""
    for name in (f"purge-r1-{FORGOTTEN}", "held-9-r1-x-1-0", "moving-r2-y-1-0"):
        os.makedirs(f"{cache}/.conda-hardlinks/{name}/info")
        with open(f"{cache}/.conda-hardlinks/{name}/info/index.json", "x", encoding="utf-8"):
            pass


@by_both_ways
@pytest.mark.parametrize("spelling", ["{}", "{}/../pkgs/", "link"])
def test_a_read_only_cache_is_not_touched_and_the_reason_is_named(changing, way, spelling):
    cache = changing.pkgs_dir
    os.symlink(cache, f"{changing.directory}/link")
    left_by_earlier_runs(cache)
    with open(f"{cache}/trash.c~", "x", encoding="utf-8"):
        pass
    spelled = spelling.format(cache).replace("link", f"{changing.directory}/link")
    env = way(changing, "read_only_caches", ("/nowhere", spelled))
    before = snapshot(cache)
    reason = "the setting hardlinks_read_only_caches names it"
    answer = clean(changing, *YES, *WIDEST, "--max-size", "0", env=env)
    assert (answer["remove"], answer["removed"], answer["returned"]) == ([], [], [])
    assert kept(answer, FORGOTTEN)["reason"] == f"its cache is not cleaned: {reason}"
    for named in (f"{changing.directory}/link", cache):
        refused = clean(changing, *YES, *WIDEST, "--cache", named, env=env, code=1)
        paths = {error.removesuffix(f" cannot be cleaned: {reason}") for error in refused["errors"]}
        assert paths == {cache, named}
    assert snapshot(cache) == before


def test_other_caches_are_cleaned(changing):
    other = f"{changing.directory}/other-pkgs"
    os.mkdir(other)
    changing.run("cp", "-a", f"{changing.pkgs_dir}/{FORGOTTEN}", other)
    changing.run("cp", "-a", f"{changing.pkgs_dir}/{FORGOTTEN}.conda", other)
    env = {
        "CONDA_PKGS_DIRS": f"{changing.pkgs_dir},{other}",
        **in_variable(changing, "read_only_caches", (changing.pkgs_dir,)),
    }
    answer = clean(changing, *YES, env=env)
    assert answer["removed"] == [f"{other}/{FORGOTTEN}"]
    assert FORGOTTEN in packages_in(changing.pkgs_dir)


WRONG = {
    "a word for yes or no": "hardlinks_summary: perhaps",
    "a list for yes or no": "hardlinks_summary: [1]",
    "another word": "hardlinks_guard: blok",
    "yes or no for a word": "hardlinks_guard: true",
    "a folder for a list": "hardlinks_search: /data",
    "a number for a list": "hardlinks_read_only_caches: 7",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_fails_no_transaction(changing, text):
    write_condarc(changing, text)
    done = changing.conda(*create(changing))
    assert "Traceback" not in done.stderr
    assert os.path.isfile(f"{changing.prefix('new')}/conda-meta/library-1.0-0.json")
    lines = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert len(lines) == ("summary" in text)  # said once, of what this command asks for
    assert all("hardlinks_summary" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "value"), [("SUMMARY", "perhaps"), ("GUARD", "blok"), ("GUARD", "")]
)
def test_a_wrong_variable_fails_no_transaction(changing, name, value):
    env = {f"CONDA_PLUGINS_HARDLINKS_{name}": value}
    done = changing.conda(*create(changing), env=env)
    assert "Traceback" not in done.stderr
    assert os.path.isfile(f"{changing.prefix('new')}/conda-meta/library-1.0-0.json")


@pytest.mark.parametrize("name", ["search", "read_only_caches"])
def test_an_empty_variable_names_no_folder(installation, name):
    assert plan(installation, env=in_variable(installation, name, ""))["errors"] == []


@pytest.mark.parametrize("text", ["hardlinks_search: /data", "hardlinks_read_only_caches: 7"])
def test_a_clean_with_a_wrong_value_fails_and_removes_nothing(changing, text):
    write_condarc(changing, text)
    before = snapshot(changing.pkgs_dir)
    done = changing.hardlinks("clean", *YES, check=False)
    assert snapshot(changing.pkgs_dir) == before
    assert done.returncode == 1
    assert text.partition(":")[0] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["hardlinks_guard: blok", "hardlinks_guard: true"])
def test_a_wrong_guard_setting_is_an_error_and_the_guard_still_works(changing, text):
    write_condarc(changing, text)
    before = snapshot(changing.pkgs_dir)
    done = changing.conda(*PACKAGES, check=False)
    assert snapshot(changing.pkgs_dir) == before
    assert done.returncode == 1
    assert "the setting hardlinks_guard must be warn, block or off" in done.stderr
    assert "Traceback" not in done.stderr
    assert MAY_BREAK in done.stderr


@pytest.mark.parametrize("text", ["hardlinks_guard: blok", "hardlinks_summary: perhaps"])
def test_a_report_needs_neither_guard_nor_summary(changing, text):
    write_condarc(changing, text)
    assert report_of(changing)["environments"]


@has_config
@pytest.mark.parametrize("name", SETTINGS)
def test_conda_describes_and_shows_the_settings(installation, name):
    described = installation.conda("config", "--describe", f"plugins.hardlinks_{name}").stdout
    assert f"hardlinks_{name}" in described
    shown = installation.conda("config", "--show", f"plugins.hardlinks_{name}").stdout
    defaults = {"guard": "warn", "summary": "True"}
    assert f"hardlinks_{name}: {defaults.get(name, '[]')}" in shown


@has_config
def test_conda_sets_the_settings_and_refuses_a_wrong_value(changing):
    changing.conda("config", "--set", "plugins.hardlinks_guard", "block")
    done = changing.conda(*PACKAGES, check=False)
    assert done.returncode == 1
    assert MAY_BREAK in done.stderr
    changing.conda("config", "--append", "plugins.hardlinks_search", f"{changing.directory}/gone")
    assert "hardlinks_search lists it" in clean(changing, *YES, code=1)["errors"][0]
    wrong = changing.conda("config", "--set", "plugins.hardlinks_guard", "blok", check=False)
    assert wrong.returncode == 1
    assert "Valid choices for hardlinks_guard: 'warn', 'block', 'off'" in wrong.stderr
    assert changing.conda(*PACKAGES, check=False).returncode == 1
