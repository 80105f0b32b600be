"""Fused kernels for what is neither a matrix product nor attention: on a GPU that is half of the time and more."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import Any

from ml.errors import MisstepError
from ml.prm.attention import SPANS, SPANS_APART
from ml.prm.blocks import allow_kinds_of_rows

# One compilation serves all layers of a model and rows of any length.
LAYERS = ("DecoderLayer", "GPT2Block")
PIECES = ("RMSNorm", "LayerNorm", "MLP")


def compile_layers(model: Any, is_whole: bool, backend: str = "inductor") -> int:
    """Compile the layers in place; returns how many modules were chosen.

    is_whole: whether attention is one kernel over the row (see `ml.prm.packing`), which is compiled with the rest. If
    it is a list of calls, every row has another one: then only what stands around it is compiled, and where even that
    cannot be parted from it, the norms and feed-forwards. Names of weights stay as they are. The first update takes
    longer, by half a minute. Raises MisstepError where there is no compiler, and for a base whose layers have other
    names.
    """
    compiler = shlex.split(os.environ.get("CXX", "g++"))[0]
    if shutil.which(compiler) is None:
        raise MisstepError(
            f"--compile without a C++ compiler ({compiler}), expected one on the path or in CXX"
        )
    kinds = LAYERS if is_whole or _can_be_parted(model) else PIECES
    chosen = _named(model, kinds)
    if not chosen:
        raise MisstepError(f"--compile: no layer called {' or '.join(kinds)} in this base, expected one")
    if not is_whole and kinds == LAYERS:
        model.set_attn_implementation(SPANS_APART)
    allow_kinds_of_rows()
    for module in chosen:
        module.compile(dynamic=True, backend=backend)
    return len(chosen)


def _can_be_parted(model: Any) -> bool:
    """Whether a layer compiles around its attention: ours, in layers that we know. One that is computed again on the
    way back is a single operation to the compiler, which gives it up as a whole."""
    attention = getattr(getattr(model, "config", None), "_attn_implementation", None)
    return attention in (SPANS, SPANS_APART) and not _is_computed_again(model) and bool(_named(model, LAYERS))


def _is_computed_again(model: Any) -> bool:
    named = ("is_activation_checkpointing", "is_gradient_checkpointing")
    return bool(next((getattr(model, name) for name in named if hasattr(model, name)), False))


def _named(model: Any, kinds: tuple[str, ...]) -> list[Any]:
    return [module for module in model.modules() if type(module).__name__.endswith(kinds)]
