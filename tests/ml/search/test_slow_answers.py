"""Answers that the grader is slow to compare hold up their own problem, and no other."""

from __future__ import annotations

import threading

import pytest

from ml.commands.solve import _judged
from ml.execution import sandbox
from ml.policies.protocol import Continuation
from ml.records import Problem
from ml.search.best_of_n import BestOfN, search
from ml.search.drive import WAITING_THREADS
from ml.search.executing import Executing
from ml.search.grading import grade
from ml.search.requests import Grade
from ml.search.solving import METHODS, solve
from ml.search.walk import Walk

SECONDS = 20.0
METHOD = METHODS["self-consistency"]


class NamingPolicy:
    """Each answer names its problem and its place."""

    name = "naming"

    def complete(self, prefixes, count, temperature, seed):
        return [
            [Continuation((f"The answer is {one.problem.text} {place}",), True, 5) for place in range(count)]
            for one in prefixes
        ]


@pytest.fixture
def until_quick_is_done():
    """Waits wherever a text of the slow problem is looked at; says whether it was not in vain."""
    done = threading.Event()

    def wait(*texts):
        if any("slow" in str(text) for text in texts):
            assert done.wait(SECONDS), "the quick problem waits for the slow one"

    wait.done = done
    return wait


def ends_of(searches, wait):
    """The keys in the order of ending."""
    ended = []
    for finished in Walk(NamingPolicy(), sandbox()).drive(searches):
        ended.append(finished.key)
        if finished.key == "quick":
            wait.done.set()
    return ended


def problem(name):
    return Problem(name, name, "2")


def test_a_vote_that_is_slow_holds_up_no_other_problem(until_quick_is_done, monkeypatch):
    monkeypatch.setattr(
        "ml.search.voting.is_equivalent", lambda *pair: until_quick_is_done(*pair) is not None
    )
    options = BestOfN(n=3, choice="vote")
    searches = ((name, search(problem(name), options, 0)) for name in ("slow", "quick"))
    assert ends_of(searches, until_quick_is_done) == ["quick", "slow"]


def test_a_solution_that_is_slow_to_judge_holds_up_no_other_problem(until_quick_is_done, monkeypatch):
    monkeypatch.setattr("ml.search.solved._verdict", lambda answer, of: until_quick_is_done(answer))
    options = METHOD.sized(1)
    searches = (
        (name, _judged(problem(name), solve(problem(name), METHOD, options, 1, 0, "prose")))
        for name in ("slow", "quick")
    )
    assert ends_of(searches, until_quick_is_done) == ["quick", "slow"]


def test_a_problem_with_many_slow_answers_leaves_threads_to_others(until_quick_is_done, monkeypatch):
    def slowly(problem, steps, *more):
        until_quick_is_done(problem.text)
        return grade(problem, steps, *more)

    monkeypatch.setattr("ml.search.drive.grade", slowly)
    monkeypatch.setattr("ml.search.drive.grade_at_once", lambda *_: None)

    def graded(name):
        answers = yield [
            Grade(problem(name), (f"The answer is {place}",)) for place in range(2 * WAITING_THREADS + 40)
        ]
        return len(answers)

    searches = ((name, graded(name)) for name in ("slow", "quick"))
    assert ends_of(searches, until_quick_is_done) == ["quick", "slow"]


def test_all_work_of_a_problem_is_done_in_the_end_and_never_too_much_at_once():
    executing, lock = Executing(threads=8, most_of_one=2), threading.Lock()
    under_way, most, done = 0, 0, threading.Semaphore(0)

    def work():
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.01)
        with lock:
            under_way -= 1
        done.release()

    for _ in range(20):
        executing.submit(work, "one")
    assert all(done.acquire(timeout=SECONDS) for _ in range(20)) and most == 2
    executing.close()
