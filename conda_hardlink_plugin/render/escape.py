"""Names are bytes from strangers: how they are shown without doing anything."""

from __future__ import annotations

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
