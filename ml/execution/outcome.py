"""What running a path of code steps told us: one of three verdicts, never read from words in the output."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    """ok: it ran. program_error: the program's own fault. infrastructure: ours, and no evidence about the
    step.
    """

    OK = "ok"
    PROGRAM_ERROR = "program_error"
    INFRASTRUCTURE = "infrastructure"


@dataclass(frozen=True, slots=True)
class Execution:
    """The outcome of a path.

    output: what the last executed step printed. ran: how many steps ran to their end (on an error, the index
    of the step that failed). error: the exception's type and message, empty when ok. level: the sandbox that
    gave the verdict. seconds: wall time, without the cached part of the path.
    """

    verdict: Verdict
    output: str
    level: str
    ran: int
    error: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every step ran."""
        return self.verdict is Verdict.OK

    @property
    def last_line(self) -> str | None:
        """The last line that is not blank: a code step's answer. All lines of an array of numpy's are one: each but the
        first is indented.
        """
        lines = [line for line in self.output.splitlines() if line.strip()]
        unopened = 0
        for count, line in enumerate(reversed(lines), start=1):
            unopened += line.count("]") - line.count("[")
            if not unopened:
                return " ".join(part.strip() for part in lines[-count:])
            if not line.startswith(" "):
                break
        return lines[-1].strip() if lines else None


class Executes(Protocol):
    """What runs a path's code: `ml.execution.Sandbox`, or what stands before one."""

    @property
    def level(self) -> str: ...

    def execute(self, codes: Sequence[str], keep_states: bool = True) -> Execution: ...


def path_keys(codes: Sequence[str]) -> list[bytes]:
    """One key for each prefix of the path, so that equal paths of different trees share their state."""
    digest = hashlib.sha256()
    keys = []
    for code in codes:
        digest.update(len(code).to_bytes(8, "big") + code.encode("utf-8", "surrogatepass"))
        keys.append(digest.digest())
    return keys
