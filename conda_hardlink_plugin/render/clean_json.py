"""A clean as one JSON object, as `docs/reference/clean.schema.json` describes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..clean.plan import Plan
    from ..executor.outcome import Outcome
    from ..executor.removal import Removal

SCHEMA_VERSION = 1


def render_clean(plan: Plan, outcome: Outcome, *, errors: Sequence[str], dry_run: bool) -> str:
    """Return a plan and what came of it as JSON text that ends with a newline."""
    failures = [f"{problem.path}: {problem.reason}" for problem in outcome.problems]
    content = {
        "schema_version": SCHEMA_VERSION,
        "success": not errors and not failures,
        "dry_run": dry_run,
        "run": outcome.run,
        "remove": [_removal(removal) for removal in plan.remove],
        "keep": [
            {
                "name": kept.name,
                "path": kept.path,
                "bytes": kept.size_bytes,
                "verdict": kept.verdict.value,
                "reason": kept.reason,
                "witnesses": [asdict(witness) for witness in kept.witnesses],
            }
            for kept in plan.keep
        ],
        "probes": list(plan.probes),
        "planned_bytes": plan.planned_bytes,
        "held_bytes": plan.held_bytes,
        "freed_bytes": outcome.freed_bytes,
        "removed": [removal.path for removal in outcome.removed],
        "held": [removal.path for removal in outcome.held],
        "spared": [
            {"name": spared.removal.name, "path": spared.removal.path, "reason": spared.reason}
            for spared in outcome.spared
        ],
        "returned": outcome.returned,
        "too_big": dict(plan.too_big),
        "archived": plan.archived,
        "errors": [*errors, *failures],
    }
    return json.dumps(content, indent=2) + "\n"


def _removal(removal: Removal) -> dict[str, Any]:
    return {
        "name": removal.name,
        "path": removal.path,
        "bytes": removal.size_bytes,
        "verdict": removal.verdict.value,
        "action": removal.action.value,
        "last_use_ns": None if removal.package is None else removal.package.last_use_ns,
    }
