"""What is in the quarantine of a package cache: all of its state is in the names there.

A package on its way out is renamed to `<cache>/.conda-hardlinks/<stage>-...`. No file says what is
going on, so a full disk or a crash cannot leave one half written.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import Enum

QUARANTINE = ".conda-hardlinks"
OUR_LOCK = "lock"
_ORIGIN = re.compile(r"-[0-9a-f]{64}$")
_NAME = re.compile(
    r"(moving|purge|held-(?P<expires>\d{1,16}))-(?P<run>\w+)-(?P<quoted>[^/]+)", re.ASCII
)


class Stage(Enum):
    """How far something has come on its way out.

    Attributes:
        MOVING: Moved aside and being checked; if nobody is at it, it belongs back.
        PURGE: To be removed for good; nothing can bring it back.
        HELD: Kept until it expires; `conda hardlinks restore` brings it back.

    """

    MOVING = "moving"
    PURGE = "purge"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """An entry of a quarantine.

    Attributes:
        stage: How far it has come.
        run: Which run of `conda hardlinks clean` moved it, `[0-9A-Za-z_]+`.
        relative: Where it was, relative to the cache.
        expires_s: Until when a held one is kept, in seconds since the epoch; else 0.

    """

    stage: Stage
    run: str
    relative: str
    expires_s: int = 0

    def has_expired(self, now_ns: int) -> bool:
        """Tell whether it is a held one that is kept no longer."""
        return self.stage is Stage.HELD and self.expires_s * 1_000_000_000 <= now_ns

    @property
    def name(self) -> str:
        """Its name in the quarantine; at most 255 bytes fit on a filesystem."""
        stage = self.stage.value
        if self.stage is Stage.HELD:
            stage += f"-{self.expires_s}"
        from urllib.parse import quote_from_bytes  # noqa: PLC0415  # a scan seldom needs it

        return f"{stage}-{self.run}-{quote_from_bytes(os.fsencode(self.relative), safe='')}"

    @classmethod
    def of_name(cls, name: str) -> QuarantineEntry | None:
        """Return what a name in the quarantine says; `None` if it is none of ours."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        from urllib.parse import unquote_to_bytes  # noqa: PLC0415  # a scan seldom needs it

        relative = os.fsdecode(unquote_to_bytes(os.fsencode(match["quoted"])))
        stage = Stage(name.partition("-")[0])
        found = cls(stage, match["run"], relative, int(match["expires"] or 0))
        return found if found.name == name and _stays_inside(relative) else None


def entry_of(path: str) -> QuarantineEntry | None:
    """Return what an absolute path in the quarantine of a cache is; `None` for any other path."""
    if QUARANTINE not in path:
        return None
    quarantine, name = os.path.split(path)
    in_quarantine = os.path.basename(quarantine) == QUARANTINE
    return QuarantineEntry.of_name(name) if in_quarantine else None


def home_of(path: str) -> str:
    """Return where something in a cache belongs: what was moved aside, where it was before.

    Args:
        path: Its absolute path.

    """
    entry = entry_of(path)
    if entry is None:
        return path
    return os.path.join(os.path.dirname(os.path.dirname(path)), entry.relative)


def dist_of(path: str) -> str:
    """Return the `NAME-VERSION-BUILD` of an extracted package by the name of its directory.

    rattler may add the sha256 of the package's origin to it (rattler_cache, `cache_key.rs`).

    Args:
        path: Its absolute path.

    """
    return _ORIGIN.sub("", home_of(path).rpartition("/")[2])


def _stays_inside(relative: str) -> bool:
    """Tell whether a relative path names something below its start, and not in the quarantine."""
    parts = relative.split("/")
    return "\0" not in relative and not {"", ".", ".."} & set(parts) and parts[0] != QUARANTINE
