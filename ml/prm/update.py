"""One update: forward and backward in as many packed rows as its tokens ask for, and an ear for a request to stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ml.prm.distributed import Group
from ml.prm.example import Example, token_by_token
from ml.prm.likelihood import count_tokens
from ml.prm.model import ProcessRewardModel
from ml.prm.moving import numbers
from ml.prm.objectives import hits, normaliser_of, objective_loss
from ml.prm.packing import Packed, batches_within, pack
from ml.prm.pair_parts import parts_within
from ml.prm.termination import TerminationFlag
from ml.prm.training_settings import TrainingSettings

# A GPU has the next row waiting while it works on one; what is laid out further ahead could not be called back.
ROWS_AHEAD = 2


@dataclass(frozen=True)
class Updated:
    """loss: the objective's; accuracy: the share that came out right; whole_loss: with what is learned beside it.
    is_stopping: whether any process was asked to stop by now."""

    loss: float
    accuracy: float
    whole_loss: float
    is_stopping: bool


def gradients_of(
    model: ProcessRewardModel,
    batch: Sequence[Example],
    settings: TrainingSettings,
    group: Group,
    flag: TerminationFlag,
) -> Updated | None:
    """Forward and backward of one update; its gradients stand in the model.

    None where any process was asked to stop between two of its rows: then no gradient of it is left, and all processes
    hear the same. One row more is the longest that a request waits, however many an update has.
    """
    device = next(model.parameters()).device
    batch = [token_by_token(example) for example in batch]
    normaliser = normaliser_in(batch, settings)
    spoken = count_tokens(batch, model.closing) if settings.language_weight else 0
    parts = _parts_of(batch, settings)
    rows, rounds = _rows_of(parts, settings, group)
    lead = _Lead(device)
    losses: list[torch.Tensor] = []
    totals: list[torch.Tensor] = []
    hit: list[torch.Tensor] = []
    asked = 0.0
    for turn in range(rounds):
        # Before the first row nothing is asked: the update before ended with this question.
        if turn and group.any(flag.raised):
            model.zero_grad(set_to_none=True)
            return None
        is_idle = turn >= len(rows)
        if is_idle and not group.is_sharded:
            continue
        # With split weights, a process without rows left goes through the others' passes with one of no weight.
        row = [parts[0]] if is_idle else rows[turn]
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
        lead.wait_for_earlier()
        losses.append(loss.detach())
        totals.append(total.detach())
        right_now, count = hits(settings.objective, outputs.detach().float(), row)
        hit.append(right_now)
        asked += count
    group.add_gradients(model)
    # Numbers are asked for last: each makes this process wait until a GPU has caught up with it. The request to stop is
    # among them: a question of its own would let all of them wait once more.
    sums = [sum(map(float, numbers)) for numbers in (losses, totals, hit)]
    loss_sum, total_sum, right, asked, stopping = group.add_numbers(*sums, asked, float(flag.raised))
    return Updated(loss_sum, right / max(asked, 1), total_sum, stopping > 0)


def longest_row(batch: Sequence[Example], settings: TrainingSettings, group: Group) -> int:
    """The most tokens in any of this process's packed rows of an update."""
    rows, _ = _rows_of(_parts_of(batch, settings), settings, group)
    return max((sum(part.tree.size for part in row) for row in rows), default=0)


def _parts_of(batch: Sequence[Example], settings: TrainingSettings) -> list[Example]:
    return [part for example in batch for part in parts_within(example, settings.tokens_per_row)]


def _rows_of(
    parts: Sequence[Example], settings: TrainingSettings, group: Group
) -> tuple[list[list[Example]], int]:
    """This process's packed rows, and as many as the process with the most has: all find the same without a word."""
    sizes = [part.tree.size for part in parts]
    cut = [
        [
            [places[k] for k in row]
            for row in batches_within([sizes[place] for place in places], settings.tokens_per_row)
        ]
        for places in group.places(sizes)
    ]
    return [[parts[place] for place in row] for row in cut[group.rank]], max(map(len, cut))


class _Lead:
    """How far this process lays out rows ahead of a GPU, which would otherwise hold a whole update before a request to
    stop could be heard."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.ends: deque[torch.cuda.Event] = deque()

    def wait_for_earlier(self) -> None:
        """Called after each row; a CPU has done it by then."""
        if self.device.type != "cuda":
            return
        end = torch.cuda.Event(blocking=True)
        end.record(torch.cuda.current_stream(self.device))
        self.ends.append(end)
        if len(self.ends) > ROWS_AHEAD:
            self.ends.popleft().synchronize()


def packed_row(row: Sequence[Example], device: torch.device) -> Packed:
    """Examples end to end, as the model reads them."""
    return pack([e.tree for e in row], [e.reads for e in row], [e.reads_paths for e in row], device)


def normaliser_in(examples: Iterable[Example], settings: TrainingSettings) -> float:
    """What the losses of these examples' rows are divided by, so that their sum is a mean."""
    weights = settings.class_weights if settings.objective == "classifier" else None
    return normaliser_of(settings.objective, map(token_by_token, examples), weights, settings.smoothing)


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
