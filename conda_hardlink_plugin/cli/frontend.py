"""conda, as the verbs see it: options, output, prompts, errors, exit codes.

No other module of this package imports conda, so that the verbs can later run without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conda.base.context import context
from conda.exceptions import CondaError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..exceptions import HardlinksError


class _Error(CondaError):  # type: ignore[misc]  # conda's classes are untyped here
    """An error of ours as conda prints it, in JSON where that is asked for."""

    def __init__(self, sentence: str) -> None:
        """Take the sentence as it is: conda would interpolate `%` in it."""
        super().__init__(sentence.replace("\n", " "))
        self.sentence = sentence

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


def conda_error(error: HardlinksError) -> CondaError:
    """Return an error of ours as one of conda's, of the same name and exit code."""
    from ..formatting import printable

    ours = type(error)
    members = {"return_code": error.exit_code, "__module__": ours.__module__}
    kind = type(ours.__name__, (_Error,), members)
    return kind("\n".join(map(printable, error.lines)))


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add conda's `--json`, `--quiet` and `--verbose`."""
    from conda.cli.helpers import add_parser_json

    add_parser_json(parser)


def add_output_and_prompt_options(parser: argparse.ArgumentParser) -> None:
    """Add conda's options for output, and `--dry-run` and `--yes`."""
    from conda.cli.helpers import add_output_and_prompt_options

    add_output_and_prompt_options(parser)


def wants_json() -> bool:
    """Tell whether conda was asked for JSON, by an option, a variable or `.condarc`."""
    return bool(context.json)


def is_quiet() -> bool:
    """Tell whether only the result is to be printed."""
    return bool(context.json or context.quiet)


def is_verbose() -> bool:
    """Tell whether everything is to be printed."""
    return bool(context.verbosity > 0)


def is_dry_run() -> bool:
    """Tell whether nothing is to be changed."""
    return bool(context.dry_run)


def always_yes() -> bool:
    """Tell whether the user has agreed in advance."""
    return bool(context.always_yes)


def package_caches() -> tuple[str, ...]:
    """Return the package caches of conda's configuration, whether they exist or not."""
    return tuple(context.pkgs_dirs)


def confirm() -> bool:
    """Ask whether to go on, as conda asks; no answer is a no."""
    from conda.exceptions import CondaSystemExit

    try:
        from conda.reporters import confirm_yn
    except ImportError:  # conda before 25.1
        from conda.cli.common import confirm_yn
    try:
        return bool(confirm_yn(default="no"))
    except CondaSystemExit as refusal:
        if isinstance(refusal.__context__, KeyboardInterrupt):  # conda takes Ctrl-C for a no
            raise KeyboardInterrupt from None
        return False
    except BrokenPipeError:
        return False


def version_key(version: str) -> tuple[int, Any]:
    """Return what sorts versions as conda does; what is not a version comes first."""
    from conda.exceptions import InvalidVersionSpec
    from conda.models.version import VersionOrder

    try:
        return 1, VersionOrder(version)
    except (InvalidVersionSpec, ValueError):  # also of too many digits for an int
        return 0, version


def run(arguments: Sequence[str]) -> int:
    """Run `conda hardlinks` with some arguments; return the exit code."""
    from conda.cli.main import main

    return int(main("hardlinks", *arguments) or 0)
