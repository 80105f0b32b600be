"""The label rule: what a step's label is, given what people and rollouts said of it.

A label is the probability that the step is correct, or None where the step is not supervised. By default
nothing after the first mistake is supervised (Let's Verify Step by Step, section 2.4).

Mixtures, for rows that both people and rollouts judged:
  people_override     people's label where they rated the step, the automatic one where they did not.
  consensus           the row is kept when both see the same first mistake (Qwen "Lessons"), else dropped. Where nobody
                      judged it, these are rollouts and a second method, if one was asked; so for automatic labels too.
  agreement_weighted  the mean of all, where each annotator weighs 1 and the search `automatic_weight`; behind a
                      mistake that some of them named, only if the others outvote it.
  fusion              the posterior of `ml.targets.fusion`, stored in the row's human evidence as `posterior`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from ml.errors import MisstepError

CHOICES = {
    "labels": ("human", "automatic", "mixed"),
    "neutral": ("positive", "negative", "drop"),
    "target": ("hard", "soft", "quality_value"),
    "mixture": ("people_override", "consensus", "agreement_weighted", "fusion"),
    "after_mistake": ("none", "wrong", "keep"),
    "given_up": ("keep", "drop"),
}
# What the others are made of: a type, the end below which a value lies, and both in words.
NUMBERS = {
    "threshold": (int | float, 1.0, "a number from 0 to below 1"),
    "minimum_visits": (int, inf, "a whole number from 0"),
    "automatic_weight": (int | float, inf, "a number from 0"),
}
# Whose labels each part of the rule has a say in; the other parts have one in all.
SAYS = {
    "neutral": ("human", "mixed"),
    "given_up": ("human", "mixed"),
    "target": ("automatic", "mixed"),
    "threshold": ("automatic", "mixed"),
    "mixture": ("mixed",),
    "automatic_weight": ("mixed",),
    "minimum_visits": ("automatic", "mixed"),
}
# Parts that a mixture never looks at: consensus asks rollouts for their first mistake, and fusion for their shares.
# Who gave up names no mistake that anybody could agree with.
UNSEEN_BY = {
    "people_override": ("automatic_weight",),
    "consensus": ("target", "automatic_weight", "given_up"),
    "agreement_weighted": (),
    "fusion": ("target", "threshold", "automatic_weight"),
}
# Mixtures whose labels are means of what several said: a mean is never neutral.
MEANS = ("agreement_weighted", "fusion")
# Mixtures that leave no label to rollouts alone: people or a second method must agree with them.
WITHOUT_ROLLOUTS = ("consensus", "fusion")
# Methods that count each distinct end of a tree once: of these the share of right ones is no success rate.
SHARES_OF_ENDS = ("rstar", "rest-mcts")


@dataclass(frozen=True)
class LabelRule:
    """The named choices that turn evidence into labels; stored whole in manifests and on cards.

    neutral: what a rating of 0 counts as. target: what rollouts give: `hard` (share of correct rollouts above
    `threshold`), `soft` (that share) or `quality_value` (v_k of ReST-MCTS*). after_mistake: steps behind the
    first mistake are unsupervised (`none`), all wrong (`wrong`), or keep their own evidence (`keep`).
    automatic_weight: how many annotators the search counts for under `agreement_weighted`. given_up: what people
    rated before they gave up counts where nobody came to a verdict (`keep`), or not at all (`drop`).
    """

    labels: str = "human"
    neutral: str = "positive"
    target: str = "hard"
    threshold: float = 0.0
    mixture: str = "people_override"
    after_mistake: str = "none"
    minimum_visits: int = 1
    automatic_weight: float = 1.0
    given_up: str = "keep"

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise MisstepError(f"label rule {name}={getattr(self, name)!r}, expected one of {allowed}")
        for name, (kind, end, expected) in NUMBERS.items():
            value = getattr(self, name)
            if not isinstance(value, kind) or isinstance(value, bool) or not 0 <= value < end:
                raise MisstepError(f"label rule {name}={value!r}, expected {expected}")

    @classmethod
    def of(cls, choices: Mapping[str, Any]) -> LabelRule:
        """The rule with these choices and else the usual ones; raises MisstepError for one that no rule has."""
        known = cls.__dataclass_fields__
        if unknown := sorted(set(choices) - set(known)):
            raise MisstepError(f"label rule {', '.join(unknown)}, expected some of {', '.join(known)}")
        return cls(**choices)

    @property
    def has_labels_of_rollouts(self) -> bool:
        """Whether a label can be the rollouts' own word, whatever a row holds. Under a consensus it is where nobody
        judged a row and a second method confirmed it, which the row's own sources tell.
        """
        return self.labels == "automatic" or (self.labels == "mixed" and self.mixture not in WITHOUT_ROLLOUTS)

    @property
    def sees_target(self) -> bool:
        """Whether the target decides a label: people's have none, and a consensus is about the hard estimates alone."""
        return "target" not in idle_parts(self.labels, {"target": self.target, "mixture": self.mixture})

    @property
    def has_quality_values(self) -> bool:
        """Whether a label can be a quality value, which says how far a solution has come, and no probability."""
        return self.sees_target and self.target == "quality_value"

    @property
    def gives_fractions(self) -> bool:
        """Whether a label can lie between 0 and 1: a mean, a search's share or its quality value."""
        return (self.labels == "mixed" and self.mixture in MEANS) or (
            self.sees_target and self.target != "hard"
        )

    @property
    def averages_neutrals(self) -> bool:
        """Whether people's rating of 0 goes into a mean, in which nobody can find it again."""
        return self.labels == "mixed" and self.mixture in MEANS


def idle_parts(labels: str, asked: Mapping[str, Any]) -> list[str]:
    """The parts of a rule among those asked for that would change nothing in labels of this kind."""
    unseen = unseen_parts(labels, asked)
    return [part for part in asked if part in unseen or labels not in SAYS.get(part, CHOICES["labels"])]


def unseen_parts(labels: str, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """What the mixture that was asked for, or the usual one, never looks at."""
    return UNSEEN_BY.get(str(asked.get("mixture", LabelRule.mixture)), ()) if labels == "mixed" else ()


def option_of(part: str) -> str:
    """What the commands call a part of the rule, without the dashes before it."""
    return "label-rule" if part == "mixture" else part.replace("_", "-")


def takes_shares_of_ends(rule: LabelRule, method: str | None) -> bool:
    """Whether the rule takes for a label the share of right ones among the distinct ends that a tree search met."""
    return method in SHARES_OF_ENDS and rule.target == "soft" and rule.sees_target


def doubt_about_shares(rule: LabelRule, methods: Collection[str | None]) -> str | None:
    """What to warn of where a label may be a share of distinct ends and nothing says that it is one; None otherwise.
    methods: of the searches whose shares these are, None for one that nothing names.
    """
    if None not in methods or rule.target != "soft" or not rule.sees_target:
        return None
    return (
        "labels are shares of right rollouts, and neither the estimates nor a run.json beside them say by which method:"
        f" shares of {' or '.join(SHARES_OF_ENDS)} are no success rates"
    )


def refuse_shares_of_ends(rule: LabelRule, methods: Iterable[str | None]) -> None:
    """Raises MisstepError where a share of distinct ends would be learned as if it were a success rate."""
    for method in methods:
        if takes_shares_of_ends(rule, method):
            raise MisstepError(
                f"--target soft with estimates of {method}, whose shares count each distinct end once and are no"
                " success rates, expected --target hard or quality_value"
            )


def why_unlabelled(
    human: Mapping[str, Any] | None, automatic: Mapping[str, Any] | None, rule: LabelRule
) -> str:
    """How a manifest counts a solution on which the rule leaves no label."""
    if rule.mixture != "consensus" or rule.labels == "human" or not automatic or is_bad_problem(human):
        return "solutions_without_labels"
    if rule.labels == "mixed" and not is_unjudged(human):
        return "solutions_without_agreement"
    if "second" not in automatic:
        return "solutions_without_labels"
    return (
        "solutions_contradicted_by_second_method"
        if automatic["second"]
        else "solutions_without_second_verdict"
    )


def label_of(rating: int | None, neutral: str) -> float | None:
    """The label of a step that a person rated, where a rating of 0 counts as `neutral`; None for no label."""
    if rating == 0:
        return {"positive": 1.0, "negative": 0.0, "drop": None}[neutral]
    return None if rating is None else float(rating > 0)


class Decision(NamedTuple):
    """Labels and their sources per step, and the first mistake that they imply (None: none)."""

    labels: list[float | None]
    sources: list[str | None]
    first_mistake: int | None


def first_mistake_of(labels: Sequence[float | None]) -> int | None:
    """The first step that is more probably wrong than right."""
    return next((k for k, label in enumerate(labels) if label is not None and label < 0.5), None)


def is_bad_problem(human: Mapping[str, Any] | None) -> bool:
    """Whether people reported the problem itself: then nothing that was said of this solution of it can be trusted."""
    return (human or {}).get("finish_reason") == "bad_problem"


def is_given_up(human: Mapping[str, Any] | None) -> bool:
    """Whether everybody who looked gave up: what they rated is known, and where the first mistake is, is not."""
    return (human or {}).get("finish_reason") == "give_up"


def is_unjudged(human: Mapping[str, Any] | None) -> bool:
    """Whether nobody says where the first mistake is: nobody looked, or who looked gave up before they found one."""
    return not human or (is_given_up(human) and human.get("first_mistake") is None)


def is_adjudicated(human: Mapping[str, Any] | None) -> bool:
    """Whether the verdict is a reviewer's, who settled what others had said."""
    return "adjudication" in ((human or {}).get("origins") or ())


def nothing(count: int) -> Decision:
    """No label at all."""
    return Decision([None] * count, [None] * count, None)


def supervised(labels: Sequence[float | None], source: str, first: int | None, rule: LabelRule) -> Decision:
    """Apply the rule for steps behind the first mistake, and name the source of what is left."""
    kept = list(labels)
    if first is not None and rule.after_mistake != "keep":
        kept[first + 1 :] = [0.0 if rule.after_mistake == "wrong" else None] * (len(kept) - first - 1)
    return Decision(kept, [source if label is not None else None for label in kept], first)


def is_mistake(
    position: int, label: float | None, source: str | None, rollouts: Decision, rule: LabelRule
) -> bool:
    """Whether a step is wrong by its label. A share or a value of the search is low on right steps too: there only
    the search's own first mistake is one.
    """
    if label is None or (source == "automatic" and rule.target != "hard"):
        return label is not None and position == rollouts.first_mistake
    return label < 0.5


def sources_of(
    labels: Sequence[float | None], sources: Sequence[str | None], otherwise: str
) -> list[str | None]:
    """Each kept label's own source; `otherwise` where the rule itself made the label."""
    return [
        None if label is None else source or otherwise for label, source in zip(labels, sources, strict=True)
    ]
