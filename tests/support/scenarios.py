"""Small installations to clean, one for each way in which an interrupted clean may go wrong."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conda_hardlink_plugin.clean.trial_links import find_trial_links
from conda_hardlink_plugin.executor.restore import Restored, restore
from tests.support.cleaning import clean
from tests.support.small_installation import SmallInstallation
from tests.support.trees import QUARANTINE, link, symlink, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from conda_hardlink_plugin.executor.outcome import Outcome

    Make = Callable[[SmallInstallation], None]

FAR_AWAY_S = 4_000_000_000  # 2096
LONG_AGO_S = 1_000_000_000  # 2001


@dataclass(frozen=True)
class Scenario:
    """An installation and how it is cleaned.

    Attributes:
        make: Creates the installation.
        leaves: The names of what is left in the end; with `held:` what can be restored.
        choice: The options of the clean.
        hold: Hold what is removed.
        run: The run to restore, instead of a clean.
    """

    make: Make
    leaves: frozenset[str] = frozenset()
    choice: Mapping[str, object] = field(default_factory=dict)
    hold: bool = False
    run: str = ""

    def made(self, directory: str) -> SmallInstallation:
        """Create the installation in a directory, and replace what is there."""
        wipe(directory)
        made = SmallInstallation(directory)
        self.make(made)
        return made

    def execute_plan(self, made: SmallInstallation) -> Outcome | Restored:
        """Clean the installation, or restore what is held."""
        if not self.run:
            trial_links = (
                find_trial_links(made.prefixes, time.time_ns(), 0) if "trash" in self.choice else ()
            )
            until_s = FAR_AWAY_S if self.hold else None
            return clean(made, hold_until_s=until_s, trial_links=trial_links, **self.choice)
        restored = Restored()
        for cache in made.caches:
            restore(cache, self.run, restored)
        return restored


@contextmanager
def quick_directory(directory: str) -> Iterator[str]:
    """Yield a directory to create scenarios in: in memory, if possible."""
    memory = "/dev/shm"
    if not os.access(memory, os.W_OK):
        yield f"{directory}/i"
        return
    with tempfile.TemporaryDirectory(dir=memory) as quick:
        yield f"{quick}/i"


def wipe(directory: str) -> None:
    """Remove a directory and everything below it, if it exists."""
    for folder, _, _ in os.walk(directory):
        os.chmod(folder, 0o700)
    shutil.rmtree(directory, ignore_errors=True)


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    leaves: str, *, hold: bool = False, run: str = "", **choice: object
) -> Callable[[Make], Make]:
    """Register a function that creates an installation as the scenario of its name.

    Args:
        leaves: The names for `Scenario.leaves`, separated by spaces; `work` for those of `_work`.
        hold: As in `Scenario`.
        run: As in `Scenario`.
        **choice: As in `Scenario`.

    """
    names = frozenset(leaves.replace("work", "used-1-0 copied-1-0").split())

    def register(make: Make) -> Make:
        SCENARIOS[make.__name__] = Scenario(make, names, choice, hold, run)
        return make

    return register


def _files(*names: str) -> dict[str, bytes]:
    return {name: name.encode() * 300 for name in names}


def _work(made: SmallInstallation, cache: str = "pkgs") -> str:
    """Make an environment of a linked package and a copied one; return its prefix."""
    prefix = made.environment("work")
    files = _files("lib/used", "bin/tool", "empty") | {"empty": b""}
    made.install(prefix, made.package("used-1-0", files, cache))
    made.install(prefix, made.package("copied-1-0", _files("share/copied"), cache), "copy")
    symlink("../lib/used", f"{prefix}/bin/alias")
    return prefix


def _aside(made: SmallInstallation, dist: str, stage: str, *, cache: str = "pkgs") -> str:
    """Move a package, created if missing, to the quarantine; return its path there."""
    path = f"{made.directory}/{cache}/{dist}"
    if not os.path.isdir(path):
        made.package(dist, _files("lib/aside", "lib/deep/aside"), cache)
    quarantine = f"{made.directory}/{cache}/{QUARANTINE}"
    os.makedirs(quarantine, 0o700, exist_ok=True)
    moved = f"{quarantine}/{stage}-r1-{dist.replace('/', '%2F')}"
    os.rename(path, moved)
    return moved


@scenario("work")
def several_packages_in_a_cache(made: SmallInstallation) -> None:
    _work(made)
    made.package("one-1-0", _files("lib/a", "lib/sub/b", "empty"))
    path = made.package("two-2-0", _files("lib/read-only/c", "lib/ünïcödé"))
    symlink("../lib/read-only/c", f"{path}/lib/inside")
    symlink("/nowhere", f"{path}/lib/nowhere")
    os.chmod(f"{path}/lib/read-only", 0o555)
    made.package("meta-1-0", {})
    write(f"{made.directory}/pkgs/urls.txt", b"https://made.up/\n")


@scenario("work other-1-0")
def two_caches(made: SmallInstallation) -> None:
    prefix = _work(made)
    made.package("one-1-0", _files("lib/a"))
    made.package("one-1-0", _files("lib/a"), cache="more/pkgs")
    made.install(prefix, made.package("other-1-0", _files("lib/other"), cache="more/pkgs"))


@scenario("work")
def packages_linked_to_each_other(made: SmallInstallation) -> None:
    _work(made)
    one = made.package("one-1-0", _files("lib/a", "lib/b"))
    link(f"{one}/lib/a", f"{made.package('two-1-0', _files('lib/own'))}/lib/a")
    link(f"{one}/lib/b", f"{made.package('three-1-0', {}, cache='more/pkgs')}/lib/b")


@scenario("work held:one-1-0 held:two-1-0 held:three-1-0", hold=True)
def packages_linked_to_each_other_are_held(made: SmallInstallation) -> None:
    packages_linked_to_each_other(made)


@scenario("work used-links-1-0")
def linked_to_itself(made: SmallInstallation) -> None:
    prefix = _work(made)
    for dist in ("unused-links-1-0", "used-links-1-0"):
        path = made.package(dist, _files(f"lib/{dist}"))
        link(f"{path}/lib/{dist}", f"{path}/lib/{dist}-again")
    made.install(prefix, path)


@scenario("soft-1-0 folder-1-0 hop-1-0")
def softlinked_environment(made: SmallInstallation) -> None:
    prefix = made.environment("soft")
    made.install(prefix, made.package("soft-1-0", _files("lib/soft", "bin/soft")), "softlink")
    symlink(f"{made.package('folder-1-0', _files('share/x/y'))}/share", f"{prefix}/share")
    hop = symlink(f"{made.package('hop-1-0', _files('hop'))}/hop", f"{made.directory}/elsewhere")
    symlink(hop, f"{prefix}/hop")
    made.package("unused-1-0", _files("lib/soft", "bin/soft"))


@scenario(
    "work held:one-1-0 held:two-1-0 held:used-1-0.conda held:old.c~",
    hold=True,
    tarballs=True,
    trash=True,
)
def kept_for_a_while(made: SmallInstallation) -> None:
    _work(made)
    made.package("one-1-0", _files("lib/a"))
    made.package("two-1-0", _files("lib/b"))
    cache = f"{made.directory}/pkgs"
    write(f"{cache}/used-1-0.conda", b"archive")
    write(f"{cache}/urls.txt", b"https://made.up/used-1-0.conda\n")
    write(f"{cache}/old.c~", b"left over")


@scenario("work held:one-1-0 held:before-1-0", hold=True)
def kept_for_a_while_again(made: SmallInstallation) -> None:
    _work(made)
    made.package("one-1-0", _files("lib/a"))
    _aside(made, "before-1-0", f"held-{FAR_AWAY_S}")


@scenario("work held:new-1-0")
def kept_no_longer(made: SmallInstallation) -> None:
    _work(made)
    _aside(made, "old-1-0", f"held-{LONG_AGO_S}")
    _aside(made, "new-1-0", f"held-{FAR_AWAY_S}")
    made.package("old-1-0", _files("lib/again"))


@scenario("work only-1-0.conda", tarballs=True)
def tarballs(made: SmallInstallation) -> None:
    _work(made)
    made.package("one-1-0", _files("lib/a"))
    cache = f"{made.directory}/pkgs"
    names = ("used-1-0.conda", "one-1-0.tar.bz2", "nowhere-1-0.conda", "only-1-0.conda")
    for name in names:
        write(f"{cache}/{name}", name.encode())
    urls = [f"https://made.up/{name}\n" for name in names if not name.startswith("only")]
    write(f"{cache}/urls.txt", "".join(urls).encode())


@scenario("work", trash=True)
def trash(made: SmallInstallation) -> None:
    prefix = _work(made)
    cache = f"{made.directory}/pkgs"
    link(f"{cache}/used-1-0/lib/used", f"{cache}/.trash/lib/old")
    write(f"{cache}/.trash/deep/er", b"trash")
    write(f"{cache}/gone-1-0.conda.c~", b"trash")
    link(f"{cache}/used-1-0/info/index.json", f"{prefix}/.tmp.index.json.0123abcd")


@scenario("work wanted-1-0")
def left_by_an_earlier_crash(made: SmallInstallation) -> None:
    prefix = _work(made)
    _aside(made, "moved-1-0", "moving")
    made.install(prefix, made.package("wanted-1-0", _files("lib/wanted")))
    _aside(made, "wanted-1-0", "moving")
    shutil.rmtree(f"{_aside(made, 'torn-1-0', 'purge')}/lib/deep")
    made.package("torn-1-0", _files("lib/again"))
    write(f"{made.directory}/pkgs/{QUARANTINE}/purge-deep_0a-deep/rest/of", b"it")
    made.package("one-1-0", _files("lib/a"))


@scenario("work again-1-0")
def extracted_again_while_moved_aside(made: SmallInstallation) -> None:
    prefix = _work(made)
    for dist in ("again-1-0", "unused-1-0"):
        _aside(made, dist, "moving")
        again = made.package(dist, _files("lib/aside", "lib/deep/aside"))
        if dist == "again-1-0":
            made.install(prefix, again)


@scenario("used-1-0")
def nested_layout(made: SmallInstallation) -> None:
    prefix = made.environment("work")
    channel = "https/conda.anaconda.org/conda-forge/noarch"
    made.install(prefix, made.package(f"{channel}/used-1-0", _files("lib/used")))
    made.package(f"{channel}/one-1-0", _files("lib/a"))
    made.package("https/repo.prefix.dev/other/noarch/one-1-0", _files("lib/a"))
    _aside(made, f"{channel}/moved-1-0", "moving")


@scenario("")
def deep_folders(made: SmallInstallation) -> None:
    made.package("deep-1-0", {"d/" * 103 + "file": b"deep", "d/" * 101 + "e/file": b"too"})


@scenario("work one-1-0 two-1-0 nested-1-0 used-1-0.conda", run="r1")
def brought_back(made: SmallInstallation) -> None:
    _work(made)
    for dist in ("one-1-0", "two-1-0"):
        _aside(made, dist, f"held-{FAR_AWAY_S}")
    _aside(made, "other/nested-1-0", f"held-{FAR_AWAY_S}")
    os.makedirs(f"{made.directory}/pkgs/other", exist_ok=True)
    write(f"{made.directory}/pkgs/{QUARANTINE}/held-{FAR_AWAY_S}-r1-used-1-0.conda", b"archive")


@scenario(
    "work other-1-0 soft-1-0 folder-1-0 hop-1-0 outside-1-0 unfinished-1-0 unobtainable-1-0"
    " broken-1-0 torn-1-0.conda meant-1-0 holder-1-0",
    tarballs=True,
    trash=True,
)
def everything_at_once(made: SmallInstallation) -> None:
    several_packages_in_a_cache(made)
    softlinked_environment(made)
    cache, prefix = f"{made.directory}/pkgs", made.prefixes[0]
    made.package("one-1-0", _files("lib/a"), cache="more/pkgs")
    made.install(prefix, made.package("other-1-0", _files("lib/other"), cache="more/pkgs"))
    _one_of_every_reason_to_keep(made)
    inner = {
        "share/old.c~": b"c",
        "share/inner-1-0.conda": b"i",
        "share/in-1-0/info/index.json": b"{}",
    }
    made.install(prefix, made.package("holder-1-0", inner))
    archives = ("torn-1-0.conda", "used-1-0.conda", "one-1-0.conda", "copied-1-0.tar.bz2")
    for name in archives:
        write(f"{cache}/{name}", b"archive")
    urls = "".join(f"https://made.up/{name}\n" for name in archives)
    write(f"{cache}/urls.txt", urls.encode())
    write(f"{cache}/holder-1-0/share/urls.txt", b"https://made.up/inner-1-0.conda\n")
    write(f"{cache}/old.c~", b"left over")
    _aside(made, "moved-1-0", "moving")
    symlink(f"{cache}/meant-1-0/lib/aside", f"{prefix}/aside")
    _aside(made, "meant-1-0", "moving")
    _aside(made, "torn-2-0", "purge")


def _one_of_every_reason_to_keep(made: SmallInstallation) -> None:
    outside = made.package("outside-1-0", _files("lib/out"))
    link(f"{outside}/lib/out", f"{made.directory}/kept-outside")
    os.unlink(f"{made.package('unfinished-1-0', {})}/info/repodata_record.json")
    write(f"{made.package('unobtainable-1-0', {})}/info/repodata_record.json", b"{}")
    write(f"{made.package('broken-1-0', {})}/info/repodata_record.json", b"{")
    write(f"{made.directory}/pkgs/torn-1-0/lib/half", b"the rest was never extracted")
    made.record(made.prefixes[0], "torn-1-0", {}, "copy")


# Each has few steps; together they have every kind of step.
WITH_FEW_STEPS = (
    *("linked_to_itself", "kept_for_a_while", "kept_no_longer", "tarballs", "trash"),
    "brought_back",
)


def cache_reached_by_two_paths(made: SmallInstallation) -> None:
    outside = made.package("outside-1-0", _files("lib/out"))
    link(f"{outside}/lib/out", f"{made.directory}/kept-outside")
    made.caches.append(symlink(f"{made.directory}/pkgs", f"{made.directory}/alias"))


def cache_known_by_another_path(made: SmallInstallation) -> None:
    prefix = made.environment("soft")
    symlink(f"{made.package('soft-1-0', _files('lib/soft'))}/lib", f"{prefix}/lib")
    made.caches[0] = symlink(f"{made.directory}/pkgs", f"{made.directory}/alias")


def softlinked_through_a_folder(made: SmallInstallation) -> None:
    hop = symlink(f"{made.directory}/pkgs/hops-1-0/share", f"{made.directory}/elsewhere")
    made.package("hops-1-0", _files("share/x"))
    symlink(f"{hop}/x", f"{made.environment('soft')}/x")


def softlinked_through_a_link_to_the_cache(made: SmallInstallation) -> None:
    prefix = made.environment("soft")
    made.package("soft-1-0", _files("lib/soft"))
    symlink(f"{made.directory}/pkgs", f"{prefix}/pkgs")
    symlink("../pkgs/soft-1-0/lib/soft", f"{prefix}/lib/soft")
