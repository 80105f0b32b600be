"""Turns side by side and alone, and that a sandbox's last tries are alone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ml.execution import Execution, Sandbox, Verdict
from ml.execution.monty import Doubt, MontyRun
from ml.execution.turns import Turns

SECONDS = 20


class Watched:
    """Runs that note how many were under way beside them at the most."""

    def __init__(self, answer):
        self.answer, self.lock, self.running, self.beside = answer, threading.Lock(), [], {}

    def run(self, codes, keep_states=False, is_partial=False):
        (name,) = codes
        with self.lock:
            mine = {"name": name, "beside": len(self.running)}
            for other in self.running:
                other["beside"] = max(other["beside"], len(self.running))
            self.running.append(mine)
        time.sleep(0.01)
        with self.lock:
            self.running.remove(mine)
            tries = self.beside.setdefault(name, [])
            tries.append(mine["beside"])
            return self.answer(name, len(tries))

    def close(self):
        pass


def infrastructure_for_bad(name, tries):
    verdict = Verdict.INFRASTRUCTURE if name.startswith("bad") else Verdict.OK
    return MontyRun(Execution(verdict, "", "monty", 0))


def cpu_limit_for_bad(name, tries):
    error = "CPU time limit" if name.startswith("bad") else ""
    return Execution(Verdict.PROGRAM_ERROR if error else Verdict.OK, "", "process", 0, error)


def run_all(sandbox, names):
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda name: sandbox.execute([name]), names, timeout=SECONDS))


NAMES = [f"{'bad' if number % 5 == 0 else 'good'} {number}" for number in range(100)]


def test_the_last_try_of_an_infrastructure_verdict_is_alone():
    sandbox = Sandbox(use_processes=False)
    sandbox._monty = watched = Watched(infrastructure_for_bad)
    run_all(sandbox, NAMES)
    tries = [beside for name, beside in watched.beside.items() if name.startswith("bad")]
    assert all(len(beside) == 3 for beside in tries)
    assert {beside[-1] for beside in tries} == {0}
    assert sum(sum(beside) for beside in watched.beside.values()) > 0
    assert sandbox.infrastructure == len(tries)


def test_the_self_test_and_the_second_run_into_the_processor_limit_are_alone(monkeypatch):
    sandbox = Sandbox()
    sandbox._monty = Watched(
        lambda name, tries: MontyRun(Execution(Verdict.OK, "", "monty", 0), Doubt.POSSIBLE)
    )
    sandbox._process = watched = Watched(cpu_limit_for_bad)
    checks = []

    def self_test(run, pid):
        time.sleep(0.05)
        checks.append(len(watched.running) + len(sandbox._monty.running))
        return []

    monkeypatch.setattr("ml.execution.layers.broken_promises", self_test)
    results = run_all(sandbox, NAMES)
    tries = [beside for name, beside in watched.beside.items() if name.startswith("bad")]
    assert all(len(beside) == 2 for beside in tries)
    assert {beside[-1] for beside in tries} == {0}
    assert checks == [0]
    assert sum(result.error == "CPU time limit" for result in results) == len(tries)


def test_shared_turns_are_taken_at_once():
    turns, together = Turns(), threading.Barrier(4, timeout=SECONDS)

    def take():
        with turns.shared():
            together.wait()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(take) for _ in range(4)]:
            done.result(SECONDS)


def test_a_stream_of_shared_turns_does_not_keep_an_exclusive_one_out():
    turns, over = Turns(), threading.Event()
    held = threading.Barrier(4, timeout=SECONDS)

    def stream(delay):
        with turns.shared():
            held.wait()
            time.sleep(delay)
        while not over.is_set():
            with turns.shared():
                time.sleep(0.01)

    def alone():
        with turns.exclusive():
            over.set()

    with ThreadPoolExecutor(4) as pool:
        try:
            # Never at a moment when no shared turn is held.
            streams = [pool.submit(stream, delay) for delay in (0.1, 0.103, 0.106)]
            held.wait()
            pool.submit(alone).result(SECONDS)
        finally:
            over.set()
        for done in streams:
            done.result(SECONDS)


def test_a_turn_that_raises_is_given_back():
    turns = Turns()
    for turn in (turns.shared, turns.exclusive, turns.exclusive):
        with pytest.raises(ZeroDivisionError), turn():
            raise ZeroDivisionError
    with turns.shared():
        pass
