"""The order of the layers: Monty first, real Python only for what Monty lacks."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from ml.cores import worker_count
from ml.execution.confinement import is_possible
from ml.execution.monty import LEVEL as MONTY_LEVEL
from ml.execution.monty import Doubt, MontyLayer
from ml.execution.outcome import Execution, Verdict, path_keys
from ml.execution.process import WRAPPED, ProcessLayer
from ml.execution.self_test import NotTried, broken_promises
from ml.execution.turns import Turns
from ml.recent import Recent, text_bytes

INFRASTRUCTURE_TRIES = 3
# An execution holds up to 64 KiB of output.
VERDICT_BYTES_KEPT = 64 * 1024 * 1024
# Set to 1 by an operator who accepts that a model's code may break out of the second layer.
UNSAFE_SWITCH = "MISSTEP_ALLOW_UNSAFE_EXEC"
# How the level of what ran by that switch ends.
UNSAFE = " UNSAFE"

# A self-test that could not be run is repeated when it has taken at most one part in so many of the time.
PATIENCE = 10

# Gives the turn in which one layer runs a path once: beside others, or alone.
Turn = Callable[[], AbstractContextManager[None]]


def level_of(executions: Iterable[str]) -> str:
    """The layers that gave a verdict, Monty first, as one line."""
    used = sorted(executions, key=lambda level: (level != MONTY_LEVEL, level)) or [MONTY_LEVEL]
    return ", ".join(used)


def lowest_level(levels: Iterable[str]) -> str | None:
    """Of the levels that executions ran at, the one that confines a program least; None where nothing ran."""
    return max(levels, key=lambda level: (_laxity(level), level), default=None)


def _laxity(level: str) -> int:
    if level.endswith(UNSAFE):
        return 3
    return 0 if level == MONTY_LEVEL else 1 if level.startswith(WRAPPED) else 2


class Sandbox:
    """Executes paths of code steps. Thread-safe.

    processes: workers of each layer, started as they are needed; None for one a core. `executions` counts by the level
    that gave the verdict, `infrastructure` the verdicts that are ours.
    """

    def __init__(self, processes: int | None = None, use_processes: bool = True) -> None:
        # Two at least: a run that takes all of its time must not hold every other.
        processes = worker_count(least=2) if processes is None else processes
        self._monty = MontyLayer(processes, exact=use_processes)
        self._process = ProcessLayer(processes) if use_processes else None
        self._lock = threading.Lock()
        self._turns = Turns()
        self._checked = _absence(use_processes)
        self._untried, self._try_again_at = "", 0.0
        self._known: Recent[bytes, Execution] = Recent(VERDICT_BYTES_KEPT)
        self.executions: Counter[str] = Counter()
        self.infrastructure = 0

    @property
    def level(self) -> str:
        """The layers used so far, as stored with every run."""
        return level_of(self.executions)

    def execute(self, codes: Sequence[str], keep_states: bool = True) -> Execution:
        """Run a path; infrastructure verdicts are retried, the last time with no other run beside it."""
        result = Execution(Verdict.OK, "", MONTY_LEVEL, 0)
        for attempt in range(INFRASTRUCTURE_TRIES if codes else 0):
            is_last = attempt == INFRASTRUCTURE_TRIES - 1
            result = self._once(codes, keep_states, self._turns.exclusive if is_last else self._turns.shared)
            if result.verdict is not Verdict.INFRASTRUCTURE:
                break
        if codes:
            with self._lock:
                self.executions[result.level] += 1
                self.infrastructure += result.verdict is Verdict.INFRASTRUCTURE
        return result

    def broken_promises(self) -> list[str]:
        """What the second layer fails to hold on this machine; tried at its first use, until that gives an answer.

        Raises NotTried where it gives none for now.
        """
        if self._checked is None:
            with self._turns.exclusive():
                # Another thread may have tried it while this one waited.
                if self._checked is None:
                    self._checked = self._self_test()
        return self._checked

    def _self_test(self) -> list[str]:
        assert self._process is not None
        started = time.monotonic()
        if started < self._try_again_at:
            raise NotTried(self._untried)
        try:
            return broken_promises(self._process.run, os.getpid())
        except NotTried as reason:
            # A server that does not start takes minutes to say so, and nothing runs beside it.
            now = time.monotonic()
            self._untried, self._try_again_at = str(reason), now + PATIENCE * (now - started)
            raise

    def close(self) -> None:
        """End every worker process."""
        self._monty.close()
        if self._process is not None:
            self._process.close()

    def _once(self, codes: Sequence[str], keep_states: bool, turn: Turn) -> Execution:
        key = path_keys(codes)[-1]
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            return known
        result = self._run(codes, keep_states, turn)
        if result.level != MONTY_LEVEL and result.verdict is not Verdict.INFRASTRUCTURE:
            # A second layer's run starts from scratch and may take seconds; the same path is not run again.
            with self._lock:
                self._known.keep(key, result, text_bytes((result.output, result.error)))
        return result

    def _run(self, codes: Sequence[str], keep_states: bool, turn: Turn) -> Execution:
        with turn():
            run = self._monty.run(codes, keep_states)
        if run.doubt is Doubt.NONE:
            return run.execution
        try:
            broken = self.broken_promises()
        except NotTried as reason:
            # Real Python has the last word here, though not now: Monty's alone would be evidence on some days only.
            return _parked(run.execution, f"the second layer could not be tried: {reason}")
        if self._process is not None and (not broken or os.environ.get(UNSAFE_SWITCH) == "1"):
            is_partial = bool(broken)
            with turn():
                execution = self._process.run(codes, keep_states, is_partial)
            if execution.error == "CPU time limit":
                # Processor time grows a little under load too: only a second time, alone, is proof.
                with self._turns.exclusive():
                    execution = self._process.run(codes, keep_states, is_partial)
            return replace(execution, level=f"{execution.level}{UNSAFE}") if broken else execution
        if run.doubt is Doubt.SILENT:
            # Without a second layer Monty's word is the only one, and it is right but for a last digit or an order.
            with turn():
                run = self._monty.run(codes, keep_states, is_last_word=True)
        if run.doubt is Doubt.LIKELY_OURS:
            return _parked(run.execution, f"no second layer: {', '.join(broken)}")
        return run.execution


def _absence(use_processes: bool) -> list[str] | None:
    """Why there is no second layer here at all; None where the self-test has to say."""
    if not use_processes:
        return ["is switched off"]
    return None if is_possible() else ["this system has no Landlock, or an unknown processor"]


def _parked(execution: Execution, reason: str) -> Execution:
    """What Monty said, as no evidence."""
    return replace(execution, verdict=Verdict.INFRASTRUCTURE, error=f"{execution.error} ({reason})")
