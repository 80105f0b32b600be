"""The training loop: deterministic by seed, resumable (on a CPU to the same bits), in packed rows."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ml.errors import MisstepError, NothingToLearn
from ml.prm.distributed import Group
from ml.prm.example import Example
from ml.prm.history_file import HistoryFile
from ml.prm.model import ProcessRewardModel
from ml.prm.optimizers import optimizers_of
from ml.prm.resuming import Mark, Run, refuse_parted, resumed, save
from ml.prm.sharding import whole
from ml.prm.termination import TerminationFlag
from ml.prm.training_settings import TrainingSettings
from ml.prm.update import gradients_of, longest_row
from ml.progress import Progress
from ml.said import Said

# What a look at the validation split found has names that begin so.
LOOK = "validation_"
# Such a look. It asks between its parts whether it should stop, and then finds None; all processes find the same.
Look = Callable[[Callable[[], bool]], Mapping[str, float] | None]


class Terminated(Exception):
    """SIGTERM or Ctrl-C came; the state was saved. status: how a process ends that obeys the signal, as shells say it.

    Who was asked by another process, or has lost its reader, heard none: that counts as SIGTERM.
    """

    def __init__(self, said: str, heard: int | None = None) -> None:
        super().__init__(said)
        self.status = 128 + (heard or signal.SIGTERM)


def train(
    model: ProcessRewardModel,
    examples: Sequence[Example],
    settings: TrainingSettings,
    state_folder: Path | None = None,
    mark: Mark | None = None,
    group: Group | None = None,
    validate: Look | None = None,
) -> Run:
    """Train in place. With `state_folder` the run saves states there and goes on from the newest one, and the first
    process keeps the history there, update by update.

    What `validate` finds after every so many updates stands in the run's history; it leaves the weights as they were,
    and each update begins its own draws. A state is saved before each such look, which may take long: a run that ended
    in the middle of one looks again when it goes on, and finds the same.

    Raises NothingToLearn without examples; MisstepError when the folder's states are of another run (see `mark`),
    when a loss or the gradient stops being finite, or a device has no memory left; Terminated after SIGTERM or Ctrl-C,
    once the state is on disk: that of the last whole update, where the request came amid the packed rows of the next.
    """
    if not examples:
        raise NothingToLearn("no example has a target under this rule and objective, expected at least one")
    group, mark = group or Group(), mark or Mark()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizers = optimizers_of(model, settings.optimizer, settings.learning_rate, settings.weight_decay)
    run = resumed(model, optimizers, state_folder, mark, group)
    refuse_parted(run, state_folder, group)
    told = HistoryFile(state_folder if group.is_first else None, run.history)
    # The update whose state is on the disk as the run stands: to drop an unfinished one costs no second writing then.
    saved: int | None = run.step
    progress = Progress("steps", settings.steps, begun_at=run.step)
    model.train()
    with TerminationFlag() as flag:
        if validate and _awaits_look(run, settings):
            _look(model, validate, run, flag)
            told.amend(run.history[-1])
            saved = None
            _report(progress, run, {}, flag, group)
        while run.step < settings.steps:
            started = time.perf_counter()
            batch = [examples[index] for index in batch_of(len(examples), settings, run.step)]
            rate = learning_rate_at(run.step, settings)
            optimizers.set_rate(rate)
            torch.manual_seed(_draws_of(settings.seed, run.step, group.rank))
            try:
                found = gradients_of(model, batch, settings, group, flag)
            except torch.OutOfMemoryError as error:
                model.zero_grad(set_to_none=True)
                # The others of a group are amid their rows, and a state is made by all.
                if state_folder and saved != run.step and group.size == 1:
                    save(state_folder, model, optimizers, run, mark, group)
                raise _out_of_memory(run.step, longest_row(batch, settings, group)) from error
            if found is None:
                run.seconds += time.perf_counter() - started
                if state_folder and saved != run.step:
                    save(state_folder, model, optimizers, run, mark, group)
                raise _stopped(run, flag)
            _refuse_endless("loss", found.whole_loss, run.step)
            try:
                norm = torch.nn.utils.clip_grad_norm_(trained, settings.clip)
                # One gradient beyond all numbers makes every weight none; clipped, they would be saved as such.
                _refuse_endless("gradient's norm", float(whole(norm)), run.step)
                optimizers.step()
            except torch.OutOfMemoryError as error:
                # Some weights may have moved already, so nothing is saved.
                raise _no_room_for_state(run.step) from error
            run.step += 1
            run.history.append(
                {"step": run.step, "loss": found.loss, "accuracy": found.accuracy, "learning_rate": rate}
            )
            told.add(run.history[-1])
            read = sum(example.readings for example in batch)
            pace = {_pace_of(settings): round(read / (time.perf_counter() - started), 1)}
            is_looked_at = validate is not None and _is_due(run.step, settings)
            if not is_looked_at:
                _report(progress, run, pace, flag, group)
            run.seconds += time.perf_counter() - started
            # After the last update too: what follows may be cut short, and must not cost an update again.
            due = run.step % settings.save_every == 0 or run.step == settings.steps or is_looked_at
            is_stopping = group.any(flag.raised) if due or group.size == 1 else found.is_stopping
            if state_folder and (due or is_stopping):
                save(state_folder, model, optimizers, run, mark, group)
                saved = run.step
            if is_stopping:
                raise _stopped(run, flag)
            if validate and is_looked_at:
                _look(model, validate, run, flag)
                told.amend(run.history[-1])
                saved = None
                _report(progress, run, pace, flag, group)
    model.eval()
    return run


def _draws_of(seed: int, step: int, rank: int) -> int:
    """The seed of what one process draws in one update (dropout): its own, so that no two drop alike, and the same when
    the run goes on from any state, however many rows each process had, and on a GPU too."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])


def _stopped(run: Run, flag: TerminationFlag) -> Terminated:
    return Terminated(f"stopped at step {run.step}; the same command goes on from there", flag.heard)


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
    model.eval()
    found = validate(lambda: flag.raised)
    model.train()
    if found is None:
        raise _stopped(run, flag)
    run.history[-1].update(found)
    run.seconds += time.perf_counter() - started


def learning_rate_at(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then a cosine from the peak to a tenth of it, which one update after the last would have."""
    warmup = max(1, round(settings.warmup * settings.steps))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, settings.steps - warmup)
    return settings.learning_rate * (0.55 + 0.45 * math.cos(math.pi * progress))


def _refuse_endless(name: str, found: float, step: int) -> None:
    if not math.isfinite(found):
        raise MisstepError(
            Said(
                "the %(name)s became %(found)s at step %(step)s, try a lower learning rate",
                name=name,
                found=found,
                step=step,
            )
        )


def _out_of_memory(step: int, tokens: int) -> MisstepError:
    return MisstepError(
        Said(
            "the device ran out of memory at step %(step)s in packed rows of up to %(tokens)s tokens, expected room for"
            " them: the same command with --gradient-checkpointing or, without --trees problem, a lower"
            " --tokens-per-row goes on from the last state; where one solution alone is too long, a lower"
            " --maximum-length makes another run",
            step=step,
            tokens=tokens,
        )
    )


def _no_room_for_state(step: int) -> MisstepError:
    return MisstepError(
        Said(
            "the device ran out of memory at step %(step)s as the optimizer moved the weights, expected room for its"
            " state, two numbers for each trained weight: shorter rows do not help, --lora and --shard do",
            step=step,
        )
    )


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


def _report(
    progress: Progress, run: Run, pace: Mapping[str, float], flag: TerminationFlag, group: Group
) -> None:
    """Say how far the run is: once, however many processes train."""
    if not group.is_first:
        return
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
