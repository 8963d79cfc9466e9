"""Running tasks: those that follow from results, refusals, and failures."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import pytest

from conda_hardlink_plugin.exceptions import HardlinksError
from conda_hardlink_plugin.scan.task_loop import TaskLoop


class Answer(NamedTuple):
    node: str
    refusal: str = ""
    number: int = 0


def run(function, tasks, take=lambda *_: (), executor=None):
    with executor or ThreadPoolExecutor(2) as workers:
        TaskLoop(workers).run(function, tasks, take, lambda: None)


def test_tasks_that_follow_from_results_run_as_well():
    taken = []

    def take(task, answer):
        taken.append(answer.number)
        return [task - 1] if task else []

    run(lambda task: Answer("n", number=10 * task), [3, 1], take)
    assert sorted(taken) == [0, 0, 10, 10, 20, 30]


def test_a_refused_task_runs_again_and_the_refusal_is_logged_once(caplog):
    refusals = iter(["n sees nothing.", "n sees nothing."])
    taken = []
    run(
        lambda _: Answer("n", next(refusals, "")),
        [1],
        lambda task, _: taken.append(task) or (),
    )
    assert taken == [1]
    assert caplog.messages == ["hardlinks: n sees nothing."]


def test_a_task_that_is_refused_again_and_again_is_an_error():
    with pytest.raises(HardlinksError, match="n sees nothing"):
        run(lambda _: Answer("n", "n sees nothing."), [1])


class Choosing(ThreadPoolExecutor):
    """Workers on machines of which one refuses."""

    def __init__(self, nodes):
        super().__init__(1)
        self.nodes = nodes

    def exclude(self, node):
        self.nodes = [other for other in self.nodes if other != node]
        return bool(self.nodes)

    def check(self):
        if not self.nodes:
            raise HardlinksError("nobody is left")


def test_where_nobody_is_left_the_loop_does_not_wait():
    class Waiting(Choosing):
        def submit(self, *_):
            return Future()

    with pytest.raises(HardlinksError, match="nobody is left"):
        run(lambda _: Answer("n"), [1], executor=Waiting([]))


def test_a_refused_task_is_not_sent_again_if_it_is_pointless():
    sent = []

    def answer(task):
        sent.append(task)
        return Answer("n", "n sees nothing." if task == 1 else "")

    with ThreadPoolExecutor(1) as workers:
        TaskLoop(workers).run(
            answer, [1, 2], lambda *_: (), lambda: None, is_pointless=lambda task: task == 1
        )
    assert sent == [1, 2]


def test_a_machine_that_refuses_gets_nothing_more():
    executor = Choosing(["bad", "good"])

    def answer(_):
        node = executor.nodes[0]
        return Answer(node, f"{node} is too old." if node == "bad" else "")

    taken = []
    run(answer, [1, 2], lambda task, found: taken.append((task, found.node)) or (), executor)
    assert sorted(taken) == [(1, "good"), (2, "good")]


def test_where_every_machine_refuses_the_last_sentence_is_the_error():
    with pytest.raises(HardlinksError, match="bad is too old"):
        run(lambda _: Answer("bad", "bad is too old."), [1], executor=Choosing(["bad"]))


def test_progress_is_reported_until_the_end():
    calls = []
    with ThreadPoolExecutor(1) as workers:
        TaskLoop(workers).run(
            lambda _: Answer("n"), [1, 2, 3], lambda *_: (), lambda: calls.append(1)
        )
    assert calls


class Counting(ThreadPoolExecutor):
    """Notes how many tasks are sent together."""

    def __init__(self):
        super().__init__(2)
        self.together = []

    def submit(self, function, /, *arguments):
        self.together.append(len(arguments[1]))
        return super().submit(function, *arguments)


@pytest.mark.parametrize(("tasks", "most"), [(64, 1), (500, 7), (5_000, 16)])
def test_many_tasks_are_sent_together_and_the_last_ones_alone(tasks, most):
    executor, taken = Counting(), []
    run(lambda _: Answer("n"), range(tasks), lambda task, _: taken.append(task) or (), executor)
    assert sorted(taken) == list(range(tasks))
    assert max(executor.together) == most
    assert executor.together[-1] == 1


def test_of_tasks_that_are_sent_together_only_the_refused_one_runs_again():
    ran = []

    def answer(task):
        ran.append(task)
        return Answer("n", "n sees nothing." if task == 7 and ran.count(7) == 1 else "")

    run(answer, range(500), executor=Counting())
    assert sorted(ran) == sorted([*range(500), 7])
