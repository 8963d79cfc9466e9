"""Values of options, and options that several verbs have."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def duration_ns(text: str) -> int:
    """Return the nanoseconds of `90s`, `15m`, `12h`, `30d`, `2w` or `0`."""
    from ..formatting import parse_duration

    return _parsed(parse_duration, text)


def size_bytes(text: str) -> int:
    """Return the bytes of `20GiB`, `1.5 GB`, `4096`."""
    from ..formatting import parse_size

    return _parsed(parse_size, text)


def _parsed(parse: Callable[[str], int], text: str) -> int:
    try:
        return parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def path(text: str) -> str:
    """Return a path as it is given; an empty one, as of an unset variable, is an error."""
    if not text:
        raise ArgumentTypeError("the path is empty, as an unset variable is")
    return text


def glob(text: str) -> str:
    """Return a pattern as it is given; an empty one, as of an unset variable, is an error."""
    if not text:
        raise ArgumentTypeError("the name is empty, as an unset variable is")
    return text


def count(text: str) -> int:
    """Return a number that is not negative."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ArgumentTypeError(f"{text!r} is not a number of packages: give 0, 1, 2 or more")
    return int(text)


def add_cache_option(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, summary: str
) -> None:
    """Add `--cache`."""
    parser.add_argument(
        "--cache",
        action="append",
        default=[],
        dest="cache_folders",
        metavar="DIR",
        help=f"{summary} Can be repeated.",
    )


def add_evidence_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the options that say where to look for users of packages, and how long to keep these."""
    parser.add_argument(
        "--search",
        action="append",
        default=[],
        metavar="DIR",
        help="Include every environment below DIR. Can be repeated.",
    )
    parser.add_argument(
        "--ignore-env",
        action="append",
        default=[],
        type=path,
        dest="ignored_environments",
        metavar="PATH",
        help="Treat the environment at PATH, or every environment below PATH, as deleted, so that"
        " it protects no packages. Can be repeated.",
    )
    parser.add_argument(
        "--grace",
        type=duration_ns,
        default="15m",
        dest="grace_ns",
        metavar="DURATION",
        help="Count a package as recent, and so as used, for DURATION (90s, 15m, 12h, 30d) after"
        " conda extracted it or was about to link it (default: %(default)s).",
    )
