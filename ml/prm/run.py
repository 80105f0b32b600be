"""One training run from a snapshot folder to a checkpoint folder."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from ml.errors import MisstepError
from ml.prm.bases import open_base
from ml.prm.card import code_commit, dependency_versions
from ml.prm.checkpoint import PROBLEMS, problems_taught, publish
from ml.prm.compiling import compile_layers
from ml.prm.distributed import Group, refuse_missing_device
from ml.prm.example import Example
from ml.prm.examples import examples_from
from ml.prm.frozen import halve, restore
from ml.prm.identity import as_begun, config_of, fingerprint_of
from ml.prm.long_records import fitting_examples
from ml.prm.model import ProcessRewardModel, recompute_activations, with_lora
from ml.prm.out_folder import partial_of, refuse_occupied, refuse_overtaken, states_of, writing_alone
from ml.prm.packing import BLOCK_DEVICES
from ml.prm.problem_trees import by_problem
from ml.prm.request import (
    Request,
    earlier_models,
    example_settings,
    head_settings,
    language_weight,
    refuse_contradictions,
    refuse_lost_neutrals,
    with_rule,
)
from ml.prm.resuming import Mark, Run, base_facts
from ml.prm.second_opinion import disbelieved, key_of, refuse_useless, without
from ml.prm.self_check import refuse_unknown_tokens, refuse_wrong_readings
from ml.prm.sharding import assembled, shard
from ml.prm.tokenization import StepTokenizer
from ml.prm.train import TrainingSettings, train
from ml.prm.validation import Validation, validation_figures
from ml.snapshot import Snapshot, SnapshotRow, leaked_problems, problem_hash, read_snapshot
from ml.targets import label_rows


def run_training(request: Request) -> dict[str, Any]:
    """Train and publish a checkpoint; returns its card. Everything is checked before the first update."""
    started = time.monotonic()
    refuse_occupied(request.out, request.base)
    refuse_contradictions(request)
    refuse_missing_device(request.device)
    with Group.joined(request.device) as group, writing_alone(request.out, group):
        return _run(request, group, started)


def _run(request: Request, group: Group, started: float) -> dict[str, Any]:
    snapshot = read_snapshot(request.snapshot, request.manifest)
    request = with_rule(request, snapshot.manifest)
    rows = _labelled(snapshot, request)
    refuse_lost_neutrals(request.rule, request.examples.outputs)
    if request.second_opinion:
        refuse_useless(request.rule)
        # Read once: whatever becomes of that folder later, the card names what was asked.
        request = replace(request, opinion_said=request.second_opinion.on_card())
    parts = {name: [row for row in rows if row.split == name] for name in ("train", "validation")}
    if not parts["train"]:
        raise MisstepError(f"{request.snapshot}: no rows in split train, expected at least one")
    if request.limit is not None:
        parts["train"] = parts["train"][: request.limit]
    settings = request.training
    base = open_base(
        request.base, _texts(parts["train"]), head_settings(request), settings.seed, request.maximum_length,
        request.from_scratch, request.extra_layers, request.is_packed,
    )  # fmt: skip
    # Read now: those folders may be gone when this run ends.
    taught = problems_taught((problem_hash(row.problem) for row in parts["train"]), earlier_models(request))
    if base.remark and group.is_first:
        print(f"python -m ml train: {base.remark}", file=sys.stderr, flush=True)
    base = replace(base, tokenizer=base.tokenizer.laid_out(request.separator, request.problem_end))
    targets = base.tokenizer.target_ids
    counts: Counter[str] = Counter()
    parts["train"] = _believed(parts["train"], snapshot, request, group, counts)
    examples, parts["train"] = fitting_examples(
        parts["train"], base.tokenizer, request.rule, example_settings(request), request.too_long, counts
    )
    # A union of counters would drop what was counted and found to be none.
    counts["train_rows"], counts["train_examples"] = len(parts["train"]), len(examples)
    # An outcome is read at tokens, whoever labelled steps.
    read_at = "readings" if settings.objective == "outcome" else "labelled_steps"
    counts[read_at] = sum(len(example.reads) for example in examples)
    if request.trees == "problem":
        examples = by_problem(examples, request.examples.weighting, settings.tokens_per_row)
        counts["train_trees"] = len(examples)
    settings = replace(settings, steps=_steps(request, examples), language_weight=language_weight(request))
    settings = _begun(request, snapshot.sha256, settings, group)
    layout, closing = base.tokenizer.layout, len(base.tokenizer.separator)
    refuse_unknown_tokens(base.model, targets, examples)
    head = (targets, layout.tolerance, closing, request.is_packed)
    # On the device where it will be trained: there, a few tokens cost a large base nothing.
    base.model.to(group.device)  # type: ignore[arg-type]
    refuse_wrong_readings(ProcessRewardModel(base.model, *head))
    model = ProcessRewardModel(_prepared(base.model, request), *head)
    # Before anything is split or moved: how many processes train makes no other run.
    mark = Mark(
        fingerprint_of(snapshot.sha256, request, settings), base_facts(base.origin, base.tokenizer, model)
    )
    if request.lora_rank and settings.bfloat16 and not request.is_sharded:
        halve(model)
    model.to(group.device)
    skeleton = None
    if request.is_sharded and group.size > 1:
        skeleton, group.is_sharded = shard(model), True
    states = states_of(request.out)
    card: dict[str, Any] = {
        "format": "misstep-checkpoint",
        "version": 1,
        "objective": settings.objective,
        "outputs": request.examples.outputs,
        "head": request.head,
        "snapshot": {"sha256": snapshot.sha256, "name": snapshot.manifest.get("name", "")},
        "label_rule": asdict(request.rule),
        "base": base.origin,
        "seed": settings.seed,
        "config": {**config_of(request, settings), "processes": group.size, "sharded": group.is_sharded},
        "counts": dict(counts),
        "commit": code_commit(),
        "dependencies": dependency_versions(),
    }
    validate = _validation(request, settings, model, base.tokenizer, card, parts["validation"])
    run = train(model, examples, settings, states, mark, group, validate)
    if skeleton is not None:
        model = assembled(skeleton, model)
    restore(model)
    model.eval()
    card["metrics"] = {
        "train_loss": run.history[-1]["loss"],
        "train_accuracy": run.history[-1]["accuracy"],
        "validation": validation_figures(model, base.tokenizer, card, parts["validation"], settings.bfloat16),
    }

    def finish() -> None:
        # With what earlier attempts spent on updates, so that a run that went on does not look fast.
        card["seconds"] = round(run.earlier_seconds + time.monotonic() - started, 1)
        card["created_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        _publish(model, base.tokenizer, card, run, taught, request)
        if not request.keep_state:
            shutil.rmtree(states, ignore_errors=True)

    group.first_does(finish)
    return card


def _begun(request: Request, snapshot: str, settings: TrainingSettings, group: Group) -> TrainingSettings:
    """The settings, with the rate of a run that an earlier version began, and a word about it."""
    begun = as_begun(states_of(request.out), snapshot, request, settings)
    if begun != settings and group.is_first:
        print(
            f"python -m ml train: {states_of(request.out)} holds states of an earlier version, whose learning rate was"
            f" {begun.learning_rate:g} where none was asked for: this run goes on with it, not with"
            f" {settings.learning_rate:g}",
            file=sys.stderr,
            flush=True,
        )
    return begun


def _validation(
    request: Request,
    settings: TrainingSettings,
    model: ProcessRewardModel,
    tokenizer: StepTokenizer,
    card: dict[str, Any],
    rows: Sequence[SnapshotRow],
) -> Validation | None:
    """What looks at the validation split while the model trains, where that was asked for.

    Raises MisstepError where the split has nothing to look at.
    """
    if not settings.validate_every:
        return None
    fitting = [row for row in rows if not tokenizer.is_too_long(row.problem, row.steps)]
    examples = examples_from(fitting, tokenizer, request.rule, example_settings(request), Counter())
    validation = Validation(model, tokenizer, card, rows, examples, settings)
    if not validation.has_something:
        raise MisstepError(
            f"--validate-every {settings.validate_every} with nothing to validate on, expected labelled rows in split"
            " validation"
        )
    return validation


def _labelled(snapshot: Snapshot, request: Request) -> list[SnapshotRow]:
    """The rows with the labels to train on."""
    rows = list(snapshot)
    leaked = leaked_problems(rows)
    if leaked:
        raise MisstepError(f"{len(leaked)} problems stand in more than one split, expected each in one")
    return rows if request.use_frozen_labels else label_rows(rows, request.rule)


def _believed(
    rows: list[SnapshotRow], snapshot: Snapshot, request: Request, group: Group, counts: Counter[str]
) -> list[SnapshotRow]:
    """The rows without what an earlier model cannot believe of rollouts, where one was asked for."""
    if request.second_opinion is None or request.opinion_said is None:
        return rows
    key = key_of(snapshot.sha256, request.rule, request.limit, request.opinion_said)
    found = disbelieved(
        rows, request.second_opinion, group, states_of(request.out) / "second_opinion.json", key
    )
    return without(rows, found, counts)


def _texts(rows: Sequence[SnapshotRow]) -> list[str]:
    return [text for row in rows for text in (row.problem, *row.steps)]


def _steps(request: Request, examples: Sequence[Example]) -> int:
    if request.steps is not None:
        return request.steps
    batch = min(request.training.batch_size, max(len(examples), 1))
    return max(1, round(request.epochs * len(examples) / batch))


def _prepared(model: PreTrainedModel, request: Request) -> nn.Module:
    if request.gradient_checkpointing:
        recompute_activations(model)
    if request.is_compiled:
        compile_layers(model, torch.device(request.device).type in BLOCK_DEVICES)
    if request.lora_rank:
        has_language_head = request.head != "linear"
        return with_lora(
            model, request.lora_rank, request.training.seed, has_language_head, request.lora_targets,
            request.lora_alpha, request.lora_dropout,
        )  # fmt: skip
    return model


def _publish(
    model: ProcessRewardModel,
    tokenizer: StepTokenizer,
    card: dict[str, Any],
    run: Run,
    taught: Sequence[str],
    request: Request,
) -> None:
    # The lock keeps other runs away where the file system knows locks.
    refuse_overtaken(request.out)
    partial = partial_of(request.out)
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
    (partial / PROBLEMS).write_text("\n".join(taught) + "\n", encoding="utf-8")
    (partial / "card.json").write_text(
        json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    publish(partial, request.out)


def settle_process(threads: int | None) -> None:
    """Few threads, because more than cores, or a few that wait by spinning, slow small models down: one unless a number
    or OMP_NUM_THREADS says otherwise. And silence from transformers, whose progress bars and remarks on a fresh head
    would fill a job's log."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    torch.set_num_threads(max(1, threads or (int(said) if said.isdecimal() else 1)))
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
