"""Names in the quarantine of a package cache: they hold all of its state.

A package on its way out is renamed to `<cache>/.conda-hardlinks/<stage>-...`. No file records the
progress, so a full disk or a crash cannot leave one half-written.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import Enum

QUARANTINE = ".conda-hardlinks"
LOCK_NAME = "lock"
_ORIGIN = re.compile(r"-[0-9a-f]{64}$")
_NAME = re.compile(
    r"(moving|purge|held-(?P<expires>\d{1,16}))-(?P<run>\w+)-(?P<quoted>[^/]+)", re.ASCII
)


class Stage(Enum):
    """How far a package has come on its way out.

    Attributes:
        MOVING: Moved to the quarantine and being checked. If no run is working on it, it belongs
            back in its cache.
        PURGE: Committed to removal; it cannot be restored.
        HELD: Kept until it expires; `conda hardlinks restore` restores it.

    """

    MOVING = "moving"
    PURGE = "purge"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """An entry of a quarantine.

    Attributes:
        stage: How far it has come.
        run: The run of `conda hardlinks clean` that moved it, `[0-9A-Za-z_]+`.
        relative: Its original path, relative to the cache.
        expires_s: When a held entry expires, in seconds since the epoch; 0 for other stages.

    """

    stage: Stage
    run: str
    relative: str
    expires_s: int = 0

    def has_expired(self, now_ns: int) -> bool:
        """Return whether this is a held entry that has expired."""
        return self.stage is Stage.HELD and self.expires_s * 1_000_000_000 <= now_ns

    @property
    def name(self) -> str:
        """Its name in the quarantine. A filesystem takes at most 255 bytes."""
        from urllib.parse import quote_from_bytes  # noqa: PLC0415  # a scan seldom needs it

        expires = f"-{self.expires_s}" if self.stage is Stage.HELD else ""
        quoted = quote_from_bytes(os.fsencode(self.relative), safe="")
        return f"{self.stage.value}{expires}-{self.run}-{quoted}"

    @classmethod
    def of_name(cls, name: str) -> QuarantineEntry | None:
        """Return the entry with a name in the quarantine; `None` if the plugin never uses it."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        from urllib.parse import unquote_to_bytes  # noqa: PLC0415  # a scan seldom needs it

        relative = os.fsdecode(unquote_to_bytes(os.fsencode(match["quoted"])))
        stage = Stage(name.partition("-")[0])
        found = cls(stage, match["run"], relative, int(match["expires"] or 0))
        return found if found.name == name and _is_path_in_cache(relative) else None


def entry_of(path: str) -> QuarantineEntry | None:
    """Return the quarantine entry at an absolute path; `None` for any other path."""
    if QUARANTINE not in path:
        return None
    quarantine, name = os.path.split(path)
    in_quarantine = os.path.basename(quarantine) == QUARANTINE
    return QuarantineEntry.of_name(name) if in_quarantine else None


def home_of(path: str) -> str:
    """Return the original path of a quarantine entry; any other path in a cache as it is.

    Args:
        path: An absolute path in a cache.

    """
    entry = entry_of(path)
    if entry is None:
        return path
    return os.path.join(os.path.dirname(os.path.dirname(path)), entry.relative)


def dist_of(path: str) -> str:
    """Return the `NAME-VERSION-BUILD` of an extracted package from the name of its directory.

    rattler may append the sha256 of the package's origin (rattler_cache, `cache_key.rs`).

    Args:
        path: Absolute path of the package.

    """
    return _ORIGIN.sub("", home_of(path).rpartition("/")[2])


def _is_path_in_cache(relative: str) -> bool:
    """Return whether a relative path names something in the cache and outside the quarantine."""
    parts = relative.split("/")
    return "\0" not in relative and not {"", ".", ".."} & set(parts) and parts[0] != QUARANTINE
