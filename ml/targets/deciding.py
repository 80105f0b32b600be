"""One solution's labels: what people and rollouts said of it, and what a rule makes of the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ml.errors import MisstepError
from ml.targets.mixtures import agrees, mixed
from ml.targets.rules import (
    Decision,
    LabelRule,
    first_mistake_of,
    is_bad_problem,
    is_unjudged,
    label_of,
    nothing,
    supervised,
)


def decide_labels(
    human: Mapping[str, Any] | None,
    automatic: Mapping[str, Any] | None,
    rule: LabelRule,
    step_count: int | None = None,
) -> Decision:
    """The labels of one solution. Pure: the same evidence and rule give the same labels.

    `human` and `automatic` are a snapshot row's evidence. `step_count` is needed only where neither has a
    per-step series (a person's bare first mistake). Raises MisstepError for evidence of unequal length.
    """
    count = _step_count(human, automatic, step_count)
    people = _people(human, rule, count)
    # A consensus is on the first mistake, which the hard estimates name, whatever rollouts give elsewhere.
    has_verdict_alone = rule.labels == "mixed" and rule.mixture == "consensus"
    rollouts = _rollouts(automatic, replace(rule, target="hard") if has_verdict_alone else rule, count)
    if rule.labels == "human":
        return people or nothing(count)
    is_left_to_rollouts = has_verdict_alone and is_unjudged(human) and "second" in (automatic or {})
    if rule.labels == "automatic" or is_left_to_rollouts:
        return rollouts if rollouts and _is_confirmed(automatic, rule, count) else nothing(count)
    if people and rollouts and _overrules(people, rollouts.first_mistake):
        rollouts = _without_what_followed(rollouts, automatic or {}, rule)
    return mixed(human, people, rollouts, rule, count)


def _overrules(people: Decision, named: int | None) -> bool:
    """Whether people call the step right that rollouts name as the first mistake."""
    said = None if named is None else people.labels[named]
    return said is not None and said >= 0.5


def _without_what_followed(rollouts: Decision, automatic: Mapping[str, Any], rule: LabelRule) -> Decision:
    """The labels without those that only follow from the first mistake: nobody saw these steps go wrong."""
    end = (rollouts.first_mistake or 0) + 1
    visits = automatic.get("visits") or [None] * len(rollouts.labels)
    labels = [
        label if k < end or (rule.after_mistake == "keep" and visits[k] != 0) else None
        for k, label in enumerate(rollouts.labels)
    ]
    return rollouts._replace(labels=labels)


def _is_confirmed(automatic: Mapping[str, Any] | None, rule: LabelRule, count: int) -> bool:
    """Whether the rule lets rollouts stand alone: under `consensus`, only with a second method, where one was asked."""
    if rule.mixture != "consensus" or automatic is None or "second" not in automatic:
        return True
    hard, second = _rollouts(automatic, replace(rule, target="hard"), count), automatic["second"]
    return hard is not None and second is not None and agrees(second["first_mistake"], hard)


def _step_count(
    human: Mapping[str, Any] | None, automatic: Mapping[str, Any] | None, step_count: int | None
) -> int:
    series = [(human or {}).get("ratings"), (human or {}).get("posterior")]
    series += [(automatic or {}).get(name) for name in ("visits", "hard", "soft", "quality_value")]
    lengths = {len(values) for values in series if values}
    if step_count is not None:
        lengths.add(step_count)
    if len(lengths) != 1:
        raise MisstepError(f"evidence for {sorted(lengths)} steps, expected one number of steps")
    return int(lengths.pop())


def _people(human: Mapping[str, Any] | None, rule: LabelRule, count: int) -> Decision | None:
    """What people said; None when no usable look at the solution exists (none, or a bad problem)."""
    if human is None or is_bad_problem(human):
        return None
    ratings = human.get("ratings")
    if not ratings:
        ratings = _ratings_from_first_mistake(human, count)
    labels = [label_of(rating, rule.neutral) for rating in ratings]
    # A stated first mistake beats a neutral that the rule calls negative: it is the person's own verdict.
    first = human.get("first_mistake")
    if first is None:
        first = first_mistake_of(labels)
    return supervised(labels, "human", first, rule)


def _ratings_from_first_mistake(human: Mapping[str, Any], count: int) -> list[int | None]:
    first = human.get("first_mistake")
    if first is None:
        return [1 if human.get("finish_reason") == "solution" else None] * count
    if not 0 <= first < count:
        raise MisstepError(f"a first mistake at step {first} of {count} steps, expected one of them from 0")
    return [1] * first + [-1] + [None] * (count - first - 1)


def _rollouts(automatic: Mapping[str, Any] | None, rule: LabelRule, count: int) -> Decision | None:
    """What rollouts said; None without estimates. Steps with too few visits are not supervised.

    A step that a search passed over has no visits but may have a hard estimate: OmegaPRM's, which holds that
    what comes before a right prefix is right, and what comes after a wrong one is wrong. It counts, unless the
    rule calls that wrong one right: then nobody knows where the mistake stands behind it, and the labels end there.
    """
    if automatic is None:
        return None
    assumed = automatic.get("hard") or [None] * count
    visits = automatic.get("visits") or [rule.minimum_visits] * count
    shares = _shares(automatic, visits, count)
    shares = [
        guess if not seen and share is None else share
        for share, seen, guess in zip(shares, visits, assumed, strict=True)
    ]
    hard = [None if share is None else float(share > rule.threshold) for share in shares]
    wanted = {
        "hard": hard,
        "soft": shares,
        "quality_value": list(automatic.get("quality_value") or [None] * count),
    }[rule.target]
    # Without a count of visits every step speaks for itself.
    has_visits = bool(automatic.get("visits"))
    is_assumed = [
        has_visits and seen == 0 and guess is not None for seen, guess in zip(visits, assumed, strict=True)
    ]
    enough = [
        seen is not None and (seen >= rule.minimum_visits or alone)
        for seen, alone in zip(visits, is_assumed, strict=True)
    ]
    labels = [label if ok else None for label, ok in zip(wanted, enough, strict=True)]
    known = [label if ok else None for label, ok in zip(hard, enough, strict=True)]
    first = first_mistake_of(known)
    if first is None or not is_assumed[first]:
        return supervised(labels, "automatic", first, rule)
    return supervised(_as_far_as_known(labels, first, is_assumed, rule), "automatic", None, rule)


def _as_far_as_known(
    labels: Sequence[float | None], end: int, is_assumed: Sequence[bool], rule: LabelRule
) -> list[float | None]:
    """The labels before `end`, where a mistake is assumed whose cause is gone; and, where steps behind a mistake keep
    their evidence, those of steps with rollouts of their own.
    """
    keeps = rule.after_mistake == "keep"
    return [label if k < end or (keeps and not is_assumed[k]) else None for k, label in enumerate(labels)]


def _shares(automatic: Mapping[str, Any], visits: Sequence[int], count: int) -> list[float | None]:
    """Correct rollouts among graded ones per step, in [0, 1]; from counts, else `soft`, else `hard`."""
    correct = automatic.get("correct")
    if correct:
        return [right / seen if seen else None for right, seen in zip(correct, visits, strict=True)]
    return list(automatic.get("soft") or automatic.get("hard") or [None] * count)
