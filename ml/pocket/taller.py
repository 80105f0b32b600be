"""More layers for a model that has learned already, without a change of what it says.

Each layer is followed by copies of itself that begin as the identity, so that training goes on from what the
model knows (LLaMA Pro's block expansion, Wu et al. 2024).
"""

from __future__ import annotations

from transformers import LlamaForCausalLM

from ml.errors import MisstepError
from ml.prm.deepening import begin_as_identity


def taller(model: LlamaForCausalLM, layers: int) -> LlamaForCausalLM:
    """The model with so many layers in all; it is not changed itself.

    Raises MisstepError where that is no multiple of what it has: then layers would not get equally many copies.
    """
    before = model.config.num_hidden_layers
    copies, rest = divmod(layers, before)
    if rest or not copies:
        raise MisstepError(f"{layers} layers from a model of {before}, expected a multiple of these")
    config = model.config.__class__.from_dict({**model.config.to_dict(), "num_hidden_layers": layers})
    grown = LlamaForCausalLM(config)
    grown.load_state_dict(model.state_dict(), strict=False)
    for place, layer in enumerate(grown.model.layers):
        source, copy = divmod(place, copies)
        layer.load_state_dict(model.model.layers[source].state_dict())
        if copy:
            begin_as_identity(layer)
    return grown
