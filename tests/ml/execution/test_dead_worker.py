"""A program whose Monty worker dies, each time anew: real Python has the last word, where there is one."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ml.execution import Sandbox, Verdict
from ml.execution.confinement import is_possible
from ml.execution.monty import Doubt, MontyLayer

# Longer in Monty than its killer sleeps.
SLOW = "n = 0\nfor i in range(3_000_000):\n    n += 1\nprint(n)"


def monty_workers() -> list[int]:
    """The Monty workers of this process."""
    found = []
    for children in Path("/proc/self/task").glob("*/children"):
        # A thread or a worker may end while it is looked at.
        with suppress(FileNotFoundError, ProcessLookupError):
            for pid in map(int, children.read_text().split()):
                if "monty" in Path(f"/proc/{pid}/cmdline").read_text():
                    found.append(pid)
    return found


@pytest.fixture
def deadly() -> Iterator[None]:
    """Whatever Monty worker starts in this test is killed soon, as a program may do from inside."""
    spared, over = set(monty_workers()), threading.Event()

    def kill() -> None:
        while not over.is_set():
            for pid in set(monty_workers()) - spared:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    over.set()
    killer.join()


def test_a_worker_that_dies_is_no_word_about_the_program(deadly: None) -> None:
    layer = MontyLayer(processes=1)
    run = layer.run([SLOW])
    assert (run.execution.verdict, run.doubt) == (Verdict.INFRASTRUCTURE, Doubt.LIKELY_OURS)
    layer.close()


@pytest.mark.skipif(not is_possible(), reason="the process sandbox refuses to run here")
def test_a_program_whose_worker_dies_goes_to_real_python(deadly: None) -> None:
    sandbox = Sandbox()
    execution = sandbox.execute([SLOW])
    assert (execution.verdict, execution.output) == (Verdict.OK, "3000000\n")
    assert execution.level != "monty"
    sandbox.close()


def test_without_a_second_layer_a_program_whose_worker_dies_is_no_evidence(deadly: None) -> None:
    sandbox = Sandbox(use_processes=False)
    execution = sandbox.execute([SLOW])
    assert execution.verdict is Verdict.INFRASTRUCTURE and "no second layer" in execution.error
    sandbox.close()
