"""A grading process that dies or is late is replaced and asked again, and never taken for a verdict."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ml import answers
from ml.answer_grading import (
    MOST_REMEMBERED,
    TRIES,
    TRIES_IN_TIME,
    GraderCrashed,
    GraderTimedOut,
    GradingPool,
    NoVerdict,
)
from ml.execution import sandbox
from ml.grading_child import SECONDS_TO_START, GradingChild
from ml.records import Problem
from ml.search.estimates import examine
from ml.search.expansion import _note
from ml.search.grading import grade
from ml.search.tree import Tree
from ml.search.walk import Walk
from tests.ml.search.scripted import ScriptedPolicy
from tests.ml.search.toy import solution_of


class UnaskedChild(GradingChild):
    """It is ready and never comes to a question, so it need not import what compares."""

    def __init__(self) -> None:
        command = [sys.executable, "-S", "-c", "print('ready', flush=True); input()"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, start_new_session=True, **pipes)
        self._read_line(SECONDS_TO_START)


class DoomedPool(GradingPool):
    """Its children are killed as soon as they are ready, as long as `doomed`."""

    doomed = True

    def _start(self) -> GradingChild:
        if not self.doomed:
            return super()._start()
        child = UnaskedChild()
        kill(child)
        return child


class LatePool(GradingPool):
    """The first `late` children are stopped as soon as they are ready: alive, and never in time."""

    late = 0
    stopped_for_good = True

    def _start(self) -> GradingChild:
        if not self.late:
            return super()._start()
        self.late -= 1
        child = UnaskedChild() if self.stopped_for_good else super()._start()
        os.kill(child.process.pid, signal.SIGSTOP)
        return child


def kill(child: GradingChild) -> None:
    """Kill a child and wait for its end, but leave it to its owner to collect."""
    os.kill(child.process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOWAIT)


@pytest.fixture
def pool() -> Iterator[GradingPool]:
    one = GradingPool(size=1, seconds=20.0)
    yield one
    one.close()


@pytest.fixture
def doomed(monkeypatch) -> Iterator[DoomedPool]:
    one = DoomedPool(size=1, seconds=20.0)
    monkeypatch.setattr("ml.answer_grading._pool", one)
    answers._compared.cache_clear()
    yield one
    one.close()


@pytest.fixture
def late(monkeypatch) -> Iterator[LatePool]:
    one = LatePool(size=1, seconds=1.0)
    monkeypatch.setattr("ml.answer_grading._pool", one)
    answers._compared.cache_clear()
    yield one
    one.close()


def asked_in_threads(pool: GradingPool, pairs: list[tuple[str, str]]) -> tuple[list[threading.Thread], list]:
    """Threads that ask the pool, and what each has found: a verdict, or why there is none."""
    found: list = []

    def ask(pair: tuple[str, str]) -> None:
        try:
            found.append(pool.compare(*pair))
        except NoVerdict as error:
            found.append(error)

    threads = [threading.Thread(target=ask, args=(pair,)) for pair in pairs]
    for thread in threads:
        thread.start()
    return threads, found


def test_a_comparison_that_is_late_is_asked_again_of_a_fresh_child(late):
    late.late, late.seconds = 1, 5.0
    assert late.compare("x+1", "1+x")
    assert (late.crashes, late.timeouts) == (0, 1)


def test_a_comparison_that_is_never_in_time_is_no_verdict_and_is_not_remembered_as_one(late):
    late.late = TRIES_IN_TIME
    with pytest.raises(GraderTimedOut):
        answers.judge("x+1", "1+x")
    assert late.timeouts == TRIES_IN_TIME
    late.seconds, late.until_asked_again = 20.0, 0.0
    assert answers.judge("x+1", "1+x").primary


def test_a_pair_that_hung_is_no_verdict_at_once_the_next_times(late):
    late.late = TRIES_IN_TIME
    with pytest.raises(GraderTimedOut):
        late.compare("x+1", "1+x")
    late.seconds = 20.0
    started = time.monotonic()
    with pytest.raises(GraderTimedOut):
        late.compare("x+1", "1+x")
    assert time.monotonic() - started < 0.5 and late.timeouts == TRIES_IN_TIME
    assert late.compare("x+2", "2+x")


def test_others_are_answered_while_a_pair_hangs_and_while_it_is_tried_again(pool):
    pool.seconds = 4.0
    (hanging,), found = asked_in_threads(pool, [("10^{100000000}", "8.5")])
    waits = []
    while hanging.is_alive():
        started = time.monotonic()
        assert pool.compare(f"x+{len(waits) + 2}", f"{len(waits) + 2}+x")
        waits.append(time.monotonic() - started)
        time.sleep(0.2)
    assert isinstance(found[0], GraderTimedOut)
    # The first waits until the hanging pair gives way, and for a child of its own to start; the rest wait for nothing.
    assert len(waits) > 5 and sorted(waits)[-2] < 3


def test_a_pair_that_several_ask_about_at_once_is_compared_once(late):
    late.late = TRIES_IN_TIME
    threads, found = asked_in_threads(late, [("x+1", "1+x")] * 8)
    for thread in threads:
        thread.join(60)
    assert [type(one) for one in found] == [GraderTimedOut] * 8
    assert late.timeouts == TRIES_IN_TIME


def test_as_many_pairs_are_compared_at_once_as_the_pool_has_children():
    pool = LatePool(size=2, seconds=20.0)
    pool.late, pool.stopped_for_good = 2, False
    threads, found = asked_in_threads(pool, [("x+1", "1+x"), ("x+2", "2+x")])
    children: set[int] = set()
    deadline = time.monotonic() + 60
    while len(children) < 2 and time.monotonic() < deadline:
        children = {int(one) for one in stopped_children()}
        time.sleep(0.05)
    assert len(children) == 2
    for child in children:
        os.kill(child, signal.SIGCONT)
    for thread in threads:
        thread.join(60)
    assert found == [True, True] and (pool.crashes, pool.timeouts) == (0, 0)
    assert len(pool._idle) == 2
    pool.close()


def stopped_children() -> list[str]:
    """The children of this process that are stopped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if (state, parent) == ("T", str(os.getpid())):
                found.append(stat.parent.name)
    return found


def test_a_pool_whose_idle_children_all_died_asks_a_new_one():
    pool = GradingPool(size=TRIES + 1, seconds=20.0)
    pool._idle = [UnaskedChild() for _ in range(TRIES + 1)]
    for child in pool._idle:
        kill(child)
    assert pool.compare("x+1", "1+x")
    assert pool.crashes == 1
    pool.close()


def test_a_pool_has_a_child_for_each_core_that_it_may_use(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(5)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert GradingPool().size == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert GradingPool().size == 3


def test_of_pairs_that_hung_only_the_latest_are_remembered(pool):
    for number in range(MOST_REMEMBERED + 5):
        pool._remember_hung(b"%d" % number)
    assert len(pool._hung) == MOST_REMEMBERED and b"4" not in pool._hung and b"5" in pool._hung


def test_a_solution_whose_answer_was_not_compared_in_time_is_ungraded_and_not_wrong(late):
    late.late = TRIES_IN_TIME
    graded = grade(Problem("1", "What is 1 more than x?", "x+1"), ["The answer is 1+x"], sandbox=None)
    assert not graded.is_evidence and graded.answer is None


def test_a_run_counts_the_answers_that_were_not_compared_in_time(late):
    late.late = TRIES_IN_TIME
    solution = solution_of(Problem("1", "What is 1 more than x?", "x+1"), ["The answer is 1+x"])
    walk = Walk(ScriptedPolicy({}), sandbox())
    (found,) = walk.drive([("only", examine(solution))])
    assert found.ungraded == 1 and not found.result.graded.is_evidence


def test_a_child_that_died_between_two_comparisons_is_replaced(pool):
    assert pool.compare("x+1", "1+x")
    kill(pool._idle[0])
    assert pool.compare("x+2", "2+x")
    assert (pool.crashes, pool.timeouts) == (1, 0)


def test_a_child_that_dies_during_a_comparison_is_replaced_and_asked_again(pool):
    assert pool.compare("x+1", "1+x")
    child = pool._idle[0].process
    # Stopped, it reads nothing: the question has been asked and not answered when it dies.
    os.kill(child.pid, signal.SIGSTOP)
    (thread,), found = asked_in_threads(pool, [("x+2", "2+x")])
    thread.join(0.5)
    assert thread.is_alive()
    os.kill(child.pid, signal.SIGKILL)
    thread.join(60)
    assert found == [True]
    assert (pool.crashes, pool.timeouts) == (1, 0)


def test_a_child_that_dies_each_time_gives_no_verdict_and_can_be_closed(doomed):
    with pytest.raises(GraderCrashed):
        doomed.compare("x+1", "1+x")
    assert doomed.crashes == TRIES


def test_a_crash_is_not_remembered_as_a_verdict(doomed):
    with pytest.raises(GraderCrashed):
        answers.judge("x+1", "1+x")
    doomed.doomed = False
    assert answers.judge("x+1", "1+x").primary


def test_a_vote_goes_on_with_the_strict_opinion_while_the_grader_crashes(doomed):
    assert not answers.is_equivalent("x+1", "1+x")
    assert answers.is_equivalent("(x, 0.5)", "(x, 1/2)")
    doomed.doomed = False
    assert answers.is_equivalent("x+1", "1+x")


def test_a_crash_is_an_infrastructure_verdict_on_the_solution(doomed):
    problem = Problem("1", "What is 1 more than x?", "x+1")
    graded = grade(problem, ["The answer is 1+x"], sandbox=None)
    assert not graded.is_evidence
    assert (graded.answer, graded.is_disputed) == (None, False)


def test_a_crash_neither_selects_nor_counts_the_step_that_ends_the_solution(doomed):
    problem = Problem("1", "What is 1 more than x?", "x+1")
    tree = Tree(problem)
    child = tree.step(tree.root, "The answer is 1+x", finished=True)
    _note(tree, child, grade(problem, tree.steps(child), sandbox=None), depth=8, errors_threshold=None)
    assert (child.pruned, child.terminal, child.final_answer) == ("infrastructure", None, None)
