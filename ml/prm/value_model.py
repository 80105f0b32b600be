"""A checkpoint as what guides a search: MCTS*'s value model, or rStar's process preference model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers.utils import logging as transformers_logging

from ml.file_hash import sha256_of
from ml.policies.protocol import Prefix
from ml.prm.score import Scorer, Unscored, load_scorer
from ml.targets.rules import LabelRule

# Neighbours in one packed row change a score in its last bits. Rounded, a tree is the same in any company; a score
# that lies closer than DOUBT to where rounding turns is read again by itself.
DECIMALS = 4
DOUBT = 2e-6
AT_ONCE = 128


class CheckpointValues:
    """Values of prefixes by a process reward model: what it says of the prefix's last step, or of all its steps
    where each is read by its own tokens (`ml.prm.likelihood`), which know nothing of a mistake before them.

    signed: from -1 to 1, as rStar's rewards are, with a preference model's tanh as it stands; else from 0 to
    1. The bare problem has value 0. A prefix beyond the model's context has the value of what fits.
    """

    def __init__(self, scorer: Scorer, name: str, signed: bool = False) -> None:
        self.scorer, self.name, self.signed = scorer, name, signed

    def values(self, prefixes: Sequence[Prefix]) -> list[float]:
        """One value for each prefix, in their order."""
        # Neighbours that share steps are read once.
        order = sorted(range(len(prefixes)), key=lambda i: (prefixes[i].problem.text, prefixes[i].steps))
        values = [0.0] * len(prefixes)
        for start in range(0, len(order), AT_ONCE):
            chosen = [index for index in order[start : start + AT_ONCE] if prefixes[index].steps]
            waiting = [Unscored(str(i), prefixes[i].problem.text, prefixes[i].steps) for i in chosen]
            for name, scores in self.scorer.score_all(waiting):
                value = self._joined(scores)
                if _is_doubtful(value):
                    prefix = prefixes[int(name)]
                    value = self._joined(self.scorer.score(prefix.problem.text, prefix.steps))
                values[int(name)] = self._value(value)
        return values

    @property
    def usual_aggregation(self) -> str:
        """How a solution's values become one where nobody says: by what the checkpoint learned from.

        A value that is already that of all steps up to there needs no second product.
        """
        return "last" if self._reads_steps_alone else usual_aggregation(self.scorer.card)

    @property
    def _reads_steps_alone(self) -> bool:
        """Whether a score says something of its own step's tokens only."""
        return self.scorer.model.tolerance is not None and self.scorer.card["objective"] != "outcome"

    def _joined(self, found: Sequence[float | None]) -> float:
        """The prefix's own value between 0 and 1, not rounded yet."""
        scores = [score for score in found if score is not None]
        if not scores:
            return 0.0
        return math.prod(scores) if self._reads_steps_alone else scores[-1]

    def _value(self, score: float) -> float:
        score = round(score, DECIMALS)
        return round(2.0 * score - 1.0, DECIMALS) if self.signed else score


def _is_doubtful(value: float) -> bool:
    """Whether bits that company changes could change the rounded value."""
    return round(value - DOUBT, DECIMALS) != round(value + DOUBT, DECIMALS)


def usual_aggregation(card: Mapping[str, Any]) -> str:
    """`last` where rollouts taught (they say what becomes of all steps so far), `product` where people did (they say
    whether each step is right), for a classifier. Any other objective, and a model of unknown labels, is read at the
    end.
    """
    rule = card.get("label_rule")
    if card.get("objective") != "classifier" or not rule:
        return "last"
    known = {name: value for name, value in rule.items() if name in LabelRule.__dataclass_fields__}
    return "last" if LabelRule.of(known).has_labels_of_rollouts else "product"


def load_value_model(folder: str | Path, signed: bool = False) -> CheckpointValues:
    """Open a checkpoint of `python -m ml train`. Raises MisstepError when it is not whole."""
    # A bar for weights that load in a moment, between the lines of a run's own progress.
    transformers_logging.disable_progress_bar()
    scorer = load_scorer(folder)
    weights = Path(folder) / "model.safetensors"
    # Large weights stand in several files, of which the manifest names each one's hash.
    digest = sha256_of(weights if weights.exists() else weights.with_name("manifest.json"))[:8]
    return CheckpointValues(scorer, f"{scorer.card['objective']}-{digest}", signed)
