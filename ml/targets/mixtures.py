"""The mixtures of a label rule: one decision from a solution's two opinions, people's and the rollouts'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.targets.rules import Decision, LabelRule, first_mistake_of, is_bad_problem, nothing, supervised


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
        return people if people and rollouts and _agree(people, rollouts) else nothing(count)
    if people is None or rollouts is None:
        return people or rollouts or nothing(count)
    rollouts = _where_people_left_room(rollouts, people, (human or {}).get("ratings") or [None] * count)
    if rule.mixture == "agreement_weighted":
        return _weighted(people, rollouts, (human or {}).get("annotators") or 1, rule)
    return _people_override(people, rollouts, rule)


def _agree(people: Decision, rollouts: Decision) -> bool:
    """Whether both see the same first mistake. A search that is silent on some step has not said that none is wrong."""
    if rollouts.first_mistake is None and None in rollouts.labels:
        return False
    return people.first_mistake == rollouts.first_mistake


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
            (k for k, label in enumerate(labels) if _is_mistake(k, label, sources[k], rollouts, rule)), None
        )
    kept = supervised(labels, "human", first, rule).labels
    return Decision(kept, _sources_of(kept, sources, "human"), first)


def _is_mistake(
    position: int, label: float | None, source: str | None, rollouts: Decision, rule: LabelRule
) -> bool:
    """Whether a step is wrong by its label. A share or a value of the search is low on right steps too: there only
    the search's own first mistake is one.
    """
    if label is None or (source == "automatic" and rule.target != "hard"):
        return label is not None and position == rollouts.first_mistake
    return label < 0.5


def _weighted(people: Decision, rollouts: Decision, annotators: int, rule: LabelRule) -> Decision:
    """Per step the weighted mean of both opinions; one opinion alone stands as it is."""
    labels: list[float | None] = []
    sources: list[str | None] = []
    for said, estimated in zip(people.labels, rollouts.labels, strict=True):
        if said is None or estimated is None:
            labels.append(said if said is not None else estimated)
            sources.append("human" if said is not None else "automatic" if estimated is not None else None)
            continue
        weight = annotators + rule.automatic_weight
        labels.append((annotators * said + rule.automatic_weight * estimated) / weight)
        sources.append("fused")
    first = first_mistake_of(labels)
    kept = supervised(labels, "fused", first, rule).labels
    return Decision(kept, _sources_of(kept, sources, "fused"), first)


def _sources_of(
    labels: Sequence[float | None], sources: Sequence[str | None], otherwise: str
) -> list[str | None]:
    """Each kept label's own source; `otherwise` where the rule itself made the label."""
    return [
        None if label is None else source or otherwise for label, source in zip(labels, sources, strict=True)
    ]


def labels_from_posterior(posterior: Sequence[float], rule: LabelRule) -> Decision:
    """Soft labels from P(no mistake up to and with step k).

    The label of step k is conditional: the probability that it is correct given that everything before it is,
    which is what the step's classifier predicts. Steps that are more probably behind a mistake than not are
    left unsupervised, whatever `after_mistake` says: there is no hard first mistake to stand behind.
    """
    labels: list[float | None] = []
    before = 1.0
    for through in posterior:
        reached = before >= 0.5 or rule.after_mistake == "keep"
        labels.append(min(1.0, max(0.0, through / before)) if reached and before > 0 else None)
        before = through
    first = next((k for k, through in enumerate(posterior) if through < 0.5), None)
    return Decision(labels, ["fused" if label is not None else None for label in labels], first)
