"""Apply one label rule to many snapshot rows, with what has to be fitted over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from ml.answers_found import stated_by
from ml.errors import MisstepError
from ml.snapshot import SnapshotRow
from ml.targets.deciding import decide_labels
from ml.targets.fusion import Fusion, Witnessed, fuse
from ml.targets.rules import (
    LabelRule,
    first_mistake_of,
    is_adjudicated,
    is_bad_problem,
    is_given_up,
    label_of,
)
from ml.targets.unlabelled import has_evidence, has_labels


def label_rows(rows: Iterable[SnapshotRow], rule: LabelRule) -> list[SnapshotRow]:
    """The rows with labels, sources and first mistake decided anew by `rule`."""
    return list(labelled(rows, rule))


def labelled(rows: Iterable[SnapshotRow], rule: LabelRule) -> Iterator[SnapshotRow]:
    """The same, row by row; fusion alone, which is fitted on all of them, holds more than one."""
    if rule.given_up == "drop":
        rows = map(_without_given_up, rows)
    if rule.labels == "mixed" and rule.mixture == "fusion":
        rows, _ = with_posteriors(list(rows), rule)
        yield from (decided(row, rule) for row in rows)
    else:
        # Left from an earlier fusion, it would be taken for the reason of labels that it did not make.
        yield from (decided(_with_posterior(row, None), rule) for row in rows)


def _without_given_up(row: SnapshotRow) -> SnapshotRow:
    """The row without what people rated before they gave up, of alternatives too; a search's word stays."""
    if not is_given_up(row.human):
        return row
    options = [{**option, "rating": None} for option in row.options if option.get("q_value") is not None]
    return replace(row, human=None, options=options)


def decided(row: SnapshotRow, rule: LabelRule) -> SnapshotRow:
    """The row with the labels that the rule makes of its evidence."""
    decision = decide_labels(row.human, row.automatic, rule, len(row.steps))
    return replace(
        row, labels=decision.labels, label_source=decision.sources, first_mistake=decision.first_mistake
    )


def frozen_rule(manifest: Mapping[str, Any], labels: str) -> LabelRule:
    """The rule by which a snapshot's labels were frozen; what its manifest does not say has its usual value."""
    known = {field.name for field in fields(LabelRule)}
    said = {name: value for name, value in (manifest.get("rule") or {}).items() if name in known}
    return LabelRule(**{**said, "labels": labels})


def has_verdict(row: SnapshotRow, rule: LabelRule | None = None) -> bool:
    """Whether the row's labels say where the first mistake is, or that there is none. rule: by which they were made;
    without it every label of a half that is nobody's own word counts as undecided.

    Opinions of the same weight that contradict each other say neither. Without a mistake, a step without a label may
    be one; unless a person went through the whole solution and only their neutral ratings were dropped. So may one
    before the mistake that rollouts alone name, unless a person rated it. Whoever gave up did not say that there is
    none, however far they had come.
    """
    if undecided_place(row, rule) is not None or _is_behind_silence(row):
        return False
    if row.first_mistake is None and is_given_up(row.human) and set(row.label_source) <= {"human", None}:
        return False
    if row.first_mistake is None and None in row.labels:
        by_people = set(row.label_source) == {"human", None}
        return by_people and (row.human or {}).get("finish_reason") == "solution"
    return has_labels(row)


def _is_behind_silence(row: SnapshotRow) -> bool:
    """Whether rollouts alone name the mistake, and nobody said anything of some step before it."""
    if row.first_mistake is None or row.label_source[row.first_mistake] != "automatic":
        return False
    ratings = (row.human or {}).get("ratings") or [None] * len(row.labels)
    before = list(zip(row.labels, ratings, strict=True))[: row.first_mistake]
    return (None, None) in before


def undecided_place(row: SnapshotRow, rule: LabelRule | None = None) -> int | None:
    """The step of which as much says that it is the first mistake as that it is none; None where there is no such.
    rule: as for `has_verdict`.

    Under fusion also the step up to and with which a mistake is likelier than none, though no single step is more
    probably wrong than right.
    """
    if row.first_mistake is not None:
        return None
    if _is_by_posterior(row):
        return next((k for k, through in enumerate((row.human or {})["posterior"]) if through < 0.5), None)
    said = zip(row.labels, row.label_source, strict=True)
    halves = (k for k, (label, source) in enumerate(said) if source == "fused" and label == 0.5)
    return next((k for k in halves if rule is None or not _is_low_by_chance(row, k, rule)), None)


def _is_low_by_chance(row: SnapshotRow, position: int, rule: LabelRule) -> bool:
    """Whether a step's label is a mean with a share or a value of the search, and nobody named the step: then it says
    nothing that it is low.
    """
    if row.label_source[position] != "fused" or not rule.sees_target or rule.target == "hard":
        return False
    if row.first_mistake is not None:
        return position < row.first_mistake
    human: Mapping[str, Any] = row.human or {}
    ratings = human.get("ratings")
    # A reviewer's word overrules those of the witnesses.
    witnesses = {} if is_adjudicated(human) else human.get("witnesses") or {}
    named = {human.get("first_mistake"), *witnesses.values()}
    by_people = position in named or (ratings and label_of(ratings[position], rule.neutral) == 0.0)
    rollouts = decide_labels(None, row.automatic, replace(rule, labels="automatic"), len(row.steps))
    return not by_people and rollouts.first_mistake != position


def _is_by_posterior(row: SnapshotRow) -> bool:
    """Whether the labels are fusion's own."""
    posterior = (row.human or {}).get("posterior")
    if not posterior:
        return False
    return row.label_source[0] == "fused" and bool(row.labels[0] == posterior[0])


def is_wrong(row: SnapshotRow, position: int, rule: LabelRule) -> bool:
    """Whether a step is wrong: the first mistake is, and what is more probably wrong than right.

    A share of right rollouts is no such probability: it is low on right steps too, and behind the first mistake alone
    a share of no more than the threshold means a wrong one. Nor is its mean with people's word.
    """
    label, first = row.labels[position], row.first_mistake
    if label is None or position == first:
        return position == first
    if _is_low_by_chance(row, position, rule):
        return False
    if row.label_source[position] == "automatic" and rule.target != "hard":
        return first is not None and position > first and label <= rule.threshold
    return label < 0.5


def last_place_for_alternatives(row: SnapshotRow, rule: LabelRule) -> int:
    """The last position before which no mistake is known; -1 for a row without labels, of which nothing is known."""
    if not has_labels(row):
        return -1
    known = [row.first_mistake, undecided_place(row, rule)]
    known.append(first_mistake_of([_verdict_on(row, k, rule) for k in range(len(row.labels))]))
    # What the mixture made of a person's verdict does not make the steps behind their mistake right.
    if rule.labels != "automatic":
        known.append((row.human or {}).get("first_mistake"))
    return min((place for place in known if place is not None), default=len(row.steps))


def _verdict_on(row: SnapshotRow, position: int, rule: LabelRule) -> float | None:
    """The label, unless it is a share or a quality value of a search, or a mean with one: those are low on right steps
    too.
    """
    is_estimate = row.label_source[position] == "automatic" and rule.target != "hard"
    is_low = is_estimate or _is_low_by_chance(row, position, rule)
    return None if is_low else row.labels[position]


def with_posteriors(rows: Sequence[SnapshotRow], rule: LabelRule) -> tuple[list[SnapshotRow], Fusion]:
    """The rows with `human["posterior"]` from a fusion fitted on all of them, and the fitted model.

    Bad problems are not fitted on, and nor is a row of which only the answer is known. A row without a witness has no
    posterior: the prior alone is no label.
    """
    usable = [index for index, row in enumerate(rows) if has_evidence(row) and not is_bad_problem(row.human)]
    fusion = fuse([witnessed(rows[index], rule) for index in usable])
    fused = [_with_posterior(row, None) for row in rows]
    for place, index in enumerate(usable):
        if has_witness(rows[index], rule):
            fused[index] = _with_posterior(rows[index], fusion.correct_through(place))
    return fused, fusion


def _with_posterior(row: SnapshotRow, posterior: list[float] | None) -> SnapshotRow:
    """The row with this posterior in place of one that an earlier fusion left."""
    people = {name: said for name, said in (row.human or {}).items() if name != "posterior"}
    if posterior is not None:
        people["posterior"] = posterior
    return row if people == (row.human or {}) else replace(row, human=people or None)


def search_methods(rows: Iterable[SnapshotRow]) -> set[str | None]:
    """The methods of the searches whose rollouts speak of these rows, None for one that nothing names."""
    searched = (row.automatic for row in rows if row.automatic and row.automatic.get("visits"))
    return {automatic.get("method") for automatic in searched}


def has_witness(row: SnapshotRow, rule: LabelRule) -> bool:
    """Whether a person or a reviewer gave a verdict on the row, or rollouts went through one of its steps."""
    has_words = bool(_verdicts(row, rule)) or _has_truth(row)
    return has_words or any(share is not None for share in _shares(row, rule))


def witnessed(row: SnapshotRow, rule: LabelRule) -> Witnessed:
    """A row as fusion sees it: each annotator in `human["witnesses"]` (else as `_name_of` says), and the rollouts.

    What a reviewer settled is known, and holds the truth of the row fixed: nobody's error rates outvote it. Where they
    allow several places, it is the one that the row states, and whoever named another of them was right as well.
    """
    if not row.steps:
        raise MisstepError(f"record {row.id}: no steps, expected at least one")
    shares = _not_in_doubt(_shares(row, rule), row)
    # A solution that was cut off before its answer is wrong in no step for that.
    is_right = row.is_correct if is_finished(row) else None
    if shares and is_right is not None:
        # No rollout stands behind a finished solution's last step but its own answer, which testifies itself:
        # counted as a share, it would say how often rollouts from right steps come right, and it cannot know.
        shares[-1] = None
    has_truth = _has_truth(row)
    truth = (row.human or {}).get("first_mistake") if has_truth else None
    return Witnessed(len(row.steps), _verdicts(row, rule), is_right, truth, has_truth, shares, row.problem_id)


def _not_in_doubt(shares: list[float | None], row: SnapshotRow) -> list[float | None]:
    """The shares but for those between the places that a reviewer allows: which of them are of a wrong prefix,
    nobody knows.
    """
    places = [len(shares) if place is None else place for place in _allowed(row.human or {})]
    if not places or not _has_truth(row):
        return shares
    return [share if not min(places) <= k < max(places) else None for k, share in enumerate(shares)]


def _allowed(human: Mapping[str, Any]) -> Sequence[int | None]:
    """The places that a reviewer calls right; nothing in rows of which only one was kept."""
    return human.get("allowed") or ()


def _has_truth(row: SnapshotRow) -> bool:
    return is_adjudicated(row.human) and not is_bad_problem(row.human)


def is_finished(row: SnapshotRow) -> bool:
    """Whether a graded solution has an answer. Many formats say whether it is right without giving its text; a search
    goes on, by rollouts, from the last step where no step states one.
    """
    has_answer = row.final_answer is not None or bool(row.is_correct)
    before = (None, *row.steps)
    return has_answer or any(stated_by(*pair) is not None for pair in zip(row.steps, before, strict=False))


def _shares(row: SnapshotRow, rule: LabelRule) -> list[float | None]:
    """The share of right rollouts of each step that rollouts went through; empty without a search."""
    if not row.automatic:
        return []
    soft = LabelRule("automatic", target="soft", minimum_visits=rule.minimum_visits, after_mistake="keep")
    shares = decide_labels(None, row.automatic, soft, len(row.steps)).labels
    # What a search only assumed is no testimony: it follows from the probes, which are heard themselves.
    visits = row.automatic.get("visits") or [1] * len(shares)
    return [share if seen else None for share, seen in zip(shares, visits, strict=True)]


def _verdicts(row: SnapshotRow, rule: LabelRule) -> Mapping[str, int | None]:
    """What each person named; nothing where nobody looked, or the problem was reported as bad."""
    return _people(row, rule) if row.human and not is_bad_problem(row.human) else {}


def _people(row: SnapshotRow, rule: LabelRule) -> Mapping[str, int | None]:
    human: dict[str, Any] = row.human or {}
    if human.get("witnesses"):
        allowed, stated = _allowed(human), human.get("first_mistake")
        return {
            f"person {name}": stated if said in allowed else said for name, said in human["witnesses"].items()
        }
    if is_adjudicated(human):
        # The verdict is the reviewer's alone, and no witness's.
        return {}
    people = LabelRule(labels="human", neutral=rule.neutral)
    decision = decide_labels(human, None, people, len(row.steps))
    # A person who gave up without naming a mistake did not say that there is none.
    is_open = is_given_up(human) or any(label is None for label in decision.labels)
    if decision.first_mistake is None and is_open:
        return {}
    return {_name_of(human): decision.first_mistake}


def _name_of(human: Mapping[str, Any]) -> str:
    """Who names the mistake where no look came to a verdict: one who gave up, by their own name, whose error rates
    are one person's. Of several only what they say together is known, and they are one witness."""
    names = sorted(human.get("given_up_by") or ())
    if not names:
        return "people"
    return f"person {names[0]}" if len(names) == 1 else f"people {', '.join(names)}"
