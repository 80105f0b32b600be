"""How a local model reads prompts: each once, and only behind what is known of it from earlier calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from inspect import signature
from itertools import groupby
from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from ml.policies.transformers_prefixes import KeptPrefixes, States
from ml.policies.transformers_rows import Batch, Row, positions


def begun(
    model: Any, prompts: Sequence[list[int]], rows: list[Row], owners: Sequence[int], kept: KeptPrefixes
) -> Batch:
    """Rows at their prompts' ends. Each prompt is read once; owners: the place of each row's among them."""
    # The last token is read in any case: its logits are not kept.
    known = [kept.find(prompt[:-1]) for prompt in prompts]
    unread = [len(prompt) - sum(map(len, states)) for prompt, states in zip(prompts, known, strict=True)]
    batch: Batch | None = None
    for places in _read_together(unread, is_known=any(known)):
        place_of = {place: index for index, place in enumerate(places)}
        own = [number for number, owner in enumerate(owners) if owner in place_of]
        part = _read(model, [prompts[place] for place in places], [known[place] for place in places], kept)
        part.choose([rows[number] for number in own], [place_of[owners[number]] for number in own])
        if batch is None:
            batch = part
        else:
            batch.join(part)
    assert batch is not None
    return batch


def _read_together(unread: Sequence[int], is_known: bool) -> list[list[int]]:
    """Prompts by the number of their unread tokens: in one pass, a short rest is padded to the length of a long one.

    Where nothing is known all are read together, as rows of some models cannot be joined afterwards.
    """
    if not is_known:
        return [list(range(len(unread)))]

    def size(place: int) -> int:
        return unread[place].bit_length() // 2

    return [list(group) for _, group in groupby(sorted(range(len(unread)), key=size), size)]


def _read(
    model: Any, prompts: Sequence[list[int]], known: Sequence[list[States]], kept: KeptPrefixes
) -> Batch:
    """One row for each prompt, at its end. All begin to read at one column, so that each stays in one piece: with
    less unread than another, some known tokens are read again where padding would stand otherwise.
    """
    device = next(model.parameters()).device
    ids, mask = _padded(prompts, device)
    width = ids.shape[1]
    lengths = [sum(map(len, states)) for states in known]
    start = width - max(len(prompt) - length for prompt, length in zip(prompts, lengths, strict=True))
    output = model(
        input_ids=ids[:, start:],
        attention_mask=mask,
        position_ids=positions(mask)[:, start:],
        past_key_values=_past(known, [width - len(prompt) for prompt in prompts], start),
        use_cache=True,
        **_last_logits_alone(model),
    )
    batch = Batch(model, [], output.past_key_values, mask, output.logits[:, -1])
    kept.read += int(mask[:, start:].sum())
    kept.reused += int(mask[:, :start].sum())
    if kept.bytes_kept and batch.may_be_joined:
        _keep(batch, prompts, lengths, start, kept)
    return batch


def _last_logits_alone(model: Any) -> dict[str, int]:
    """Over a large vocabulary the logits of a whole prompt take more memory than its keys and values."""
    return {"logits_to_keep": 1} if _can_leave_logits_out(model.forward.__func__) else {}


@cache
def _can_leave_logits_out(forward: Callable[..., Any]) -> bool:
    return "logits_to_keep" in signature(forward).parameters


def _past(known: Sequence[list[States]], lefts: Sequence[int], start: int) -> DynamicCache | None:
    """What is known in the columns before `start`; lefts: each row's first column."""
    if not start:
        return None
    some = next(states[0] for states in known if states)
    layers, heads, _, _ = some.keys.shape
    keys, values = (
        part.new_zeros(layers, len(known), heads, start, part.shape[-1]) for part in (some.keys, some.values)
    )
    for row, (at, parts) in enumerate(zip(lefts, known, strict=True)):
        for part in parts:
            end = min(at + len(part), start)
            if end > at:
                keys[:, row, :, at:end] = part.keys[:, :, : end - at]
                values[:, row, :, at:end] = part.values[:, :, : end - at]
            at = end
    cache = DynamicCache()
    for layer in range(layers):
        cache.update(keys[layer], values[layer], layer)
    return cache


def _keep(
    batch: Batch, prompts: Sequence[list[int]], lengths: Sequence[int], start: int, kept: KeptPrefixes
) -> None:
    """Remember what was read of each prompt, behind what was known of it."""
    layers = batch.cache.layers
    shapes = {(layer.keys.shape, layer.values.shape, layer.keys.device) for layer in layers}
    if len(shapes) > 1:
        # Layers of several shapes, or on several devices, do not stack.
        return
    keys = torch.stack([layer.keys[:, :, start:] for layer in layers])
    values = torch.stack([layer.values[:, :, start:] for layer in layers])
    for row, (prompt, length) in enumerate(zip(prompts, lengths, strict=True)):
        first = keys.shape[3] - (len(prompt) - length)
        kept.keep(prompt, States(keys[:, row, :, first:], values[:, row, :, first:]))


def _padded(rows: Sequence[list[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Left-padded token ids and their mask."""
    width = max(len(row) for row in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, width - len(row) :] = torch.tensor(row)
        mask[index, width - len(row) :] = 1
    return ids.to(device), mask.to(device)
