"""The settings of the plugin, in conda's configuration under `plugins`."""

from __future__ import annotations

from enum import Enum
from typing import Any


class Guard(Enum):
    """What happens before a `conda clean` that would break an environment."""

    WARN = "warn"
    BLOCK = "block"
    OFF = "off"

    def __str__(self) -> str:
        """Return the value, as conda writes it into its configuration."""
        return self.value


def settings() -> list[tuple[str, str, Any]]:
    """Return name, description and parameter of each setting."""
    from conda.common.configuration import (
        PrimitiveParameter,
        SequenceParameter,
    )

    return [
        (
            "hardlinks_summary",
            "Whether to say after a transaction what hard links saved.",
            PrimitiveParameter(True, element_type=bool),  # conda's signature
        ),
        (
            "hardlinks_guard",
            "Before a `conda clean` that would break softlinked environments: warn, block or off.",
            PrimitiveParameter(Guard.WARN, element_type=Guard),
        ),
        (
            "hardlinks_search",
            "Folders to look for environments in that conda does not list.",
            SequenceParameter(PrimitiveParameter("", element_type=str)),
        ),
        (
            "hardlinks_read_only_caches",
            "Package caches that `conda hardlinks clean` never touches.",
            SequenceParameter(PrimitiveParameter("", element_type=str)),
        ),
    ]


def summary_is_on() -> bool:
    """Tell whether the user wants to hear of transactions."""
    return bool(_value("hardlinks_summary", default=True))


def guard() -> Guard:
    """Return what is to be done before a `conda clean`."""
    value = _value("hardlinks_guard", default=Guard.WARN)
    return value if isinstance(value, Guard) else Guard(str(value))


def search() -> tuple[str, ...]:
    """Return the folders to look for environments in."""
    return tuple(_value("hardlinks_search", default=()))


def read_only_caches() -> tuple[str, ...]:
    """Return the package caches that are never touched."""
    return tuple(_value("hardlinks_read_only_caches", default=()))


def _value(name: str, *, default: Any) -> Any:
    """Return the value of a setting; the default where conda knows no plugin settings."""
    from conda.base.context import context

    return getattr(context.plugins, name, default)
