"""A second method's verdicts on the same solutions, with which those of rollouts have to agree.

A file of estimates, of critiques or of step scores, as `ml autolabel`, a judge and `ml score` write them; which of them
it is, its first line says. Each becomes the place of the first mistake, none, or nothing where it cannot be known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.errors import BadRecord, MisstepError
from ml.evaluation.critiques import majority, read_critiques
from ml.evaluation.critiques import verdict_of as verdict_of_critique
from ml.evaluation.first_mistake import MISSING, predict
from ml.evaluation.lines_by_id import objects
from ml.evaluation.pools import read_scores
from ml.file_hash import sha256_of
from ml.records import Solution
from ml.result_lines import estimates_by_id
from ml.snapshot import SnapshotRow
from ml.targets.deciding import decide_labels
from ml.targets.rules import LabelRule, why_unlabelled
from ml.targets.series import series_of
from ml.targets.unlabelled import has_labels

# The field by which the lines of each kind of file are known.
FIELDS = {"estimates": "steps", "critiques": "critiques", "scores": "scores"}
# What a manifest calls the solutions that `why_unlabelled` counts so.
REASONS = {
    "differ": "solutions_contradicted_by_second_method",
    "without_verdict": "solutions_without_second_verdict",
}
EXPECTED = "a file of estimates, critiques or scores"
# What a snapshot row's evidence keeps; None where the method has no verdict.
Said = dict[str, int | None] | None


@dataclass(frozen=True)
class SecondVerdicts:
    """by_id: the place that each solution's line names (MISSING: none that is known), and of how many steps it speaks
    (None: it does not say). described: the file, as a manifest keeps it.
    """

    path: Path
    by_id: Mapping[str, tuple[int | None, int | None]]
    described: Mapping[str, Any]

    def __call__(self, solution: Solution) -> Said:
        """The verdict on a solution. Raises MisstepError for a line on another number of steps."""
        if solution.id not in self.by_id:
            return None
        place, count = self.by_id[solution.id]
        if count is not None and count != len(solution.steps):
            raise MisstepError(
                f"{self.path}: record {solution.id}: {count} steps, expected its {len(solution.steps)}"
            )
        # A judge may name a step that the solution does not have.
        is_known = place is None or 0 <= place < len(solution.steps)
        return {"first_mistake": place} if is_known else None


def read_second_verdicts(path: Path, rule: LabelRule, threshold: float | None) -> SecondVerdicts:
    """The verdicts in a file. `rule` says when rollouts call a step right, `threshold` below which score one is wrong.

    Raises MisstepError for a threshold that the kind of file does not go with, BadRecord for an unreadable line.
    """
    kind = _kind_of(path)
    if kind == "scores" and threshold is None:
        raise MisstepError(f"{path} holds scores, expected --second-threshold with it")
    if kind != "scores" and threshold is not None:
        raise MisstepError(f"--second-threshold with {kind} in {path}, expected it with scores alone")
    described: dict[str, Any] = {"file": path.name, "kind": kind, "sha256": sha256_of(path)}
    if threshold is not None:
        described["threshold"] = threshold
        scores = read_scores(path)
        return SecondVerdicts(
            path, {name: (predict(each, threshold), len(each)) for name, each in scores.items()}, described
        )
    return SecondVerdicts(path, _READERS[kind](path, rule), described)


def confirmed(
    rows: Iterable[SnapshotRow],
    described: Mapping[str, Any],
    filters: Mapping[str, int],
    rule: LabelRule,
    found: dict[str, Any],
) -> Iterator[SnapshotRow]:
    """The same rows; after the last one, `found` is the second method as a manifest keeps it, with how many solutions
    of rollouts it confirmed, contradicted and had no verdict on: `filters` counts those that fell away, and the others
    are among the rows.
    """
    agree, kept = 0, Counter[str]()
    for row in rows:
        agree += "automatic" in row.label_source
        if not has_labels(row):
            kept[why_unlabelled(row.human, row.automatic, rule)] += 1
        yield row
    found.update(described)
    found["agree"] = agree
    for name, reason in REASONS.items():
        found[name] = filters.get(reason, 0) + kept[reason]


def _kind_of(path: Path) -> str:
    if not path.is_file():
        raise MisstepError(f"{path}: no such file, expected {EXPECTED}")
    _, first = next(objects(path, EXPECTED), (1, {}))
    kind = next((kind for kind, field in FIELDS.items() if field in first), None)
    if kind is None:
        raise BadRecord(str(path), 1, f"fields {', '.join(first) or 'none'}", EXPECTED)
    return kind


def _critiques(path: Path, rule: LabelRule) -> dict[str, tuple[int | None, int | None]]:
    critiques = read_critiques(path)
    return {name: (majority([*map(verdict_of_critique, each)])[0], None) for name, each in critiques.items()}


def _estimates(path: Path, rule: LabelRule) -> dict[str, tuple[int | None, int | None]]:
    return {
        name: (place_in(series_of(estimate), len(estimate.steps), rule), len(estimate.steps))
        for name, estimate in estimates_by_id(path).items()
    }


def place_in(series: Mapping[str, Any], count: int, rule: LabelRule) -> int | None:
    """The first mistake in estimates of `count` steps, by the rule that reads the first method's; MISSING where one
    may stand at a step without a label.
    """
    hard = LabelRule("automatic", threshold=rule.threshold, minimum_visits=rule.minimum_visits)
    decision = decide_labels(None, series, hard, count)
    return MISSING if None in decision.labels[: decision.first_mistake] else decision.first_mistake


_READERS: Mapping[str, Callable[[Path, LabelRule], dict[str, tuple[int | None, int | None]]]] = {
    "critiques": _critiques,
    "estimates": _estimates,
}
