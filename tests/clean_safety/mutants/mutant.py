"""A mistake that somebody could make in the package, and how to make it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake in one place, and the tests that fail with it.

    Attributes:
        name: What the package does wrong with it.
        where: The module, as a path in the package, and after `::` the function or the class in it,
            if the snippet would match elsewhere, too.
        old: A snippet of Python, as `matching` explains; it matches one place there.
        new: What is put in its place; `""` to remove it.
        tests: Node identifiers of tests that catch it in a few seconds.

    """

    name: str
    where: str
    old: str
    new: str
    tests: tuple[str, ...]


def by(file: str, *tests: str) -> tuple[str, ...]:
    """Return the node identifiers of some tests in a file, or of the whole file."""
    path = f"tests/{file}.py"
    return tuple(f"{path}::test_{test}" for test in tests) or (path,)
