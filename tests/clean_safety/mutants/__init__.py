"""Mistakes that somebody could make in the package, by its rooms, and the tests that catch each.

A mutant survives a change of layout and of names in the package, and most moves of code. If one has
no place any more, `python -m tests.clean_safety.mutants` shows what is most like its snippet. It
also lists the mutants with the old name of a function or of anything in their snippet: they work,
but give them the new names. Do the same for names that only the replacement has: nothing can tell
how they are called now.
"""

from __future__ import annotations

from tests.clean_safety.mutants import analysis, clean, executor

MUTANTS = (*analysis.MUTANTS, *clean.MUTANTS, *executor.MUTANTS)
