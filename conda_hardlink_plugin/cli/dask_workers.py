"""The workers of a Dask scheduler that the user has started, as an executor."""

from __future__ import annotations

import os
import platform
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..exceptions import HardlinksError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from distributed import Client

_SECONDS_TO_CONNECT = 10
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
        answers = client.run(node_name, on_error="return")
        self._nodes = {
            worker: answer for worker, answer in answers.items() if isinstance(answer, str)
        }
        failed = {worker: answer for worker, answer in answers.items() if worker not in self._nodes}
        if not self._nodes:
            reason = "it has no workers: start some with `dask worker`"
            for worker, error in failed.items():
                reason = f"the worker {worker} cannot run conda-hardlink-plugin ({error})"
            raise HardlinksError(f"--dask {scheduler}: {reason}.")
        self._executor = self._chosen()

    def _chosen(self) -> Executor:
        executor: Executor = self._client.get_executor(
            workers=list(self._nodes), allow_other_workers=False, retries=_RETRIES, pure=False
        )
        return executor

    def exclude(self, node: str) -> bool:
        """Send nothing more to a machine; return whether there are others."""
        self._nodes = {worker: name for worker, name in self._nodes.items() if name != node}
        self._executor = self._chosen()
        return bool(self._nodes)

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a function on a worker."""
        return self._executor.submit(function, *args, **kwargs)


def node_name() -> str:
    """Return the name of this machine."""
    return platform.node() or "a machine without a name"
