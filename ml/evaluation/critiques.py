"""Judges that write critiques instead of scores: the majority of several per solution (ProcessBench, section 4.2).

A critique ends with the index of the first wrong step in a box, `\\boxed{2}`, counted from 0, or `\\boxed{-1}` where
it finds none. What cannot be read is dropped before the vote; a solution with nothing left counts as wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.answers_found import extract_final_answer
from ml.errors import BadRecord
from ml.evaluation.first_mistake import MISSING, metric
from ml.evaluation.lines_by_id import lines_by_id

# What a critique says of a solution without a mistake.
NO_MISTAKE = -1
Critique = str | int | None
Verdict = int | None


def verdict_of(critique: Critique) -> int | None:
    """The index that a critique names, or NO_MISTAKE; None where it cannot be read. A number is a verdict already."""
    if isinstance(critique, str):
        critique = _number_in(critique)
    return critique if critique is not None and critique >= NO_MISTAKE else None


def _number_in(text: str) -> int | None:
    """The whole number in the last box, and in nothing else: a judge that skips the box is not guessed at."""
    if "\\boxed" not in text:
        return None
    try:
        return int(extract_final_answer(text) or "")
    except ValueError:
        return None


def majority(verdicts: Sequence[Verdict]) -> tuple[int | None, float]:
    """The prediction of the vote (None: no mistake; MISSING: nobody could be read), and the share that agrees.

    Of verdicts with equally many votes the one that came first wins, as in the benchmark's own script.
    """
    votes = Counter(verdict for verdict in verdicts if verdict is not None)
    if not votes:
        return MISSING, 0.0
    [(winner, count)] = votes.most_common(1)
    return _prediction(winner), count / votes.total()


def _prediction(verdict: Verdict) -> int | None:
    """As `metric` has it: None stands for no mistake there."""
    if verdict is None:
        return MISSING
    return None if verdict == NO_MISTAKE else verdict


def critique_report(critiques: Sequence[Sequence[Critique]], truths: Sequence[int | None]) -> dict[str, Any]:
    """ProcessBench's figures of the majority, of one critique alone, and by how far the critiques agree.

    `single` is the mean over the critiques of all solutions, each judged alone: what the vote adds to.
    """
    verdicts = [[verdict_of(critique) for critique in each] for each in critiques]
    voted = [majority(each) for each in verdicts]
    alone = [
        (_prediction(verdict), truth)
        for each, truth in zip(verdicts, truths, strict=True)
        for verdict in each or [None]
    ]
    return {
        **metric([said for said, _ in voted], truths),
        "single": metric([said for said, _ in alone], [truth for _, truth in alone]),
        "critiques": sum(map(len, verdicts)),
        "unreadable": sum(verdict is None for each in verdicts for verdict in each),
        "without_verdict": sum(said == MISSING for said, _ in voted),
        "by_agreement": _by_agreement(voted, truths),
    }


def _by_agreement(
    voted: Sequence[tuple[int | None, float]], truths: Sequence[int | None]
) -> list[dict[str, Any]]:
    """How often the majority is exact where all, most (above half) or fewer of its critiques say the same."""
    groups: dict[str, list[bool]] = {"all": [], "most": [], "fewer": []}
    for (said, share), truth in zip(voted, truths, strict=True):
        if said != MISSING:
            groups["all" if share == 1 else "most" if share > 0.5 else "fewer"].append(said == truth)
    return [
        {"agree": name, "count": len(exact), "exact": sum(exact) / len(exact)}
        for name, exact in groups.items()
        if exact
    ]


def read_critiques(path: Path) -> dict[str, list[Critique]]:
    """Lines `{"id", "critiques": [text or index, ...]}` by id. Raises BadRecord for a line that is none."""
    found: dict[str, list[Critique]] = {}
    for number, name, critiques in lines_by_id(path, "critiques", 'lines {"id", "critiques"}'):
        if not all(each is None or type(each) in (str, int) for each in critiques):
            raise BadRecord(str(path), number, f"critiques {critiques!r:.60}", "texts or indices")
        found[name] = critiques
    return found
