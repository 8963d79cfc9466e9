"""The files of a cache besides packages: which archives and left-overs may be removed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..analysis.verdicts import KeepReason, Verdict
from ..filesystem import fs
from ..filesystem.problems import PathProblem, reason_of
from ..metadata.cached_package import CachedPackage
from ..metadata.quarantine_names import dist_of
from ..metadata.text_lists import read_urls_txt
from ..scan.inventory import ARCHIVE_SUFFIXES, PARTIAL_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..analysis.analysis import Analysis

_SUFFIXES = (*PARTIAL_SUFFIXES, *ARCHIVE_SUFFIXES)


class Archives:
    """Judges archives and left-overs. Reads `urls.txt` and the times of files when needed."""

    def __init__(self, analysis: Analysis) -> None:
        """Take the result of the scan."""
        inventory = analysis.inventory
        self._analysis = analysis
        packages = {unit: inventory.units[unit] for unit in analysis.verdicts.uses}
        self._unit_of = {package.home: unit for unit, package in packages.items()}
        self._unit_of |= {package.path: unit for unit, package in packages.items()}
        self._recorded = set().union(*inventory.records.values())
        self._urls: dict[str, dict[str, str]] = {}

    def reason_to_keep(self, path: str, allowed: Collection[Verdict]) -> KeepReason | None:
        """Return the reason to keep an archive; `None` if it may be removed.

        Args:
            path: Absolute path of the archive.
            allowed: Verdicts that do not keep it.

        """
        recent = self.recent(path) or self._about_to_be_unpacked(path)
        if recent is not None or path.endswith(PARTIAL_SUFFIXES):
            return recent
        verdicts = self._analysis.verdicts
        extracted = path.removesuffix(".conda").removesuffix(".tar.bz2")
        unit = self._unit_of.get(extracted)
        package = None if unit is None else verdicts.package(unit)
        obtainable = self._url(path, package).startswith(("http://", "https://"))
        if not obtainable and Verdict.UNOBTAINABLE not in allowed:
            reason = "cannot be downloaded again: no http(s) URL is known"
            return KeepReason(Verdict.UNOBTAINABLE, reason)
        problem = package if unit is not None else next(iter(verdicts.unseen), None)
        if isinstance(problem, PathProblem):  # the package may be partial, or in use
            return KeepReason(Verdict.UNVERIFIABLE, f"{problem.path}: {problem.reason}")
        if unit is None and f"{dist_of(extracted)}.json" in self._recorded:
            reason = "its package is in an environment and not extracted here"
            return KeepReason(Verdict.RECORDED, reason)
        return None

    def dist(self, path: str) -> str:
        """Return the `NAME-VERSION-BUILD` of an archive or a partial download, by its name."""
        name = os.path.basename(path)
        suffixes = (suffix for suffix in _SUFFIXES if name.endswith(suffix))
        return name.removesuffix(next(suffixes, ""))

    def fetched_ns(self, path: str) -> int:
        """Return when an archive was fetched, in nanoseconds; now if that is unknown."""
        try:
            return fs.status(path).ctime_ns
        except OSError:
            return self._analysis.observations.now_ns

    def recent(self, path: str) -> KeepReason | None:
        """Return the reason to keep a path that changed within the grace or cannot be read."""
        try:
            changed_ns = fs.status(path).ctime_ns
        except OSError as error:
            return KeepReason(Verdict.UNVERIFIABLE, reason_of(error))
        if self._analysis.observations.now_ns - changed_ns < self._analysis.policy.grace_ns:
            return KeepReason(Verdict.RECENT, "it changed a moment ago")
        return None

    def _about_to_be_unpacked(self, path: str) -> KeepReason | None:
        """Return the reason to keep an archive that a running conda may be about to unpack."""
        for lease in self._analysis.verdicts.active_leases(self.dist(path))[:1]:
            reason = f"{lease.holder} may be about to unpack it ({lease.path})"
            return KeepReason(Verdict.RECENT, reason)
        return None

    def _url(self, path: str, package: CachedPackage | PathProblem | None) -> str:
        """Return the URL of an archive; `""` if neither its package nor `urls.txt` names it."""
        folder, name = os.path.split(path)
        if isinstance(package, CachedPackage) and package.url.endswith(f"/{name}"):
            return package.url
        if folder not in self._urls:
            urls = read_urls_txt(os.path.join(folder, "urls.txt"))
            known = [] if isinstance(urls, PathProblem) else urls
            self._urls[folder] = {url.rpartition("/")[2]: url for url in known}
        return self._urls[folder].get(name, "")
