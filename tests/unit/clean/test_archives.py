"""Which archives may be removed: whether they can be downloaded again, and who needs them."""

from __future__ import annotations

import json
import os

import pytest

from conda_hardlink_plugin.analysis.verdicts import Verdict
from conda_hardlink_plugin.clean.archives import Archives
from conda_hardlink_plugin.filesystem.problems import PathProblem
from tests.support.circumstances import Circumstances, analysis_of
from tests.support.small_installation import SmallInstallation
from tests.support.trees import write

LATER_NS = 2**62
URL = "https://made.up/noarch"
LOST = (Verdict.UNOBTAINABLE, "cannot be downloaded again: no http(s) URL is known")
NOT_EXTRACTED = (Verdict.RECORDED, "its package is in an environment and not extracted here")


@pytest.fixture
def made(tmp_path):
    made = SmallInstallation(str(tmp_path))
    made.package("other-1-0", {})
    return made


@pytest.fixture
def cache(made):
    return made.caches[0]


def archive(cache, name="p-1-0.conda"):
    return write(f"{cache}/{name}", b"archive")


def urls(cache, *lines):
    write(f"{cache}/urls.txt", "".join(f"{line}\n" for line in lines).encode())


def judged(made, path, *, allowed=(), now_ns=LATER_NS, grace_ns=0, unseen=()):
    circumstances = Circumstances(now_ns=now_ns, grace_ns=grace_ns, unseen=unseen)
    analysis = analysis_of(made.scan(), made.names(), circumstances)
    kept = Archives(analysis).reason_to_keep(path, allowed)
    return None if kept is None else (kept.verdict, kept.reason)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ([f"{URL}/p-1-0.conda"], None),
        (["http://made.up/p-1-0.conda"], None),
        (["file:///made/up/p-1-0.conda"], LOST),
        (["s3://made.up/p-1-0.conda"], LOST),
        ([f"{URL}/p-1-0.tar.bz2"], LOST),
        ([f"{URL}/pp-1-0.conda", f"{URL}/p-1-0.conda.partial"], LOST),
        (["file:///made/up/p-1-0.conda", f"{URL}/p-1-0.conda"], None),
        ([f"{URL}/p-1-0.conda", "file:///made/up/p-1-0.conda"], LOST),
        ([f"<unknown> {URL}/p-1-0.conda"], None),
        (["", "# nothing", "\udcff"], LOST),
        ([], LOST),
    ],
)
def test_the_last_line_for_an_archive_in_urls_txt_is_its_url(made, cache, lines, kept):
    path = archive(cache)
    text = "".join(f"{line}\n" for line in lines)
    write(f"{cache}/urls.txt", text.encode(errors="surrogateescape"))
    assert judged(made, path) == kept
    assert judged(made, path, allowed={Verdict.UNOBTAINABLE}) is None


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (f"{URL}/p-1-0.conda", None),
        (f"{URL}/p-1-0.tar.bz2", LOST),  # the URL of its other archive
        (f"{URL}/xp-1-0.conda", LOST),
        ("file:///made/up/p-1-0.conda", LOST),
        ("", LOST),
    ],
)
def test_the_extracted_package_names_the_url_of_its_archive(made, cache, url, kept):
    path = archive(cache)
    package = made.package("p-1-0", {})
    write(f"{package}/info/repodata_record.json", json.dumps({"url": url}).encode())
    assert judged(made, path) == kept


def test_each_archive_of_a_package_is_judged_by_its_own_url(made, cache):
    conda, bz2 = archive(cache), archive(cache, "p-1-0.tar.bz2")
    urls(cache, f"{URL}/p-1-0.tar.bz2")
    assert judged(made, conda) == LOST
    assert judged(made, bz2) is None


def test_urls_txt_is_read_from_the_folder_of_the_archive(made, cache):
    nested = archive(f"{cache}/https/made.up/noarch")
    urls(cache, f"{URL}/p-1-0.conda")
    assert judged(made, nested) == LOST
    urls(f"{cache}/https/made.up/noarch", f"{URL}/p-1-0.conda")
    assert judged(made, nested) is None


def test_a_urls_txt_that_cannot_be_read_counts_as_empty(made, cache):
    path = archive(cache)
    os.mkfifo(f"{cache}/urls.txt")
    assert judged(made, path) == LOST


@pytest.mark.parametrize("name", ["p-1-0.conda", "p-1-0.tar.bz2"])
def test_a_recorded_package_needs_its_archive_unless_it_is_extracted(made, cache, name):
    path = archive(cache, name)
    urls(cache, f"{URL}/{name}")
    assert judged(made, path) is None  # no environment has it
    made.record(made.environment("env"), "p-1-0", {})
    assert judged(made, path) == NOT_EXTRACTED
    assert judged(made, path, allowed={Verdict.UNOBTAINABLE, Verdict.RECORDED}) == NOT_EXTRACTED
    package = made.package("p-1-0", {})
    assert judged(made, path) is None
    os.rename(package, f"{cache}/elsewhere-1-0")
    assert judged(made, path) == NOT_EXTRACTED


def test_an_unreadable_environment_keeps_archives_without_an_extracted_package(made, cache):
    path = archive(cache)
    urls(cache, f"{URL}/p-1-0.conda")
    unseen = (PathProblem("/disk/env", "it is not mounted"), PathProblem("/disk/b", "nor this"))
    kept = (Verdict.UNVERIFIABLE, "/disk/env: it is not mounted")
    assert judged(made, path, unseen=unseen) == kept
    made.package("p-1-0", {})
    assert judged(made, path, unseen=unseen) is None


def test_a_partial_package_does_not_replace_its_archive(made, cache):
    path = archive(cache)
    urls(cache, f"{URL}/p-1-0.conda")
    package = made.package("p-1-0", {})
    write(f"{package}/info/repodata_record.json", b"{")
    verdict, reason = judged(made, path)
    assert verdict is Verdict.UNVERIFIABLE
    assert reason.startswith(f"{package}/info/repodata_record.json: not valid JSON")


def test_the_grace_of_an_archive_is_exact_to_the_nanosecond(made, cache):
    path = archive(cache)
    urls(cache, f"{URL}/p-1-0.conda")
    changed_ns = os.lstat(path).st_ctime_ns
    young = (Verdict.RECENT, "it changed a moment ago")
    assert judged(made, path, now_ns=changed_ns + 99, grace_ns=100) == young
    assert judged(made, path, now_ns=changed_ns + 100, grace_ns=100) is None
    assert judged(made, path, now_ns=changed_ns, grace_ns=0) is None
    # A clock that is set back makes nothing older.
    assert judged(made, path, now_ns=changed_ns - 1, grace_ns=1) == young


def test_an_archive_that_cannot_be_read_is_kept(made, cache):
    path = archive(cache)
    os.unlink(path)
    assert judged(made, path) == (Verdict.UNVERIFIABLE, "no such file or directory")
