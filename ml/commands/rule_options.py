"""The options by which a command asks for parts of the label rule."""

from __future__ import annotations

import argparse
from typing import Any

from ml.targets.rules import CHOICES

# What the option is called, and the part of `LabelRule` that it sets.
PARTS = {
    "label_rule": "mixture",
    "neutral": "neutral",
    "target": "target",
    "threshold": "threshold",
    "after_mistake": "after_mistake",
    "automatic_weight": "automatic_weight",
}


def add_to(group: Any) -> None:
    """The options, for a parser or a group of one."""
    group.add_argument("--label-rule", choices=CHOICES["mixture"], help="how people and rollouts are mixed")
    group.add_argument("--neutral", choices=CHOICES["neutral"], help="what a rating of 0 counts as")
    group.add_argument("--target", choices=CHOICES["target"], help="what rollouts give")
    group.add_argument(
        "--threshold", type=float, help="hard: right when the share of right rollouts is above"
    )
    group.add_argument(
        "--after-mistake", choices=CHOICES["after_mistake"], help="labels behind the first one"
    )
    group.add_argument("--automatic-weight", type=float, help="annotators that the search counts for")


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """The parts of the rule that were asked for."""
    given = {part: getattr(options, option) for option, part in PARTS.items()}
    return {part: value for part, value in given.items() if value is not None}
