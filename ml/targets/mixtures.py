"""The mixtures of a label rule: one decision from a solution's two opinions, people's and the rollouts'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ml.targets.rules import Decision, LabelRule, is_bad_problem, nothing, supervised


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
    """Per step the weighted mean of both opinions; one opinion alone stands as it is.

    Behind a mistake that one of them named the other is heard only if its own label outvotes that mistake. Where
    both weigh the same, nobody knows: nothing behind is supervised, and the solution has no verdict.
    """
    people, rollouts = _own_words(people, rule), _own_words(rollouts, rule)
    labels: list[float | None] = []
    sources: list[str | None] = []
    place = None
    for k, (said, estimated) in enumerate(zip(people.labels, rollouts.labels, strict=True)):
        label, source = _mean(said, estimated, annotators, rule.automatic_weight)
        labels.append(label)
        sources.append(source)
        if place is None and _stands(k, label, people, rollouts, rule):
            place = k
    if place is None:
        return Decision(labels, sources, None)
    is_undecided = labels[place] == 0.5 and not _is_unopposed(place, people, rollouts, rule)
    behind = replace(rule, after_mistake="none") if is_undecided and rule.after_mistake == "wrong" else rule
    kept = supervised(labels, "fused", place, behind).labels
    if rule.after_mistake == "wrong":
        sources[place + 1 :] = [None] * (len(sources) - place - 1)
    return Decision(kept, _sources_of(kept, sources, "fused"), None if is_undecided else place)


def _own_words(opinion: Decision, rule: LabelRule) -> Decision:
    """The opinion without the zeros that `wrong` puts behind its mistake: they stand only if the mistake does."""
    if rule.after_mistake != "wrong" or opinion.first_mistake is None:
        return opinion
    said = opinion.labels[: opinion.first_mistake + 1]
    return opinion._replace(labels=said + [None] * (len(opinion.labels) - len(said)))


def _mean(
    said: float | None, estimated: float | None, annotators: int, weight: float
) -> tuple[float | None, str | None]:
    """The label of one step, and whose it is."""
    if said is None:
        return estimated, "automatic" if estimated is not None else None
    if estimated is None:
        return said, "human"
    return (annotators * said + weight * estimated) / (annotators + weight), "fused"


def _stands(
    position: int, label: float | None, people: Decision, rollouts: Decision, rule: LabelRule
) -> bool:
    """Whether somebody named a mistake there that the other, if it spoke at all, does not outvote."""
    by_people, by_rollouts = _named_by(position, people, rollouts, rule)
    if not by_people and not by_rollouts:
        return False
    return label is None or label <= 0.5 or _is_unopposed(position, people, rollouts, rule)


def _is_unopposed(position: int, people: Decision, rollouts: Decision, rule: LabelRule) -> bool:
    """Whether a mistake that was named there is all that was said of the step."""
    is_silent = people.labels[position] is None or rollouts.labels[position] is None
    return is_silent or all(_named_by(position, people, rollouts, rule))


def _named_by(position: int, people: Decision, rollouts: Decision, rule: LabelRule) -> tuple[bool, bool]:
    """Whether people, and whether rollouts, name a mistake at the step: their first, or a later one that they keep."""

    def has_named(opinion: Decision, source: str) -> bool:
        first = opinion.first_mistake
        is_later = first is not None and position > first
        return is_later and _is_mistake(position, opinion.labels[position], source, rollouts, rule)

    by_people = position == people.first_mistake or has_named(people, "human")
    # Where people's own rating left no room, the search's mistake counts for nothing.
    was_heard = rollouts.labels[position] is not None
    by_rollouts = was_heard and (position == rollouts.first_mistake or has_named(rollouts, "automatic"))
    return by_people, by_rollouts


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
    which is what the step's classifier predicts. Steps that are more probably behind a mistake than not stand behind
    the first mistake, and `after_mistake` decides on them as everywhere.
    """
    labels: list[float | None] = []
    before = 1.0
    for through in posterior:
        labels.append(min(1.0, max(0.0, through / before)) if before > 0 else None)
        before = through
    first = next((k for k, through in enumerate(posterior) if through < 0.5), None)
    return supervised(labels, "fused", first, rule)
