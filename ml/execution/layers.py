"""The order of the layers: Monty first, real Python only for what Monty lacks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from ml.execution.monty import LEVEL as MONTY_LEVEL
from ml.execution.monty import MontyLayer
from ml.execution.outcome import Execution, Verdict

INFRASTRUCTURE_TRIES = 3


class Sandbox:
    """Executes paths of code steps. Thread-safe; counts executions and infrastructure verdicts for the run's
    record.
    """

    def __init__(self, processes: int = 2) -> None:
        self._monty = MontyLayer(processes)
        self._lock = threading.Lock()
        self.executions = 0
        self.infrastructure = 0

    @property
    def level(self) -> str:
        """The layers that this machine gives, as stored with every run."""
        return MONTY_LEVEL

    def execute(self, codes: Sequence[str], keep_states: bool = True) -> Execution:
        """Run a path; infrastructure verdicts are retried before they are returned."""
        result = Execution(Verdict.OK, "", self.level, 0)
        for _ in range(INFRASTRUCTURE_TRIES if codes else 0):
            result = self._once(codes, keep_states)
            if result.verdict is not Verdict.INFRASTRUCTURE:
                break
        with self._lock:
            self.executions += 1
            self.infrastructure += result.verdict is Verdict.INFRASTRUCTURE
        return result

    def close(self) -> None:
        """End every worker process."""
        self._monty.close()

    def _once(self, codes: Sequence[str], keep_states: bool) -> Execution:
        run = self._monty.run(codes, keep_states)
        if not run.unsupported:
            return run.execution
        # Without a second layer nobody can tell the program's fault from Monty's.
        return replace(run.execution, verdict=Verdict.INFRASTRUCTURE)
