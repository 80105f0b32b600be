"""One training run from a snapshot folder to a checkpoint folder."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from ml.devices import refuse_missing_device
from ml.errors import MisstepError
from ml.prm.card import begun_card, made_by
from ml.prm.checkpoint import publish, refused_by_the_system, write_story
from ml.prm.compiling import compile_layers
from ml.prm.distributed import Group
from ml.prm.finished_training import asked_for, finished_card
from ml.prm.frozen import halve, restore
from ml.prm.history_file import NAME, history_lines
from ml.prm.identity import asked_of, computing_of, fingerprint_of
from ml.prm.long_records import fitting_examples
from ml.prm.model import ProcessRewardModel, recompute_activations, with_lora
from ml.prm.out_folder import (
    partial_of,
    refuse_occupied,
    refuse_overtaken,
    refuse_unmovable,
    states_of,
    writing_alone,
)
from ml.prm.packing import BLOCK_DEVICES
from ml.prm.preparing import Prepared, prepare
from ml.prm.request import Request, example_settings, opened
from ml.prm.resuming import Mark, Run, base_facts
from ml.prm.self_check import knows_all_tokens, refuse_unknown_tokens, refuse_wrong_readings
from ml.prm.sharding import assembled, shard
from ml.prm.train import train
from ml.prm.validation import Validation, validation_figures
from ml.snapshot import Snapshot


def run_training(request: Request) -> dict[str, Any]:
    """Train and publish a checkpoint; returns its card, also where it stands there already. Everything is checked
    before the first update."""
    started = time.monotonic()
    refuse_missing_device(request.device)
    with Group.joined(request.device) as group:
        if (card := group.first_does(lambda: finished_card(request))) is not None:
            # Whoever wrote it may have been killed before these were gone.
            group.first_does(lambda: _forget_states(request))
            return card
        _refuse_nothing_to_split(request, group)
        refuse_occupied(request.out, request.base)
        with writing_alone(request.out, group):
            group.first_does(lambda: refuse_unmovable(request.out))
            return _run(request, group, started)


def _refuse_nothing_to_split(request: Request, group: Group) -> None:
    """Raises MisstepError where one process would hold all that it was asked to share."""
    if request.is_sharded and group.size == 1:
        raise MisstepError(
            "--shard in one process, expected several: torchrun --nproc-per-node N -m ml train ..."
        )


def _run(request: Request, group: Group, started: float) -> dict[str, Any]:
    snapshot = opened(request)
    # Before the base is read: what changes meanwhile is not what was read.
    asked = asked_for(request, snapshot)
    ready = prepare(request, snapshot, group)
    fitted = fit(ready, snapshot, group)
    model, card = fitted.model, fitted.card
    card["asked"] = asked
    # The last look was at this very model.
    figures = fitted.figures
    if figures is None:
        tokenizer, settings = ready.base.tokenizer, ready.settings
        figures = validation_figures(
            model, tokenizer, card, ready.rows, group, settings.bfloat16, settings.tokens_per_row
        )
    card["metrics"] = {
        "train_loss": fitted.run.history[-1]["loss"],
        "train_accuracy": fitted.run.history[-1]["accuracy"],
        "validation": figures,
    }
    model = _whole(fitted, ready.request, group)
    group.first_does(lambda: _finish(model, ready, card, fitted.run, started))
    return card


def _whole(fitted: Fitted, request: Request, group: Group) -> ProcessRewardModel:
    """The model as it is published, in the first process: where its device held less than that, on the CPU."""
    if fitted.skeleton is not None:
        return assembled(fitted.skeleton, fitted.model, group)
    if _holds_halves(request) and group.is_first:
        restore(fitted.model.cpu())
    return fitted.model


@dataclass(frozen=True)
class Fitted:
    """A trained model, ready to score, with its card so far. skeleton: see `_placed`. figures: of the last validation,
    if there was one."""

    model: ProcessRewardModel
    card: dict[str, Any]
    run: Run
    skeleton: ProcessRewardModel | None
    figures: dict[str, Any] | None


def fit(ready: Prepared, snapshot: Snapshot, group: Group) -> Fitted:
    """Train what was prepared, going on from the newest state that stands beside OUT; nothing is published."""
    request, settings, base = ready.request, ready.settings, ready.base
    model = _model_for(ready, group)
    # Before anything is halved or split: how many processes train makes no other run.
    mark = Mark(
        fingerprint_of(snapshot.sha256, request, settings),
        base_facts(base.origin, base.tokenizer, model),
        asked_of(snapshot.sha256, request, settings),
        made_by(),
        computing_of(request, settings),
    )
    skeleton = _placed(model, request, group)
    card = begun_card(ready, snapshot, group, mark.made_by)
    validate = _validation(ready, model, card, group)
    run = train(model, ready.examples, settings, states_of(request.out), mark, group, validate)
    model.eval()
    return Fitted(model, card, run, skeleton, validate.figures if validate else None)


def _model_for(ready: Prepared, group: Group) -> ProcessRewardModel:
    """The base as the model that is trained. Raises MisstepError where its readings would not be its own."""
    base, request = ready.base, ready.request
    tokenizer = base.tokenizer
    head = (tokenizer.target_ids, tokenizer.layout.tolerance, len(tokenizer.separator), request.is_packed)
    if not knows_all_tokens(base.model, tokenizer):
        refuse_unknown_tokens(base.model, tokenizer.target_ids, _nodes_read(ready))
    given = ProcessRewardModel(base.model, *head)
    # Of the base as it was given, before its layers are compiled or adapted.
    if _will_split(request, group) or _holds_halves(request):
        # No device may be able to hold the whole in float32; one process's word is enough for all.
        group.first_does(lambda: refuse_wrong_readings(given))
    else:
        # On the device where it will be trained: there, a few tokens cost a large base nothing.
        given.to(group.device)
        refuse_wrong_readings(given)
    return ProcessRewardModel(_adapted(base.model, request, ready.lora_targets), *head)


def _nodes_read(ready: Prepared) -> Iterator[Sequence[int]]:
    """The tokens of all that is trained and validated on."""
    tokenizer = ready.base.tokenizer
    for example in ready.examples:
        yield from example.tree.tokens
    for row in ready.rows:
        yield tokenizer.problem(row.problem)
        yield from map(tokenizer.step, (*row.steps, *(option["text"] for option in row.options)))


def _adapted(model: PreTrainedModel, request: Request, targets: Sequence[str]) -> nn.Module:
    if request.gradient_checkpointing:
        recompute_activations(model)
    if request.is_compiled:
        compile_layers(model, torch.device(request.device).type in BLOCK_DEVICES)
    if request.lora_rank:
        has_language_head = request.head != "linear"
        return with_lora(
            model, request.lora_rank, request.training.seed, has_language_head, targets,
            request.lora_alpha, request.lora_dropout,
        )  # fmt: skip
    return model


def _placed(model: ProcessRewardModel, request: Request, group: Group) -> ProcessRewardModel | None:
    """Hold the model as it is trained: on the group's device, in half of the memory or split where that was asked for.

    Returns what split weights are put together in again (see `assembled`).
    """
    if _holds_halves(request):
        halve(model)
    if not _will_split(request, group):
        model.to(group.device)
        return None
    skeleton, group.is_sharded = shard(model, group.device, request.training.bfloat16), True
    return skeleton


def _holds_halves(request: Request) -> bool:
    """Whether what is frozen is held in bfloat16 where that loses nothing: while it trains and is validated, which
    gives the same to the bit."""
    return bool(request.lora_rank) and request.training.bfloat16 and not request.is_sharded


def _will_split(request: Request, group: Group) -> bool:
    return request.is_sharded and group.size > 1


def _validation(
    ready: Prepared, model: ProcessRewardModel, card: dict[str, Any], group: Group
) -> Validation | None:
    """What looks at the validation split while the model trains, where that was asked for.

    Raises MisstepError where the split has nothing to look at.
    """
    request, settings, tokenizer = ready.request, ready.settings, ready.base.tokenizer
    if not settings.validate_every:
        return None
    examples, _ = fitting_examples(
        ready.rows, tokenizer, request.rule, example_settings(request), "drop", Counter()
    )
    validation = Validation(model, tokenizer, card, ready.rows, examples, settings, group)
    if not validation.has_something:
        raise MisstepError(
            f"--validate-every {settings.validate_every} with nothing to validate on, expected labelled rows in split"
            " validation"
        )
    return validation


def _finish(
    model: ProcessRewardModel, ready: Prepared, card: dict[str, Any], run: Run, started: float
) -> None:
    """Publish the checkpoint; only then are the states not needed any more."""
    # With what earlier attempts spent on updates, so that a run that went on does not look fast.
    card["seconds"] = round(run.earlier_seconds + time.monotonic() - started, 1)
    if run.earlier_attempts:
        card["earlier_attempts"] = run.earlier_attempts
    card["created_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    _publish(model, ready, card, run)
    _forget_states(ready.request)


def _forget_states(request: Request) -> None:
    """Once the checkpoint stands, nothing goes on from them."""
    if not request.keep_state:
        shutil.rmtree(states_of(request.out), ignore_errors=True)


def _publish(model: ProcessRewardModel, ready: Prepared, card: dict[str, Any], run: Run) -> None:
    request = ready.request
    # The lock keeps other runs away where the file system knows locks.
    refuse_overtaken(request.out)
    partial = partial_of(request.out)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    plain = model.model
    with refused_by_the_system(partial):
        if request.lora_rank:
            plain.save_pretrained(str(partial / "adapter"))  # type: ignore[operator]
            plain = plain.merge_and_unload()  # type: ignore[operator]
        plain.save_pretrained(str(partial))  # type: ignore[operator]
        ready.base.tokenizer.save(partial)
    (partial / NAME).write_text(history_lines(run.history), encoding="utf-8")
    write_story(partial, card, ready.taught)
    publish(partial, request.out)


def settle_process(threads: int | None) -> None:
    """Few threads, because more than cores, or a few that wait by spinning, slow small models down: one unless a number
    or OMP_NUM_THREADS says otherwise. And silence from transformers, whose progress bars and remarks on a fresh head
    would fill a job's log."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    torch.set_num_threads(max(1, threads or (int(said) if said.isdecimal() else 1)))
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
