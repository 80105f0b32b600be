"""The mixtures of a label rule: one decision from a solution's two opinions, people's and the rollouts'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.targets.agreement import agreement_weighted, opinions_of
from ml.targets.rules import (
    Decision,
    LabelRule,
    first_mistake_of,
    is_bad_problem,
    is_mistake,
    is_unjudged,
    nothing,
    sources_of,
    supervised,
)


def mixed(
    human: Mapping[str, Any] | None,
    people: Decision | None,
    rollouts: Decision | None,
    rule: LabelRule,
    count: int,
) -> Decision:
    """The labels by the rule's mixture; none for a problem that a person reported as bad, whatever rollouts say."""
    if is_bad_problem(human):
        return nothing(count)
    if rule.mixture == "fusion":
        posterior = (human or {}).get("posterior")
        # Nobody witnessed this solution; what a person rated before they gave up is still their word.
        return people or nothing(count) if posterior is None else labels_from_posterior(posterior, rule)
    if rule.mixture == "consensus":
        # A neutral rating that counts as wrong is no mistake that somebody named before they gave up.
        if people is None or rollouts is None or is_unjudged(human):
            return nothing(count)
        return people if agrees(people.first_mistake, rollouts) else nothing(count)
    if rollouts is None or all(label is None for label in rollouts.labels):
        return people or nothing(count)
    if people is None:
        return rollouts
    rollouts = _where_people_left_room(rollouts, people, (human or {}).get("ratings") or [None] * count)
    if rule.mixture == "agreement_weighted":
        return agreement_weighted(opinions_of(human or {}, people), rollouts, rule)
    return _people_override(people, rollouts, rule)


def agrees(place: int | None, rollouts: Decision) -> bool:
    """Whether a search's hard labels say that the first mistake is at `place`. Where it is silent on a step, the first
    one may be that step.
    """
    return None not in rollouts.labels[: rollouts.first_mistake] and place == rollouts.first_mistake


def _where_people_left_room(rollouts: Decision, people: Decision, ratings: Sequence[int | None]) -> Decision:
    """The search's labels without those of steps that people rated and the rule dropped: those stay unlabelled."""
    labels = [
        None if said is None and rating is not None else label
        for label, said, rating in zip(rollouts.labels, people.labels, ratings, strict=True)
    ]
    return rollouts._replace(labels=labels)


def _people_override(people: Decision, rollouts: Decision, rule: LabelRule) -> Decision:
    """People's labels; where they rated nothing before their verdict, the search's."""
    labels, sources = list(people.labels), list(people.sources)
    # Behind a mistake that a person named, the search has no say: the person's rule already decided there.
    end = len(labels) if people.first_mistake is None else people.first_mistake
    for k in range(end):
        if labels[k] is None and rollouts.labels[k] is not None:
            labels[k], sources[k] = rollouts.labels[k], "automatic"
    first = people.first_mistake
    if first is None:
        first = next(
            (k for k, label in enumerate(labels) if is_mistake(k, label, sources[k], rollouts, rule)), None
        )
    kept = supervised(labels, "human", first, rule).labels
    return Decision(kept, sources_of(kept, sources, "human"), first)


def labels_from_posterior(posterior: Sequence[float], rule: LabelRule) -> Decision:
    """Soft labels from P(no mistake up to and with step k).

    The label of step k is conditional: the probability that it is correct given that everything before it is,
    which is what the step's classifier predicts. The first mistake is the first step that is more probably wrong than
    right by its own label, and `after_mistake` decides on the steps behind it as everywhere. Where a mistake is
    likelier than none and no such step is known, nobody knows: there is none, the solution has no verdict, and steps
    that are more probably behind a mistake than not are left unsupervised unless `after_mistake` keeps them.
    """
    labels: list[float | None] = []
    reached: list[float | None] = []
    before = 1.0
    for through in posterior:
        label = min(1.0, max(0.0, through / before)) if before > 0 else None
        labels.append(label)
        reached.append(label if before >= 0.5 else None)
        before = through
    first = first_mistake_of(reached)
    if first is not None:
        return supervised(labels, "fused", first, rule)
    known = labels if rule.after_mistake == "keep" else reached
    return Decision(known, ["fused" if label is not None else None for label in known], None)
