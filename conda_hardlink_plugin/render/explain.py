"""Everything about a package or a file: for a person, and as JSON."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..formatting import count, size
from .json import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..report.explain import FileExplanation, FileWitness, PackageExplanation
    from .terminal import Terminal

_FILES = 5  # of one environment, where not all are wanted
_NS = 1_000_000_000
_VERDICTS = {
    "linked": "It is in use: files of it have hard links elsewhere.",
    "softlinked": "It is in use: symbolic links lead into it.",
    "recorded": "An environment records it and has no link into it: its files are copies there, or"
    " it has none. `conda hardlinks clean` keeps it unless --copied is given and every record says"
    " that they are no symbolic links.",
    "unverifiable": "Something that could tell cannot be read, so `conda hardlinks clean` keeps"
    " it.",
    "recent": "Nobody uses it yet, and it is too recent for `conda hardlinks clean` (--grace).",
    "unobtainable": "Nobody uses it, and `conda hardlinks clean` keeps it because it could not be"
    " had again, unless --unobtainable is given.",
    "unused": "Nobody uses it: `conda hardlinks clean` removes it.",
}
_IN_USE = ("linked", "softlinked")
_LEADS = {
    "hardlink": "hard links in",
    "softlink": "symbolic links in",
    "record": "recorded in",
}


def print_package(package: PackageExplanation, terminal: Terminal, *, verbose: bool) -> None:
    """Print everything about a package; `verbose` names every file."""
    terminal.say(f"{package.name}: {package.verdict}", style="bold")
    terminal.say(_VERDICTS[package.verdict], indent="  ")
    for reason in () if package.verdict in _IN_USE else package.reasons:
        terminal.say(f"! {reason}", style="yellow", indent="  ")
    terminal.say(package.path)
    terminal.say(
        f"It takes {size(package.size_bytes)} ({package.size_bytes:,} bytes); removing it frees"
        f" {size(package.freed_bytes)} ({package.freed_bytes:,} bytes)."
    )
    if package.last_use_ns is not None:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(package.last_use_ns / _NS))
        terminal.say(f"Last extracted or about to be linked: {when}.")
    terminal.say(f"From {package.url or 'an unknown place'}.")
    for use, lead in _LEADS.items():
        witnesses = [witness for witness in package.witnesses if witness.use == use]
        _print_witnesses(lead, witnesses, terminal, verbose=verbose)
    if package.linked_outside:
        _print_paths(
            "linked from outside these trees:", package.linked_outside, terminal, verbose=verbose
        )
    terminal.say(_what_would_break(package))


def print_file(file: FileExplanation, terminal: Terminal) -> None:
    """Print everything about a file."""
    terminal.say(file.path, style="bold")
    frees = size(file.freed_bytes) if file.freed_bytes else "nothing"
    terminal.say(
        f"Its inode takes {size(file.size_bytes)} ({file.size_bytes:,} bytes) and has"
        f" {count(file.link_count, 'link')}; removing this one frees {frees}."
    )
    if file.leads_to is not None:
        terminal.say(f"It is a symbolic link that leads to {file.leads_to}", indent="  ")
    if file.links:
        _print_paths("links in these trees:", file.links, terminal, verbose=True)
    unseen = file.link_count - len(file.links)
    if unseen > 0:
        terminal.say(f"{count(unseen, 'link')} outside these trees.")
    if file.archive_of is not None:
        is_extracted = "extracted" if os.path.isdir(file.archive_of) else "not extracted"
        terminal.say(
            f"It is the archive of {os.path.basename(file.archive_of)}, which is {is_extracted}"
            " beside it: `conda hardlinks clean --tarballs --dry-run -v` says whether it may go."
        )
    elif not file.packages:
        terminal.say("No cached package holds it.")
    else:
        terminal.say()


def render_explanation(package: PackageExplanation | None, file: FileExplanation | None) -> str:
    """Return an explanation as JSON text that ends with a newline."""
    content: dict[str, Any] = {}
    if package is not None:
        content |= asdict(package)
    if file is not None:
        content["file"] = asdict(file)
    return json_text(content)


def _print_witnesses(
    lead: str, witnesses: Sequence[FileWitness], terminal: Terminal, *, verbose: bool
) -> None:
    for name in dict.fromkeys(witness.name for witness in witnesses):
        paths = [witness.path for witness in witnesses if witness.name == name]
        _print_paths(f"{lead} {name}:", paths, terminal, verbose=verbose)


def _print_paths(lead: str, paths: Sequence[str], terminal: Terminal, *, verbose: bool) -> None:
    terminal.say(f"{lead[:1].upper()}{lead[1:]}")
    shown = paths if verbose else paths[:_FILES]
    for path in shown:
        terminal.say(f"  {path}", indent="    ")
    if len(shown) < len(paths):
        terminal.say(f"  and {len(paths) - len(shown):,} more: -v names all.")


def _what_would_break(package: PackageExplanation) -> str:
    if package.would_break:
        names = ", ".join(package.would_break)
        if any(witness.use == "softlink" for witness in package.witnesses):
            return f"Removing it would break {names}: symbolic links there would lead nowhere."
        return f"Removing it may break {names}: symbolic links there may lead to it."
    if package.witnesses or package.linked_outside:
        return "Removing it would break nothing: whoever has hard links or copies keeps the files."
    return "Removing it would break nothing."
