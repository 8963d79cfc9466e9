"""What `conda hardlinks clean` does by default: shows its plan, asks, removes what is unused."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import ExitStack

import pytest

from conda_hardlink_plugin.formatting import size
from tests.support.conda_cleaning import (
    ASKING,
    NOW,
    YES,
    clean,
    kept,
    names,
    on_terminal,
    packages_in,
    plan,
    read_through,
    restore,
)
from tests.support.disk import snapshot, whole
from tests.support.oracles import du
from tests.support.terminal_session import make_prefix

FORGOTTEN = "forgotten-1.0-0"
WIDEST = ("--copied", "--unobtainable", "--tarballs", "--trash")
CONDA = ("conda", "hardlinks", "clean", *NOW)
KEPT = """\
Kept: 7 linked; 1 softlinked; 2 recorded in an environment without links (remove copies with \
--copied)."""
PLAN = f"""\
REMOVAL          SIZE  LAST USE    REASON
forgotten-1.0-0  {{size}}  {{day}}  unused

! 1 of these packages has its archive in the cache, and conda extracts every archive there when \
it next installs a package. To remove archives, too, add --tarballs.

{KEPT} -v lists them; see also `conda hardlinks explain PACKAGE`.

This frees {{size}} ({{bytes:,}} bytes).
"""


def forgotten_in(installation):
    return f"{installation.pkgs_dir}/{FORGOTTEN}"


def plan_text(path):
    """The plan that has one unused package in it, by du and by the time of its extraction."""
    extracted = os.lstat(f"{path}/info/repodata_record.json").st_ctime
    (frees,) = du(path)
    day = time.strftime("%Y-%m-%d", time.localtime(extracted))
    text = PLAN.format(size=size(frees), bytes=frees, day=day)
    return text.replace("SIZE  LAST", f"{'SIZE':>{len(size(frees))}}  LAST")


def test_a_clean_removes_the_unused_package_and_changes_nothing_else(changing):
    path = forgotten_in(changing)
    packages = packages_in(changing.pkgs_dir)
    environments = (changing.envs_dir, changing.environ["HOME"])
    before, read, on_disk = snapshot(*environments), read_through(*environments), whole(changing)
    expected = plan_text(path)
    (freed,) = du(path)

    dry_run = changing.hardlinks("clean", "--dry-run", *YES)
    assert (dry_run.stdout, dry_run.stderr) == (expected, "")
    assert os.path.isdir(path)

    done = changing.hardlinks("clean", *YES)

    assert done.stdout == f"{expected}Freed {size(freed)} ({freed:,} bytes).\n"
    assert done.stderr == ""
    assert packages_in(changing.pkgs_dir) == [name for name in packages if name != FORGOTTEN]
    assert on_disk - whole(changing) == freed
    assert snapshot(*environments) == before
    assert read_through(*environments) == read
    assert not os.path.lexists(f"{changing.pkgs_dir}/.conda-hardlinks")

    again = changing.hardlinks("clean", *YES)
    says = f"{KEPT} -v lists them; see also `conda hardlinks explain PACKAGE`."
    assert again.stdout == f"{says}\n\nThere is nothing to remove.\n"


def test_packages_in_use_survive_a_clean_with_every_option(changing):
    read = read_through(changing.envs_dir)
    dangling = [path for path, content in read.items() if content is None]
    assert {os.path.basename(path) for path in dangling} == {"dangling"}  # by its package
    before = snapshot(changing.envs_dir, changing.environ["HOME"])

    answer = clean(changing, *YES, *WIDEST)

    gone = [name for name in names(answer["remove"]) if not name.endswith(".conda")]
    assert gone == [FORGOTTEN, "metapackage-1.0-0"]
    assert answer["removed"] == [row["path"] for row in answer["remove"]]
    assert read_through(changing.envs_dir) == read
    assert snapshot(changing.envs_dir, changing.environ["HOME"]) == before
    for name in ("work", "softlinked"):
        assert changing.run(f"{changing.prefix(name)}/bin/entry").stdout == "entry runs\n"
    # conda can still install what it is asked for.
    changing.create("again", "forgotten", "metapackage", "library=2.0")
    assert os.path.isfile(f"{changing.prefix('again')}/lib/forgotten.bin")


def test_json_lists_what_is_removed_what_is_kept_and_its_users(installation):
    answer = plan(installation)
    (going,) = answer.pop("remove")
    path = forgotten_in(installation)
    (size_bytes,) = du(path)
    written = os.lstat(f"{path}/info/repodata_record.json").st_ctime_ns
    linked = os.lstat(f"{path}/info/index.json").st_ctime_ns
    assert going == {
        "name": FORGOTTEN,
        "path": path,
        "size_bytes": size_bytes,
        "verdict": "unused",
        "action": "move",
        "last_use_ns": max(written, linked),
    }
    assert answer["planned_bytes"] == size_bytes
    assert kept(answer, "library-2.0-0") == {
        "name": "library-2.0-0",
        "path": f"{installation.pkgs_dir}/library-2.0-0",
        "size_bytes": du(f"{installation.pkgs_dir}/library-2.0-0")[0],
        "verdict": "softlinked",
        "reason": "symbolic links in softlinked",
        "environments": [
            {
                "name": "softlinked",
                "prefix": installation.prefix("softlinked"),
                "use": "softlink",
            }
        ],
    }
    library = kept(answer, "library-1.0-0")
    assert (library["verdict"], library["reason"]) == ("linked", "hard links in sharing, work")
    assert [user["use"] for user in library["environments"]] == ["hardlink", "hardlink"]
    meta = kept(answer, "metapackage-1.0-0")
    assert (meta["verdict"], meta["reason"]) == ("recorded", "recorded in sharing")
    assert sorted([FORGOTTEN, *names(answer.pop("keep"))]) == packages_in(installation.pkgs_dir)
    empty = ("removed", "held", "spared", "returned", "trial_links", "errors")
    assert answer == {
        **{key: [] for key in empty},
        "schema_version": 1,
        "success": True,
        "dry_run": True,
        "run": "",
        "planned_bytes": size_bytes,
        "held_bytes": 0,
        "freed_bytes": 0,
        "too_big": {},
        "archived": 1,
    }


def test_verbose_lists_everything_that_is_kept_and_why(installation):
    text = installation.hardlinks("clean", "--dry-run", "-v", *NOW).stdout
    rows = [line.split() for line in text.split("\n\n")[1].splitlines()]
    assert rows[0] == ["KEPT", "ITEM", "SIZE", "REASON"]
    reasons = {row[0]: " ".join(row[3:]) for row in rows[1:]}
    assert reasons == {row["name"]: row["reason"] for row in plan(installation)["keep"]}
    assert "-v lists them" not in text


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        (b"n\n", 1, "Nothing was removed."),
        (b"\n", 1, "Nothing was removed."),
        (b"maybe\nno\n", 1, "Nothing was removed."),
        (b"\x04", 1, "Nothing was removed."),  # end of file
        (b"\x03", 130, "Interrupted. Nothing was removed."),
    ],
    ids=repr,
)
def test_any_answer_but_yes_removes_nothing(installation, typed, code, says):
    before = snapshot(installation.directory)
    exit_code, text = on_terminal(installation, *CONDA, env=ASKING, answer=typed)
    assert exit_code == code
    assert "Proceed (y/[n])?" in text
    assert says in text
    assert "Traceback" not in text
    assert "Freed" not in text
    assert snapshot(installation.directory) == before


@pytest.mark.parametrize("typed", [b"y\n", b"YES\n"], ids=repr)
def test_yes_removes_what_was_shown(changing, typed):
    exit_code, text = on_terminal(changing, *CONDA, env=ASKING, answer=typed)
    assert exit_code == 0
    plan_shown, _, outcome = text.partition("Proceed (y/[n])?")
    assert plan_shown.startswith("REMOVAL ")
    assert "Freed " in outcome
    assert not os.path.lexists(forgotten_in(changing))


@pytest.mark.parametrize("option", ["", "--json"])
def test_without_an_answer_nothing_is_removed(installation, option):
    """Without a terminal there is no answer, and JSON never asks."""
    before = snapshot(installation.directory)
    command = [part for part in ("clean", option, *NOW) if part]
    done = installation.hardlinks(*command, check=False, env=ASKING)
    assert done.returncode == 1
    assert done.stderr == ""
    assert snapshot(installation.directory) == before
    if not option:
        assert done.stdout.endswith("Nothing was removed.\n")
        return
    answer = json.loads(done.stdout)
    assert (answer["success"], answer["dry_run"]) == (False, False)
    assert answer["errors"] == [
        "Nothing was removed: --json does not ask, so add --yes or --dry-run"
    ]
    planned = plan(installation)
    same = ("remove", "keep", "planned_bytes", "freed_bytes", "removed", "run")
    assert {key: answer[key] for key in same} == {key: planned[key] for key in same}


def test_condas_always_yes_counts_as_yes_except_in_a_dry_run(changing):
    assert names(clean(changing, "--yes", "--dry-run", *NOW)["remove"]) == [FORGOTTEN]
    assert os.path.isdir(forgotten_in(changing))
    answer = clean(changing, *NOW, env={"CONDA_ALWAYS_YES": "true"})
    assert answer["removed"] == [forgotten_in(changing)]


@pytest.mark.parametrize(
    "command",
    [
        ("clean", "--dry-run", *NOW),
        ("clean", "--dry-run", "--json", *NOW, *WIDEST, "--keep", "7d", "--max-size", "0"),
        ("clean", "--yes"),  # nothing is old enough
        ("clean", "--no-such-option"),
        ("explain", "entry"),
        ("explain", "--json", "conda/envs/work/lib/liblibrary.so"),
        ("restore",),
        ("restore", "20260101T000000_abcd"),
    ],
    ids=" ".join,
)
def test_commands_that_only_read_change_nothing(installation, command):
    before = snapshot(installation.directory)
    installation.hardlinks(*command, check=False, env=ASKING)
    assert snapshot(installation.directory) == before


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_a_refused_clean_changes_nothing(changing, options):
    """Conda itself would drop these lines from the list when it lists environments."""
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.write(f"{changing.envs_dir}/deleted\n{changing.directory}/no-such-disk/env\n# so\n")
    before = snapshot(changing.directory)
    done = changing.hardlinks("clean", *YES, *WIDEST, *options, check=False)
    assert done.returncode == 1
    assert f"{changing.directory}/no-such-disk/env" in done.stdout + done.stderr
    assert snapshot(changing.directory) == before


def test_a_clean_first_puts_back_or_finishes_the_remains_of_an_interrupted_run(changing):
    cache, quarantine = changing.pkgs_dir, f"{changing.pkgs_dir}/.conda-hardlinks"
    os.mkdir(quarantine, 0o700)
    os.rename(f"{cache}/library-1.0-0", f"{quarantine}/moving-r1-library-1.0-0")
    os.rename(f"{cache}/{FORGOTTEN}", f"{quarantine}/purge-r1-{FORGOTTEN}")
    text = changing.hardlinks("clean", "--dry-run", *NOW).stdout
    assert "1 package that an interrupted run moved aside will be put back first." in text
    assert "interrupted removal" in text
    planned = plan(changing)
    before = whole(changing)

    answer = clean(changing, *YES)

    assert answer["returned"] == [f"{cache}/library-1.0-0"]
    assert answer["removed"] == [f"{quarantine}/purge-r1-{FORGOTTEN}"]
    assert names(answer["remove"]) == names(planned["remove"]) == [FORGOTTEN]
    assert before - whole(changing) == planned["planned_bytes"] == answer["freed_bytes"]
    assert os.path.isdir(f"{cache}/library-1.0-0")
    assert set(os.listdir(quarantine)) <= {"lock"}
    assert restore(changing)["held"] == []


def test_an_environment_that_is_listed_twice_keeps_its_packages(changing):
    os.symlink("work", changing.prefix("also-work"))
    os.symlink(changing.envs_dir, f"{changing.directory}/other-way")
    search = ("--search", f"{changing.directory}/other-way/")
    read = read_through(changing.envs_dir)
    answer = clean(changing, *YES, "--unobtainable", *search)
    assert names(answer["remove"]) == [FORGOTTEN]
    assert read_through(changing.envs_dir) == read


def test_a_name_with_control_characters_is_escaped(changing):
    """Whoever names his environment so uses the package all the same."""
    prefix = make_prefix(f"{changing.envs_dir}/esc\x1b[31m\nred")
    os.symlink(f"{forgotten_in(changing)}/lib", f"{prefix}/lib")
    text = changing.hardlinks("clean", "--dry-run", "-v", *NOW).stdout
    assert "symbolic links in esc\\x1b[31m\\nred" in text
    assert all(line.isprintable() for line in text.splitlines())
    assert kept(plan(changing), FORGOTTEN)["environments"][0]["prefix"] == prefix


def test_two_concurrent_commands_both_succeed(changing):
    conda = os.path.join(changing.root_prefix, "bin", "conda")
    changing.remove("sharing")
    command = (conda, "hardlinks", "clean", "--yes", "--json", "--grace", "0", "--unobtainable")
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    env=changing.environ,
                    cwd=changing.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                )
            )
            for _ in range(2)
        ]
        reports = [json.loads(process.communicate()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    removed = [path for report in reports for path in report["removed"]]
    assert len(removed) == len(set(removed)) > 1
    planned = max(report["planned_bytes"] for report in reports)
    assert sum(report["freed_bytes"] for report in reports) == planned
    assert [path for path in removed if os.path.exists(path)] == []
