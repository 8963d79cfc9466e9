"""What conda environments really cost on disk, counted by inode.

The names in `__all__` are the public API; importing this package loads nothing but itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis.retention import RetentionPolicy
    from .api import (
        Analysis,
        CleanPlan,
        Installation,
        Report,
        analyze,
        find_installation,
        plan_clean,
    )
    from .exceptions import CleanRefusedError, HardlinksError, NotFoundError

__version__ = "0.1.0"
__all__ = [
    "Analysis",
    "CleanPlan",
    "CleanRefusedError",
    "HardlinksError",
    "Installation",
    "NotFoundError",
    "Report",
    "RetentionPolicy",
    "analyze",
    "find_installation",
    "plan_clean",
]
_MODULES = {
    "CleanRefusedError": "exceptions",
    "HardlinksError": "exceptions",
    "NotFoundError": "exceptions",
    "RetentionPolicy": "analysis.retention",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  # conda loads this with every command

    return getattr(import_module(f".{_MODULES.get(name, 'api')}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
