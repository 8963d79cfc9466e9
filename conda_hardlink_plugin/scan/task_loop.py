"""Runs tasks in the processes of an executor until none is left."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

from ..exceptions import HardlinksError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

_MAX_WAITING = 64
_MAX_TOGETHER = 16
_MAX_ATTEMPTS = 3
_SECONDS_BETWEEN_PROGRESS = 0.1
_LOG = logging.getLogger("conda.hardlinks")


class Result(Protocol):
    """What a task returns.

    Attributes:
        node: Name of the machine.
        refusal: Why it did nothing, as a sentence; otherwise empty.

    """

    @property
    def node(self) -> str: ...  # noqa: D102
    @property
    def refusal(self) -> str: ...  # noqa: D102


@runtime_checkable
class ChoosesNodes(Protocol):
    """An executor that can do without a machine, and that knows whether any is left."""

    def exclude(self, node: str) -> bool:
        """Send nothing more to a machine; return whether there are others."""

    def check(self) -> None:
        """Raise `HardlinksError` if no machine is left for what was sent."""


Task = TypeVar("Task")
Found = TypeVar("Found", bound=Result)


@dataclass(slots=True)
class Sent(Generic[Task]):
    """A task, and how often a machine has refused it."""

    task: Task
    refusals: int = 0


class TaskLoop:
    """Runs tasks, and sends those that a machine refuses elsewhere."""

    def __init__(self, executor: Executor) -> None:
        """Begin with no machine excluded."""
        self._executor = executor
        self._refused: set[str] = set()

    def run(
        self,
        function: Callable[[Task], Found],
        tasks: Iterable[Task],
        take: Callable[[Task, Found], Iterable[Task]],
        on_progress: Callable[[], None],
        is_pointless: Callable[[Task], bool] = lambda _: False,
    ) -> None:
        """Run tasks and those that follow from them; the executor may be used again afterwards.

        While many are left, several are sent together: a thousand small environments would
        otherwise take longer to be sent than to be read.

        Args:
            function: Runs one task, anywhere.
            tasks: The first tasks.
            take: Takes a result, here; returns further tasks, which come first.
            on_progress: Called now and then.
            is_pointless: Tells of a task that a machine has refused whether what it reads is gone
                here as well. It is not sent again then.

        Raises:
            HardlinksError: A process has failed, or no machine can run a task.

        """
        queue = deque(map(Sent, tasks))
        waiting: dict[Future[list[Found]], list[Sent[Task]]] = {}
        try:
            while queue or waiting:
                while queue and len(waiting) < _MAX_WAITING:
                    together = max(1, min(len(queue) // _MAX_WAITING, _MAX_TOGETHER))
                    some = [queue.popleft() for _ in range(together)]
                    waiting[self._submit(function, some)] = some
                done, _ = wait(waiting, _SECONDS_BETWEEN_PROGRESS, return_when=FIRST_COMPLETED)
                for future in done:
                    for sent, result in zip(waiting.pop(future), _result_of(future), strict=True):
                        if result.refusal:
                            if not is_pointless(sent.task):
                                queue.append(self._refused_by(result, sent))
                        else:
                            queue.extendleft(map(Sent, take(sent.task, result)))
                on_progress()
                if not done and isinstance(self._executor, ChoosesNodes):
                    self._executor.check()
        finally:
            for future in waiting:
                future.cancel()

    def _submit(
        self, function: Callable[[Task], Found], some: Sequence[Sent[Task]]
    ) -> Future[list[Found]]:
        """Send tasks together.

        Raises:
            HardlinksError: The executor takes none: it was shut down, or a process has failed.

        """
        try:
            return self._executor.submit(_run_each, function, [one.task for one in some])
        except Exception as error:
            raise _failure(error) from error

    def _refused_by(self, result: Result, sent: Sent[Task]) -> Sent[Task]:
        """Note that a machine refuses a task.

        Raises:
            HardlinksError: Every machine does, as far as is known.

        """
        if result.refusal not in self._refused:
            self._refused.add(result.refusal)
            _LOG.warning("hardlinks: %s", result.refusal)
        if isinstance(self._executor, ChoosesNodes):
            if not self._executor.exclude(result.node):
                raise HardlinksError(result.refusal)
        elif sent.refusals + 1 >= _MAX_ATTEMPTS:
            raise HardlinksError(result.refusal)
        return Sent(sent.task, sent.refusals + 1)


def _run_each(function: Callable[[Task], Found], tasks: list[Task]) -> list[Found]:
    return [function(task) for task in tasks]


def _result_of(future: Future[list[Found]]) -> list[Found]:
    """Return the results of tasks that were sent together.

    Raises:
        HardlinksError: There are none: a process, or the connection to it, has failed.

    """
    try:
        return future.result()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _failure(error) from error


def _failure(error: BaseException) -> HardlinksError:
    text = f"{type(error).__name__}: {error}".rstrip(": ").split("\n")[0]
    return HardlinksError(
        f"A process that reads a part of the trees has failed ({text}). Nothing was counted."
    )
