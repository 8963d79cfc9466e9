"""Scripts that have a shell complete `conda hardlinks`, made from what the parsers know."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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
# What completes a value; {words} are the words that it may be.
_BASH_VALUES = {
    Value.WORDS: 'COMPREPLY=($(compgen -W {words} -- "$current")); ',
    Value.ENVIRONMENT: f'COMPREPLY=($(compgen -W "{_NAMES}" -- "$current")); ',
    Value.FOLDER: 'COMPREPLY=($(compgen -d -- "$current")); compopt -o filenames; ',
    Value.FILE: 'COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames; ',
}
_ZSH_VALUES = {
    Value.WORDS: "compadd -- {words}; ",
    Value.ENVIRONMENT: 'compadd -- ${(f)"' + _NAMES + '"}; ',
    Value.FOLDER: "_files -/; ",
    Value.FILE: "_files; ",
}
_FISH_VALUES = {
    Value.WORDS: " -x -a '{words}'",
    Value.ENVIRONMENT: f" -x -a '({_FISH_NAMES})'",
    Value.FOLDER: " -x -a '(__fish_complete_directories)'",
    Value.FILE: " -r -F",
    Value.ANYTHING: " -x",
}


def bash_script(verbs: Sequence[Verb]) -> str:
    """Return what bash is to source."""
    words = _lines([verb.name for verb in verbs])
    values, options = _branches(verbs, _BASH_VALUES, _lines)
    return _BASH.format(verbs=words, values=values, options=options)


def zsh_script(verbs: Sequence[Verb]) -> str:
    """Return what zsh is to source."""
    words = shlex.join(verb.name for verb in verbs)
    values, options = _branches(verbs, _ZSH_VALUES, shlex.join)
    return _ZSH.format(verbs=words, values=values, options=options)


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
        lines.append(begin + (_taken(verb, _FISH_VALUES, " ".join) or " -f"))
        for option in verb.options:
            flags = "".join(
                f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"
                for name in option.names
            )
            value = _taken(option, _FISH_VALUES, " ".join)
            lines.append(f"{begin}{flags}{value} -d {shlex.quote(option.summary)}")
    return "\n".join(lines) + "\n"


def _branches(
    verbs: Sequence[Verb], values: Mapping[Value, str], joined: Callable[[Sequence[str]], str]
) -> tuple[str, str]:
    """Return the branches by verb and option for values, and those by verb for the rest."""
    of_values, of_verbs = [], []
    for verb in verbs:
        for option in verb.options:
            if option.value is not Value.NOTHING:
                pattern = "|".join(f'"{verb.name} {name}"' for name in option.names)
                of_values.append(f"        {pattern}) {_taken(option, values, joined)}return ;;")
        names = [name for option in verb.options for name in option.names]
        options = values[Value.WORDS].replace("{words}", joined(names))
        of_verbs.append(
            f"        {verb.name})\n"
            f"            if [[ $current == -* ]]; then {options}\n"
            f"            else {_taken(verb, values, joined)}:; fi ;;"
        )
    return "\n".join(of_values), "\n".join(of_verbs)


def _taken(
    taker: Verb | Option, values: Mapping[Value, str], joined: Callable[[Sequence[str]], str]
) -> str:
    """Return what completes what an option or a verb takes."""
    return values.get(taker.value, "").replace("{words}", joined(taker.words))


def _lines(words: Sequence[str]) -> str:
    r"""Return words as one of bash's, for `compgen -W` where only a newline separates."""
    return "$'" + "\\n".join(words) + "'"
