"""Mistakes that somebody could make in what decides, moves and removes, and who catches each."""

from __future__ import annotations

from tests.clean_safety.mutants import carrying_out, evidence, planning, removing

MUTANTS = (*evidence.MUTANTS, *planning.MUTANTS, *carrying_out.MUTANTS, *removing.MUTANTS)
