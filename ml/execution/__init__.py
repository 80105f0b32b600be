"""Runs a step's Python away from everything it could harm, and says one of three verdicts about it.

Layer 1 is Monty (`monty.py`); what Monty lacks goes to layer 2, a fork server under rlimits, Landlock and
seccomp (`process.py`), if this machine passes its self-test (`self_test.py`). A verdict that neither layer
can vouch for is `infrastructure`: it is counted and shown, and never becomes evidence about a step.
"""

from __future__ import annotations

import threading

from ml.execution.layers import Sandbox, level_of, lowest_level
from ml.execution.outcome import Executes, Execution, Verdict

__all__ = ["Executes", "Execution", "Sandbox", "Verdict", "level_of", "lowest_level", "sandbox"]

_lock = threading.Lock()
_default: Sandbox | None = None


def sandbox() -> Sandbox:
    """The process-wide sandbox, started at first use."""
    global _default
    with _lock:
        if _default is None:
            _default = Sandbox()
        return _default
