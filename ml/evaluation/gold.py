"""First mistakes that are known, to hold fusion's posterior against."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ml.errors import MisstepError
from ml.evaluation.truths import NoTruth, truths
from ml.formats import format_of, looks_by_solution, read
from ml.targets.calibrating import Gold
from ml.targets.file_rows import look_of


def read_gold(path: Path) -> dict[str, Gold]:
    """The first mistakes that a file of labelled solutions names, by the solution's id, and who named them.

    Raises MisstepError where it names none.
    """
    found: dict[str, Gold] = {}
    for looks in looks_by_solution(read(path, format_of(path, None))):
        [(solution, truth)] = truths(looks)
        if isinstance(truth, NoTruth):
            continue
        names: set[str] = set()
        for one in looks:
            look = look_of(one, names, Counter())
            names |= {look.annotator} if look else set()
        known = found.get(solution.id, Gold([truth]))
        found[solution.id] = Gold(known.places, known.own_witnesses | names)
    if not found:
        raise MisstepError(f"{path}: no solution has a label, expected first mistakes as gold")
    return found
