"""The installation that most tests of reports look at."""

from __future__ import annotations

import pytest

from tests.support.small_installation import SmallInstallation
from tests.support.trees import write


@pytest.fixture
def made(tmp_path):
    """A cache with three packages: `one` uses `mine`, both use `ours`, nobody uses `spare`."""
    made = SmallInstallation(str(tmp_path))
    mine = made.package("mine-1-0", {"lib/mine": b"m" * 5000})
    ours = made.package("ours-1-0", {"lib/ours": b"o" * 3000})
    made.package("spare-1-0", {"lib/spare": b"s" * 2000})
    write(f"{made.caches[0]}/mine-1-0.conda", b"t" * 1000)
    write(f"{made.caches[0]}/urls.txt", b"u" * 100)
    one, other = made.environment("one"), made.environment("other")
    made.install(one, mine)
    made.install(one, ours)
    made.install(other, ours)
    return made
