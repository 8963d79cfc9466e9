"""Render a clean as one JSON object, which `docs/reference/clean.schema.json` describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .json import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..clean.plan import Plan
    from ..executor.outcome import Outcome


def render_clean(plan: Plan, outcome: Outcome, *, errors: Sequence[str], dry_run: bool) -> str:
    """Return a plan and its outcome as JSON text that ends with a newline."""
    failures = [f"{problem.path}: {problem.reason}" for problem in outcome.problems]
    content = {
        "dry_run": dry_run,
        "run": outcome.run,
        "remove": [
            {
                "name": removal.name,
                "path": removal.path,
                "size_bytes": removal.size_bytes,
                "verdict": removal.verdict.value,
                "action": removal.action.value,
                "last_use_ns": None if removal.package is None else removal.package.last_use_ns,
            }
            for removal in plan.remove
        ],
        "keep": plan.keep,
        "trial_links": list(plan.trial_links),
        "planned_bytes": plan.planned_bytes,
        "held_bytes": plan.held_bytes,
        "freed_bytes": outcome.freed_bytes,
        "removed": [removal.path for removal in outcome.removed],
        "held": [removal.path for removal in outcome.held],
        "spared": [
            {"name": spared.removal.name, "path": spared.removal.path, "reason": spared.reason}
            for spared in outcome.spared
        ],
        "returned": outcome.moved_back,
        "too_big": dict(plan.excess_bytes),
        "archived": plan.packages_with_archive,
        "errors": [*errors, *failures],
    }
    return json_text(content, success=not errors and not failures)
