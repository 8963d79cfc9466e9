"""Figures and names as people read and write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_STEP = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_THREE_DIGITS = 100


def size(amount_bytes: int) -> str:
    """Return bytes in the largest unit that leaves at least 1 of it: `1.9 GiB`, `512 B`."""
    amount = float(amount_bytes)
    for unit in _UNITS:
        if round(abs(amount)) < _STEP or unit == _UNITS[-1]:
            break
        amount /= _STEP
    whole = unit == "B" or abs(amount) >= _THREE_DIGITS
    return f"{amount:.0f} {unit}" if whole else f"{amount:.1f} {unit}"


def count(number: int, noun: str) -> str:
    """Return `1 file`, `2,000 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(part: int, whole: int) -> str:
    """Return the share of a whole, `0 %` of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


_SURROGATE_ESCAPES = range(0xDC80, 0xDD00)


def listed(names: Sequence[str], most: int, conjunction: str = ", ") -> str:
    """Return `a, b and 3 more`: the first names, and how many more there are.

    Args:
        names: What to list.
        most: How many of them to name.
        conjunction: What stands between the names where all are named.

    """
    if len(names) <= most:
        return conjunction.join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def printable(text: str) -> str:
    r"""Return the text with everything that is not printable written as an escape.

    A byte that was not UTF-8 becomes `\xNN`, a control, format or line character `\n`, `\x1b` or
    `\u202e`. Text that is printable comes back as it is.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escape(character) for character in text
    )


def _escape(character: str) -> str:
    code = ord(character)
    if code in _SURROGATE_ESCAPES:
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def parse_duration(text: str) -> int:
    """Return the nanoseconds of `90s`, `15m`, `12h`, `30d`, `2w` or `0`.

    Raises:
        ValueError: It is not a duration.

    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: give one such as 90s, 15m, 12h, 30d or 2w")
    return int(match[1]) * _NS_OF_UNIT[match[2]] if match[1] else 0


def parse_size(text: str) -> int:
    """Return the bytes of `20GiB`, `1.5 GB`, `4096`.

    Raises:
        ValueError: It is not a size.

    """
    match = _SIZE.fullmatch(text)
    if match is None or match[2] not in _BYTES_OF_UNIT:
        raise ValueError(f"{text!r} is not a size: give one such as 20GiB, 500MB or 4096")
    return int(float(match[1]) * _BYTES_OF_UNIT[match[2]])
