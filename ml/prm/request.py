"""What is asked of a training run, and what the head that was asked for makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.joined_snapshot import join
from ml.prm.bases import HeadSettings
from ml.prm.examples import ExampleSettings
from ml.prm.likelihood import TOLERANCE
from ml.prm.second_opinion import SecondOpinion
from ml.prm.training_settings import TrainingSettings
from ml.snapshot import Snapshot, read_snapshot
from ml.targets import LabelRule, frozen_rule
from ml.targets.rules import CHOICES, MEANS, SAYS, UNSEEN_BY, idle_parts, option_of, unseen_parts
from ml.training_choices import CLASSIFYING, NAMED_BASES

# Where an outcome may be read by the likelihood head, and what its reading is called then.
PRODUCTS = {"last": "product", "steps": "products"}
OUTPUTS = {"classifier": 2, "value": 1, "preference": 1, "outcome": 2}


@dataclass(frozen=True)
class Request:
    """Everything that decides a run's result. `epochs` counts when `steps` is None.

    more_snapshots: to be trained on together with the first. manifests: their own, where folders serve several of the
    same content.
    labels, asked: what the labels should be, and the parts of their rule that were asked for; without either they
    stay as they were frozen. rule, use_frozen_labels: what came of it; found when a run begins.
    opinion_said: whom the second opinion was asked of, as the card says it; found when a run begins.
    head: `linear`, `tokens` (with target_tokens) or `likelihood`. trees: what one example holds, a `solution` or
    all of a `problem`. is_packed: see `ProcessRewardModel`. lora_targets: none where nobody named any.
    """

    snapshot: Path
    out: Path
    labels: str | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    rule: LabelRule = field(default_factory=LabelRule)
    second_opinion: SecondOpinion | None = None
    opinion_said: Mapping[str, Any] | None = None
    base: str = "pocket"
    from_scratch: bool = False
    extra_layers: int | None = None
    head: str = "linear"
    language_weight: float | None = None
    tolerance: float | None = None
    examples: ExampleSettings = field(default_factory=ExampleSettings)
    trees: str = "solution"
    target_tokens: tuple[str, ...] = ()
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings("classifier", 0))
    steps: int | None = None
    epochs: float = 3.0
    lora_rank: int = 0
    lora_alpha: float | None = None
    lora_dropout: float = 0.0
    lora_targets: tuple[str, ...] = ()
    maximum_length: int | None = None
    too_long: str = "refuse"
    separator: str | None = None
    problem_end: str | None = None
    gradient_checkpointing: bool = False
    is_compiled: bool = False
    is_packed: bool = True
    limit: int | None = None
    device: str = "cpu"
    is_sharded: bool = False
    use_frozen_labels: bool = True
    keep_state: bool = False
    manifests: tuple[Path, ...] = ()
    more_snapshots: tuple[Path, ...] = ()


def opened(request: Request, read: Callable[..., Snapshot] = read_snapshot) -> Snapshot:
    """The snapshot to train on, or all of them as one; raises MisstepError where one is not whole, as far as `read`
    looks."""
    folders = [request.snapshot, *request.more_snapshots]
    if request.manifests and len(request.manifests) != len(folders):
        raise MisstepError(
            f"{len(request.manifests)} manifests for {len(folders)} snapshots, expected one for each or none"
        )
    manifests = request.manifests or [None] * len(folders)
    parts = [read(*part) for part in zip(folders, manifests, strict=True)]
    return parts[0] if len(parts) == 1 else join(parts, request.labels, request.asked)


def with_rule(request: Request, manifest: Mapping[str, Any]) -> Request:
    """The request with the rule that decides the labels of a snapshot with this manifest.

    Raises MisstepError for a part of the rule that was asked for and would change nothing.
    """
    frozen_as = str(manifest.get("labels", LabelRule.labels))
    labels = request.labels or frozen_as
    for part in idle_parts(labels, request.asked):
        option = option_of(part)
        if part in unseen_parts(labels, request.asked):
            mixture = request.asked.get("mixture", LabelRule.mixture)
            seen_by = " or ".join(name for name, unseen in UNSEEN_BY.items() if part not in unseen)
            raise MisstepError(
                f"--{option} would change nothing in labels mixed by {mixture}, expected --label-rule {seen_by} with it"
            )
        kinds = " or ".join(SAYS[part])
        raise MisstepError(
            f"--{option} would change nothing in labels {labels}, expected labels {kinds} with it"
        )
    if request.asked or labels != frozen_as:
        return replace(
            request, rule=LabelRule(**{**request.asked, "labels": labels}), use_frozen_labels=False
        )
    return replace(request, rule=frozen_rule(manifest, labels), use_frozen_labels=True)


def refuse_contradictions(request: Request) -> None:
    """Raises MisstepError for two options of which one would undo the other."""
    if request.trees == "problem":
        if request.examples.objective == "preference":
            raise MisstepError(
                "--trees problem with objective preference, whose examples are problems already"
            )
        tokens = request.examples.outcome_tokens
        if tokens in ("steps", "all") and request.examples.weighting != "path":
            # A token that stands once for several solutions would weigh as one of them.
            raise MisstepError(
                f"--trees problem with --outcome-tokens {tokens}, expected --weighting path with them"
            )
    if request.second_opinion and request.examples.objective != "classifier":
        raise MisstepError(
            f"--second-opinion with objective {request.examples.objective}, expected classifier"
        )
    if request.is_sharded and not request.is_packed:
        # Every forward gathers the split weights in all processes, and their paths are not equally many.
        raise MisstepError("--unpacked with --shard, expected one of them")
    if request.training.validate_every and request.is_sharded:
        raise MisstepError("--validate-every with --shard, expected one of them")
    if request.training.optimizer == "muon" and request.is_sharded:
        raise MisstepError("--optimizer muon with --shard, expected one of them")


def refuse_lost_neutrals(rule: LabelRule, outputs: int) -> None:
    """Raises MisstepError for a class of their own for ratings of 0 that the rule drops, calls mistakes or averages.

    A dropped one has no label on the trajectory, and behind one that counts as a mistake nothing is supervised, so that
    the class would hold alternatives alone.
    """
    if outputs == 3 and rule.labels != "automatic" and rule.neutral != "positive":
        raise MisstepError(
            f"--classes 3 with labels whose neutral is {rule.neutral}, expected positive: ask for --neutral positive,"
            " which decides the labels anew, or for 2 classes"
        )
    if outputs == 3 and rule.averages_neutrals:
        others = " or ".join(name for name in CHOICES["mixture"] if name not in MEANS)
        raise MisstepError(
            f"--classes 3 with labels mixed by {rule.mixture}, which leaves no label neutral, expected --label-rule"
            f" {others}, or 2 classes"
        )


def refuse_values_as_chances(rule: LabelRule, objective: str) -> None:
    """Raises MisstepError for a classifier of quality values: a right first step of ten has a low one."""
    if objective == "classifier" and rule.has_quality_values:
        raise MisstepError(
            "--objective classifier with labels whose target is quality_value, no chances of being right: expected"
            " --objective value, or --target hard or soft, which decides the labels anew"
        )


def head_settings(request: Request) -> HeadSettings:
    """Raises MisstepError for a head that the objective cannot have, or too many or too few target tokens."""
    objective = request.examples.objective
    if request.target_tokens and objective not in CLASSIFYING:
        raise MisstepError(f"--head tokens with objective {objective}, expected {' or '.join(CLASSIFYING)}")
    is_likelihood = request.head == "likelihood"
    if is_likelihood and objective not in CLASSIFYING:
        raise MisstepError(
            f"--head likelihood with objective {objective}, expected {' or '.join(CLASSIFYING)}"
        )
    if is_likelihood and request.is_sharded:
        raise MisstepError("--head likelihood with --shard, expected one of them")
    return HeadSettings(
        request.examples.outputs, request.target_tokens, tolerance(request), objective,
        request.training.preference_output,
    )  # fmt: skip


def tolerance(request: Request) -> float | None:
    """What was asked for, else what the base was trained with, else the usual one; None for another head.

    Raises MisstepError for a tolerance of another head, and for one below 0.
    """
    if request.head != "likelihood":
        if request.tolerance is not None:
            raise MisstepError(f"--tolerance {request.tolerance:g}, expected --head likelihood with it")
        return None
    if request.tolerance is None:
        return _tolerance_of(Path(request.base))
    if not 0.0 <= request.tolerance < float("inf"):
        raise MisstepError(f"--tolerance {request.tolerance:g}, expected 0 or more")
    return request.tolerance


def _tolerance_of(base: Path) -> float:
    """A checkpoint with the likelihood head goes on with its own tolerance."""
    layout = base / "steps.json"
    own = json.loads(layout.read_text(encoding="utf-8")).get("tolerance") if layout.exists() else None
    return TOLERANCE if own is None else float(own)


def earlier_models(request: Request) -> list[Path]:
    """The folders of models that the trained one knows things by: its base, where that is no name, and whose opinion
    chose its labels."""
    folders = [] if request.base in NAMED_BASES else [Path(request.base)]
    return [*folders, request.second_opinion.checkpoint] if request.second_opinion else folders


def example_settings(request: Request) -> ExampleSettings:
    """An outcome that is read at the tokens that came is the product of them, up to where it is read.

    Raises MisstepError where outcomes should stand in for labels and the head cannot read both, and where it
    should read every token's outcome by itself.
    """
    chosen = request.examples
    if chosen.outcomes and (request.head != "likelihood" or chosen.objective != "classifier"):
        raise MisstepError("--outcomes, expected --objective classifier --head likelihood with it")
    if request.head != "likelihood":
        return chosen
    if chosen.outcome_tokens not in PRODUCTS:
        raise MisstepError(
            f"--outcome-tokens {chosen.outcome_tokens}, expected {' or '.join(PRODUCTS)} with --head likelihood"
        )
    return replace(chosen, outcome_tokens=PRODUCTS[chosen.outcome_tokens])


def language_weight(request: Request) -> float:
    """What was asked for, or 1 for the likelihood head, whose logits stay a language model's by it.

    Raises MisstepError for a weight where the head does not predict tokens.
    """
    if request.language_weight is None:
        return 1.0 if request.head == "likelihood" else 0.0
    if request.language_weight and request.head != "likelihood":
        raise MisstepError(f"--language-weight {request.language_weight}, expected --head likelihood with it")
    return request.language_weight
