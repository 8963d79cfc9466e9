"""The public Python API: find an installation, analyze it, plan a clean, execute the plan.

    installation = find_installation(search=["~/data"])
    analysis = analyze(installation, policy=RetentionPolicy(grace="15m"), details=("packages",))
    report = analysis.report()
    plan = plan_clean(analysis)
    outcome = plan.execute()

Names in `conda_hardlink_plugin.__all__` are the contract; every other module's name may change.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from .analysis.analysis import Analysis as _AnalysisData
from .analysis.index_totals import index_totals
from .analysis.retention import Observations, RetentionPolicy
from .analysis.usage import Measure
from .clean.permissions import closed_caches
from .clean.plan import CleanChoice
from .clean.refusals import find_refusals
from .discovery.installation import FoundInstallation
from .exceptions import CleanRefusedError, HardlinksError, NotFoundError
from .executor.outcome import Outcome, new_run
from .filesystem import fs
from .filesystem.paths import expand
from .filesystem.problems import reason_of
from .formatting import natural_number, one_or_more, parse_duration, parse_size
from .metadata.leases import lease_folder, read_leases
from .report import model
from .report.builder import build_report
from .scan.index.lookup import look_up
from .scan.index.trailer import checksum_of, index_folder, read_totals
from .scan.inventory import Root, RootKind
from .scan.scanner import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from concurrent.futures import Executor

    from .clean.plan import Plan
    from .executor.restore import HeldRun, Restored
    from .filesystem.problems import PathProblem
    from .report.merge import MergedReport
    from .report.subject import Explanation
    from .scan.index.status import IndexStatus
    from .scan.index.trailer import IndexTotals
    from .scan.inventory import Inventory

Detail = Literal["packages", "causes", "du", "map"]
IndexUse = Literal["exact", "quick"]
_YEAR_9999_S = 253_370_764_800  # the last year that a calendar of Python has


class Installation:
    """The package caches and environments of a machine, or those that you name.

    Naming them needs no conda: `Installation(caches=["/opt/pkgs"], prefixes=["/opt/envs/a"])`.
    Package caches that you name may be cleaned, even those of other users.

    Attributes:
        found: What was found.
        find: Finds the same installation again; `None` where you named it.

    """

    def __init__(
        self,
        *,
        caches: str | Iterable[str] = (),
        prefixes: str | Iterable[str] = (),
        read_only_caches: str | Iterable[str] = (),
    ) -> None:
        """Name package caches and environments.

        Args:
            caches: Folders of package caches.
            prefixes: Folders of environments.
            read_only_caches: Package caches that are never cleaned.

        Raises:
            NotFoundError: One of them is not a folder, or is empty.

        """
        given = [one_or_more(paths) for paths in (caches, prefixes, read_only_caches)]
        if any("" in paths for paths in given):
            raise NotFoundError("A path is empty, as an unset variable is.")
        self.found = FoundInstallation.of(*given)
        self.find: Callable[[], FoundInstallation] | None = None

    @classmethod
    def of(cls, find: Callable[[], FoundInstallation]) -> Installation:
        """Return the installation that a function finds."""
        installation = cls.__new__(cls)
        installation.found = find()
        installation.find = find
        return installation

    @property
    def caches(self) -> tuple[str, ...]:
        """Absolute paths of the package caches."""
        return self.found.caches

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Absolute paths of the environments, base first."""
        return tuple(item.prefix for item in self.found.environments)

    def environment(self, name_or_prefix: str) -> str:
        """Return the prefix of an environment.

        Raises:
            NotFoundError: There is no environment of that name or at that path.

        """
        return self.found.environment(name_or_prefix).prefix

    def check_removable(self, names: Iterable[str]) -> None:
        """Check that environments can be asked about in `Analysis.report(if_removed=...)`.

        Raises:
            NotFoundError: One of them is not there, or is a symbolic link.

        """
        for name in names:
            self.found.removable(name)

    def held_runs(self) -> tuple[list[HeldRun], list[PathProblem]]:
        """Return what earlier cleans hold, the oldest run first, and what cannot be read."""
        from .executor.restore import held_runs

        return held_runs(self.found.caches)

    def restore(self, run: str) -> Restored:
        """Bring back what a run of a clean holds.

        Args:
            run: The name of the run, as in `HeldRun.run`.

        Returns:
            What is back, and what is not.

        Raises:
            NotFoundError: No run of that name holds anything.

        """
        from .executor.restore import Restored, restore

        runs, problems = self.held_runs()
        wanted = [held for held in runs if held.run == run]
        if not wanted:
            raise NotFoundError(
                f"No run {run} holds anything: `conda hardlinks restore` lists the runs that do."
            )
        restored = Restored(problems=problems)
        for held in wanted:
            restore(held.cache, held.run, restored)
        return restored

    def again(self) -> Installation:
        """Look for the same installation once more."""
        return self if self.find is None else Installation.of(self.find)


def find_installation(
    *,
    search: str | Iterable[str] = (),
    caches: str | Iterable[str] = (),
    prefixes: str | Iterable[str] = (),
    executor: Executor | None = None,
) -> Installation:
    """Find every package cache and environment that conda knows. This needs conda.

    Args:
        search: Folders below which every environment is included.
        caches: Package caches besides those of conda's configuration; a clean is limited to these.
        prefixes: Environments besides those that conda lists.
        executor: Searches the folders below `search`, as in `analyze`.

    Raises:
        NotFoundError: One of these is not there, or is something else.
        HardlinksError: There is neither a package cache nor an environment, or conda cannot be
            imported.

    """
    try:
        from .discovery.finder import find_installation as find
    except ModuleNotFoundError as error:
        raise HardlinksError(
            f"conda cannot be imported ({error}): run this in the Python of conda's base"
            " environment, or name package caches and environments with Installation(...)."
        ) from error

    _check_platform()
    folders, named, extra = map(one_or_more, (search, caches, prefixes))
    return Installation.of(
        lambda: find(search=folders, caches=named, prefixes=extra, executor=executor)
    )


def analyze(
    installation: Installation,
    *,
    policy: RetentionPolicy = RetentionPolicy(),  # noqa: B008  # it is immutable
    details: Detail | Collection[Detail] = (),
    environment: str | None = None,
    apparent_size: bool = False,
    index: IndexUse | None = None,
    executor: Executor | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Analysis:
    """Read every directory of an installation, and work out who uses what.

    Args:
        installation: What to read.
        policy: What the user sets about keeping packages.
        details: What reports contain besides environments, caches and totals: `packages`; `causes`
            of private bytes; `du`, a row as `du -s` prints it for each; `map`, what the HTML page
            draws.
        environment: Name or path of an environment that reports describe in detail.
        apparent_size: Count the length of files instead of their disk usage.
        index: `exact` reads only what has changed since the last report, `quick` looks at folders
            only, `None` reads everything. Nothing is written with `None`.
        executor: Reads in its processes, on this machine or on others that see the same folders:
            a `concurrent.futures.Executor`, such as Dask's or mpi4py's. It cannot use the index.
        on_progress: Called now and then with the number of entries read so far.

    Raises:
        NotFoundError: There is no such environment.
        HardlinksError: This platform cannot be read.
        ValueError: There is no such detail or use of the index.

    """
    _check_platform()
    found = installation.found
    named = None if environment is None else found.environment(environment)
    wanted = _choices("details", one_or_more(details), get_args(Detail))
    _choices("index", [] if index is None else [index], get_args(IndexUse))
    if executor is not None and index is not None:
        raise ValueError("index: an executor reads everything; give None")
    if {"causes", "map"} & set(wanted):
        detailed = [item.prefix for item in found.environments]
    else:
        detailed = [] if named is None else found.prefixes_of(named)
    request = model.Request(
        packages="packages" in wanted,
        causes="causes" in wanted,
        du="du" in wanted,
        detail=None if named is None else named.prefix,
        disk_map="map" in wanted,
    )
    observations = _observe(found)
    roots = [
        *(Root(RootKind.CACHE, path) for path in found.caches),
        *(Root(RootKind.ENVIRONMENT, item.prefix) for item in found.environments),
    ]
    with ExitStack() as stack:
        lookup = None
        if index is not None:
            quick = index == "quick"
            used = look_up(index_folder(), quick=quick, totals_of=index_totals)
            lookup = stack.enter_context(used)
        inventory = scan(
            roots,
            detailed=detailed,
            mounts=observations.mounts,
            on_progress=on_progress,
            lookup=lookup,
            executor=executor,
        )
    measure = Measure.APPARENT if apparent_size else Measure.DISK
    data = _AnalysisData(inventory, found.names, measure, policy, observations)
    return Analysis(installation, data, request)


def _choices(name: str, given: Collection[str], allowed: Collection[str]) -> Collection[str]:
    unknown = [value for value in given if value not in allowed]
    if unknown:
        raise ValueError(f"{name}: {unknown[0]!r} is not one of {', '.join(allowed)}")
    return given


def _observe(found: FoundInstallation) -> Observations:
    homes = (None, expand("~"), *found.other_homes)
    return Observations(
        now_ns=time.time_ns(),
        leases=read_leases(map(lease_folder, homes)),
        mounts=fs.read_mounts(),
        unreachable=found.unreachable,
        unreachable_caches=found.unreachable_caches,
        unsearched=found.unsearched,
        stale=found.stale,
    )


def _check_platform() -> None:
    if not fs.can_scan:
        raise HardlinksError("conda hardlinks does not support this platform: use Linux or macOS.")


class Analysis:
    """What an installation holds, and who uses it; `analyze` makes one.

    Attributes:
        installation: What was read.
        data: What reports and plans are computed from.

    """

    def __init__(
        self,
        installation: Installation,
        data: _AnalysisData,
        request: model.Request,
    ) -> None:
        """Take what `analyze` has found."""
        self.installation = installation
        self.data = data
        self._request = request

    @property
    def inventory(self) -> Inventory:
        """What the scan found, inode group by inode group."""
        return self.data.inventory

    @property
    def names(self) -> Mapping[str, str]:
        """Prefix to the name of each environment."""
        return self.data.names

    def report(self, *, if_removed: str | Iterable[str] = ()) -> Report:
        """Compute the figures.

        Args:
            if_removed: Names or paths of environments: what removing them together would free.

        Raises:
            NotFoundError: One of these is not there, or is a symbolic link.

        """
        found = self.installation.found
        prefixes = tuple(map(found.removable, one_or_more(if_removed)))
        request = replace(self._request, if_removed=prefixes or None)
        return Report.of(build_report(self.data, request))

    def explain(self, subject: str) -> Explanation:
        """Gather everything about one cached package or one file.

        Args:
            subject: `NAME`, `NAME-VERSION-BUILD` or path of a cached package, or the path of a
                file.

        Raises:
            NotFoundError: There is no such package or file, or there are several.

        """
        from .report.subject import explain

        return explain(self.data, subject)


class Report(model.Report):
    """Everything a report says, frozen; parts that were not asked for are `None`."""

    __slots__ = ()

    @classmethod
    def of(cls, report: model.Report) -> Report:
        """Return a report with its notebook and JSON forms."""
        return cls(**{field.name: getattr(report, field.name) for field in fields(report)})

    def to_dict(self) -> dict[str, Any]:
        """Return what `conda hardlinks report --json` prints, as Python objects."""
        from .render.json import render_json

        content: dict[str, Any] = json.loads(render_json(self))
        return content

    def to_records(self) -> list[dict[str, Any]]:
        """Return a row for each environment and package cache, as `pandas.DataFrame` takes them.

        `kind` is `environment` or `cache`; a field that a kind lacks is left out.
        """
        content = self.to_dict()
        return [
            {"kind": kind, **row}
            for kind, rows in (("environment", "environments"), ("cache", "caches"))
            for row in content[rows]
        ]

    def _repr_html_(self) -> str:
        """Return the tables for a notebook, and the map where `details` had it."""
        from .render.notebook import render_notebook

        return render_notebook(self)


def plan_clean(
    analysis: Analysis,
    *,
    keep_newest: int | None = None,
    max_size: str | int | None = None,
    name: str | None = None,
    copied: bool = False,
    unobtainable: bool = False,
    tarballs: bool = False,
    trash: bool = False,
    keep: str | int | None = None,
    version_key: Callable[[str], Any] | None = None,
) -> CleanPlan:
    """Decide what a clean removes: what no environment uses, by the evidence. Removes nothing.

    Args:
        analysis: What is there, and who uses it.
        keep_newest: Keep that many of the newest versions of each package in each cache.
        max_size: Remove only as many packages, least recently used first, as each cache needs to
            fit: a size such as `20GiB`, or bytes.
        name: Only packages and archives whose name, or `NAME-VERSION-BUILD`, matches this glob.
        copied: Also packages that environments have as copies only.
        unobtainable: Also packages that cannot be downloaded again.
        tarballs: Also archives whose package is extracted or unused.
        trash: Also what conda and mamba renamed out of the way and left behind.
        keep: Hold what is removed for that long, as `7d` or in nanoseconds: it can be restored.
        version_key: Sorts versions for `keep_newest`, such as conda's `VersionOrder`.

    Raises:
        HardlinksError: `keep_newest` is given without `version_key`.
        ValueError: A size, duration or number is malformed or negative.

    """
    if keep_newest is not None and version_key is None:
        raise HardlinksError("keep_newest needs version_key: pass conda's VersionOrder, or str.")
    choice = CleanChoice(
        keep_newest=None if keep_newest is None else natural_number(keep_newest),
        max_size_bytes=_parsed(max_size, parse_size),
        name_glob=name,
        copied=copied,
        unobtainable=unobtainable,
        tarballs=tarballs,
        trash=trash,
        hold=keep is not None,
    )
    return CleanPlan(analysis, choice, _parsed(keep, parse_duration), version_key or str)


def _parsed(value: str | int | None, parse: Callable[[str], int]) -> int | None:
    if isinstance(value, str):
        return parse(value)
    return None if value is None else natural_number(value)


class CleanPlan:
    """What a clean would remove and keep, and how to execute that; `plan_clean` makes one.

    Attributes:
        data: What is removed and kept, with reasons and sizes.
        refusals: Why nothing may be removed at all, as sentences; empty where it may.
        outcome: What has been done so far, also after an interrupt.

    """

    def __init__(
        self,
        analysis: Analysis,
        choice: CleanChoice,
        keep_ns: int | None,
        version_key: Callable[[str], Any],
    ) -> None:
        """Plan."""
        self._analysis = analysis
        self._choice = choice
        self._keep_ns = keep_ns
        self._version_key = version_key
        self.outcome = Outcome()
        self.data, self.refusals = self._plan(analysis)

    @property
    def does_something(self) -> bool:
        """Whether there is anything to remove or to put back."""
        return self.data.does_something

    def execute(self, on_removed: Callable[[int], None] | None = None) -> Outcome:
        """Do what was planned; each package is checked again before it goes.

        Args:
            on_removed: Called with the number of packages and files removed so far.

        Returns:
            What was removed, what the disk regained as measured, and what failed.

        Raises:
            CleanRefusedError: Nothing may be removed in the present state; nothing was.

        """
        from .clean.execution import execute_plan
        from .executor.recheck import Checker

        if self.refusals:
            raise CleanRefusedError(self.refusals)
        if not fs.can_remove_safely:
            raise CleanRefusedError([_UNSAFE_PLATFORM])
        hold_until_s = None
        if self._keep_ns is not None:
            hold_until_s = min((time.time_ns() + self._keep_ns) // 1_000_000_000, _YEAR_9999_S)
        self.outcome = Outcome(run=new_run())
        data = self._analysis.data
        execute_plan(
            self.data,
            Checker(list(data.names), data.observations.mounts),
            self._plan_again,
            self.outcome,
            hold_until_s=hold_until_s,
            on_step=on_removed,
        )
        return self.outcome

    def _plan(self, analysis: Analysis) -> tuple[Plan, list[str]]:
        from .clean.planner import make_plan
        from .clean.trial_links import find_trial_links

        data, found = analysis.data, analysis.installation.found
        if found.read_only_caches:
            closed = closed_caches(
                found.caches,
                found.named_caches,
                found.read_only_caches,
                read_only_by="read_only_caches",
            )
        else:
            read_only = _read_only_caches(analysis.installation)
            closed = closed_caches(found.caches, found.named_caches, read_only)
        prefixes = [data.inventory.roots[root].path for root in data.roots_of_environments]
        trial_links: tuple[str, ...] = ()
        if self._choice.trash:
            grace_ns = data.policy.grace_ns
            trial_links = find_trial_links(prefixes, data.observations.now_ns, grace_ns)
        plan = make_plan(
            data,
            self._choice,
            closed=closed,
            version_key=self._version_key,
            trial_links=trial_links,
        )
        return plan, find_refusals(data, prefixes, closed, found.named_caches)

    def _plan_again(self) -> Plan:
        """Find, read and plan once more, as before."""
        before = self._analysis
        again = analyze(before.installation.again(), policy=before.data.policy)
        return self._plan(again)[0]


_UNSAFE_PLATFORM = (
    "On this platform folders cannot be removed without the risk of following a symbolic link that"
    " replaces one meanwhile: use Linux or macOS"
)


def _read_only_caches(installation: Installation) -> tuple[str, ...]:
    """Return the package caches that conda's configuration closes."""
    if installation.find is None:
        return ()
    from .settings import read_only_caches

    return tuple(map(expand, read_only_caches()))


def check_subject(subject: str) -> None:
    """Check that what is to be explained can mean something, before anything is read for it.

    Raises:
        NotFoundError: It is a path at which nothing is.

    """
    from .report.subject import check_subject as check

    check(subject)


def merge_reports(reports: Mapping[str, str]) -> MergedReport:
    """Add up the reports of several machines.

    Args:
        reports: A name for each, such as its file, and what `report --json` printed there.

    Raises:
        HardlinksError: One of them is not a report, or they do not count the same.

    """
    from .report.merge import add_up, read_report

    return add_up({name: read_report(name, text) for name, text in reports.items()})


def index_status() -> IndexStatus:
    """Return what the index is that the last report has left."""
    from .scan.index.status import status_of

    return status_of(index_folder())


def clear_index() -> None:
    """Remove the index.

    Raises:
        HardlinksError: It cannot be removed.

    """
    from .scan.index.file import clear_index as clear
    from .scan.index.file import index_path

    try:
        clear(index_folder())
    except OSError as error:
        path = index_path(index_folder())
        raise HardlinksError(f"{path} cannot be removed: {reason_of(error)}.") from error


def last_totals(caches: Iterable[str]) -> tuple[IndexTotals, float, bool] | None:
    """Return the totals of the last report, in less than a millisecond.

    Args:
        caches: Absolute paths of package caches.

    Returns:
        The totals, when they were taken in seconds since the epoch, and whether they are of these
        caches; `None` where there is no usable index.

    """
    found = read_totals(index_folder())
    if found is None:
        return None
    totals, taken_s = found
    return totals, taken_s, totals.caches_checksum == checksum_of(caches)
