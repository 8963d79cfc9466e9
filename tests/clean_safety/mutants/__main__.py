"""Lists the mutants that have no place, or one with other names or in another function."""

from __future__ import annotations

import sys

from tests.clean_safety.mutants import MUTANTS
from tests.clean_safety.mutants.places import NoPlaceError, is_named, locate, read_package
from tests.support.repository import TOP

SOURCES = read_package(f"{TOP}/conda_hardlink_plugin")

for mutant in MUTANTS:
    try:
        site = locate(mutant, SOURCES)
    except NoPlaceError as error:  # noqa: PERF203  # there are few
        sys.stdout.write(f"{error}\n\n")
    else:
        renamed = ", ".join(f"{old} -> {new}" for old, new in site.place.match.renamed.items())
        if renamed or not is_named(mutant, SOURCES):
            sys.stdout.write(
                f"{mutant.name!r} was in {mutant.where} and is now at {site}\n"
                f"Renamed: {renamed or '-'}\n\n"
            )
