"""Names in the quarantine: they hold all of its state, and no other name is accepted."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.metadata.quarantine_names import (
    QUARANTINE,
    QuarantineEntry,
    Stage,
    dist_of,
    entry_of,
    home_of,
)
from conda_hardlink_plugin.scan.inventory import UnitKind
from conda_hardlink_plugin.scan.scanner import scan
from tests.support.small_installation import SmallInstallation
from tests.support.trees import ODD_NAMES, cache_root, symlink, write

_parts = st.one_of(
    st.sampled_from(ODD_NAMES),
    st.binary(min_size=1, max_size=30)
    .filter(lambda part: not {0, ord("/")} & set(part) and part not in (b".", b".."))
    .map(os.fsdecode),
)
_relative = (
    st.lists(_parts, min_size=1, max_size=4)
    .filter(lambda parts: parts[0] != QUARANTINE)
    .map("/".join)
)
_entries = st.builds(
    lambda stage, run, relative, expires_s: QuarantineEntry(
        stage, run, relative, expires_s if stage is Stage.HELD else 0
    ),
    st.sampled_from(Stage),
    st.from_regex(r"[0-9A-Za-z_]{1,20}", fullmatch=True),
    _relative,
    st.integers(0, 10**12 - 1),
)


@given(_entries)
def test_an_entry_round_trips_through_its_name(entry):
    assert "/" not in entry.name
    assert entry.name.isascii()
    assert entry.name.isprintable()
    assert QuarantineEntry.of_name(entry.name) == entry


@given(_entries, st.sampled_from(["/pkgs", "/a b/\udcff", "/x/.conda-hardlinks"]))
def test_the_home_of_an_entry_is_its_original_path(entry, cache):
    path = f"{cache}/{QUARANTINE}/{entry.name}"
    assert entry_of(path) == entry
    assert home_of(path) == f"{cache}/{entry.relative}"


@given(_entries)
def test_two_entries_have_two_names(entry):
    others = {
        QuarantineEntry(Stage.MOVING, entry.run, entry.relative),
        QuarantineEntry(Stage.PURGE, entry.run, entry.relative),
        QuarantineEntry(Stage.HELD, entry.run, entry.relative, entry.expires_s),
        QuarantineEntry(Stage.HELD, entry.run, entry.relative, entry.expires_s + 1),
        QuarantineEntry(Stage.MOVING, f"{entry.run}0", entry.relative),
        QuarantineEntry(Stage.MOVING, entry.run, f"{entry.relative}0"),
    }
    assert len({other.name for other in others}) == len(others)


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("moving-r1-thing-1.0-h0_0", QuarantineEntry(Stage.MOVING, "r1", "thing-1.0-h0_0")),
        ("purge-r_1-https%2Fhost%2Fa-1-0", QuarantineEntry(Stage.PURGE, "r_1", "https/host/a-1-0")),
        ("held-1700000000-9-a.conda", QuarantineEntry(Stage.HELD, "9", "a.conda", 1_700_000_000)),
        ("held-0-9-a", QuarantineEntry(Stage.HELD, "9", "a", 0)),
        ("moving-r1-%0A%1B%FF", QuarantineEntry(Stage.MOVING, "r1", "\n\x1b\udcff")),
        (f"moving-r1-x%2F{QUARANTINE}", QuarantineEntry(Stage.MOVING, "r1", f"x/{QUARANTINE}")),
    ],
)
def test_a_name_gives_the_stage_the_run_and_the_path(name, entry):
    assert QuarantineEntry.of_name(name) == entry
    assert entry.name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lock",
        "thing-1-0",
        "moving",
        "moving-",
        "moving-r1",
        "moving-r1-",
        "moving--thing",
        "moved-r1-thing",
        "Moving-r1-thing",
        " moving-r1-thing",
        "moving-r1-thing\n",
        "moving-r 1-thing",
        "moving-rü-thing",
        "moving-1700000000-",
        "held-r1-thing",
        "held--r1-thing",
        "held-007-r1-thing",
        "held-٣-r1-thing",  # a digit, and none of ours
        "held-10000000000000000-r1-thing",
        "purge-r1-a/b",
        # said in another way than we would
        "moving-r1-a b",
        "moving-r1-%61",
        "moving-r1-a%2fb",
        "moving-r1-ü",
        "moving-r1-\udcff",
        "moving-r1-%",
        "moving-r1-a%2",
        # leads elsewhere
        "moving-r1-..",
        "moving-r1-.",
        "moving-r1-%2Fetc",
        "moving-r1-..%2Fenvs",
        "moving-r1-a%2F..%2F..%2Fenvs",
        "moving-r1-a%2F.%2Fb",
        "moving-r1-a%2F%2Fb",
        "moving-r1-a%2F",
        "moving-r1-a%00b",
        f"moving-r1-{QUARANTINE}",
        f"moving-r1-{QUARANTINE}%2Fpurge-r1-a",
    ],
)
def test_any_other_name_is_refused(name):
    assert QuarantineEntry.of_name(name) is None
    path = f"/pkgs/{QUARANTINE}/{name}"
    assert entry_of(path) is None
    assert home_of(path) == path


@given(st.text(max_size=30) | st.binary(max_size=30).map(os.fsdecode))
def test_every_entry_has_exactly_one_name(text):
    for stage in ("moving-r1-", "purge-r1-", "held-1-r1-", "held-"):
        name = f"{stage}{text}"
        entry = QuarantineEntry.of_name(name)
        if entry is not None:
            assert entry.name == name
            inside = os.path.normpath(f"/pkgs/{entry.relative}")
            assert inside == f"/pkgs/{entry.relative}"


@pytest.mark.parametrize(
    "path",
    ["/pkgs/thing-1-0", "/pkgs/moving-r1-thing-1-0", "/pkgs/quarantine/moving-r1-thing-1-0", "/"],
)
def test_a_path_outside_the_quarantine_is_its_own_home(path):
    assert entry_of(path) is None
    assert home_of(path) == path


def test_any_file_name_can_be_quarantined():
    names = [f"moving-r1-{name}" for name in ODD_NAMES]
    with tempfile.TemporaryDirectory() as cache:
        for name in names:
            write(f"{cache}/{QUARANTINE}/{name}")
        units = scan([cache_root(cache)]).units
    ours = [unit.path for unit in units if unit.kind is UnitKind.QUARANTINED]
    assert ours == [f"{cache}/{QUARANTINE}/moving-r1--rf"]


@pytest.mark.parametrize(
    ("stage", "expires_s", "now_ns", "expired"),
    [
        (Stage.HELD, 10, 9_999_999_999, False),
        (Stage.HELD, 10, 10_000_000_000, True),
        (Stage.HELD, 0, 1, True),
        (Stage.MOVING, 0, 1, False),
        (Stage.PURGE, 0, 1, False),
    ],
)
def test_only_held_entries_expire(stage, expires_s, now_ns, expired):
    assert QuarantineEntry(stage, "r1", "a", expires_s).has_expired(now_ns) is expired


@pytest.fixture
def made(tmp_path):
    return SmallInstallation(str(tmp_path))


def move(made, path, run="r1"):
    """Move a package to the quarantine as a clean does; return its path there."""
    cache = made.caches[0]
    entry = QuarantineEntry(Stage.MOVING, run, os.path.relpath(path, cache))
    os.makedirs(f"{cache}/{QUARANTINE}", exist_ok=True)
    os.rename(path, f"{cache}/{QUARANTINE}/{entry.name}")
    return f"{cache}/{QUARANTINE}/{entry.name}"


@pytest.mark.parametrize("name", ["thing-1-0", "https/host/linux-64/thing-1-0"])
@pytest.mark.parametrize(
    ("use", "verdict"),
    [
        ("hardlink", "linked"),
        ("softlink", "softlinked"),
        ("copy", "recorded"),
        ("outside", "linked"),
        ("archive", "unused"),
        ("lock", "unused"),
        ("nothing", "unobtainable"),
        ("unfinished", "unused"),  # for more than a day
        ("unreadable", "unverifiable"),
    ],
)
def test_a_quarantined_package_is_judged_by_its_original_path(made, name, use, verdict):
    home = made.package(name, {"lib/a": b"a"})
    record = f"{home}/info/repodata_record.json"
    write(record, b"{" if use == "unreadable" else b"{}")
    if use in ("lock", "unfinished"):
        os.unlink(record)
    if use in ("archive", "lock", "unfinished"):
        write(f"{home}.conda")
    if use == "lock":
        write(f"{home}.lock")
    if use == "outside":
        os.link(f"{home}/lib/a", f"{made.directory}/unseen")
    if use in ("hardlink", "softlink", "copy"):
        made.install(made.environment("env"), home, use)
    assert made.verdicts() == {f"pkgs/{name}": verdict}
    moved = move(made, home)
    assert made.verdicts() == {os.path.relpath(moved, made.directory): verdict}
    # Nothing less is known of it than of one that somebody put in its place meanwhile.
    os.rename(moved, home)
    assert made.verdicts() == {f"pkgs/{name}": verdict}


def test_a_package_at_the_original_path_of_a_quarantined_one_is_judged_by_itself(made):
    moved = move(made, made.package("thing-1-0", {"lib/a": b"a"}))
    home = made.package("thing-1-0", {"lib/a": b"a"})
    symlink(f"{home}/lib/a", f"{made.environment('env')}/lib/a")
    assert made.verdicts() == {
        "pkgs/thing-1-0": "softlinked",
        os.path.relpath(moved, made.directory): "unused",
    }


@pytest.mark.parametrize("stage", [Stage.PURGE, Stage.HELD])
def test_purged_and_held_entries_are_not_packages(made, stage):
    home = made.package("thing-1-0", {"lib/a": b"a"})
    made.package("other-1-0", {})
    made.install(made.environment("env"), home)
    entry = QuarantineEntry(stage, "r1", "thing-1-0", 99 if stage is Stage.HELD else 0)
    os.rename(move(made, home), f"{made.caches[0]}/{QUARANTINE}/{entry.name}")
    assert made.verdicts() == {"pkgs/other-1-0": "unused"}


@pytest.mark.parametrize(
    ("directory", "dist"),
    [
        ("/pkgs/thing-1.0-h0_0", "thing-1.0-h0_0"),
        (f"/pkgs/thing-1.0-h0_0-{'0a' * 32}", "thing-1.0-h0_0"),
        (f"/pkgs/thing-1.0-{'0a' * 31}", f"thing-1.0-{'0a' * 31}"),
        ("/pkgs/.conda-hardlinks/moving-r1-https%2Fhost%2Fthing-1.0-h0_0", "thing-1.0-h0_0"),
        (f"/pkgs/.conda-hardlinks/moving-r1-thing-1.0-h0_0-{'0a' * 32}", "thing-1.0-h0_0"),
        ("/pkgs/elsewhere/moving-r1-thing-1.0-h0_0", "moving-r1-thing-1.0-h0_0"),
    ],
)
def test_the_dist_of_a_package_is_its_original_name_without_rattlers_suffix(directory, dist):
    assert dist_of(directory) == dist
