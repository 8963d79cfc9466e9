"""The checks of `conda doctor`, one a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conda.plugins.types import CondaHealthCheck


def health_checks() -> list[CondaHealthCheck]:
    """Return the checks; with what fixes them where conda asks for that (since 26.1)."""
    from conda.plugins.types import CondaHealthCheck

    from . import edited_files, symlinks

    takes_fixer = "fixer" in getattr(CondaHealthCheck, "__dataclass_fields__", {})
    return [
        CondaHealthCheck(
            symlinks.NAME,
            symlinks.check,
            **({"summary": symlinks.SUMMARY} if takes_fixer else {}),
        ),
        CondaHealthCheck(
            edited_files.NAME,
            edited_files.check,
            **(
                {
                    "fixer": edited_files.fix,
                    "summary": edited_files.SUMMARY,
                    "fix": edited_files.FIX,
                }
                if takes_fixer
                else {}
            ),
        ),
    ]
