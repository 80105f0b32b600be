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
from ml.targets.named_rules import decided_anew
from ml.targets.rules import SAYS, UNSEEN_BY, idle_parts, option_of, unseen_parts
from ml.training_choices import NAMED_BASES
from ml.training_contradictions import contradictions_with_labels

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
        rule = decided_anew(labels, request.asked, manifest.get("rule") or {})
        return replace(request, rule=rule, use_frozen_labels=False)
    return replace(request, rule=frozen_rule(manifest, labels), use_frozen_labels=True)


def refuse_unsuited_labels(request: Request) -> None:
    """Raises MisstepError where labels by the rule cannot teach what was asked for."""
    rule, objective, classes = request.rule, request.examples.objective, request.examples.outputs
    for found in contradictions_with_labels(rule, objective, classes):
        asked = classes if found.option == "classes" else objective
        wanted = " or ".join(found.wanted)
        raise MisstepError(
            f"--{found.option} {asked} with labels whose {found.other} is {getattr(rule, found.other)}, expected"
            f" --{option_of(found.other)} {wanted}, which decides the labels anew, or another --{found.option}:"
            f" {found.words}"
        )


def head_settings(request: Request) -> HeadSettings:
    """The head that was asked for."""
    examples = request.examples
    return HeadSettings(
        examples.outputs,
        request.target_tokens,
        tolerance(request),
        examples.objective,
        request.training.preference_output,
    )


def tolerance(request: Request) -> float | None:
    """What was asked for, else what the base was trained with, else the usual one; None for another head."""
    if request.head != "likelihood":
        return None
    return _tolerance_of(Path(request.base)) if request.tolerance is None else request.tolerance


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
    """An outcome that is read at the tokens that came is the product of them, up to where it is read."""
    chosen = request.examples
    if request.head != "likelihood":
        return chosen
    return replace(chosen, outcome_tokens=PRODUCTS[chosen.outcome_tokens])


def language_weight(request: Request) -> float:
    """What was asked for, or 1 for the likelihood head, whose logits stay a language model's by it."""
    if request.language_weight is None:
        return 1.0 if request.head == "likelihood" else 0.0
    return request.language_weight
