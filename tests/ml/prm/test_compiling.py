"""Compiling changes what an update costs, and not what is learned."""

from __future__ import annotations

import random
import shutil

import pytest
import torch
from torch._dynamo.utils import counters

from ml.errors import MisstepError
from ml.prm import packing
from ml.prm.compiling import compile_layers
from ml.prm.model import recompute_activations
from ml.prm.packing import pack
from tests.ml.prm.toys import random_tree, tiny_model


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler here: nothing can be compiled")
def test_compiled_layers_give_the_same_readings_and_gradients_at_any_length():
    generator = random.Random(5)
    rows = [[random_tree(generator, 6) for _ in range(count)] for count in (2, 5, 9)]
    packed = [pack(trees, [[1, 2]] * len(trees)) for trees in rows]
    plain, compiled = tiny_model(), tiny_model()
    compiled.load_state_dict(plain.state_dict())
    assert compile_layers(compiled.model, is_whole=False) > 0
    assert list(compiled.state_dict()) == list(plain.state_dict())
    for row in packed:
        found = []
        for model in (plain, compiled):
            model.zero_grad()
            outputs = model(row)
            (outputs**2).sum().backward()
            found.append([outputs.detach(), *(p.grad for p in model.parameters())])
        for expected, got in zip(*found, strict=True):
            assert torch.allclose(expected, got, atol=1e-6)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler here: nothing can be compiled")
def test_whole_layers_take_in_attention_by_blocks_for_every_kind_of_row(monkeypatch):
    monkeypatch.setattr(packing, "BLOCK_DEVICES", ("cpu",))
    generator = random.Random(6)
    model = tiny_model().eval()
    counts = (1, 2, 5, 60, 90)
    rows = [[random_tree(generator, 6) for _ in range(count)] for count in counts]
    packed = [pack(trees, [[1, 2][: 1 + len(trees) % 2]] * len(trees)) for trees in rows]
    with torch.no_grad():
        plain = [model(row) for row in packed]
        assert compile_layers(model.model, is_whole=True, backend="eager") > 0
        for row, expected in zip(packed, plain, strict=True):
            assert torch.allclose(model(row), expected, atol=1e-6)


def test_what_a_layer_cannot_be_parted_from_is_left_alone_and_its_pieces_are_compiled():
    recomputed, unpacked = tiny_model(), tiny_model()
    recompute_activations(recomputed.model)
    unpacked.model.set_attn_implementation("sdpa")
    for model in (recomputed, unpacked):
        # In each of two layers two norms and a feed-forward, and the last norm.
        assert compile_layers(model.model, is_whole=False, backend="eager") == 7
    assert unpacked.model.config._attn_implementation == "sdpa"
    assert compile_layers(tiny_model().model, is_whole=False, backend="eager") == 2


def test_more_is_compiled_of_a_layer_than_its_pieces():
    tree = random_tree(random.Random(7), 6)
    row = pack([tree], [[1, 2]])
    captured = []
    for is_recomputed in (False, True):
        model = tiny_model()
        if is_recomputed:
            recompute_activations(model.model)
        compile_layers(model.model, is_whole=False, backend="eager")
        torch._dynamo.reset()
        counters.clear()
        hidden = model._all_hidden(row)
        assert hidden.requires_grad
        captured.append(counters["stats"]["calls_captured"])
    whole, pieces = captured
    assert whole > 1.5 * pieces > 0


def test_a_base_whose_layers_are_unknown_is_refused_in_words():
    with pytest.raises(MisstepError, match="no layer called DecoderLayer or GPT2Block in this base"):
        compile_layers(torch.nn.Linear(2, 2), is_whole=True)


def test_without_a_compiler_it_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MisstepError, match=r"C\+\+ compiler \(no-such-compiler\), expected one"):
        compile_layers(tiny_model().model, is_whole=False)
