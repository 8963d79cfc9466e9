"""Mistakes that somebody could make in what decides, moves and removes, and who catches each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake in one file, and the tests that fail with it.

    Attributes:
        name: What is broken by it.
        file: The file, in the package.
        old: What stands there, once.
        new: What stands there by mistake.
        tests: Node identifiers of tests that catch it in a few seconds.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def by(file: str, *tests: str) -> tuple[str, ...]:
    """Return the node identifiers of some tests in a file, of all if none is named."""
    path = f"tests/{file}.py"
    return tuple(f"{path}::test_{test}" for test in tests) or (path,)
