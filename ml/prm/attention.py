"""Attention by plan: over spans (each chain, and each group of siblings, calls attention on its own keys) or blocks.

It is registered with transformers under a name, so that any model whose attention goes through that interface
can be packed without touching its code. A model's own masks are not built: the plan says who sees whom.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from ml.errors import MisstepError
from ml.prm.blocks import BlockPlan, attend_over_blocks
from ml.prm.spans import SpanPlan

SPANS = "misstep_spans"
# The same, for layers that are compiled around it: every row has another list of calls, and none is compiled.
SPANS_APART = "misstep_spans_apart"


def attend_over_spans(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    dropout: float = 0.0,
    scaling: float | None = None,
    plan: SpanPlan | BlockPlan | None = None,
    **further: Any,
) -> tuple[torch.Tensor, None]:
    """Attention by plan: query [1, heads, Q, d], key and value [1, key heads, T, d] to [1, Q, heads, d].

    Raises MisstepError where the model needs what a plan cannot say (a soft cap, a window below a path).
    """
    if plan is None:
        raise MisstepError("span attention was called without a plan, expected the packed forward of ml.prm")
    if further.get("softcap") is not None:
        raise MisstepError("this base caps its attention scores, expected a base with plain attention")
    if further.get("s_aux") is not None:
        raise MisstepError("this base has attention sinks, expected a base with plain attention")
    window = further.get("sliding_window")
    if window is not None and plan.longest > window:
        raise MisstepError(
            f"a path of up to {plan.longest} tokens, expected at most the base's window {window}"
        )
    if isinstance(plan, BlockPlan):
        if dropout:
            raise MisstepError(
                f"this base drops {dropout} of its attention, expected 0 in its config on a GPU, or --device cpu"
            )
        return attend_over_blocks(query, key, value, scaling, plan).transpose(1, 2), None
    repeats = query.shape[1] // key.shape[1]
    if plan.keys is not None:
        # One gather for all calls: slicing each call's keys apart would make its gradient a full-size tensor.
        key, value = key.index_select(2, plan.keys), value.index_select(2, plan.keys)
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
    device, narrow = query.device.type, query.dtype
    is_narrow = narrow == torch.bfloat16 or (device == "cpu" and torch.is_autocast_enabled(device))
    if device == "cpu" and is_narrow:
        # torch's kernel for CPUs takes five times as long on the way back in bfloat16 as in float32.
        query, key, value = query.float(), key.float(), value.float()
    calls = zip(
        query.split(plan.query_lengths, dim=2),
        key.split(plan.key_lengths, dim=2),
        value.split(plan.key_lengths, dim=2),
        # Kernels for GPUs, which the self-check reaches here, take no mask of another kind than what they read.
        (mask if mask is None else mask.to(query.dtype) for mask in plan.masks),
        strict=True,
    )
    with torch.autocast(device, enabled=device != "cpu" and torch.is_autocast_enabled(device)):
        outputs = [
            scaled_dot_product_attention(
                q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=mask is None, scale=scaling
            )
            for q, k, v, mask in calls
        ]
    # Some families take the heads apart by a view, which wants them side by side.
    return torch.cat(outputs, dim=2).transpose(1, 2).to(narrow).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register(SPANS, attend_over_spans)
ALL_ATTENTION_FUNCTIONS.register(SPANS_APART, torch.compiler.disable(attend_over_spans))
