"""The settings of the plugin, in conda's configuration under `plugins`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

_REPORTED: set[str] = set()  # settings whose invalid value was reported


class Guard(Enum):
    """What the plugin does before a `conda clean` that would break an environment."""

    WARN = "warn"
    BLOCK = "block"
    OFF = "off"

    def __str__(self) -> str:
        """Return the value, as conda writes it into its configuration."""
        return self.value


def settings() -> list[tuple[str, str, Any]]:
    """Return the name, description, and conda parameter of each setting."""
    from conda.common.configuration import PrimitiveParameter, SequenceParameter

    folders = SequenceParameter(PrimitiveParameter("", element_type=str))
    return [
        (
            "hardlinks_summary",
            "Whether to show after a transaction what hard links saved.",
            PrimitiveParameter(True, element_type=bool),  # conda's signature
        ),
        (
            "hardlinks_guard",
            "Before a `conda clean` that would break softlinked environments: warn, block or off.",
            PrimitiveParameter(Guard.WARN, element_type=Guard),
        ),
        ("hardlinks_search", "Folders to search for environments unknown to conda.", folders),
        ("hardlinks_read_only_caches", "Package caches that the plugin never cleans.", folders),
    ]


def summary_enabled() -> bool:
    """Return whether the user wants a summary after transactions."""
    return bool(_value("hardlinks_summary", default=True, fallback=True, allowed="true or false"))


def guard() -> Guard:
    """Return what to do before a `conda clean`; `BLOCK` if the value is invalid."""
    value = _value(
        "hardlinks_guard", default=Guard.WARN, fallback=Guard.BLOCK, allowed="warn, block or off"
    )
    return value if isinstance(value, Guard) else Guard.BLOCK


def search() -> tuple[str, ...]:
    """Return the folders to search for environments.

    Raises:
        HardlinksError: The value is not a list.

    """
    return _folders("hardlinks_search")


def read_only_caches() -> tuple[str, ...]:
    """Return the package caches that are never cleaned.

    Raises:
        HardlinksError: The value is not a list.

    """
    return _folders("hardlinks_read_only_caches")


def _folders(name: str) -> tuple[str, ...]:
    """Return a list of folders. There is no fallback: without the list no verdict is safe."""
    from .exceptions import HardlinksError

    try:
        return tuple(_read(name, ()))
    except Exception as error:
        raise HardlinksError(
            f"The setting {name} must be a list of folders: correct it in the `plugins` part of"
            f" your .condarc, or in CONDA_PLUGINS_{name.upper()}."
        ) from error


def _value(name: str, *, default: Any, fallback: Any, allowed: str) -> Any:
    """Return the value of a setting.

    Args:
        name: Name of the setting.
        default: Its value if this conda has no plugin settings.
        fallback: The value to use for an invalid one, which is reported once.
        allowed: The valid values, as a phrase.

    """
    try:
        return _read(name, default)
    except Exception:  # noqa: BLE001  # our message replaces conda's
        if name not in _REPORTED:
            from logging import getLogger

            _REPORTED.add(name)
            getLogger("conda.hardlinks").warning(
                "hardlinks: the setting %s must be %s; using %s instead", name, allowed, fallback
            )
        return fallback


def _read(name: str, default: Any) -> Any:
    """Return the value of a setting; the default if this conda has no such setting.

    Raises:
        Exception: The value is invalid. For one of the wrong shape it is an `AttributeError` of
            conda, so `getattr` with a default would take it for a missing setting.

    """
    from conda.base.context import context

    for source in context.raw_data.values():
        part = source["plugins"].value(None) if "plugins" in source else None
        if part is not None and not isinstance(part, Mapping):  # conda skips it
            raise TypeError("`plugins` is not a mapping")
    plugins = context.plugins
    return getattr(plugins, name) if name in dir(plugins) else default
