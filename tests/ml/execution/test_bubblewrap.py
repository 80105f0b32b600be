"""Whether bubblewrap works here is found out once, and a busy machine's silence is no answer."""

import subprocess

import pytest

from ml.execution import bubblewrap


@pytest.fixture(autouse=True)
def forgotten():
    bubblewrap.tried.cache_clear()
    yield
    bubblewrap.tried.cache_clear()


def test_a_try_that_takes_too_long_is_repeated_and_an_answer_is_kept(monkeypatch):
    outcomes = [subprocess.TimeoutExpired("bwrap", 20), subprocess.CompletedProcess("bwrap", 0)]

    def run(*command, **options):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: "/usr/bin/bwrap")
    monkeypatch.setattr(bubblewrap.subprocess, "run", run)
    assert not bubblewrap.is_available()
    assert bubblewrap.is_available() and bubblewrap.is_available()
    assert outcomes == []
