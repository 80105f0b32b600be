"""Fused kernels for what is neither a matrix product nor attention: on a GPU that is half of the time and more."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import Any

from ml.errors import MisstepError
from ml.prm.blocks import allow_kinds_of_rows

# One compilation serves all layers of a model and rows of any length. Where attention is one kernel over the row, it
# takes in a layer as a whole; where it is a list of calls, which every row has another one of, what stands around it.
LAYERS = ("DecoderLayer", "GPT2Block")
PIECES = ("RMSNorm", "LayerNorm", "MLP")


def compile_layers(model: Any, is_whole: bool, backend: str = "inductor") -> int:
    """Compile the layers in place, or their norms and feed-forwards alone; returns how many modules those are.

    is_whole: whether rows are attended to in blocks (see `ml.prm.packing`). Names of weights stay as they are. The
    first update takes longer, by half a minute. Raises MisstepError where there is no compiler, and for a base whose
    layers have other names.
    """
    compiler = shlex.split(os.environ.get("CXX", "g++"))[0]
    if shutil.which(compiler) is None:
        raise MisstepError(
            f"--compile without a C++ compiler ({compiler}), expected one on the path or in CXX"
        )
    kinds = LAYERS if is_whole else PIECES
    chosen = [module for module in model.modules() if type(module).__name__.endswith(kinds)]
    if not chosen:
        raise MisstepError(f"--compile: no layer called {' or '.join(kinds)} in this base, expected one")
    allow_kinds_of_rows()
    for module in chosen:
        module.compile(dynamic=True, backend=backend)
    return len(chosen)
