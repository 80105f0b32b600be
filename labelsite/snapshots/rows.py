"""From evidence to snapshot rows: which labels a rule gives a solution, and which solutions fall away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from labelsite.campaigns.models import Campaign
from labelsite.snapshots.evidence import Evidence, judged_tasks, read_evidence
from ml.snapshot import SnapshotRow, split_of
from ml.snapshot_checks import complaint_about
from ml.targets import LabelRule, fuse
from ml.targets.consensus import GIVEN_UP, evidence_of, option_rating
from ml.targets.rules import is_given_up, why_unlabelled
from ml.targets.series import series_from
from ml.targets.snapshot_rows import decided, has_witness, witnessed
from ml.targets.unlabelled import UNLABELLED, has_labels, stays


@dataclass(frozen=True)
class Posteriors:
    """What fusion found, by row id: P(no mistake up to and with each step). Rows without a witness have none."""

    by_row: dict[str, list[float]]

    @classmethod
    def fitted(cls, rows: Iterable[SnapshotRow], rule: LabelRule) -> Posteriors:
        """Fit on every row; keeps one witness list per row in memory, and none of the texts."""
        names: list[str | None] = []
        items = []
        for row in rows:
            names.append(row.id if has_witness(row, rule) else None)
            items.append(witnessed(row, rule))
        fusion = fuse(items)
        return cls(
            {name: fusion.correct_through(index) for index, name in enumerate(names) if name is not None}
        )


def evidence_rows(
    evidence: Iterable[Evidence],
    rule: LabelRule,
    method: str,
    dropped: Counter[str],
    keep_unlabelled: bool = False,
) -> Iterator[SnapshotRow]:
    """A row without labels for every solution that has evidence of the wanted kind. keep_unlabelled: also for those
    without any whose answer is known to be right or wrong.
    """
    for item in evidence:
        human, automatic = _human(item, rule), _automatic(item, rule, method)
        teaches = keep_unlabelled and item.solution.is_correct is not None and not item.is_bad_problem
        if human is None and automatic is None and not teaches:
            dropped["solutions_without_evidence"] += 1
            continue
        row = _row(item, human, automatic)
        if complaint_about(row):
            dropped["solutions_without_usable_steps"] += 1
            continue
        yield row


def labelled_rows(
    rows: Iterable[SnapshotRow],
    rule: LabelRule,
    posteriors: Posteriors | None,
    counts: Counter[str],
    dropped: Counter[str],
    keep_unlabelled: bool = False,
) -> Iterator[SnapshotRow]:
    """The rows with the labels that the rule decides; those on which it leaves no label fall away, unless they are
    kept for their known answer. counts: whose labels those have that stay, and how many have none.
    """
    for row in rows:
        if posteriors and row.id in posteriors.by_row:
            row = replace(row, human={**(row.human or {}), "posterior": posteriors.by_row[row.id]})
        labelled = decided(row, rule)
        if not stays(labelled, keep_unlabelled):
            dropped[why_unlabelled(row.human, row.automatic, rule)] += 1
            continue
        human = row.human or {}
        counts.update(f"labels_by_{origin}" for origin in human.get("origins", ()))
        counts.update([GIVEN_UP] if is_given_up(human) else [])
        counts.update([] if has_labels(labelled) else [UNLABELLED])
        yield labelled


def first_mistakes(campaign: Campaign) -> Iterator[tuple[int, int | None]]:
    """Each solution on which a snapshot of people's labels would have a verdict now, and the first mistake it would
    state (None: there is none). Where everybody gave up it may hold labels, but states neither.
    """
    uncounted: Counter[str] = Counter()
    rule = LabelRule(labels="human", given_up="drop")
    items = read_evidence(campaign, None, uncounted, judged_tasks(campaign), given_up=rule.given_up)
    for row in evidence_rows(items, rule, "", uncounted):
        yield int(row.id), (row.human or {})["first_mistake"]


def _human(item: Evidence, rule: LabelRule) -> dict[str, Any] | None:
    if item.verdict is None or rule.labels == "automatic":
        return None
    return evidence_of(item.verdict, len(item.steps))


def _automatic(item: Evidence, rule: LabelRule, method: str) -> dict[str, Any] | None:
    if not item.estimates or rule.labels == "human":
        return None
    if item.is_bad_problem and rule.labels == "mixed":
        return None
    places = [(index, chosen) for index, (_, chosen) in enumerate(item.trajectory)]
    found = [item.estimates.get(place, {}) for place in places]
    series = series_from(found)
    if not any(series["visits"]):
        return None
    return {**series, "method": method}


def _row(item: Evidence, human: dict[str, Any] | None, automatic: dict[str, Any] | None) -> SnapshotRow:
    solution, steps = item.solution, item.steps
    return SnapshotRow(
        id=str(solution.pk),
        problem_id=str(solution.problem_id),
        problem=solution.problem.text,
        answer=solution.problem.answer,
        steps=steps,
        final_answer=solution.final_answer,
        is_correct=solution.is_correct,
        generator=solution.generator,
        split=split_of(solution.problem.text),
        human=human,
        automatic=automatic,
        labels=[None] * len(steps),
        label_source=[None] * len(steps),
        options=list(_options(item, human is not None, automatic is not None)),
        external_id=solution.external_id,
        source=solution.problem.source,
    )


def _options(item: Evidence, with_ratings: bool, with_estimates: bool) -> Iterator[dict[str, Any]]:
    """The alternatives beside the trajectory that somebody said something of, in a fixed order."""
    for index, position in enumerate(item.positions[: len(item.trajectory) + 1]):
        for number, option in enumerate(position.options):
            if number == position.chosen:
                continue
            rating = None
            if with_ratings:
                rating = option_rating(item.verdict, index, number, option.source == "human")
            q_value = _q_value(item, (index, number)) if with_estimates else None
            if rating is not None or q_value is not None:
                yield {"position": index, "text": option.text, "rating": rating, "q_value": q_value}


def _q_value(item: Evidence, place: tuple[int, int]) -> float | None:
    value: float | None = (item.estimates or {}).get(place, {}).get("q_value")
    return value
