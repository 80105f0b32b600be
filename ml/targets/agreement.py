"""`agreement_weighted`: the mean of what each annotator and the search say of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ml.targets.rules import Decision, LabelRule, is_adjudicated, is_mistake, sources_of, supervised


def opinions_of(human: Mapping[str, Any], people: Decision) -> list[Decision]:
    """One opinion for each annotator. people: what all of them come to, by the rule.

    Those who agree with the verdict say what it says. Of the others it is known which step they named, so that the
    steps before it are right to them, and they are silent on those behind it. A reviewer's adjudication is
    everybody's, and so is a verdict of which nobody knows who gave it. Where everybody gave up, each speaks of the
    steps that they had rated by then.
    """
    if rated_by := human.get("rated_by"):
        return [_so_far(people, [count > one for count in rated_by]) for one in range(max(rated_by))]
    witnesses: Mapping[str, int | None] = human.get("witnesses") or {}
    if not witnesses or is_adjudicated(human):
        return [people] * int(human.get("annotators") or 1)
    ratings = human.get("ratings") or [None] * len(people.labels)
    dropped = [
        rating is not None and label is None for rating, label in zip(ratings, people.labels, strict=True)
    ]
    verdict = human.get("first_mistake")
    return [people if said == verdict else _dissenting(said, dropped) for said in witnesses.values()]


def _so_far(people: Decision, has_rated: Sequence[bool]) -> Decision:
    """The opinion of one who gave up: what all come to on the steps that this one rated."""
    labels = [label if rated else None for label, rated in zip(people.labels, has_rated, strict=True)]
    first = people.first_mistake
    return Decision(
        labels,
        sources_of(labels, people.sources, "human"),
        first if first is not None and has_rated[first] else None,
    )


def _dissenting(said: int | None, dropped: Sequence[bool]) -> Decision:
    """The opinion of somebody who named another step than the verdict. A step that the rule drops has no label."""
    labels: list[float | None] = [
        None if is_dropped or (said is not None and k > said) else float(k != said)
        for k, is_dropped in enumerate(dropped)
    ]
    first = None if said is None or dropped[said] else said
    return Decision(labels, ["human" if label is not None else None for label in labels], first)


def agreement_weighted(annotators: Sequence[Decision], rollouts: Decision, rule: LabelRule) -> Decision:
    """Per step the weighted mean of all who speak of it; one opinion alone stands as it is.

    Behind a mistake that somebody named only those who did not are heard, and only if the step's own label outvotes
    that mistake. At a half nobody knows: nothing behind is supervised, and the solution has no verdict.
    """
    people, rollouts = [_own_words(one, rule) for one in annotators], _own_words(rollouts, rule)
    labels: list[float | None] = []
    sources: list[str | None] = []
    place = None
    for k in range(len(rollouts.labels)):
        label, source = _mean([one.labels[k] for one in people], rollouts.labels[k], rule.automatic_weight)
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
    return Decision(kept, sources_of(kept, sources, "fused"), None if is_undecided else place)


def _own_words(opinion: Decision, rule: LabelRule) -> Decision:
    """The opinion without the zeros that `wrong` puts behind its mistake: they stand only if the mistake does."""
    if rule.after_mistake != "wrong" or opinion.first_mistake is None:
        return opinion
    said = opinion.labels[: opinion.first_mistake + 1]
    return opinion._replace(labels=said + [None] * (len(opinion.labels) - len(said)))


def _mean(
    said: Sequence[float | None], estimated: float | None, weight: float
) -> tuple[float | None, str | None]:
    """The label of one step, and whose it is. said: each annotator's, who weighs 1; estimated: the search's."""
    words = [word for word in said if word is not None]
    if not words:
        return estimated, "automatic" if estimated is not None else None
    if estimated is None:
        is_one_voice = len(set(words)) == 1
        return sum(words) / len(words), "human" if is_one_voice else "fused"
    return (sum(words) + weight * estimated) / (len(words) + weight), "fused"


def _stands(
    position: int, label: float | None, people: Sequence[Decision], rollouts: Decision, rule: LabelRule
) -> bool:
    """Whether somebody named a mistake there that the others, if they spoke at all, do not outvote."""
    if not any(has_named for has_named, _ in _words_on(position, people, rollouts, rule)):
        return False
    return label is None or label <= 0.5 or _is_unopposed(position, people, rollouts, rule)


def _is_unopposed(position: int, people: Sequence[Decision], rollouts: Decision, rule: LabelRule) -> bool:
    """Whether a mistake that was named there is all that was said of the step."""
    words = _words_on(position, people, rollouts, rule)
    return all(has_named for has_named, has_label in words if has_label)


def _words_on(
    position: int, people: Sequence[Decision], rollouts: Decision, rule: LabelRule
) -> list[tuple[bool, bool]]:
    """For each annotator and the search: whether they name a mistake at the step, their first or a later one that
    they keep; and whether they have a label for it.
    """

    def has_named(opinion: Decision, source: str) -> bool:
        first, label = opinion.first_mistake, opinion.labels[position]
        if first is None or position <= first:
            return position == first
        return is_mistake(position, label, source, rollouts, rule)

    by_people = [(has_named(one, "human"), one.labels[position] is not None) for one in people]
    # Where people's own rating left no room, the search's mistake counts for nothing.
    was_heard = rollouts.labels[position] is not None
    return [*by_people, (was_heard and has_named(rollouts, "automatic"), was_heard)]
