"""The settings of the plugin, in conda's configuration under `plugins`."""

from __future__ import annotations

from enum import Enum
from typing import Any

_SAID: set[str] = set()  # settings that were said to be wrong


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
    return bool(_value("hardlinks_summary", default=True, wrong=True, allowed="true or false"))


def guard() -> Guard:
    """Return what is to be done before a `conda clean`; `BLOCK` where the value is none."""
    value = _value(
        "hardlinks_guard", default=Guard.WARN, wrong=Guard.BLOCK, allowed="warn, block or off"
    )
    return value if isinstance(value, Guard) else Guard.BLOCK


def search() -> tuple[str, ...]:
    """Return the folders to look for environments in.

    Raises:
        HardlinksError: The value is no list.

    """
    return _folders("hardlinks_search")


def read_only_caches() -> tuple[str, ...]:
    """Return the package caches that are never touched.

    Raises:
        HardlinksError: The value is no list.

    """
    return _folders("hardlinks_read_only_caches")


def _folders(name: str) -> tuple[str, ...]:
    """Return a list of folders; without it nothing can be judged."""
    from conda.base.context import context

    from .exceptions import HardlinksError

    try:
        return tuple(getattr(context.plugins, name, ()))
    except Exception as error:
        raise HardlinksError(
            f"The setting {name} must be a list of folders: correct it in the `plugins` part of"
            f" your .condarc, or in CONDA_PLUGINS_{name.upper()}."
        ) from error


def _value(name: str, *, default: Any, wrong: Any, allowed: str) -> Any:
    """Return the value of a setting.

    Args:
        name: Its name.
        default: Its value where conda knows no plugin settings.
        wrong: What a value that makes no sense is taken for; it is said once.
        allowed: What would make sense.

    """
    from conda.base.context import context

    try:
        return getattr(context.plugins, name, default)
    except Exception:  # noqa: BLE001  # whatever conda says of it is said in our words
        if name not in _SAID:
            from logging import getLogger

            _SAID.add(name)
            getLogger("conda.hardlinks").warning(
                "hardlinks: the setting %s must be %s; %s is taken for it", name, allowed, wrong
            )
        return wrong
