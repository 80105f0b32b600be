"""The options by which a command asks for parts of the label rule."""

from __future__ import annotations

import argparse
from typing import Any

from ml.bounds import AMOUNT, BELOW_ONE
from ml.targets.rules import CHOICES, LabelRule

# What the option is called, and the part of `LabelRule` that it sets.
PARTS = {
    "label_rule": "mixture",
    "neutral": "neutral",
    "target": "target",
    "threshold": "threshold",
    "after_mistake": "after_mistake",
    "automatic_weight": "automatic_weight",
    "given_up": "given_up",
}


def add_to(group: Any) -> None:
    """The options, for a parser or a group of one."""
    group.add_argument(
        "--label-rule",
        choices=CHOICES["mixture"],
        help=f"how people's labels and those of rollouts are mixed (default: {LabelRule.mixture})",
    )
    group.add_argument(
        "--neutral",
        choices=CHOICES["neutral"],
        help=f"what a rating of 0 counts as (default: {LabelRule.neutral})",
    )
    group.add_argument(
        "--target",
        choices=CHOICES["target"],
        help="training label from rollouts: hard (any rollout succeeds), soft (share), quality_value (ReST-MCTS*)"
        f" (default: {LabelRule.target})",
    )
    group.add_argument(
        "--threshold",
        type=BELOW_ONE,
        metavar="SHARE",
        help="with --target hard: a step is right when its share of right rollouts is above this"
        f" (default: {LabelRule.threshold:g})",
    )
    group.add_argument(
        "--after-mistake",
        choices=CHOICES["after_mistake"],
        help="labels of steps after the first mistake: none, all wrong (wrong), or each its own (keep)"
        f" (default: {LabelRule.after_mistake})",
    )
    group.add_argument(
        "--automatic-weight",
        type=AMOUNT,
        metavar="W",
        help=f"weight of the search, in annotators (agreement_weighted; default: {LabelRule.automatic_weight:g})",
    )
    group.add_argument(
        "--given-up",
        choices=CHOICES["given_up"],
        help="what people rated before they gave up, where nobody came to a verdict: it labels its steps (keep), or"
        f" counts for nothing (drop) (default: {LabelRule.given_up})",
    )


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """The parts of the rule that were asked for."""
    given = {part: getattr(options, option) for option, part in PARTS.items()}
    return {part: value for part, value in given.items() if value is not None}
