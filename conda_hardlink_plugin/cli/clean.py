"""`conda hardlinks clean`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .arguments import (
    add_cache_option,
    add_evidence_options,
    count,
    duration_ns,
    glob,
    size_bytes,
)

if TYPE_CHECKING:
    import argparse

    from ..api import CleanPlan

DESCRIPTION = """
Remove the extracted packages that no environment uses: no hard link, no
symbolic link and no record of an environment leads to them. The plan is shown
first. Each package is then checked again, moved aside, checked once more, and
only then removed.
"""
EXAMPLES = """\
  conda hardlinks clean --dry-run             show what would be removed
  conda hardlinks clean --tarballs            remove archives as well
  conda hardlinks clean --older-than 30d --keep 7d
  conda hardlinks clean --name 'cuda*' --max-size 20GiB
  conda hardlinks clean --yes --tarballs --grace 0    while an image is built
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options of the clean."""
    from .frontend import add_output_and_prompt_options

    which = parser.add_argument_group("Which packages to remove")
    which.add_argument(
        "--older-than",
        type=duration_ns,
        dest="older_than_ns",
        metavar="DURATION",
        help="Only packages and archives unused for at least DURATION (12h, 30d, 2w).",
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
        help="Remove the least recently used packages, only as many as needed to bring each cache"
        " down to SIZE (20GiB).",
    )
    which.add_argument(
        "--name",
        type=glob,
        dest="name_glob",
        metavar="GLOB",
        help="Only packages and archives whose name, or NAME-VERSION-BUILD, matches GLOB. It does"
        " not name an environment.",
    )
    more = parser.add_argument_group("Also remove")
    more.add_argument(
        "--copied",
        action="store_true",
        help="Packages that environments only record: their files there are copies, or they have"
        " no files.",
    )
    more.add_argument(
        "--unobtainable",
        action="store_true",
        help="Packages that cannot be downloaded again: no archive and no http(s) URL is known.",
    )
    more.add_argument(
        "--tarballs",
        action="store_true",
        help="Archives (.conda, .tar.bz2) whose package is extracted or unused.",
    )
    more.add_argument(
        "--trash",
        action="store_true",
        help="Files that conda and mamba renamed out of the way and left behind: *.c~, .trash,"
        " *.trash, *.conda_trash, *.mamba_trash, and .tmp.index.json.* in environments.",
    )
    how = parser.add_argument_group("Undo")
    how.add_argument(
        "--keep",
        type=duration_ns,
        dest="keep_ns",
        metavar="DURATION",
        help="Hold what is removed for DURATION (7d): `conda hardlinks restore` brings it back."
        " The first clean after DURATION frees the space.",
    )
    where = parser.add_argument_group("Where to look")
    add_cache_option(
        where, "Clean the package cache DIR and no other, even one of another conda or user."
    )
    add_evidence_options(where)
    add_output_and_prompt_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Plan, show the plan, ask, execute it, and show the outcome. Returns the exit code."""
    from ..exceptions import StoppedError
    from .frontend import wants_json
    from .output import is_closed

    if is_closed("the plan"):
        return 1
    try:
        plan = _plan(args)
        code = None if wants_json() else _ask(plan)
    except KeyboardInterrupt:
        raise StoppedError("Interrupted. Nothing was removed.") from None
    if wants_json():
        return _clean_as_json(plan)
    return _clean_and_print(plan) if code is None else code


def _plan(args: argparse.Namespace) -> CleanPlan:
    from ..api import plan_clean
    from .frontend import version_key
    from .reading import read_installation

    return plan_clean(
        read_installation(args),
        keep_newest=args.keep_newest,
        max_size=args.max_size_bytes,
        name=args.name_glob,
        copied=args.copied,
        unobtainable=args.unobtainable,
        tarballs=args.tarballs,
        trash=args.trash,
        keep=args.keep_ns,
        version_key=version_key,
    )


def _ask(plan: CleanPlan) -> int | None:
    """Show the plan and ask; return the exit code where nothing is to be done."""
    from ..exceptions import CleanRefusedError
    from ..render.clean import print_plan
    from ..render.terminal import Terminal
    from .frontend import confirm, is_dry_run, is_verbose
    from .output import show

    terminal = Terminal()
    verbose, refused = is_verbose(), bool(plan.refusals)
    is_read = show(lambda: print_plan(plan.data, terminal, verbose=verbose, refused=refused))
    if plan.refusals:
        raise CleanRefusedError(plan.refusals)
    if is_dry_run() or not plan.does_something:
        return 0
    if not is_read:
        sys.stderr.write("Nothing was removed: the program that reads the plan ended early.\n")
        return 1
    if not confirm():
        show(lambda: terminal.say("Nothing was removed."))
        return 1
    return None


def _clean_and_print(plan: CleanPlan) -> int:
    """Execute the plan, and print the outcome for a person."""
    from ..exceptions import StoppedError
    from ..render.clean import print_outcome
    from ..render.terminal import Terminal
    from .output import show

    is_stopped = not _execute(plan)
    try:
        show(lambda: print_outcome(plan.outcome, Terminal()))
    except KeyboardInterrupt:
        is_stopped = True
    if is_stopped:
        raise StoppedError(f"{_rest_of(plan)}.")
    return 1 if plan.outcome.problems else 0


def _clean_as_json(plan: CleanPlan) -> int:
    """Execute the plan if the command line says so, and print one JSON object."""
    from ..render.clean_json import render_clean
    from .frontend import always_yes, is_dry_run
    from .output import show

    dry_run = is_dry_run()
    may_change = always_yes() and not dry_run
    errors = list(plan.refusals)
    if plan.does_something and not (errors or may_change or dry_run):
        errors.append("Nothing was removed: --json does not ask, so add --yes or --dry-run")
    is_stopped = may_change and not errors and not _execute(plan)
    if is_stopped:
        errors.append(_rest_of(plan))
    text = render_clean(plan.data, plan.outcome, errors=errors, dry_run=dry_run)
    show(lambda: sys.stdout.write(text))
    if is_stopped:
        return 130
    return 1 if errors or plan.outcome.problems else 0


def _execute(plan: CleanPlan) -> bool:
    """Execute the plan; tell whether it came to its end without Ctrl-C."""
    from ..render.progress import progress
    from .frontend import is_quiet

    try:
        with progress("packages removed", quiet=is_quiet()) as on_removed:
            plan.execute(on_removed)
    except KeyboardInterrupt:
        return False
    return True


def _rest_of(plan: CleanPlan) -> str:
    """Say how far a clean came that Ctrl-C stopped."""
    unfinished = plan.outcome.unfinished
    if not unfinished:
        return "Interrupted. Nothing else was changed"
    what = "1 package is" if unfinished == 1 else f"{unfinished} packages are"
    return (
        f"Interrupted. {what} partly deleted; the next clean finishes that. Nothing else was"
        " changed"
    )
