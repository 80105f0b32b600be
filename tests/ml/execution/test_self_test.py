"""A self-test that could not be run says nothing: it is repeated, and until then nothing doubted is evidence."""

import os

import pytest

from ml.execution import Execution, Sandbox, Verdict
from ml.execution.confinement import is_possible
from ml.execution.self_test import ATTACKS, HONEST, TRIES, NotTried, broken_promises

needs_confinement = pytest.mark.skipif(not is_possible(), reason="the process sandbox refuses to run here")


class Layer:
    """Keeps every promise, except that some runs of some programs fail for reasons of the machine."""

    def __init__(self, failing, times):
        self.failing, self.times, self.runs = failing, times, 0

    def run(self, codes, keep_states=False, is_partial=False):
        self.runs += 1
        if self.failing in codes[0] and self.times:
            self.times -= 1
            return Execution(Verdict.INFRASTRUCTURE, "", "process", 0, "cannot fork")
        if codes[0] == HONEST:
            return Execution(Verdict.OK, "16\n", "process", 1)
        return Execution(Verdict.PROGRAM_ERROR, "", "process", 0, "PermissionError")

    def close(self):
        pass


@pytest.mark.parametrize("failing", [HONEST, ATTACKS["forks"]])
def test_a_probe_that_fails_for_reasons_of_the_machine_is_tried_again(failing):
    assert broken_promises(Layer(failing, TRIES - 1).run, os.getpid()) == []
    with pytest.raises(NotTried, match="cannot fork"):
        broken_promises(Layer(failing, TRIES).run, os.getpid())


def test_a_broken_promise_counts_whatever_could_not_be_tried():
    layer = Layer(ATTACKS["forks"], TRIES)

    def run(codes):
        outcome = layer.run(codes)
        is_attack = codes[0] == ATTACKS["opens a socket"]
        return Execution(Verdict.OK, "BROKEN", "process", 1) if is_attack else outcome

    assert broken_promises(run, os.getpid()) == ["opens a socket"]


def test_an_attack_that_ends_in_peace_is_a_broken_promise_too():
    def peaceful(codes):
        return Execution(Verdict.OK, "16" if codes == [HONEST] else "", "process", 1)

    assert broken_promises(peaceful, os.getpid()) == list(ATTACKS)


@needs_confinement
def test_one_failed_self_test_does_not_take_the_second_layer_away_for_good(monkeypatch):
    sandbox = Sandbox()
    monkeypatch.setattr("ml.execution.layers.PATIENCE", 0)
    real, layer = sandbox._process, Layer("", 10**6)
    sandbox._process = layer
    for doubted in ("import fractions\nprint(fractions.Fraction(1, 2))", "(1).missing", "print({1, 2})"):
        parked = sandbox.execute([doubted])
        assert parked.verdict is Verdict.INFRASTRUCTURE
        assert "the second layer could not be tried: runs an honest program (cannot fork)" in parked.error
    sandbox._process = real
    assert sandbox.execute(["import fractions\nprint(fractions.Fraction(1, 2))"]).output == "1/2\n"
    # Real Python has said that this one is the program's own.
    assert sandbox.execute(["(1).missing"]).verdict is Verdict.PROGRAM_ERROR
    sandbox.close()


@needs_confinement
def test_a_self_test_that_fails_slowly_is_not_repeated_at_once(monkeypatch):
    sandbox = Sandbox()
    monkeypatch.setattr("ml.execution.layers.PATIENCE", 10**9)
    sandbox._process = layer = Layer("", 10**6)
    for _ in range(3):
        with pytest.raises(NotTried, match="cannot fork"):
            sandbox.broken_promises()
    assert layer.runs == TRIES
    sandbox.close()


def test_where_the_system_has_no_second_layer_monty_s_word_stands(monkeypatch):
    monkeypatch.setattr("ml.execution.layers.is_possible", lambda: False)
    sandbox = Sandbox()
    assert sandbox.execute(["(1).missing"]).verdict is Verdict.PROGRAM_ERROR
    lacking = sandbox.execute(["import fractions"])
    assert lacking.verdict is Verdict.INFRASTRUCTURE and "no Landlock" in lacking.error
    sandbox.close()
