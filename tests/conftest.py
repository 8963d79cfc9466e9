"""Cuts the suite off from the machine's own conda, and builds a real installation to test on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec

import hypothesis
import pytest

from tests.support import scanning
from tests.support.realconda import warm
from tests.support.realconda.copying import copy_in_place, forget_reports
from tests.support.realconda.finder import other_conda_origin
from tests.support.realconda.installation import Installation

# The variables by which conda, or a program beside it, would find what is the user's.
_PREFIXES = ("CONDA", "_CE_", "_CONDA", "MAMBA", "XDG_", "PIP_")
_NAMES = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
# The files that take longest, the longest first: begun last, they keep all others waiting.
_LONGEST = (
    "conda/test_demo.py",
    "conda/test_transaction_faults.py",
    "clean_safety/test_mutants.py",
    "clean_safety/test_model.py",
    "clean_safety/test_crash.py",
    "conda/test_recipe.py",
    "docs/test_site.py",
    "conda/test_html.py",
    "property/test_usage.py",
    "scan/test_walker.py",
)
# The files of which one process runs all tests: each process would build what they share.
_KEPT_TOGETHER = (
    *("conda/test_demo.py", "conda/test_transaction_faults.py", "conda/test_recipe.py"),
    *("conda/test_clean_race.py", "conda/test_html.py", "docs/test_site.py"),
)

# What a test needs that is skipped, by what its reason has in it.
_NEEDS = {
    "chromium": "need chromium and chromedriver",
    "mount|FUSE|second filesystem": "need the right to mount a filesystem",
    "administrator|root": "need an administrator",
    r"before (25|26)\.": "need a newer conda",
    "there is no (mkfs.btrfs|mkfs.ext4|ncdu)": "need btrfs-progs, e2fsprogs or ncdu",
}

hypothesis.settings.register_profile("suite", deadline=None, max_examples=60, print_blob=True)
hypothesis.settings.load_profile("suite")
pytest.register_assert_rewrite("tests.support.model_checks")  # so that it says what differs


def pytest_configure(config):
    """Isolate this process before any test module, and with it conda, is imported."""
    spec = find_spec("conda")
    if spec is None or spec.origin is None:  # a folder called conda is none
        raise pytest.UsageError(
            f"{sys.executable} cannot import conda: run `make setup`, which gives .venv the bundled"
            " one, or use the interpreter of a conda installation."
        )
    nobodys_home = tempfile.TemporaryDirectory(prefix="nobodys-home-")
    config.add_cleanup(nobodys_home.cleanup)
    for name in _not_for_tests():
        del os.environ[name]
    os.environ["HOME"] = nobodys_home.name
    # A shell has its background jobs ignore Ctrl-C, and what they start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warm.enable()
    config.add_cleanup(warm.disable)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give out each test by itself, but those of some files to one process."""
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415  # only where it is installed

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return path if path.endswith(_KEPT_TOGETHER) else nodeid

    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get("/".join(item.path.parts[-2:]), len(places)))


def pytest_report_header():
    """Say which conda is tested and which du is believed."""
    from conda import __version__  # noqa: PLC0415  # isolated first

    origin = other_conda_origin()
    whose = "of this interpreter" if origin else "bundled in conda-lock"
    du = subprocess.run(["du", "--version"], check=True, capture_output=True, text=True)
    return [f"conda: {__version__}, {whose}", f"du: {du.stdout.splitlines()[0]}"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    """Count in one sentence what could not be run here, and why; below it is pytest's last line."""
    yield
    skipped = terminalreporter.stats.get("skipped", ())
    why = Counter(_need_of(report.longrepr[2].removeprefix("Skipped: ")) for report in skipped)
    if why:
        counted = "; ".join(f"{number} {need}" for need, number in why.most_common())
        terminalreporter.write_line(f"NOT RUN HERE (tests): {counted}", yellow=True)


def _need_of(reason):
    needs = (need for pattern, need in _NEEDS.items() if re.search(pattern, reason))
    return next(needs, f"({reason})")


def _not_for_tests():
    return [name for name in os.environ if name.startswith(_PREFIXES) or name in _NAMES]


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory, monkeypatch):
    """A HOME of its own for every test, and nothing of the user's configuration."""
    for name in _not_for_tests():
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(params=scanning.Way, ids=lambda way: way.value, scope="module")
def each_way(request):
    """In which way `tests.support.scanning.scan` finds out what there is."""
    scanning.use(request.param)
    yield request.param
    scanning.use(scanning.Way.PYTHON)


@pytest.fixture(params=["python", "native"], scope="module")
def each_reader(request):
    """By which reader `conda_hardlink_plugin.scan.scanner.scan` reads and checks the index."""
    with scanning.reader(request.param):
        yield request.param


@pytest.fixture(params=scanning.READING, ids=lambda way: way.value, scope="module")
def each_reading(request):
    """In which way `tests.support.scanning.scan` reads, without an index."""
    scanning.use(request.param)
    yield request.param
    scanning.use(scanning.Way.PYTHON)


@pytest.fixture
def utc(monkeypatch):
    """Have the local time be that of Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="session")
def channel(tmp_path_factory):
    """The URL of a channel with the sample packages, and one that is removed again."""
    # Not above: who has no conda has not what these import either, and is to be told of conda.
    from tests.support.realconda.packages import PackageSpec, write_channel  # noqa: PLC0415
    from tests.support.realconda.samples import samples  # noqa: PLC0415

    forgotten = PackageSpec("forgotten", files={"lib/forgotten.bin": 40_000})
    return write_channel(str(tmp_path_factory.mktemp("channel")), (*samples(), forgotten))


@pytest.fixture(scope="session")
def installation(tmp_path_factory, channel):
    """A real installation, built once, to read only.

    `work` and `sharing` have packages in common, `work` has files of pip, `softlinked` consists of
    symbolic links into the cache, and `forgotten` is a package in the cache that nobody uses.
    """
    from tests.support.realconda.wheels import write_wheel  # noqa: PLC0415  # as above

    directory = str(tmp_path_factory.mktemp("installation") / "i")
    made = Installation.new(directory, (channel,))
    made.create("removed", "forgotten")
    made.remove("removed")
    packages = ("python", "entry", "placeholder", "library=1.0", "all-placeholder", "odd-names")
    made.create("work", *packages, "symlinked")
    made.create("sharing", "library=1.0", "metapackage", "self-linked", "symlinked")
    soft = {"CONDA_ALWAYS_SOFTLINK": "1"}
    packages = ("python", "entry", "all-placeholder", "library=2.0", "self-linked")
    made.create("softlinked", *packages, env=soft)
    files = {"piped/__init__.py": "", "piped/data.bin": 30_000, "piped/module.py": 5_000}
    wheel = write_wheel(str(tmp_path_factory.mktemp("wheels")), "piped", "1.0", files)
    made.pip_install("work", wheel)
    return made


@pytest.fixture
def changing(installation):
    """The installation for a test that changes it: a copy stands in its place meanwhile.

    At the same path, which symbolic links and records have in them. No report was made of it yet.
    """
    with copy_in_place(installation.directory):
        forget_reports(installation.directory)
        yield installation


@pytest.fixture(scope="session")
def place_of_empty(tmp_path_factory):
    """Where each `empty` is in turn, so that one process that has imported conda serves all."""
    return str(tmp_path_factory.mktemp("empty") / "i")


@pytest.fixture
def empty(place_of_empty, channel):
    """An installation with nothing in it."""
    yield Installation.new(place_of_empty, (channel,))
    subprocess.run(["rm", "-rf", place_of_empty], check=True)


@dataclass(frozen=True)
class NeverAnswering:
    """Where a filesystem is mounted of which nobody answers, and who is asked."""

    point: str
    requests: int

    def leave_to_others(self):
        """Have a child not be the one that it waits for."""
        os.close(self.requests)


@pytest.fixture
def never_answering(tmp_path):
    """Mount a filesystem of which nobody answers what it is asked, as of a server that is gone."""
    point = f"{tmp_path}/never"
    os.mkdir(point)
    try:
        requests = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no FUSE here: {error.strerror}")
    options = f"fd={requests},rootmode=40000,user_id=0,group_id=0,allow_other"
    mount = ["mount", "-i", "-t", "fuse", "-o", options, "never", point]
    done = subprocess.run(mount, check=False, capture_output=True, text=True, pass_fds=[requests])
    if done.returncode != 0:
        os.close(requests)
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    yield NeverAnswering(point, requests)
    os.close(requests)  # by that who waits gets an error
    subprocess.run(["umount", "--lazy", point], check=True)
