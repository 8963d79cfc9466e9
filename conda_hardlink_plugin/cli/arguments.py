"""Values of options: durations, sizes; what several verbs ask alike."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

_NS_OF_UNIT = {
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3600 * 1_000_000_000,
    "d": 24 * 3600 * 1_000_000_000,
    "w": 7 * 24 * 3600 * 1_000_000_000,
}
_BYTES_OF_UNIT = {
    "": 1,
    **{unit: 1024**power for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB"))},
    **{unit: 1000**power for power, unit in enumerate(("B", "kB", "MB", "GB", "TB"))},
}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])|0")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")


def duration_ns(text: str) -> int:
    """Return the nanoseconds of `90s`, `15m`, `12h`, `30d`, `2w` or `0`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no duration: give one as 90s, 15m, 12h, 30d or 2w")
    return int(match[1]) * _NS_OF_UNIT[match[2]] if match[1] else 0


def size_bytes(text: str) -> int:
    """Return the bytes of `20GiB`, `1.5 GB`, `4096`."""
    match = _SIZE.fullmatch(text)
    if match is None or match[2] not in _BYTES_OF_UNIT:
        raise ArgumentTypeError(f"{text!r} is no size: give one as 20GiB, 500MB or 4096")
    return int(float(match[1]) * _BYTES_OF_UNIT[match[2]])


def path(text: str) -> str:
    """Return a path as it is given; an empty one, as of an unset variable, is none."""
    if not text:
        raise ArgumentTypeError("it is empty, as an unset variable is")
    return text


def count(text: str) -> int:
    """Return a number that is not negative."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ArgumentTypeError(f"{text!r} is no number of packages: give one as 0, 1 or 2")
    return int(text)


def add_evidence_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the options that say where to look for users and when a package may go."""
    parser.add_argument(
        "--search",
        action="append",
        default=[],
        metavar="DIR",
        help="Take in every environment below DIR too. Can be repeated.",
    )
    parser.add_argument(
        "--ignore-env",
        action="append",
        default=[],
        type=path,
        dest="ignored_environments",
        metavar="PATH",
        help="PATH is an environment that cannot be looked at, or a folder of such, and is gone for"
        " good: it keeps no package. Can be repeated.",
    )
    parser.add_argument(
        "--grace",
        type=duration_ns,
        default="15m",
        dest="grace_ns",
        metavar="DURATION",
        help="How long a package is kept after it was extracted or about to be linked, as 90s, 15m,"
        " 12h, 30d (default: %(default)s).",
    )
