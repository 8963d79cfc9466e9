"""Scripts that have a shell complete `conda hardlinks`, made from what the parsers know."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Value(Enum):
    """What an option or a verb takes."""

    NOTHING = "nothing"
    WORDS = "words"
    ENVIRONMENT = "environment"
    FOLDER = "folder"
    FILE = "file"
    ANYTHING = "anything"


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a verb.

    Attributes:
        names: As `-n` and `--name`.
        summary: The first sentence of its help.
        value: What it takes.
        words: What it takes, where that is one of some words.

    """

    names: tuple[str, ...]
    summary: str
    value: Value
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb.

    Attributes:
        name: As `report`.
        summary: A sentence.
        options: Its options.
        value: What it takes besides them.
        words: What it takes, where that is one of some words.

    """

    name: str
    summary: str
    options: tuple[Option, ...]
    value: Value
    words: tuple[str, ...] = ()


_BASH = """\
# Completion of `conda hardlinks` for bash. What completes other commands of conda stays.
_conda_hardlinks() {{
    local IFS=$'\\n' current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local environments="$HOME/.conda/environments.txt"
    COMPREPLY=()
    if (( COMP_CWORD == 2 )); then
        COMPREPLY=($(compgen -W {verbs} -- "$current"))
        return
    fi
    case "${{COMP_WORDS[2]}} $previous" in
{values}
    esac
    case "${{COMP_WORDS[2]}}" in
{options}
    esac
}}
_conda_hardlinks_or_other() {{
    if (( COMP_CWORD > 1 )) && [[ ${{COMP_WORDS[1]}} == hardlinks ]]; then
        _conda_hardlinks
    elif [[ -n $_conda_hardlinks_other ]]; then
        "$_conda_hardlinks_other" "$@"
    fi
}}
type _completion_loader &>/dev/null && _completion_loader conda &>/dev/null
_conda_hardlinks_found=$(complete -p conda 2>/dev/null | sed -n 's/.* -F \\([^ ]*\\) .*/\\1/p')
if [[ $_conda_hardlinks_found != _conda_hardlinks_or_other ]]; then
    _conda_hardlinks_other=$_conda_hardlinks_found
fi
complete -o default -F _conda_hardlinks_or_other conda
"""
_ZSH = """\
# Completion of `conda hardlinks` for zsh. What completes other commands of conda stays.
_conda_hardlinks() {{
    local current=${{words[CURRENT]}} previous=${{words[CURRENT-1]}}
    local environments="$HOME/.conda/environments.txt"
    if (( CURRENT < 3 )) || [[ ${{words[2]}} != hardlinks ]]; then
        ${{_conda_hardlinks_other:-_default}} "$@"
        return
    fi
    if (( CURRENT == 3 )); then
        compadd -- {verbs}
        return
    fi
    case "${{words[3]}} $previous" in
{values}
    esac
    case "${{words[3]}}" in
{options}
    esac
}}
(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit; }}
if [[ ${{_comps[conda]}} != _conda_hardlinks ]]; then
    _conda_hardlinks_other=${{_comps[conda]}}
fi
compdef _conda_hardlinks conda
"""
# Only plain names: bash would expand others, and run what is in them.
_NAMES = "$(sed -n 's,.*/\\([A-Za-z0-9._-]*\\)$,\\1,p' \"$environments\" 2>/dev/null)"
_FISH_NAMES = (
    "test -r ~/.conda/environments.txt;"
    ' and string match -r -g ".*/([A-Za-z0-9._-]+)\\$" <~/.conda/environments.txt'
)


def bash_script(verbs: Sequence[Verb]) -> str:
    """Return what bash is to source."""
    return _BASH.format(
        verbs=_lines([verb.name for verb in verbs]),
        values="\n".join(_cases(verbs, _bash_value)),
        options="\n".join(_bash_verb(verb) for verb in verbs),
    )


def zsh_script(verbs: Sequence[Verb]) -> str:
    """Return what zsh is to source."""
    return _ZSH.format(
        verbs=shlex.join(verb.name for verb in verbs),
        values="\n".join(_cases(verbs, _zsh_value)),
        options="\n".join(_zsh_verb(verb) for verb in verbs),
    )


def fish_script(verbs: Sequence[Verb]) -> str:
    """Return what fish is to source."""
    names = " ".join(verb.name for verb in verbs)
    lines = ["# Completion of `conda hardlinks` for fish."]
    alone = f"__fish_seen_subcommand_from hardlinks; and not __fish_seen_subcommand_from {names}"
    lines += [
        f"complete -c conda -f -n '{alone}' -a {verb.name} -d {shlex.quote(verb.summary)}"
        for verb in verbs
    ]
    for verb in verbs:
        seen = f"__fish_seen_subcommand_from hardlinks; and __fish_seen_subcommand_from {verb.name}"
        begin = f"complete -c conda -n '{seen}'"
        lines.append(begin + (_fish_value(verb.value, verb.words) or " -f"))
        for option in verb.options:
            flags = "".join(
                f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"
                for name in option.names
            )
            value = _fish_value(option.value, option.words)
            lines.append(f"{begin}{flags}{value} -d {shlex.quote(option.summary)}")
    return "\n".join(lines) + "\n"


def _cases(verbs: Sequence[Verb], action: Callable[[Value, Sequence[str]], str]) -> Iterator[str]:
    """Yield a branch for each option that takes a value, by verb and option."""
    for verb in verbs:
        for option in verb.options:
            if option.value is not Value.NOTHING:
                pattern = "|".join(f'"{verb.name} {name}"' for name in option.names)
                yield f"        {pattern}) {action(option.value, option.words)}return ;;"


def _bash_value(value: Value, words: Sequence[str]) -> str:
    match value:
        case Value.WORDS:
            return f'COMPREPLY=($(compgen -W {_lines(words)} -- "$current")); '
        case Value.ENVIRONMENT:
            return f'COMPREPLY=($(compgen -W "{_NAMES}" -- "$current")); '
        case Value.FOLDER:
            return 'COMPREPLY=($(compgen -d -- "$current")); compopt -o filenames; '
        case Value.FILE:
            return 'COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames; '
        case _:
            return ""


def _bash_verb(verb: Verb) -> str:
    names = [name for option in verb.options for name in option.names]
    options = f'COMPREPLY=($(compgen -W {_lines(names)} -- "$current"))'
    return (
        f"        {verb.name})\n"
        f"            if [[ $current == -* ]]; then {options}\n"
        f"            else {_bash_value(verb.value, verb.words)}:; fi ;;"
    )


def _zsh_value(value: Value, words: Sequence[str]) -> str:
    match value:
        case Value.WORDS:
            return f"compadd -- {shlex.join(words)}; "
        case Value.ENVIRONMENT:
            return f'compadd -- ${{(f)"{_NAMES}"}}; '
        case Value.FOLDER:
            return "_files -/; "
        case Value.FILE:
            return "_files; "
        case _:
            return ""


def _zsh_verb(verb: Verb) -> str:
    names = shlex.join(name for option in verb.options for name in option.names)
    return (
        f"        {verb.name})\n"
        f"            if [[ $current == -* ]]; then compadd -- {names}\n"
        f"            else {_zsh_value(verb.value, verb.words)}:; fi ;;"
    )


def _fish_value(value: Value, words: Sequence[str]) -> str:
    match value:
        case Value.WORDS:
            return f" -x -a {shlex.quote(' '.join(words))}"
        case Value.ENVIRONMENT:
            return f" -x -a '({_FISH_NAMES})'"
        case Value.FOLDER:
            return " -x -a '(__fish_complete_directories)'"
        case Value.FILE:
            return " -r -F"
        case Value.ANYTHING:
            return " -x"
        case _:
            return ""


def _lines(words: Sequence[str]) -> str:
    r"""Return words as one of bash's, for `compgen -W` where only a newline separates."""
    return "$'" + "\\n".join(words) + "'"
