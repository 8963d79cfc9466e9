"""The checks of `conda doctor`."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conda.plugins.types import CondaHealthCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..analysis.edited_files import EditedFile

_SOFTLINKS = "Symbolic links into package caches"
_EDITED = "Shared files edited in place"
_SOFTLINKS_NAME, _EDITED_NAME = "hardlinks-softlinks", "hardlinks-edited"
_SHOWN = 5
_GOOD, _BAD = "✅", "❌"  # as conda marks its own checks


def health_checks() -> list[CondaHealthCheck]:
    """Return the checks; with what mends them where conda asks for that (since 26.1)."""
    if "fixer" not in getattr(CondaHealthCheck, "__dataclass_fields__", {}):
        return [
            CondaHealthCheck(_SOFTLINKS_NAME, check_softlinks),
            CondaHealthCheck(_EDITED_NAME, check_edited),
        ]
    return [
        CondaHealthCheck(
            _SOFTLINKS_NAME,
            check_softlinks,
            summary="Finds symbolic links into package caches that lead nowhere",
        ),
        CondaHealthCheck(
            _EDITED_NAME,
            check_edited,
            fixer=fix_edited,
            summary="Finds files whose content is not that of their package, and that other"
            " environments share",
            fix="Gives this environment copies of its own, from the archive of the package",
        ),
    ]


def check_softlinks(prefix: str, verbose: bool) -> None:  # conda's signature
    """Say whether an environment has symbolic links into a cache, and where they lead nowhere."""
    from ..analysis.symlinks import follow_symlinks
    from ..discovery.finder import find_installation
    from ..filesystem.paths import is_within
    from ..scan.inventory import Root, RootKind
    from ..scan.scanner import scan

    found = find_installation(prefixes=[prefix])
    inside = [item.prefix for item in found.environments if is_within(item.prefix, prefix)]
    roots = [
        *(Root(RootKind.CACHE, path) for path in found.caches),
        *(Root(RootKind.ENVIRONMENT, path) for path in dict.fromkeys([prefix, *inside])),
    ]
    inventory = scan(roots)
    root = [place.path for place in inventory.roots].index(prefix)
    softlinks = follow_symlinks(inventory).get(root)
    if softlinks is None or not (softlinks.count or softlinks.unresolved):
        _say(True, f"{_SOFTLINKS}: there are none.")
        return
    if softlinks.broken:
        broken = len(softlinks.broken)
        _say(False, f"{_SOFTLINKS}: {broken} of {softlinks.count} lead nowhere.")
        _list(softlinks.broken, verbose=verbose)
        print("  What they led to was removed: install those packages again.\n")
    elif not softlinks.unresolved:
        _say(
            True,
            f"{_SOFTLINKS}: {softlinks.count}, and all targets are there. `conda clean --packages`"
            " may remove them; `conda hardlinks clean` does not.",
        )
    for problem in softlinks.unresolved:
        _say(False, f"{_SOFTLINKS}: {problem.path} cannot be followed: {problem.reason}.")


def check_edited(prefix: str, verbose: bool) -> None:  # conda's signature
    """Name the files that were edited in place and that other environments have as well."""
    from ..filesystem.problems import PathProblem

    found = list(_edited(prefix))
    edited = [item for item in found if not isinstance(item, PathProblem)]
    problems = [item for item in found if isinstance(item, PathProblem)]
    if edited:
        _say(False, f"{_EDITED}: {len(edited)}.")
        _list([_described(file, prefix) for file in edited], verbose=verbose)
        print(
            "  Every environment with the file has the edit, and so has the cache: new ones get it,"
            " too.\n"
            "  `conda doctor --fix` (conda 26.1 or newer) gives this environment a copy of its own."
            " Or remove the\n"
            "  package from the cache and run `conda install --force-reinstall` for it.\n"
        )
    elif not problems:
        _say(True, f"{_EDITED}: there are none.")
    for problem in problems:
        _say(False, f"{_EDITED}: {problem.path} cannot be checked: {problem.reason}.")


def fix_edited(prefix: str, _args: Any, confirm: Callable[[str], None]) -> int:
    """Give an environment copies of its own of what was edited; return the exit code."""
    from ..filesystem.problems import PathProblem
    from ..formatting import printable

    edited = [item for item in _edited(prefix) if not isinstance(item, PathProblem)]
    if not edited:
        print(f"{_EDITED}: there are none.")
        return 0
    for file in edited:
        print(f"  {printable(_described(file, prefix))}")
    confirm("Replace these by copies with the content that the packages have?")
    failed = 0
    for file in edited:
        reason = _replace(prefix, file)
        failed += bool(reason)
        print(f"  {printable(file.path)}: {printable(reason or 'replaced')}")
    return 1 if failed else 0


def _replace(prefix: str, file: EditedFile) -> str:
    """Put a fresh copy in the place of an edited file; return why not, `""` if it was done."""
    from conda_package_handling.api import extract  # what conda itself unpacks with

    from ..analysis.edited_files import sha256_of

    archive = next(
        (
            path
            for suffix in (".conda", ".tar.bz2")
            if file.extracted and os.path.isfile(path := file.extracted + suffix)
        ),
        "",
    )
    if not archive:
        return "there is no archive of the package in the cache; install it anew"
    path = os.path.join(prefix, file.path)
    beside = f"{path}.hardlinks-{os.getpid()}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            extract(archive, dest_dir=folder)
            fresh = os.path.join(folder, file.source)
            if not os.path.isfile(fresh) or sha256_of(fresh) != file.sha256:
                return "the archive of the package has another content; install it anew"
            shutil.copy2(fresh, beside)
        os.replace(beside, path)
    except Exception as error:  # noqa: BLE001  # of one file: the others are mended all the same
        with suppress(OSError):
            os.unlink(beside)
        reason = error.strerror if isinstance(error, OSError) else None
        return (reason or "").lower() or (
            f"its archive cannot be unpacked ({type(error).__name__}); install it anew"
        )
    return ""


def _edited(prefix: str) -> Iterator[Any]:
    from ..analysis.edited_files import find_edited
    from ..discovery.finder import find_installation

    found = find_installation(prefixes=[prefix])
    return find_edited(prefix, [item.prefix for item in found.environments])


def _described(file: EditedFile, prefix: str) -> str:
    shared = ", ".join(file.shared_with) or "no other environment at that path"
    return f"{os.path.join(prefix, file.path)} of {file.dist}; shared with {shared}"


def _list(items: list[str], *, verbose: bool) -> None:
    from ..formatting import printable

    shown = items if verbose else items[:_SHOWN]
    for item in shown:
        print(f"  {printable(item)}")
    if len(shown) < len(items):
        print(f"  and {len(items) - len(shown)} more: --verbose names all")


def _say(good: bool, sentence: str) -> None:  # a mark
    from ..formatting import printable

    print(f"{_GOOD if good else _BAD} {printable(sentence)}\n")
