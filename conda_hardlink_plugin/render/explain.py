"""Render the explanation of a package or a file, for a person and as JSON."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..formatting import and_more, count, exact_size, size, timestamp
from .json import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..report.explain import FileExplanation, PackageExplanation
    from .output import Output

_FILES = 5  # of one environment, without `verbose`
_NS = 1_000_000_000
_VERDICTS = {
    "linked": "It is in use: some of its files have hard links elsewhere.",
    "softlinked": "It is in use: symbolic links lead into it.",
    "recorded": "An environment records it but has no link into it: either its files are copies"
    " there, or it has no files. `conda hardlinks clean` keeps it unless you add --copied and every"
    " record rules out symbolic links.",
    "unverifiable": "`conda hardlinks clean` keeps it because something that may use it cannot be"
    " read.",
    "recent": "No environment uses it yet, but it is too recent for `conda hardlinks clean` (see"
    " --grace).",
    "unobtainable": "No environment uses it, but it cannot be downloaded again, so `conda hardlinks"
    " clean` keeps it. Remove it with --unobtainable.",
    "unused": "No environment uses it: `conda hardlinks clean` removes it.",
}
_IN_USE = ("linked", "softlinked")
_HEADINGS = {
    "hardlink": "Hard links in",
    "softlink": "Symbolic links in",
    "record": "Recorded in",
}


def print_package(package: PackageExplanation, output: Output, *, verbose: bool) -> None:
    """Print the explanation of a package; `verbose` lists every file."""
    output.say(f"{package.name}: {package.verdict}", style="bold")
    output.say(_VERDICTS[package.verdict], indent="  ")
    for reason in () if package.verdict in _IN_USE else package.reasons:
        output.warn(reason)
    output.say(package.path)
    output.say(
        f"It takes {exact_size(package.size_bytes)}; removing it frees"
        f" {exact_size(package.exclusive_bytes)}."
    )
    if package.last_use_ns is not None:
        output.say(
            f"Last extracted or prepared for linking: {timestamp(package.last_use_ns / _NS)}."
        )
    output.say(f"Source: {package.url or 'unknown'}")
    paths: dict[str, list[str]] = {}
    for witness in package.witnesses:
        paths.setdefault(f"{_HEADINGS[witness.use]} {witness.name}:", []).append(witness.path)
    if package.linked_outside:
        paths["Linked from outside the scanned trees:"] = list(package.linked_outside)
    for heading, paths_there in paths.items():
        _print_paths(heading, paths_there, output, verbose=verbose)
    output.say(_effect_of_removal(package))


def print_file(file: FileExplanation, output: Output) -> None:
    """Print the explanation of a file."""
    output.say(file.path, style="bold")
    frees = size(file.exclusive_bytes) if file.exclusive_bytes else "nothing"
    output.say(
        f"Its inode takes {exact_size(file.size_bytes)} and has {count(file.link_count, 'link')};"
        f" removing this link frees {frees}."
    )
    if file.leads_to is not None:
        output.say(f"It is a symbolic link to {file.leads_to}", indent="  ")
    if file.links:
        _print_paths("Links in the scanned trees:", file.links, output, verbose=True)
    unseen = file.link_count - len(file.links)
    if unseen > 0:
        output.say(f"{count(unseen, 'link')} outside the scanned trees.")
    if file.archive_of is not None:
        is_extracted = "extracted" if os.path.isdir(file.archive_of) else "not extracted"
        output.say(
            f"It is the archive of {os.path.basename(file.archive_of)}, which is {is_extracted}"
            " beside it. `conda hardlinks clean --tarballs --dry-run -v` shows whether it can be"
            " removed."
        )
    else:
        output.say("" if file.packages else "No cached package contains it.")


def render_explanation(package: PackageExplanation | None, file: FileExplanation | None) -> str:
    """Return an explanation as JSON text that ends with a newline."""
    content: dict[str, Any] = {} if package is None else asdict(package)
    if file is not None:
        content["file"] = file
    return json_text(content)


def _print_paths(heading: str, paths: Sequence[str], output: Output, *, verbose: bool) -> None:
    output.say(heading)
    shown = paths if verbose else paths[:_FILES]
    for path in shown:
        output.say(f"  {path}", indent="    ")
    if len(shown) < len(paths):
        output.say(f"  {and_more(len(paths) - len(shown), 'file')}")


def _effect_of_removal(package: PackageExplanation) -> str:
    if package.would_break:
        names = ", ".join(package.would_break)
        if any(witness.use == "softlink" for witness in package.witnesses):
            return f"Removing it would break {names}: symbolic links there would dangle."
        return f"Removing it may break {names}: symbolic links there may lead into it."
    if package.witnesses or package.linked_outside:
        return "Removing it would break nothing: hard links and copies keep their files."
    return "Removing it would break nothing."
