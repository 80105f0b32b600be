"""The training loop: deterministic by seed, resumable (on a CPU to the same bits), in packed rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.errors import MisstepError
from ml.prm.distributed import Group
from ml.prm.example import Example
from ml.prm.likelihood import count_tokens
from ml.prm.model import ProcessRewardModel
from ml.prm.moving import numbers
from ml.prm.objectives import hits, normaliser_of, objective_loss
from ml.prm.optimizers import optimizers_of
from ml.prm.packing import Packed, batches_within, pack
from ml.prm.resuming import Mark, Run, refuse_parted, resumed, save
from ml.prm.sharding import whole
from ml.prm.termination import TerminationFlag
from ml.progress import Progress

EXIT_TERMINATED = 143
# What a look at the validation split found has names that begin so.
LOOK = "validation_"
# Such a look. It asks between its parts whether it should stop, and then finds None; all processes find the same.
Look = Callable[[Callable[[], bool]], Mapping[str, float] | None]


@dataclass(frozen=True)
class TrainingSettings:
    """learning_rate is reached after `warmup` (share of all steps) and falls along a cosine to a tenth.

    batch_size: examples per update. tokens_per_row: the most tokens in one packed row (an update may take
    several). save_every: updates between states. validate_every: updates between looks at the validation split, 0 for
    none. class_weights: per class, None for equal ones.
    language_weight: of the next-token loss on right steps, beside the objective's (see `ml.prm.likelihood`).
    optimizer: see `ml.prm.optimizers`. preference_output: see `losses.compared`.
    """

    objective: str
    steps: int
    seed: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    batch_size: int = 32
    tokens_per_row: int = 8192
    clip: float = 1.0
    smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    bfloat16: bool = False
    language_weight: float = 0.0
    save_every: int = 200
    validate_every: int = 0
    optimizer: str = "adamw"
    preference_output: str = "tanh"


class Terminated(Exception):
    """SIGTERM came; the state was saved."""


def train(
    model: ProcessRewardModel,
    examples: Sequence[Example],
    settings: TrainingSettings,
    state_folder: Path | None = None,
    mark: Mark | None = None,
    group: Group | None = None,
    validate: Look | None = None,
) -> Run:
    """Train in place. With `state_folder` the run saves states there and goes on from the newest one.

    What `validate` finds after every so many updates stands in the run's history; it leaves the weights, and what is
    drawn at random, as they were. A state is saved before each such look, which may take long: a run that ended in the
    middle of one looks again when it goes on, and finds the same.

    Raises MisstepError when there is nothing to learn from, when the folder's states are of another run (see `mark`),
    or when a loss or the gradient stops being finite; Terminated after SIGTERM, once the state is on disk.
    """
    if not examples:
        raise MisstepError("no example has a target under this rule and objective, expected at least one")
    group, mark = group or Group(), mark or Mark()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizers = optimizers_of(model, settings.optimizer, settings.learning_rate, settings.weight_decay)
    torch.manual_seed(settings.seed)
    run = resumed(model, optimizers, state_folder, mark, group)
    refuse_parted(run, state_folder, group)
    progress = Progress("steps", settings.steps, begun_at=run.step)
    model.train()
    with TerminationFlag() as flag:
        if validate and _awaits_look(run, settings):
            _look(model, validate, run, flag)
            _report(progress, run, {}, flag)
        while run.step < settings.steps:
            started = time.perf_counter()
            batch = [examples[index] for index in batch_of(len(examples), settings, run.step)]
            rate = learning_rate_at(run.step, settings)
            optimizers.set_rate(rate)
            loss, accuracy, whole_loss, is_stopping = _update(model, batch, settings, group, flag)
            _refuse_endless("loss", whole_loss, run.step)
            norm = torch.nn.utils.clip_grad_norm_(trained, settings.clip)
            # One gradient beyond all numbers makes every weight none; clipped, they would be saved as such.
            _refuse_endless("gradient's norm", float(whole(norm)), run.step)
            optimizers.step()
            run.step += 1
            run.history.append({"step": run.step, "loss": loss, "accuracy": accuracy, "learning_rate": rate})
            read = sum(len(example.reads) for example in batch)
            pace = {_pace_of(settings): round(read / (time.perf_counter() - started), 1)}
            is_looked_at = validate is not None and _is_due(run.step, settings)
            if not is_looked_at:
                _report(progress, run, pace, flag)
            run.seconds += time.perf_counter() - started
            # After the last update too: what follows may be cut short, and must not cost an update again.
            due = run.step % settings.save_every == 0 or run.step == settings.steps or is_looked_at
            if due or group.size == 1:
                is_stopping = group.any(flag.raised)
            if state_folder and (due or is_stopping):
                save(state_folder, model, optimizers, run, mark, group)
            if is_stopping:
                raise _stopped(run)
            if validate and is_looked_at:
                _look(model, validate, run, flag)
                _report(progress, run, pace, flag)
    model.eval()
    return run


def _stopped(run: Run) -> Terminated:
    return Terminated(f"stopped at step {run.step}; the same command goes on from there")


def _awaits_look(run: Run, settings: TrainingSettings) -> bool:
    """Whether the run ended between an update that is looked at and what the look would have found."""
    is_due = run.step > 0 and _is_due(run.step, settings)
    return is_due and not any(name.startswith(LOOK) for name in run.history[-1])


def _is_due(step: int, settings: TrainingSettings) -> bool:
    return step == settings.steps or (settings.validate_every > 0 and step % settings.validate_every == 0)


def _look(model: ProcessRewardModel, validate: Look, run: Run, flag: TerminationFlag) -> None:
    """A look at the validation split after which training goes on as if there had been none.

    Raises Terminated where any process was asked to stop meanwhile: the state is on the disk already.
    """
    started = time.perf_counter()
    device = next(model.parameters()).device
    model.eval()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        found = validate(lambda: flag.raised)
    model.train()
    if found is None:
        raise _stopped(run)
    run.history[-1].update(found)
    run.seconds += time.perf_counter() - started


def learning_rate_at(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then a cosine from the peak to a tenth of it at the last step."""
    warmup = max(1, round(settings.warmup * settings.steps))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, settings.steps - warmup)
    return settings.learning_rate * (0.55 + 0.45 * math.cos(math.pi * progress))


def _refuse_endless(name: str, found: float, step: int) -> None:
    if not math.isfinite(found):
        raise MisstepError(f"the {name} became {found} at step {step}, try a lower learning rate")


def _update(
    model: ProcessRewardModel,
    batch: Sequence[Example],
    settings: TrainingSettings,
    group: Group,
    flag: TerminationFlag,
) -> tuple[float, float, float, bool]:
    """Forward and backward of one update, in as many packed rows as the token budget asks for.

    Returns the objective's loss, the share that came out right, the loss with what is learned beside it, and whether
    any process was asked to stop by now: a question of its own would let all of them wait once more.
    """
    device = next(model.parameters()).device
    normaliser = normaliser_in(batch, settings)
    spoken = count_tokens(batch, model.closing) if settings.language_weight else 0
    mine = group.share(batch, [example.tree.size for example in batch])
    losses: list[torch.Tensor] = []
    totals: list[torch.Tensor] = []
    hit: list[torch.Tensor] = []
    asked = 0.0
    rows = batches_within([example.tree.size for example in mine], settings.tokens_per_row)
    for turn in range(group.rounds(len(rows))):
        # With split weights, a process without rows left goes through the others' passes with one of no weight.
        is_idle = turn >= len(rows)
        row = [batch[0]] if is_idle else [mine[index] for index in rows[turn]]
        packed = packed_row(row, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.bfloat16):
            if settings.language_weight:
                outputs, beside = model.with_language_loss(packed, row, spoken)
            else:
                outputs, beside = model(packed), None
        loss = loss_of(outputs, row, settings, normaliser)
        total = loss if beside is None else loss + settings.language_weight * beside
        if is_idle:
            (total * 0.0).backward()
            continue
        total.backward()
        losses.append(loss.detach())
        totals.append(total.detach())
        right_now, count = hits(settings.objective, outputs.detach().float(), row)
        hit.append(right_now)
        asked += count
    group.add_gradients(model)
    # Numbers are asked for last: each makes this process wait until a GPU has caught up with it.
    sums = [sum(map(float, numbers)) for numbers in (losses, totals, hit)]
    loss_sum, total_sum, right, asked, stopping = group.add_numbers(*sums, asked, float(flag.raised))
    return loss_sum, right / max(asked, 1), total_sum, stopping > 0


def packed_row(row: Sequence[Example], device: torch.device) -> Packed:
    """Examples end to end, as the model reads them."""
    return pack([e.tree for e in row], [e.reads for e in row], [e.reads_paths for e in row], device)


def normaliser_in(examples: Sequence[Example], settings: TrainingSettings) -> float:
    """What the losses of these examples' rows are divided by, so that their sum is a mean."""
    weights = settings.class_weights if settings.objective == "classifier" else None
    return normaliser_of(settings.objective, examples, weights, settings.smoothing)


def loss_of(
    outputs: torch.Tensor, row: Sequence[Example], settings: TrainingSettings, normaliser: float
) -> torch.Tensor:
    """The objective's loss of a packed row, as the settings have it."""
    options: dict[str, Any] = {}
    if settings.objective == "preference":
        options["preference_output"] = settings.preference_output
    if settings.objective == "classifier":
        options["smoothing"] = settings.smoothing
        if settings.class_weights:
            options["class_weights"] = numbers(settings.class_weights, outputs.device)
    return objective_loss(settings.objective, outputs, row, normaliser, **options)


def batch_of(count: int, settings: TrainingSettings, step: int) -> list[int]:
    """The examples of one update: epochs are shuffled by (seed, epoch), so the step alone says which."""
    size = min(settings.batch_size, count)
    places = range(step * size, (step + 1) * size)
    return [_shuffled(settings.seed, place // count, count)[place % count] for place in places]


@lru_cache(maxsize=4)
def _shuffled(seed: int, epoch: int, count: int) -> list[int]:
    order: list[int] = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return order


def _pace_of(settings: TrainingSettings) -> str:
    """An outcome is read at a solution's end, or at each of its tokens, and at no labelled step."""
    is_outcome = settings.objective == "outcome"
    return "readings_per_second" if is_outcome else "labelled_steps_per_second"


def _report(progress: Progress, run: Run, pace: Mapping[str, float], flag: TerminationFlag) -> None:
    last = run.history[-1]
    found = {name: value for name, value in last.items() if name.startswith(LOOK)}
    metrics = {
        "loss": round(last["loss"], 5),
        "accuracy": round(last["accuracy"], 4),
        **pace,
        **found,
        "step": run.step,
        "learning_rate": last["learning_rate"],
    }
    try:
        progress.report(run.step, metrics=metrics, is_due=bool(found))
    except BrokenPipeError:
        # Whoever started this and read its words has died: nobody waits for it, and the next one goes on.
        flag.raised = True
