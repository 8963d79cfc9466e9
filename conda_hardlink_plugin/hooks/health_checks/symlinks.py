"""Symbolic links into package caches: which of them lead nowhere."""

from __future__ import annotations

from .output import print_list, say, say_problems

NAME = "hardlinks-softlinks"
SUMMARY = "Finds symbolic links into package caches that lead nowhere"
_TITLE = "Symbolic links into package caches"


def check(prefix: str, verbose: bool) -> None:  # conda's signature
    """Say whether an environment has symbolic links into a cache, and which lead nowhere."""
    from ...analysis.symlinks import follow_symlinks
    from ...discovery.finder import find_installation
    from ...filesystem.paths import is_within
    from ...scan.inventory import Root, RootKind
    from ...scan.scanner import scan

    found = find_installation(prefixes=[prefix])
    inside = [item.prefix for item in found.environments if is_within(item.prefix, prefix)]
    roots = [
        *(Root(RootKind.CACHE, path) for path in found.caches),
        *(Root(RootKind.ENVIRONMENT, path) for path in dict.fromkeys([prefix, *inside])),
    ]
    inventory = scan(roots)
    root = [place.path for place in inventory.roots].index(prefix)
    symlinks = follow_symlinks(inventory).get(root)
    if symlinks is None or not (symlinks.count or symlinks.unresolved):
        say(f"{_TITLE}: none.", good=True)
        return
    if symlinks.broken:
        broken = len(symlinks.broken)
        say(f"{_TITLE}: {broken} of {symlinks.count} lead nowhere.", good=False)
        print_list(symlinks.broken, "link", verbose=verbose)
        print("  Their targets were removed: install those packages again.\n")
    elif not symlinks.unresolved:
        say(
            f"{_TITLE}: {symlinks.count}, and all targets exist. `conda clean --packages` may"
            " remove them; `conda hardlinks clean` does not.",
            good=True,
        )
    say_problems(_TITLE, symlinks.unresolved, "cannot be followed", verbose=verbose)
