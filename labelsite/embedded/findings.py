"""What the doctor says of each thing that it looks at."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, WEAK, BAD = "good", "weak", "bad"
MARKS = {GOOD: "ok  ", WEAK: "weak", BAD: "BAD "}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: how it is, what was found, and how to mend it when it is not good."""

    name: str
    state: str
    found: str
    mend: str = ""
