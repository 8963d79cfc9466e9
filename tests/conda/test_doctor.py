"""The checks of `conda doctor`, and what `--fix` does and leaves."""

from __future__ import annotations

import errno
import os
import shutil
import signal

import pytest
from conda.plugins.types import CondaHealthCheck

from conda_hardlink_plugin.analysis.edited_files import find_edited
from conda_hardlink_plugin.hooks.health_checks import health_checks
from conda_hardlink_plugin.hooks.health_checks.edited_files import NAME, _replace
from tests.conda.test_leases import waiting
from tests.conda.test_unreadable_paths import as_ordinary_user
from tests.support.conda_cleaning import ASKING
from tests.support.disk import snapshot
from tests.support.realconda.packages import PackageSpec, made_up, write_package
from tests.support.terminal_session import make_prefix
from tests.unit.analysis.test_edited_files import edit, replace

SOFTLINKS = "Symbolic links into package caches"
EDITED = "Shared files edited in place"
LIBRARY = "lib/liblibrary.so"
EDIT = b"edited in place\n"
YES = {"CONDA_ALWAYS_YES": "true"}

fixes = pytest.mark.skipif(
    "fixer" not in getattr(CondaHealthCheck, "__dataclass_fields__", {}),
    reason="conda doctor mends nothing before 26.1",
)


def said(done, check):
    """The lines that a check of ours prints."""
    assert "Error running" not in done.stderr
    lines = [line for line in done.stdout.splitlines() if line]
    first = next(index for index, line in enumerate(lines) if check in line)
    after = lines[first + 1 :]
    rest = next((n for n, line in enumerate(after) if not line.startswith("  ")), len(after))
    return [lines[first], *(line.strip() for line in after[:rest])]


def doctor(installation, name, *options, check=True, env=None):
    where = ("-p", name) if os.sep in name else ("-n", name)
    return installation.conda("doctor", *where, *options, check=check, env=env)


def fix(installation, name, *options, check=True, env=YES):
    return doctor(installation, name, "--fix", NAME, *options, check=check, env=env)


def content(path):
    with open(path, "rb") as file:
        return file.read()


def below(installation, name):
    """Every path in an environment."""
    return [
        os.path.join(directory, entry)
        for directory, folders, files in os.walk(installation.prefix(name))
        for entry in (*folders, *files)
    ]


# ---------------------------------------------------------------------------- symbolic links


@pytest.mark.parametrize("name", ["sharing", "base"])  # the softlinked one lies in base
def test_an_environment_without_links_into_a_cache_passes(installation, name):
    before = snapshot(installation.directory)
    done = doctor(installation, name)
    assert said(done, SOFTLINKS) == [f"✅ {SOFTLINKS}: none."]
    assert said(done, EDITED) == [f"✅ {EDITED}: none."]
    assert snapshot(installation.directory) == before


def test_links_with_existing_targets_pass_and_are_counted(installation):
    links = [
        path
        for path in below(installation, "softlinked")
        if os.path.islink(path) and os.path.realpath(path).startswith(installation.pkgs_dir)
    ]
    (line,) = said(doctor(installation, "softlinked"), SOFTLINKS)
    assert line == (
        f"✅ {SOFTLINKS}: {len(links)}, and all targets exist. `conda clean --packages` may"
        " remove them; `conda hardlinks clean` does not."
    )


def test_broken_links_are_named(changing):
    (before,) = said(doctor(changing, "softlinked"), SOFTLINKS)
    count = before.split()[6].rstrip(",")
    shutil.rmtree(f"{changing.pkgs_dir}/library-2.0-0")
    prefix = changing.prefix("softlinked")
    first, *paths, remedy = said(doctor(changing, "softlinked"), SOFTLINKS)
    assert first == f"❌ {SOFTLINKS}: 2 of {count} lead nowhere."
    assert sorted(paths) == [f"{prefix}/include/l.h", f"{prefix}/{LIBRARY}"]
    assert remedy == "Their targets were removed: install those packages again."


def test_links_that_cannot_be_followed_are_named_beside_broken_ones(changing, never_answering):
    prefix = changing.prefix("sharing")
    os.symlink(f"{never_answering.point}/data", f"{prefix}/data")
    os.symlink(f"{changing.pkgs_dir}/gone-1-0/f", f"{prefix}/f")
    done = doctor(changing, "sharing")
    assert said(done, SOFTLINKS)[:2] == [f"❌ {SOFTLINKS}: 1 of 1 lead nowhere.", f"{prefix}/f"]
    reason = "cannot be followed: its filesystem does not answer."
    assert f"❌ {SOFTLINKS}: {prefix}/data {reason}" in done.stdout.splitlines()


def test_the_suggested_remedy_works(changing):
    shutil.rmtree(f"{changing.pkgs_dir}/library-2.0-0")
    changing.conda(
        *("install", "-q", "-n", "softlinked", "--force-reinstall"),
        *(*changing.source_options, "library=2.0"),
        env={"CONDA_ALWAYS_SOFTLINK": "1"},
    )
    assert said(doctor(changing, "softlinked"), SOFTLINKS)[0].startswith("✅")


def test_verbose_names_all_broken_links(changing):
    prefix = make_prefix(f"{changing.directory}/unlisted")
    for number in range(8):
        os.symlink(f"{changing.pkgs_dir}/gone-1-0/{number}", f"{prefix}/{number}")
    first, *paths, more, _ = said(doctor(changing, prefix), SOFTLINKS)
    assert first == f"❌ {SOFTLINKS}: 8 of 8 lead nowhere."
    assert paths == [f"{prefix}/{number}" for number in range(5)]
    assert more == "... and 3 more links: -v shows all."
    _, *paths, _ = said(doctor(changing, prefix, "--verbose"), SOFTLINKS)
    assert paths == [f"{prefix}/{number}" for number in range(8)]


def test_a_name_with_control_characters_is_printed_with_escapes(changing):
    prefix = changing.prefix("sharing")
    os.symlink(f"{changing.pkgs_dir}/gone-1-0", f"{prefix}/a\x1b[31mb")
    done = doctor(changing, "sharing")
    assert f"{prefix}/a\\x1b[31mb" in said(done, SOFTLINKS)


def test_a_broken_link_that_does_not_lead_into_a_cache_is_ignored(changing):
    os.symlink("/nowhere", f"{changing.prefix('sharing')}/link")
    assert said(doctor(changing, "sharing"), SOFTLINKS) == [f"✅ {SOFTLINKS}: none."]


# ---------------------------------------------------------------------------- edited files


def test_an_edited_file_is_named_with_the_environments_that_share_it(changing):
    prefix, other = changing.prefix("work"), changing.prefix("sharing")
    edit(f"{prefix}/{LIBRARY}", EDIT)
    first, *rest = said(doctor(changing, "work"), EDITED)
    assert first == f"❌ {EDITED}: 1."
    assert rest[0] == f"{prefix}/{LIBRARY} of library-1.0-0; shared with {other}"
    assert rest[1].startswith("Every environment that shares the file has the edit")
    theirs = said(doctor(changing, "sharing"), EDITED)
    assert theirs[1] == f"{other}/{LIBRARY} of library-1.0-0; shared with {prefix}"


def test_an_edited_file_that_only_the_cache_shares_is_named(changing):
    prefix = changing.create("new", "forgotten")
    edit(f"{prefix}/lib/forgotten.bin", EDIT)
    _, named, *_ = said(doctor(changing, "new"), EDITED)
    assert named == (
        f"{prefix}/lib/forgotten.bin of forgotten-1.0-0; shared with no other environment at that"
        " path"
    )


def test_an_edit_of_a_private_file_is_not_named(changing):
    prefix = changing.prefix("work")
    edit(f"{prefix}/etc/placeholder.conf", EDIT)
    replace(f"{prefix}/{LIBRARY}", EDIT)
    assert said(doctor(changing, "work"), EDITED) == [f"✅ {EDITED}: none."]


def entry_module(prefix):
    """Where a file of a noarch Python package is: its path in the package is another one."""
    (path,) = (
        f"lib/{name}/site-packages/entry/module.py"
        for name in os.listdir(f"{prefix}/lib")
        if name.startswith("python")
    )
    return path


def test_a_file_of_a_noarch_package_is_found_and_softlinked_environments_have_the_edit(changing):
    prefix = changing.prefix("work")
    path = entry_module(prefix)
    edit(f"{prefix}/{path}", EDIT)
    _, named, *_ = said(doctor(changing, "work"), EDITED)
    softlinked = changing.prefix("softlinked")
    assert named == f"{prefix}/{path} of entry-1.0-0; shared with {softlinked}"
    assert content(f"{softlinked}/{path}") == EDIT


def test_a_malformed_record_is_named(changing):
    prefix = changing.prefix("sharing")
    record = f"{prefix}/conda-meta/self-linked-1.0-0.json"
    edit(record, b"{")
    lines = doctor(changing, "sharing").stdout.splitlines()
    (line,) = (line for line in lines if EDITED in line)
    assert line.startswith(f"❌ {EDITED}: {record} cannot be checked: not valid JSON")


def test_an_unreadable_file_is_named_and_the_others_are_checked(changing):
    prefix = changing.prefix("work")
    edit(f"{prefix}/{LIBRARY}", EDIT)
    os.chmod(f"{prefix}/include/l.h", 0)
    done = as_ordinary_user(changing, "conda", "doctor", "-n", "work")
    lines = [line for line in done.stdout.splitlines() if EDITED in line]
    assert lines == [
        f"❌ {EDITED}: 1.",
        f"❌ {EDITED}: {prefix}/include/l.h cannot be checked: permission denied.",
    ]


# ---------------------------------------------------------------------------- --fix


@fixes
def test_fix_makes_a_private_copy_and_the_other_environment_keeps_the_edit(changing):
    prefix, other = changing.prefix("work"), changing.prefix("sharing")
    package = f"{changing.pkgs_dir}/library-1.0-0"
    was = os.stat(f"{prefix}/{LIBRARY}")
    good = made_up(LIBRARY, 70_000, "library-1.0-0")
    assert content(f"{prefix}/{LIBRARY}") == good
    edit(f"{prefix}/{LIBRARY}", EDIT)
    before = snapshot(prefix).keys()

    done = fix(changing, "work")

    assert f"{LIBRARY}: replaced" in done.stdout
    assert content(f"{prefix}/{LIBRARY}") == good
    now = os.stat(f"{prefix}/{LIBRARY}")
    assert (now.st_nlink, now.st_mode) == (1, was.st_mode)
    assert content(f"{other}/{LIBRARY}") == content(f"{package}/{LIBRARY}") == EDIT
    assert os.stat(f"{other}/{LIBRARY}").st_nlink == was.st_nlink - 1
    assert snapshot(prefix).keys() == before
    assert os.listdir(changing.environ["TMPDIR"]) == []
    assert said(doctor(changing, "work"), EDITED) == [f"✅ {EDITED}: none."]
    assert said(doctor(changing, "sharing"), EDITED)[0] == f"❌ {EDITED}: 1."


@fixes
def test_fix_repairs_files_of_noarch_packages_and_keeps_their_modes(changing):
    prefix = changing.prefix("sharing")
    edit(f"{prefix}/bin/self", EDIT)
    work = changing.prefix("work")
    path = entry_module(work)
    good = content(f"{work}/{path}")
    edit(f"{work}/{path}", EDIT)
    fix(changing, "work")
    fix(changing, "sharing")
    assert content(f"{work}/{path}") == good
    for name in ("bin/self", "libexec/self-core/self", "libexec/self-core/self-add"):
        assert content(f"{prefix}/{name}") == made_up("bin/self", 50_000, "self-linked-1.0-0")
        assert os.access(f"{prefix}/{name}", os.X_OK)


@fixes
def test_fix_works_together_with_condas_own_fixes(changing):
    prefix, other = changing.prefix("work"), changing.prefix("sharing")
    edit(f"{prefix}/{LIBRARY}", EDIT)
    done = doctor(changing, "work", "--fix", "--yes", check=False, env=YES)
    assert f"{LIBRARY}: replaced" in done.stdout
    assert content(f"{prefix}/{LIBRARY}") == made_up(LIBRARY, 70_000, "library-1.0-0")
    assert content(f"{other}/{LIBRARY}") == EDIT


@fixes
@pytest.mark.parametrize("way", ["no", "end of input", "Ctrl-C"])
def test_nothing_changes_if_the_user_declines(changing, way):
    edit(f"{changing.prefix('work')}/{LIBRARY}", EDIT)
    before = snapshot(changing.root_prefix)
    with waiting(changing, "doctor", "-n", "work", "--fix", NAME) as process:
        if way == "Ctrl-C":
            process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(b"n\n" if way == "no" else b"")
    assert b"Traceback" not in printed
    assert b"replaced" not in printed
    assert snapshot(changing.root_prefix) == before


@fixes
def test_a_dry_run_lists_the_repairs_and_changes_nothing(changing):
    edit(f"{changing.prefix('work')}/{LIBRARY}", EDIT)
    before = snapshot(changing.root_prefix)
    done = fix(changing, "work", "--dry-run")
    assert f"  {changing.prefix('work')}/{LIBRARY} of library-1.0-0;" in done.stdout
    assert "replaced" not in done.stdout
    assert snapshot(changing.root_prefix) == before


@fixes
def test_fix_asks_nothing_if_no_file_is_edited(installation):
    before = snapshot(installation.root_prefix)
    done = fix(installation, "work", env=ASKING)
    assert done.stdout.count(f"{EDITED}: none.") == 2
    assert snapshot(installation.root_prefix) == before


@fixes
@pytest.mark.parametrize("way", ["gone", "broken", "cut off", "of different content"])
def test_without_a_good_archive_fix_says_what_to_do_and_repairs_the_others(changing, way):
    prefix, archive = changing.prefix("work"), f"{changing.pkgs_dir}/library-1.0-0.conda"
    for path in (LIBRARY, "lib/libplaceholder.so"):
        edit(f"{prefix}/{path}", EDIT)
    if way == "gone":
        os.unlink(archive)
    elif way == "broken":
        edit(archive, b"no archive\n")
    elif way == "cut off":
        os.truncate(archive, os.stat(archive).st_size // 2)
    else:
        os.unlink(archive)
        write_package(changing.pkgs_dir, PackageSpec("library", "1.0", files={LIBRARY: 70_001}))
    done = fix(changing, "work", check=False)
    assert done.returncode == 1
    assert content(f"{prefix}/{LIBRARY}") == EDIT
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(f"  {LIBRARY}: "))
    assert "reinstall it" in line
    assert "Error running" not in done.stderr
    assert content(f"{prefix}/lib/libplaceholder.so") != EDIT
    assert not [path for path in below(changing, "work") if ".hardlinks-" in path]


@fixes
def test_a_failed_write_is_reported_and_leaves_no_files(changing):
    prefix = changing.prefix("work")
    edit(f"{prefix}/{LIBRARY}", EDIT)
    os.chmod(f"{prefix}/lib", 0o555)
    try:
        command = ("conda", "doctor", "-n", "work", "--fix", NAME)
        done = as_ordinary_user(changing, *command, env=YES)
    finally:
        os.chmod(f"{prefix}/lib", 0o755)
    assert done.returncode == 1
    assert f"{LIBRARY}: permission denied" in done.stdout
    assert content(f"{prefix}/{LIBRARY}") == EDIT
    assert not [path for path in below(changing, "work") if ".hardlinks-" in path]


@fixes
def test_fix_prints_a_name_with_control_characters_with_escapes(changing):
    prefix = f"{changing.directory}/a\x1b[31mb"
    changing.conda("create", "-q", "-p", prefix, *changing.source_options, "library=1.0")
    edit(f"{prefix}/{LIBRARY}", EDIT)
    done = fix(changing, prefix)
    ours = [line for line in done.stdout.splitlines() if LIBRARY in line]
    assert not [line for line in ours if "\x1b" in line]
    assert any("a\\x1b[31mb" in line for line in ours)


@fixes
def test_conda_lists_the_checks_and_their_fixes(installation):
    listed = installation.conda("doctor", "--list").stdout
    (line,) = (line for line in listed.splitlines() if line.startswith(f"  {NAME}: "))
    assert "(fix: Gives this environment its own copies" in line


@fixes
def test_names_of_checks_have_no_spaces(installation):
    """As those of conda have: `missing-files`."""
    assert not {" "} & set("".join(check.name for check in health_checks()))


def test_a_full_disk_leaves_no_partial_file(changing, monkeypatch):
    prefix, path = changing.prefix("work"), f"{changing.prefix('work')}/{LIBRARY}"
    edit(path, EDIT)
    before = snapshot(prefix).keys()

    def half(source, target):
        target.write(source.read(1000))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", half)
    (edited,) = find_edited(prefix, [])
    assert _replace(prefix, edited) == "no space left on device"
    assert content(path) == EDIT
    assert snapshot(prefix).keys() == before
