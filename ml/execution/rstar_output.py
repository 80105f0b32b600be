"""What rStar-Math's public program shows of a print: floats rounded, and a long output cut. For comparison runs only:
both change answers (1e-05 is printed as 0.0), and neither is part of the method.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ml.execution.outcome import Executes, Execution

LONGEST = 1024
DECIMALS = 4
# A float as Python prints it; a whole number, and what is part of a name or of a version, stays.
_FLOAT = re.compile(r"(?<![\w.])\d+(?:\.\d+(?:e[+-]?\d{1,3})?|e[+-]?\d{1,3})(?!\w|\.\d)")


class RStarOutput:
    """A sandbox whose programs' outputs are shown in that way; verdicts are its own."""

    def __init__(self, sandbox: Executes) -> None:
        self._sandbox = sandbox

    @property
    def level(self) -> str:
        return self._sandbox.level

    def execute(self, codes: Sequence[str], keep_states: bool = True) -> Execution:
        execution = self._sandbox.execute(codes, keep_states)
        return replace(execution, output=shown(execution.output))


def shown(output: str) -> str:
    """The output with each float rounded to four decimals, cut at 1,024 characters."""
    return _FLOAT.sub(lambda match: str(round(float(match[0]), DECIMALS)), output)[:LONGEST]
