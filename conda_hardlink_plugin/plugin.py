"""The hooks that conda calls. It loads this with every command: only `hookimpl` is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conda.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conda.plugins.types import (
        CondaHealthCheck,
        CondaPostCommand,
        CondaPostSolve,
        CondaPreCommand,
        CondaSetting,
        CondaSubcommand,
    )

_NAME = "hardlinks"
_LINKING = {
    "create",
    "install",
    "update",
    "remove",
    "rename",
    "env_create",
    "env_update",
    "env_remove",
}


@hookimpl
def conda_subcommands() -> Iterator[CondaSubcommand]:
    """Add `conda hardlinks`."""
    from conda.plugins.types import CondaSubcommand

    from .cli import configure_parser, execute

    yield CondaSubcommand(
        name=_NAME,
        summary="Show what environments really cost on disk, counted by inode.",
        action=execute,
        configure_parser=configure_parser,
    )


@hookimpl
def conda_pre_commands() -> Iterator[CondaPreCommand]:
    """Look at the state before a command that links packages, or that cleans the cache."""
    from conda.plugins.types import CondaPreCommand

    yield CondaPreCommand(_NAME, _before_command, _LINKING)
    yield CondaPreCommand(f"{_NAME}-guard", _before_clean, {"clean"})


@hookimpl
def conda_post_solves() -> Iterator[CondaPostSolve]:
    """Take note of what is to be linked, before the user is asked."""
    from conda.plugins.types import CondaPostSolve

    yield CondaPostSolve(_NAME, _after_solve)


@hookimpl
def conda_post_commands() -> Iterator[CondaPostCommand]:
    """Say after a command what was linked and unlinked."""
    from conda.plugins.types import CondaPostCommand

    yield CondaPostCommand(_NAME, _after_command, _LINKING)


@hookimpl(optionalhook=True)
def conda_pre_transaction_actions() -> Iterator[Any]:
    """Note what a transaction links and unlinks, where conda has such hooks: since 25.5."""
    from conda.plugins.types import CondaPreTransactionAction

    action = _call("hooks.transactions", "transaction_action")
    if action is not None:
        yield CondaPreTransactionAction(_NAME, action)


@hookimpl
def conda_settings() -> Iterator[CondaSetting]:
    """Add the settings."""
    from conda.plugins.types import CondaSetting

    for name, description, parameter in _call("settings", "settings") or ():
        yield CondaSetting(name=name, description=description, parameter=parameter)


@hookimpl
def conda_health_checks() -> Iterator[CondaHealthCheck]:
    """Add the checks of `conda doctor`."""
    yield from _call("hooks.health_checks", "health_checks") or ()


def _before_command(command: str) -> None:
    _call("hooks.transactions", "before_command", command)


def _after_solve(_repodata_fn: str, unlinked: Any, linked: Any) -> None:
    _call("hooks.transactions", "after_solve", unlinked, linked)


def _after_command(command: str) -> None:
    _call("hooks.transactions", "after_command", command)


def _before_clean(_command: str) -> None:
    refusal = _call("hooks.clean_guard", "refusal_of_clean", passing=KeyboardInterrupt)
    if refusal:
        from .cli.frontend import conda_error
        from .exceptions import CleanRefusedError

        raise conda_error(CleanRefusedError([refusal.removesuffix(".")]))


def _call(
    module: str,
    function: str,
    *arguments: Any,
    passing: type[BaseException] | tuple[type[BaseException], ...] = (),
) -> Any:
    """Import a module and call a function of it; `None`, and a line in conda's log, if that fails.

    It catches everything, including Ctrl-C, because an exception in a hook can make conda remove a
    new environment. Exception: before `conda clean`, Ctrl-C passes and stops the clean.
    """
    try:
        from importlib import import_module

        return getattr(import_module(f".{module}", __package__), function)(*arguments)
    except passing:
        raise
    except BaseException as error:  # noqa: BLE001  # that is what this is for
        from contextlib import suppress

        with suppress(BaseException):
            from .hooks.never_fails import log_failure

            log_failure(function, error)
        return None
