"""Format and parse sizes, durations, counts, times and names for people."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Text = Union[str, "os.PathLike[str]"]
_S = 1_000_000_000
_NS_OF_UNIT = {"s": _S, "m": 60 * _S, "h": 3600 * _S, "d": 24 * 3600 * _S, "w": 7 * 24 * 3600 * _S}
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
_SURROGATE_ESCAPES = range(0xDC80, 0xDD00)


def size(amount_bytes: int) -> str:
    """Return bytes in the largest unit that shows at least 1: `1.9 GiB`, `512 B`."""
    amount = float(amount_bytes)
    for unit in _UNITS:
        if round(abs(amount)) < _STEP or unit == _UNITS[-1]:
            break
        amount /= _STEP
    whole = unit == "B" or abs(amount) >= _THREE_DIGITS
    return f"{amount:.0f} {unit}" if whole else f"{amount:.1f} {unit}"


def exact_size(amount_bytes: int) -> str:
    """Return bytes in the largest unit and to the byte: `1.5 KiB (1,536 bytes)`."""
    return f"{size(amount_bytes)} ({amount_bytes:,} bytes)"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 file`, `2,000 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(part: int, whole: int) -> str:
    """Return a part of a whole in percent; `0 %` if the whole is 0."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def timestamp(seconds: float) -> str:
    """Return a time, given in seconds since the epoch, as `2026-09-21 14:13` in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def join_names(names: Sequence[str], most: int, conjunction: str = ", ") -> str:
    """Return the first names and the number of the others: `a, b and 3 more`.

    Args:
        names: The names to list.
        most: The largest number of names to show.
        conjunction: The separator if all names are shown.

    """
    if len(names) <= most:
        return conjunction.join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def and_more(number: int, noun: str, *, option: str = "-v") -> str:
    """Return the line below a cut list, such as `... and 3 more files: -v shows all.`.

    Args:
        number: How many items the list lacks.
        noun: What they are, in the singular.
        option: The option that shows them; `""` if there is none.

    """
    hint = f": {option} shows all" if option else ""
    return f"... and {count(number, f'more {noun}')}{hint}."


def and_others(number: int, noun: str) -> str:
    """Return what follows the first of several items: ` (and 3 more paths)`, or nothing for 0."""
    return f" (and {count(number, f'more {noun}')})" if number else ""


def printable(text: str) -> str:
    r"""Return the text with every unprintable character escaped.

    A byte that is not valid UTF-8 becomes `\xNN`. A control, format or line character becomes an
    escape such as `\n`, `\x1b` or `\u202e`. Printable text is returned unchanged.
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
    """Return a duration such as `90s`, `15m`, `12h`, `30d`, `2w` or `0` in nanoseconds.

    Raises:
        ValueError: The text is not a duration.

    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: give one such as 90s, 15m, 12h, 30d or 2w")
    return int(match[1]) * _NS_OF_UNIT[match[2]] if match[1] else 0


def parse_size(text: str) -> int:
    """Return a size such as `20GiB`, `1.5 GB` or `4096` in bytes.

    Raises:
        ValueError: The text is not a size.

    """
    match = _SIZE.fullmatch(text)
    if match is None or match[2] not in _BYTES_OF_UNIT:
        raise ValueError(f"{text!r} is not a size: give one such as 20GiB, 500MB or 4096")
    return int(float(match[1]) * _BYTES_OF_UNIT[match[2]])


def natural_number(value: int) -> int:
    """Return a whole number from 0.

    Raises:
        ValueError: The value is another number, or none.

    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a whole number from 0")
    return value


def one_or_more(values: Text | Iterable[Text]) -> tuple[str, ...]:
    """Return several texts or paths as a tuple; a single one counts as one, not as its characters.

    Raises:
        TypeError: One is neither a text nor a path.

    """
    given = (values,) if isinstance(values, (str, bytes, os.PathLike)) else values
    return tuple(map(os.fsdecode, given))
