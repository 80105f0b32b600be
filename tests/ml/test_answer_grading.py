"""A grading process that dies or is late is replaced and asked again, and never taken for a verdict."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from ml import answers
from ml.answer_grading import (
    MOST_REMEMBERED,
    TRIES,
    TRIES_IN_TIME,
    GraderCrashed,
    GraderTimedOut,
    GradingProcess,
)
from ml.execution import sandbox
from ml.records import Problem
from ml.search.estimates import examine
from ml.search.expansion import _note
from ml.search.grading import grade
from ml.search.tree import Tree
from ml.search.walk import Walk
from tests.ml.search.scripted import ScriptedPolicy
from tests.ml.search.toy import solution_of


class DoomedProcess(GradingProcess):
    """Its children are killed as soon as they are ready, as long as `doomed`."""

    doomed = True

    def _start(self) -> subprocess.Popen[bytes]:
        child = super()._start()
        if self.doomed:
            kill(child)
        return child


class LateProcess(GradingProcess):
    """The first `late` children are stopped as soon as they are ready: alive, and never in time."""

    late = 0

    def _start(self) -> subprocess.Popen[bytes]:
        child = super()._start()
        if self.late:
            self.late -= 1
            os.kill(child.pid, signal.SIGSTOP)
        return child


def kill(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and wait for its end, but leave it to its owner to collect."""
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


@pytest.fixture
def process() -> Iterator[GradingProcess]:
    one = GradingProcess(seconds=20.0)
    yield one
    one.close()


@pytest.fixture
def doomed(monkeypatch) -> Iterator[DoomedProcess]:
    one = DoomedProcess(seconds=20.0)
    monkeypatch.setattr("ml.answer_grading._process", one)
    answers._compared.cache_clear()
    yield one
    one.close()


@pytest.fixture
def late(monkeypatch) -> Iterator[LateProcess]:
    one = LateProcess(seconds=1.0)
    monkeypatch.setattr("ml.answer_grading._process", one)
    answers._compared.cache_clear()
    yield one
    one.close()


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


def test_a_pair_that_hung_is_no_verdict_at_once_the_next_times_and_keeps_no_other_waiting(late):
    late.late = TRIES_IN_TIME
    with pytest.raises(GraderTimedOut):
        late.compare("x+1", "1+x")
    late.seconds = 20.0
    with late._lock, pytest.raises(GraderTimedOut):
        late.compare("x+1", "1+x")
    assert late.timeouts == TRIES_IN_TIME
    assert late.compare("x+2", "2+x")


def test_of_pairs_that_hung_only_the_latest_are_remembered(process):
    for number in range(MOST_REMEMBERED + 5):
        process._remember_hung(b"%d" % number)
    assert len(process._hung) == MOST_REMEMBERED and b"4" not in process._hung and b"5" in process._hung


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


def test_a_child_that_died_between_two_comparisons_is_replaced(process):
    assert process.compare("x+1", "1+x")
    kill(process._child)
    assert process.compare("x+2", "2+x")
    assert (process.crashes, process.timeouts) == (1, 0)


def test_a_child_that_dies_during_a_comparison_is_replaced_and_asked_again(process):
    assert process.compare("x+1", "1+x")
    child, found = process._child, []
    # Stopped, it reads nothing: the question has been asked and not answered when it dies.
    os.kill(child.pid, signal.SIGSTOP)
    thread = threading.Thread(target=lambda: found.append(process.compare("x+2", "2+x")))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    os.kill(child.pid, signal.SIGKILL)
    thread.join(60)
    assert found == [True]
    assert (process.crashes, process.timeouts) == (1, 0)


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
