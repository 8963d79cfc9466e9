"""The workers of a Dask scheduler that the user has started, as an executor."""

from __future__ import annotations

import logging
import os
import platform
import time
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..exceptions import HardlinksError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from distributed import Client

_SECONDS_TO_CONNECT = 10
_SECONDS_BETWEEN_CHECKS = 2
_SECONDS_WITHOUT_WORKERS = 20  # a nanny starts a worker again in some seconds
_LOG = logging.getLogger("conda.hardlinks")
_RETRIES = 3  # of a task whose worker was killed
T = TypeVar("T")


@contextmanager
def dask_workers(scheduler: str) -> Iterator[DaskWorkers]:
    """Connect to a scheduler; disconnect at the end.

    Args:
        scheduler: Its address, or the path of its scheduler file.

    Raises:
        HardlinksError: It cannot be reached, has no workers, or Dask is not installed.

    """
    try:
        from distributed import Client
    except ImportError as error:
        raise HardlinksError(
            f"--dask needs the package distributed ({error}): install it in this environment."
        ) from None
    is_file = os.path.isfile(scheduler)
    if not is_file and ":" not in scheduler:
        raise HardlinksError(
            f"--dask {scheduler}: there is no such file. Give the scheduler file, or the address of"
            " the scheduler (tcp://HOST:PORT)."
        )
    where = {"scheduler_file": scheduler} if is_file else {"address": scheduler}
    with ExitStack() as stack:
        try:
            client = stack.enter_context(
                Client(**where, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
            )
        except Exception as error:  # noqa: BLE001  # of many kinds, an empty AssertionError among them
            reason = str(error).split("\n")[0] or type(error).__name__
            raise HardlinksError(
                f"--dask {scheduler}: no scheduler answers there ({reason}). Start one with `dask"
                " scheduler --scheduler-file FILE`, and workers with `dask worker"
                " --scheduler-file FILE`."
            ) from None
        yield stack.enter_context(DaskWorkers(client, scheduler))


class DaskWorkers(Executor):
    """Runs tasks on the workers, without those that refused one."""

    def __init__(self, client: Client, scheduler: str) -> None:
        """Ask each worker for the name of its machine, with a function of this package.

        Raises:
            HardlinksError: There are no workers, or none has this package.

        """
        self._client = client
        self._scheduler = scheduler
        answers = client.run(node_name, on_error="return")
        self._nodes = {
            worker: answer for worker, answer in answers.items() if isinstance(answer, str)
        }
        reason = "it has no workers: start some with `dask worker`"
        for worker, error in answers.items():
            if worker not in self._nodes:
                reason = f"the worker {worker} cannot run conda-hardlink-plugin ({error})"
                if self._nodes:
                    _LOG.warning("hardlinks: %s.", reason)
        if not self._nodes:
            raise HardlinksError(f"--dask {scheduler}: {reason}.")
        self._is_chosen = len(self._nodes) < len(answers)
        self._executor = self._chosen()
        self._checked_s = time.monotonic()
        self._alone_since_s: float | None = None

    def _chosen(self) -> Executor:
        """Return an executor: of all workers, those to come included, unless some are left out."""
        which = {"workers": list(self._nodes), "allow_other_workers": False}
        executor: Executor = self._client.get_executor(
            **(which if self._is_chosen else {}), retries=_RETRIES, pure=False
        )
        return executor

    def exclude(self, node: str) -> bool:
        """Send nothing more to a machine; return whether there are others."""
        self._nodes = {worker: name for worker, name in self._nodes.items() if name != node}
        self._is_chosen = True
        self._executor = self._chosen()
        return bool(self._nodes)

    def check(self) -> None:
        """Raise `HardlinksError` if there have been no workers for a while.

        A worker that was killed may come back under another address, if some program watches it.
        """
        now_s = time.monotonic()
        if now_s - self._checked_s < _SECONDS_BETWEEN_CHECKS:
            return
        self._checked_s = now_s
        try:
            there = set(self._client.nthreads())
        except Exception:  # noqa: BLE001  # the scheduler is gone: so are the results, which says so
            return
        if there & self._nodes.keys() if self._is_chosen else there:
            self._alone_since_s = None
        elif self._alone_since_s is None:
            self._alone_since_s = now_s
        elif now_s - self._alone_since_s > _SECONDS_WITHOUT_WORKERS:
            raise HardlinksError(
                f"--dask {self._scheduler}: no worker is left that can read. Nothing was counted."
            )

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a function on a worker."""
        return self._executor.submit(function, *args, **kwargs)


def node_name() -> str:
    """Return the name of this machine."""
    return platform.node() or "a machine without a name"
