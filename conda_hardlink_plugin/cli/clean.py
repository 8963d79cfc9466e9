"""`conda hardlinks clean`."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from .arguments import add_evidence_options, count, duration_ns, size_bytes

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from ..analysis.analysis import Analysis
    from ..clean.plan import Choice, Plan
    from ..executor.outcome import Outcome
    from ..executor.recheck import Checker

_YEAR_9999_S = 253_370_764_800  # the last year that a calendar of Python has

DESCRIPTION = """
Remove the extracted packages that no environment uses: no hard link, no
symbolic link and no record of one leads to them. Each is looked at again at
the last moment, moved aside, looked at once more, and only then removed. The
plan is shown first.
"""
EXAMPLES = """\
  conda hardlinks clean --dry-run             only show what would go
  conda hardlinks clean --tarballs            archives as well
  conda hardlinks clean --older-than 30d --keep 7d
  conda hardlinks clean --name 'cuda*' --max-size 20GiB
  conda hardlinks clean --yes --tarballs --grace 0    while an image is built
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the clean."""
    from conda.cli.helpers import add_output_and_prompt_options

    which = parser.add_argument_group("Which packages go")
    which.add_argument(
        "--older-than",
        type=duration_ns,
        dest="older_than_ns",
        metavar="DURATION",
        help="Only those last extracted or linked at least so long ago, as 12h, 30d or 2w; also of"
        " archives.",
    )
    which.add_argument(
        "--keep-newest",
        type=count,
        dest="keep_newest",
        metavar="N",
        help="Keep the N newest versions of each package in each cache.",
    )
    which.add_argument(
        "--max-size",
        type=size_bytes,
        dest="max_size_bytes",
        metavar="SIZE",
        help="Only as many, least recently used first, as it takes for each cache to be at most so"
        " big, as 20GiB.",
    )
    which.add_argument(
        "--name",
        dest="name_glob",
        metavar="GLOB",
        help="Only those whose name, or NAME-VERSION-BUILD, matches; also of archives.",
    )
    more = parser.add_argument_group("What goes besides")
    more.add_argument(
        "--copied",
        action="store_true",
        help="Packages that an environment has as copies, without any link to the cache.",
    )
    more.add_argument(
        "--unobtainable",
        action="store_true",
        help="What there is no archive of and no http(s) URL to get it again.",
    )
    more.add_argument(
        "--tarballs",
        action="store_true",
        help="Archives (.conda, .tar.bz2) whose package is extracted or unused.",
    )
    more.add_argument(
        "--trash",
        action="store_true",
        help="What conda and mamba renamed out of the way and left: *.c~, .trash, *.conda_trash,"
        " *.mamba_trash, and .tmp.index.json.* in environments.",
    )
    how = parser.add_argument_group("How")
    how.add_argument(
        "--keep",
        type=duration_ns,
        dest="hold_ns",
        metavar="DURATION",
        help="Keep what is removed for so long, as 7d: `conda hardlinks restore` brings it back."
        " Its space is freed by the first clean after that.",
    )
    how.add_argument(
        "--cache",
        action="append",
        default=[],
        dest="cache_folders",
        metavar="DIR",
        help="Clean this package cache and no other, also one of another conda or user. Can be"
        " repeated.",
    )
    add_evidence_options(how)
    add_output_and_prompt_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Plan, show the plan, ask, do it, and say what came of it. Returns the exit code."""
    from conda.base.context import context

    from ..exceptions import StoppedError, UnsupportedPlatformError
    from .output import is_closed

    if not _can_remove_safely():
        raise UnsupportedPlatformError(
            "On this platform folders cannot be removed without a risk of following a symbolic link"
            " that somebody puts in their place meanwhile: use Linux or macOS."
        )
    if is_closed("the plan"):
        return 1
    try:
        prepared = prepare(args)
        code = None if context.json else _ask(prepared)
    except KeyboardInterrupt:
        raise StoppedError("Stopped by Ctrl-C; nothing was removed.") from None
    if context.json:
        return _clean_as_json(args, prepared)
    return _clean_aloud(args, prepared) if code is None else code


class Prepared(NamedTuple):
    """What is to be done, what asks again whether it may, and why it must not be done at all."""

    plan: Plan
    checker: Checker
    refusals: list[str]


def prepare(args: argparse.Namespace) -> Prepared:
    """Scan, weigh the evidence, and plan."""
    from conda.base.context import context
    from conda.common.path import expand

    from ..analysis.analysis import Analysis
    from ..analysis.usage import Measure
    from ..clean.permissions import closed_caches, is_named
    from ..clean.planner import make_plan
    from ..clean.trial_links import find_trial_links
    from ..executor.recheck import Checker
    from ..scan.crew import crew_for
    from ..settings import read_only_caches
    from .survey import find, take_survey

    with crew_for(args.cache_folders or context.pkgs_dirs) as crew:
        survey = take_survey(args, find(args), crew)
    terms, names = survey.terms, survey.names
    analysis = Analysis(survey.inventory, names, Measure.DISK, terms)
    read_only = [expand(folder) for folder in read_only_caches()]
    closed = closed_caches(survey.installation.caches, args.cache_folders, read_only)
    choice, prefixes = _choice(args), _prefixes(analysis)
    plan = make_plan(
        analysis,
        choice,
        terms=terms,
        closed=closed,
        version_key=_version_key,
        probes=find_trial_links(prefixes, terms) if choice.trash else (),
    )
    unseen: dict[str, str] = {}
    for problem in analysis.evidence.unseen:
        unseen.setdefault(problem.path, problem.reason)
    refusals = [
        f"{path} cannot be looked at ({reason}) and may use any package, so nothing is removed."
        f" {_remedy(path, prefixes)}"
        for path, reason in unseen.items()
    ]
    refusals += [
        f"{cache} cannot be cleaned: {reason}"
        for cache, reason in closed.items()
        if is_named(cache, args.cache_folders)
    ]
    return Prepared(plan, Checker(list(names), survey.mounts), refusals)


def _ask(prepared: Prepared) -> int | None:
    """Show the plan to a person and ask; return the exit code where nothing is to be done."""
    from conda.base.context import context

    from ..exceptions import CleanRefusedError
    from ..render.clean import print_plan
    from ..render.terminal import Terminal
    from .output import show

    terminal, plan = Terminal(), prepared.plan
    verbose, refused = context.verbosity > 0, bool(prepared.refusals)
    is_read = show(lambda: print_plan(plan, terminal, verbose=verbose, refused=refused))
    if prepared.refusals:
        raise CleanRefusedError(prepared.refusals)
    if context.dry_run or not plan.does_something:
        return 0
    if not is_read:
        sys.stderr.write("Nothing was removed: nobody reads the plan.\n")
        return 1
    if not _agreed():
        show(lambda: terminal.say("Nothing was removed."))
        return 1
    return None


def _clean_aloud(args: argparse.Namespace, prepared: Prepared) -> int:
    """Do the plan, and tell a person what came of it."""
    from ..exceptions import StoppedError
    from ..render.clean import print_outcome
    from ..render.terminal import Terminal
    from .output import show

    outcome, stopped = _do(args, prepared)
    try:
        show(lambda: print_outcome(outcome, Terminal()))
    except KeyboardInterrupt:
        stopped = True
    if stopped:
        raise StoppedError(f"{_what_is_left(outcome)}.")
    return 1 if outcome.problems else 0


def _clean_as_json(args: argparse.Namespace, prepared: Prepared) -> int:
    """Do the plan if that was said on the command line, and print one JSON object."""
    from conda.base.context import context

    from ..executor.outcome import Outcome
    from ..render.clean_json import render_clean
    from .output import show

    errors = list(prepared.refusals)
    if not errors and not context.dry_run and not context.always_yes:
        errors.append("Nothing was removed: --json does not ask, so say --yes, or --dry-run")
    outcome, stopped = Outcome(), False
    if not errors and not context.dry_run:
        outcome, stopped = _do(args, prepared)
    if stopped:
        errors.append(_what_is_left(outcome))
    text = render_clean(prepared.plan, outcome, errors=errors, dry_run=bool(context.dry_run))
    show(lambda: sys.stdout.write(text))
    if stopped:
        return 130
    return 1 if errors or outcome.problems else 0


def _do(args: argparse.Namespace, prepared: Prepared) -> tuple[Outcome, bool]:
    """Carry the plan out; return what came of it, and whether Ctrl-C stopped it."""
    from conda.base.context import context

    from ..clean.execution import execute_plan
    from ..executor.outcome import Outcome, new_run
    from ..render.progress import progress

    hold_until_s = None
    if args.hold_ns is not None:
        hold_until_s = min((time.time_ns() + args.hold_ns) // 1_000_000_000, _YEAR_9999_S)
    outcome = Outcome(run=new_run())
    quiet = context.json or context.quiet
    try:
        with progress("packages removed", quiet=quiet) as on_step:
            execute_plan(
                prepared.plan,
                prepared.checker,
                lambda: prepare(args).plan,
                outcome,
                hold_until_s=hold_until_s,
                on_step=on_step,
            )
    except KeyboardInterrupt:
        return outcome, True
    return outcome, False


def _what_is_left(outcome: Outcome) -> str:
    """Say how far a clean came that Ctrl-C stopped."""
    if not outcome.unfinished:
        return "Stopped by Ctrl-C: what is not said to be done is as it was"
    return (
        f"Stopped by Ctrl-C: of what had been given up already, {outcome.unfinished} are not quite"
        " gone, and the next clean removes the rest of them; everything else is as it was"
    )


def _prefixes(analysis: Analysis) -> list[str]:
    """Return the environments, each by one path."""
    return [analysis.inventory.roots[root].path for root in analysis.roots_of_environments]


def _remedy(path: str, prefixes: list[str]) -> str:
    """Say what to do about an environment, or a part of one, that cannot be looked at."""
    from ..filesystem.paths import is_within

    if any(is_within(path, prefix) and os.path.isdir(prefix) for prefix in prefixes):
        return "Make it readable, or run this as somebody who can read it"
    return f"Where that environment is gone for good, say --ignore-env {path}"


def _choice(args: argparse.Namespace) -> Choice:
    from ..clean.plan import Choice

    return Choice(
        older_than_ns=args.older_than_ns,
        keep_newest=args.keep_newest,
        max_size_bytes=args.max_size_bytes,
        name_glob=args.name_glob,
        copied=args.copied,
        unobtainable=args.unobtainable,
        tarballs=args.tarballs,
        trash=args.trash,
        hold=args.hold_ns is not None,
    )


def _agreed() -> bool:
    """Ask whether to go on, as conda asks; no answer is no."""
    from conda.exceptions import CondaSystemExit

    try:
        from conda.reporters import confirm_yn
    except ImportError:  # conda before 25.1
        from conda.cli.common import confirm_yn
    try:
        return bool(confirm_yn(default="no"))
    except CondaSystemExit as said_no:
        if isinstance(said_no.__context__, KeyboardInterrupt):  # conda takes Ctrl-C for a no
            raise KeyboardInterrupt from None
        return False
    except BrokenPipeError:
        return False


def _version_key(version: str) -> tuple[int, Any]:
    """Return what sorts versions as conda does; what is no version comes first."""
    from conda.exceptions import InvalidVersionSpec
    from conda.models.version import VersionOrder

    try:
        return 1, VersionOrder(version)
    except (InvalidVersionSpec, ValueError):  # also of too many digits for an int
        return 0, version


def _can_remove_safely() -> bool:
    try:
        from ..executor.quarantine import SUPPORTED
    except ImportError:  # fcntl is not everywhere
        return False
    return SUPPORTED
