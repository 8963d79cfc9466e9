"""Shared files that were edited in place: every environment that has the file has the edit."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from .output import print_list, say, say_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...analysis.edited_files import EditedFile
    from ...filesystem.problems import PathProblem
    from ...filesystem.protocol import Handle

NAME = "hardlinks-edited"
SUMMARY = "Finds files whose content differs from their package and that other environments share"
FIX = "Gives this environment its own copies, from the archive of the package"
_TITLE = "Shared files edited in place"


class _OutsideError(Exception):
    """A path of a record does not lead to a file of the environment itself: why, as a phrase."""


def check(prefix: str, verbose: bool) -> None:  # conda's signature
    """Name the files that were edited in place and that other environments have as well."""
    edited, problems = _edited(prefix)
    if edited:
        say(f"{_TITLE}: {len(edited)}.", good=False)
        print_list([_described(file, prefix) for file in edited], "file", verbose=verbose)
        print(
            "  Every environment that shares the file has the edit, and so has the cache: new"
            " environments get\n"
            "  it, too. `conda doctor --fix` (conda 26.1 or newer) gives this environment its own"
            " copy. Or remove the\n"
            "  package from the cache and run `conda install --force-reinstall` for it.\n"
        )
    elif not problems:
        say(f"{_TITLE}: none.", good=True)
    say_problems(_TITLE, problems, "cannot be checked", verbose=verbose)


def fix(prefix: str, _args: Any, confirm: Callable[[str], None]) -> int:
    """Give an environment its own copies of what was edited; return the exit code."""
    from conda.base.context import context

    from ...formatting import printable
    from ...metadata.conda_meta import is_frozen

    edited, _ = _edited(prefix)
    if not edited:
        print(f"{_TITLE}: none.")
        return 0
    if is_frozen(prefix) and getattr(context, "protect_frozen_envs", True):
        print(
            f"{_TITLE}: {len(edited)}. Nothing is changed, because the environment is frozen"
            f" ({printable(prefix)}/conda-meta/frozen). To change it all the same, add"
            " --override-frozen."
        )
        return 1
    for file in edited:
        print(f"  {printable(_described(file, prefix))}")
    confirm("Replace these by copies with the content of their packages?")
    failed = 0
    for file in edited:
        reason = _replace(prefix, file)
        failed += bool(reason)
        print(f"  {printable(file.path)}: {printable(reason or 'replaced')}")
    return 1 if failed else 0


def _replace(prefix: str, file: EditedFile) -> str:
    """Put a fresh copy in the place of an edited file; return why not, `""` if it was done."""
    from conda_package_handling.api import extract  # what conda itself unpacks with

    from ...analysis.edited_files import sha256_of
    from ...filesystem.problems import reason_of

    archive = next(
        (
            path
            for suffix in (".conda", ".tar.bz2")
            if file.extracted and os.path.isfile(path := file.extracted + suffix)
        ),
        "",
    )
    if not archive:
        return "the cache has no archive of the package; reinstall it"
    try:
        with tempfile.TemporaryDirectory() as folder:
            extract(archive, dest_dir=folder)
            fresh = os.path.join(folder, file.source)
            if not os.path.isfile(fresh) or sha256_of(fresh) != file.sha256:
                return "the archive of the package has different content; reinstall it"
            with _folder_of(prefix, file.path) as (parent, name):
                _put_copy(fresh, name, parent)
    except Exception as error:  # noqa: BLE001  # of one file: the others are mended all the same
        if isinstance(error, _OutsideError):
            return f"{error}; reinstall the package"
        if isinstance(error, OSError) and error.strerror:
            return reason_of(error)
        return f"its archive cannot be unpacked ({type(error).__name__}); reinstall it"
    return ""


@contextmanager
def _folder_of(prefix: str, path: str) -> Iterator[tuple[Handle, str]]:
    """Open the folder of a path below a prefix; yield its handle and the name of the file.

    Raises:
        _OutsideError: A component of the path is a symbolic link, or leads out of the prefix.

    """
    from ...filesystem import closing, fs

    *folders, name = path.split("/")
    if {"", ".", ".."} & {*folders, name}:
        raise _OutsideError("its path leads out of the environment")
    with ExitStack() as stack:
        handle = stack.enter_context(closing(fs.open_root(prefix)))
        for folder in folders:
            if fs.status_at(folder, handle).is_symlink:
                raise _OutsideError("its path passes through a symbolic link")
            handle = stack.enter_context(closing(fs.open_directory(folder, handle)))
        yield handle, name


def _put_copy(source: str, name: str, parent: Handle) -> None:
    """Put a copy of a file into an open folder, in the place of the file of that name."""
    from ...filesystem import fs
    from ...filesystem.protocol import Access

    beside = f".hardlinks-{secrets.token_hex(8)}"
    try:
        with (
            open(source, "rb") as content,
            open(fs.open_file(beside, Access.CREATE, parent=parent), "wb") as copy,
        ):
            shutil.copyfileobj(content, copy)
            copy.flush()
            fs.take_over_permissions(copy.fileno(), source)
            mtime_ns = fs.status(source).mtime_ns
            os.utime(copy.fileno(), ns=(mtime_ns, mtime_ns))
        fs.rename(beside, parent, name, parent)
    except BaseException:
        with suppress(OSError):
            fs.unlink(beside, parent)
        raise


def _edited(prefix: str) -> tuple[list[EditedFile], list[PathProblem]]:
    from ...analysis.edited_files import EditedFile, find_edited
    from ...discovery.finder import find_installation
    from ...filesystem.problems import PathProblem

    installation = find_installation(prefixes=[prefix])
    found = list(find_edited(prefix, [item.prefix for item in installation.environments]))
    return (
        [item for item in found if isinstance(item, EditedFile)],
        [item for item in found if isinstance(item, PathProblem)],
    )


def _described(file: EditedFile, prefix: str) -> str:
    shared = ", ".join(file.shared_with) or "no other environment at that path"
    return f"{os.path.join(prefix, file.path)} of {file.dist}; shared with {shared}"
