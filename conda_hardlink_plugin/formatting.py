"""Figures as people read them."""

from __future__ import annotations

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
