"""A rule as somebody named it, and the same without what changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ml.errors import MisstepError
from ml.said import Said
from ml.targets.rules import LabelRule, idle_parts

# What a snapshot hears of a part that its solutions' labels do not. Automatic labels may have to agree with a second
# method's: whether there is one, the rule does not say. Alternatives are labelled by rollouts' share, or by people who
# gave up, whatever labels the steps.
HEARD_BESIDE = {
    ("automatic", "consensus"): ("mixture",),
    ("mixed", "consensus"): ("given_up",),
    ("mixed", "fusion"): ("threshold",),
}


def without_idle_parts(rule: LabelRule) -> LabelRule:
    """The rule that decides the same labels and says nothing that changes none of them."""
    usual = LabelRule(rule.labels)
    return replace(rule, **{part: getattr(usual, part) for part in _idle_in(rule)})


def named_rule(labels: str, choices: Mapping[str, Any]) -> LabelRule:
    """The rule of these choices for such labels, which somebody named. Raises MisstepError for what no rule has, and
    for a part that would change nothing; a usual value claims nothing, so that a manifest's rule can be given back.
    """
    rule = LabelRule.of({"labels": labels, **choices})
    if rule.labels != labels:
        raise MisstepError(
            Said(
                "label rule labels='%(found)s' beside labels %(labels)s, expected one of the two",
                found=rule.labels,
                labels=labels,
            )
        )
    if idle := _idle_in(rule):
        raise MisstepError(
            Said(
                "label rule %(parts)s, which would change nothing in labels %(labels)s, expected without",
                parts=", ".join(idle),
                labels=labels,
            )
        )
    return rule


def decided_anew(labels: str, asked: Mapping[str, Any], frozen: Mapping[str, Any]) -> LabelRule:
    """The rule of the parts that are asked for, and else the usual ones, of labels that were frozen by the rule
    `frozen`. What a second method contradicted stays without labels: automatic ones go on asking it.
    """
    is_confirmed = labels == frozen.get("labels") == "automatic" and frozen.get("mixture") == "consensus"
    kept = {"mixture": "consensus"} if is_confirmed else {}
    return LabelRule(**{**kept, **asked, "labels": labels})


def _idle_in(rule: LabelRule) -> list[str]:
    """The parts that are not as usual and would change nothing."""
    usual = LabelRule(rule.labels)
    named = {part: value for part, value in asdict(rule).items() if value != getattr(usual, part)}
    heard = HEARD_BESIDE.get((rule.labels, rule.mixture), ())
    return [part for part in idle_parts(rule.labels, named) if part not in heard]
