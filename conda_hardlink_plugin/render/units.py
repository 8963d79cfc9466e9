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
