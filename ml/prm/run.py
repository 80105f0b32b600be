"""One training run from a snapshot folder to a checkpoint folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from ml.commands.train import CLASSIFYING
from ml.errors import MisstepError
from ml.evaluation.first_mistake import first_mistake_report
from ml.prm.bases import HeadSettings, open_base
from ml.prm.card import code_commit, dependency_versions
from ml.prm.checkpoint import publish
from ml.prm.distributed import Group
from ml.prm.examples import Example, ExampleSettings, examples_from
from ml.prm.likelihood import TOKEN_BIAS
from ml.prm.model import LORA_TARGETS, ProcessRewardModel, recompute_activations, with_lora
from ml.prm.score import Scorer, Unscored
from ml.prm.sharding import assembled, shard
from ml.prm.tokenization import StepTokenizer
from ml.prm.train import Run, TrainingSettings, train
from ml.snapshot import Snapshot, SnapshotRow, leaked_problems, problem_hash, read_snapshot
from ml.targets import LabelRule, frozen_rule, has_verdict, label_rows

OUTPUTS = {"classifier": 2, "value": 1, "preference": 1, "outcome": 2}


@dataclass(frozen=True)
class Request:
    """Everything that decides a run's result. `epochs` counts when `steps` is None.

    head: `linear`, `tokens` (with target_tokens) or `likelihood`.
    """

    snapshot: Path
    out: Path
    rule: LabelRule
    base: str = "pocket"
    from_scratch: bool = False
    extra_layers: int | None = None
    head: str = "linear"
    language_weight: float | None = None
    examples: ExampleSettings = field(default_factory=ExampleSettings)
    target_tokens: tuple[str, ...] = ()
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings("classifier", 0))
    steps: int | None = None
    epochs: float = 3.0
    lora_rank: int = 0
    lora_targets: tuple[str, ...] = tuple(LORA_TARGETS)
    maximum_length: int | None = None
    gradient_checkpointing: bool = False
    limit: int | None = None
    device: str = "cpu"
    is_sharded: bool = False
    use_frozen_labels: bool = True
    keep_state: bool = False


def run_training(request: Request) -> dict[str, Any]:
    """Train and publish a checkpoint; returns its card. Everything is checked before the first update."""
    started = time.monotonic()
    refuse_finished(request.out)
    snapshot = read_snapshot(request.snapshot)
    rows, rule = _labelled(snapshot, request)
    request = replace(request, rule=rule)
    parts = {name: [row for row in rows if row.split == name] for name in ("train", "validation")}
    if not parts["train"]:
        raise MisstepError(f"{request.snapshot}: no rows in split train, expected at least one")
    if request.limit is not None:
        parts["train"] = parts["train"][: request.limit]
    settings = request.training
    base = open_base(
        request.base, _texts(parts["train"]), _head(request), settings.seed, request.maximum_length,
        request.from_scratch, request.extra_layers,
    )  # fmt: skip
    targets = base.tokenizer.target_ids
    counts: Counter[str] = Counter()
    examples = examples_from(parts["train"], base.tokenizer, request.rule, _examples(request), counts)
    counts |= Counter(train_rows=len(parts["train"]), train_examples=len(examples))
    counts["labelled_steps"] = sum(len(example.reads) for example in examples)
    settings = replace(settings, steps=_steps(request, examples), language_weight=_language_weight(request))
    model = ProcessRewardModel(_prepared(base.model, request), targets, base.tokenizer.layout.token_bias)
    group = Group.from_environment(request.device)
    model.to(group.device)
    skeleton = None
    if request.is_sharded and group.size > 1:
        skeleton, group.is_sharded = shard(model), True
    states = request.out.with_name(request.out.name + ".state")
    mark = _fingerprint(snapshot.sha256, request, settings)
    run = train(model, examples, settings, states, mark, group)
    if skeleton is not None:
        model = assembled(skeleton, model)
    card = {
        "format": "misstep-checkpoint",
        "version": 1,
        "objective": settings.objective,
        "outputs": request.examples.outputs,
        "head": request.head,
        "snapshot": {"sha256": snapshot.sha256, "name": snapshot.manifest.get("name", "")},
        "label_rule": asdict(request.rule),
        "base": base.origin,
        "seed": settings.seed,
        "config": {**_config(request, settings), "processes": group.size, "sharded": group.is_sharded},
        "counts": dict(counts),
        "commit": code_commit(),
        "dependencies": dependency_versions(),
    }
    model.eval()
    card["metrics"] = {
        "train_loss": run.history[-1]["loss"],
        "train_accuracy": run.history[-1]["accuracy"],
        "validation": _validation(model, base.tokenizer, card, parts["validation"]),
    }
    if group.is_first:
        card["seconds"] = round(time.monotonic() - started, 1)
        card["created_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        _publish(model, base.tokenizer, card, run, parts["train"], request)
        if not request.keep_state:
            shutil.rmtree(states, ignore_errors=True)
    group.wait()
    return card


def refuse_finished(out: Path) -> None:
    """Raises MisstepError where a checkpoint already stands: it is evidence, and is not written over.

    Without a manifest nothing loads it: those are the files of a run that was killed before it had moved all.
    """
    if (out / "manifest.json").exists():
        raise MisstepError(f"{out} already holds a checkpoint, expected a new folder")


def _labelled(snapshot: Snapshot, request: Request) -> tuple[list[SnapshotRow], LabelRule]:
    """The rows with the labels to train on, and the rule that decided them."""
    rows = list(snapshot)
    leaked = leaked_problems(rows)
    if leaked:
        raise MisstepError(f"{len(leaked)} problems stand in more than one split, expected each in one")
    if request.use_frozen_labels and snapshot.manifest.get("labels") == request.rule.labels:
        return rows, frozen_rule(snapshot.manifest, request.rule.labels)
    return label_rows(rows, request.rule), request.rule


def _texts(rows: Sequence[SnapshotRow]) -> list[str]:
    return [text for row in rows for text in (row.problem, *row.steps)]


def _steps(request: Request, examples: Sequence[Example]) -> int:
    if request.steps is not None:
        return request.steps
    batch = min(request.training.batch_size, max(len(examples), 1))
    return max(1, round(request.epochs * len(examples) / batch))


def _head(request: Request) -> HeadSettings:
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
    bias = TOKEN_BIAS if is_likelihood else None
    return HeadSettings(request.examples.outputs, request.target_tokens, bias)


def _examples(request: Request) -> ExampleSettings:
    """An outcome that is read at the tokens that came is the product of them all.

    Raises MisstepError where outcomes should stand in for labels and the head cannot read both, and where it
    should read every token's outcome by itself.
    """
    chosen = request.examples
    if chosen.outcomes and (request.head != "likelihood" or chosen.objective != "classifier"):
        raise MisstepError("--outcomes, expected --objective classifier --head likelihood with it")
    if request.head != "likelihood":
        return chosen
    if chosen.outcome_tokens != "last":
        raise MisstepError(f"--outcome-tokens {chosen.outcome_tokens}, expected none with --head likelihood")
    return replace(chosen, outcome_tokens="product")


def _language_weight(request: Request) -> float:
    """What was asked for, or 1 for the likelihood head, whose logits stay a language model's by it.

    Raises MisstepError for a weight where the head does not predict tokens.
    """
    if request.language_weight is None:
        return 1.0 if request.head == "likelihood" else 0.0
    if request.language_weight and request.head != "likelihood":
        raise MisstepError(f"--language-weight {request.language_weight}, expected --head likelihood with it")
    return request.language_weight


def _prepared(model: PreTrainedModel, request: Request) -> nn.Module:
    if request.gradient_checkpointing:
        recompute_activations(model)
    if request.lora_rank:
        has_language_head = request.head != "linear"
        return with_lora(
            model, request.lora_rank, request.training.seed, has_language_head, request.lora_targets
        )
    return model


def _config(request: Request, settings: TrainingSettings) -> dict[str, Any]:
    return {
        **asdict(settings),
        **asdict(request.examples),
        "epochs": None if request.steps is not None else request.epochs,
        "head": request.head,
        "target_tokens": list(request.target_tokens),
        "lora_rank": request.lora_rank,
        "lora_targets": list(request.lora_targets) if request.lora_rank else None,
        "maximum_length": request.maximum_length,
        "gradient_checkpointing": request.gradient_checkpointing,
        "from_scratch": request.from_scratch,
        "extra_layers": request.extra_layers,
        "limit": request.limit,
        "frozen_labels": request.use_frozen_labels,
    }


def _fingerprint(snapshot: str, request: Request, settings: TrainingSettings) -> str:
    """Names the run: the same data, rule, base and settings. Where states are kept does not count."""
    body = {**_config(request, settings), "snapshot": snapshot, "rule": asdict(request.rule)}
    body["base"] = request.base
    body.pop("save_every")
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _validation(
    model: ProcessRewardModel, tokenizer: StepTokenizer, card: dict[str, Any], rows: Sequence[SnapshotRow]
) -> dict[str, Any] | None:
    """First-mistake figures on the snapshot's validation split, threshold chosen there; None without rows."""
    judged = [row for row in rows if has_verdict(row)]
    if not judged:
        return None
    scorer = Scorer(model, tokenizer, card)
    found = scorer.score_all(Unscored(row.id, row.problem, row.steps) for row in judged)
    scores = [values for _, values in found]
    report = first_mistake_report(scores, [row.first_mistake for row in judged])
    wanted = ("threshold", "f1", "accuracy_wrong", "accuracy_right", "exact", "count")
    return {name: report[name] for name in wanted}


def _publish(
    model: ProcessRewardModel,
    tokenizer: StepTokenizer,
    card: dict[str, Any],
    run: Run,
    rows: Sequence[SnapshotRow],
    request: Request,
) -> None:
    partial = request.out.with_name(request.out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    plain = model.model
    if request.lora_rank:
        plain.save_pretrained(str(partial / "adapter"))  # type: ignore[operator]
        plain = plain.merge_and_unload()  # type: ignore[operator]
    plain.save_pretrained(str(partial))  # type: ignore[operator]
    tokenizer.save(partial)
    lines = "".join(json.dumps(line) + "\n" for line in run.history)
    (partial / "metrics.jsonl").write_text(lines, encoding="utf-8")
    known = sorted({problem_hash(row.problem) for row in rows})
    (partial / "training_problems.txt").write_text("\n".join(known) + "\n", encoding="utf-8")
    (partial / "card.json").write_text(
        json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    publish(partial, request.out)


def save_model(model: nn.Module, path: Path) -> None:
    """Weights alone, for comparing runs."""
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)


def settle_process(threads: int) -> None:
    """Few threads, because more than cores, or a few that wait by spinning, slow small models down; and silence
    from transformers, whose progress bars and remarks on a fresh head would fill a job's log."""
    torch.set_num_threads(max(1, threads))
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
