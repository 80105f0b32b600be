"""The label rule: what a step's label is, given what people and rollouts said of it.

A label is the probability that the step is correct, or None where the step is not supervised. By default
nothing after the first mistake is supervised (Let's Verify Step by Step, section 2.4).

Mixtures, for rows that both people and rollouts judged:
  people_override     people's label where they rated the step, the automatic one where they did not.
  consensus           the row is kept when both see the same first mistake (Qwen "Lessons"), else dropped.
  agreement_weighted  the mean of both, where each annotator weighs 1 and the search `automatic_weight`.
  fusion              the posterior of `ml.targets.fusion`, stored in the row's human evidence as `posterior`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ml.errors import MisstepError

CHOICES = {
    "labels": ("human", "automatic", "mixed"),
    "neutral": ("positive", "negative", "drop"),
    "target": ("hard", "soft", "quality_value"),
    "mixture": ("people_override", "consensus", "agreement_weighted", "fusion"),
    "after_mistake": ("none", "wrong", "keep"),
}
# Mixtures that leave no label to rollouts alone.
WITHOUT_ROLLOUTS = ("consensus", "fusion")


@dataclass(frozen=True)
class LabelRule:
    """The named choices that turn evidence into labels; stored whole in manifests and on cards.

    neutral: what a rating of 0 counts as. target: what rollouts give: `hard` (share of correct rollouts above
    `threshold`), `soft` (that share) or `quality_value` (v_k of ReST-MCTS*). after_mistake: steps behind the
    first mistake are unsupervised (`none`), all wrong (`wrong`), or keep their own evidence (`keep`).
    automatic_weight: how many annotators the search counts for under `agreement_weighted`.
    """

    labels: str = "human"
    neutral: str = "positive"
    target: str = "hard"
    threshold: float = 0.0
    mixture: str = "people_override"
    after_mistake: str = "none"
    minimum_visits: int = 1
    automatic_weight: float = 1.0

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise MisstepError(f"label rule {name}={getattr(self, name)!r}, expected one of {allowed}")

    @property
    def has_labels_of_rollouts(self) -> bool:
        """Whether a label can be the rollouts' own word, which a second opinion may deny."""
        return self.labels == "automatic" or (self.labels == "mixed" and self.mixture not in WITHOUT_ROLLOUTS)


class Decision(NamedTuple):
    """Labels and their sources per step, and the first mistake that they imply (None: none)."""

    labels: list[float | None]
    sources: list[str | None]
    first_mistake: int | None


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
    rollouts = _rollouts(automatic, rule, count)
    if rule.labels == "human":
        return people or _nothing(count)
    if rule.labels == "automatic":
        return rollouts or _nothing(count)
    return _mixed(human, people, rollouts, rule, count)


def first_mistake_of(labels: Sequence[float | None]) -> int | None:
    """The first step that is more probably wrong than right."""
    return next((k for k, label in enumerate(labels) if label is not None and label < 0.5), None)


def _nothing(count: int) -> Decision:
    return Decision([None] * count, [None] * count, None)


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
    if human is None or human.get("finish_reason") == "bad_problem":
        return None
    neutral = {"positive": 1.0, "negative": 0.0, "drop": None}[rule.neutral]
    meaning = {1: 1.0, 0: neutral, -1: 0.0, None: None}
    ratings = human.get("ratings")
    if not ratings:
        ratings = _ratings_from_first_mistake(human, count)
    labels = [meaning[rating] for rating in ratings]
    # A stated first mistake beats a neutral that the rule calls negative: it is the person's own verdict.
    first = human.get("first_mistake")
    if first is None:
        first = first_mistake_of(labels)
    return _supervised(labels, "human", first, rule)


def _ratings_from_first_mistake(human: Mapping[str, Any], count: int) -> list[int | None]:
    first = human.get("first_mistake")
    if first is None:
        return [1 if human.get("finish_reason") == "solution" else None] * count
    return [1] * first + [-1] + [None] * (count - first - 1)


def _rollouts(automatic: Mapping[str, Any] | None, rule: LabelRule, count: int) -> Decision | None:
    """What rollouts said; None without estimates. Steps with too few visits are not supervised.

    A step that a search passed over has no visits but may have a hard estimate: OmegaPRM's, which holds that
    what comes before a right prefix is right, and what comes after a wrong one is wrong. It counts.
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
    enough = [
        seen is not None and (seen >= rule.minimum_visits or (not seen and guess is not None))
        for seen, guess in zip(visits, assumed, strict=True)
    ]
    labels = [label if ok else None for label, ok in zip(wanted, enough, strict=True)]
    first = first_mistake_of([label if ok else None for label, ok in zip(hard, enough, strict=True)])
    return _supervised(labels, "automatic", first, rule)


def _shares(automatic: Mapping[str, Any], visits: Sequence[int], count: int) -> list[float | None]:
    """Correct rollouts among graded ones per step, in [0, 1]; from counts, else `soft`, else `hard`."""
    correct = automatic.get("correct")
    if correct:
        return [right / seen if seen else None for right, seen in zip(correct, visits, strict=True)]
    return list(automatic.get("soft") or automatic.get("hard") or [None] * count)


def _supervised(labels: Sequence[float | None], source: str, first: int | None, rule: LabelRule) -> Decision:
    """Apply the rule for steps behind the first mistake, and name the source of what is left."""
    kept = list(labels)
    if first is not None and rule.after_mistake != "keep":
        kept[first + 1 :] = [0.0 if rule.after_mistake == "wrong" else None] * (len(kept) - first - 1)
    return Decision(kept, [source if label is not None else None for label in kept], first)


def _mixed(
    human: Mapping[str, Any] | None,
    people: Decision | None,
    rollouts: Decision | None,
    rule: LabelRule,
    count: int,
) -> Decision:
    if rule.mixture == "fusion":
        posterior = (human or {}).get("posterior")
        if posterior is None:
            return people or rollouts or _nothing(count)
        return labels_from_posterior(posterior, rule)
    if rule.mixture == "consensus":
        agree = people and rollouts and people.first_mistake == rollouts.first_mistake
        return people if people and agree else _nothing(count)
    if people is None or rollouts is None:
        return people or rollouts or _nothing(count)
    rollouts = _where_people_left_room(rollouts, people, (human or {}).get("ratings") or [None] * count)
    if rule.mixture == "agreement_weighted":
        return _weighted(people, rollouts, (human or {}).get("annotators") or 1, rule)
    return _people_override(people, rollouts, rule)


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
    kept = _supervised(labels, "human", first, rule).labels
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
    kept = _supervised(labels, "fused", first, rule).labels
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
