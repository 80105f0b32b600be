"""Attention in blocks sees what attention over spans sees. Its way back is tested where there is a GPU."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from transformers import Qwen2Config

from ml.errors import MisstepError
from ml.prm import packing
from ml.prm.blocks import block_plan, node_intervals
from ml.prm.model import ProcessRewardModel, build, small_config
from ml.prm.packing import pack
from tests.ml.prm.test_packing import CONFIGS, GROUPED, packed_and_plain, path_of
from tests.ml.prm.toys import VOCABULARY, random_tree

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: FlexAttention's way back")


def drawn(seed: str):
    """Four random trees, and some nodes of each to read."""
    generator = random.Random(seed)
    trees = [random_tree(generator, generator.randint(1, 14)) for _ in range(4)]
    return trees, [[n for n in range(len(tree.tokens)) if generator.random() < 0.7] for tree in trees]


def test_a_node_and_all_below_it_are_one_interval():
    # The root 10, its children 1 and 4, below 1 the nodes 2 and 3, below 2 the node 5.
    entries, exits = node_intervals([-1, 0, 1, 1, 0, 2], first=10)
    assert entries == [10, 11, 12, 14, 15, 13]
    assert exits == [16, 15, 14, 15, 16, 14]


@pytest.mark.parametrize("seed", range(5))
def test_a_token_sees_the_tokens_before_it_on_its_own_path_and_no_others(seed):
    trees, reads = drawn(f"masks {seed}")
    layout = packing._Layout()
    for tree in trees:
        layout.add(tree)
    places = torch.arange(layout.length)
    mask = block_plan(layout.intervals(), places.numpy(), torch.device("cpu")).mask
    sees = mask.mask_mod(0, 0, places[:, None], places[None, :])
    # Each place of the row by (tree, node, offset): the layout puts nodes where it likes, so find them by its ends.
    expected = torch.zeros_like(sees)
    ends = packing.pack(trees, reads).ends
    for tree, end in zip(trees, ends, strict=True):
        for node in range(len(tree.tokens)):
            own, above = list(range(end[node] - len(tree.tokens[node]) + 1, end[node] + 1)), node
            path = []
            while above >= 0:
                path = [*range(end[above] - len(tree.tokens[above]) + 1, end[above] + 1), *path]
                above = tree.parents[above]
            assert len(path) == len(path_of(tree, node))
            for place in own:
                expected[place, path[: path.index(place) + 1]] = True
    assert torch.equal(sees, expected)


@pytest.mark.parametrize("seed", range(5))
def test_every_block_with_something_to_see_is_read(seed, monkeypatch):
    monkeypatch.setattr("ml.prm.blocks.BLOCK", 4)
    generator = random.Random(f"blocks {seed}")
    trees = [random_tree(generator, generator.randint(1, 14)) for _ in range(12)]
    layout = packing._Layout()
    for tree in trees:
        layout.add(tree)
    keys = np.arange(layout.length)
    for places in (keys, np.flatnonzero([generator.random() < 0.4 for _ in keys])):
        mask = block_plan(layout.intervals(), places, torch.device("cpu")).mask
        count = len(places)
        sees = mask.mask_mod(0, 0, torch.arange(count)[:, None], torch.from_numpy(keys)[None, :])
        read = mask.to_dense()[0, 0].repeat_interleave(4, 0).repeat_interleave(4, 1)[:count, : len(keys)]
        assert bool((read.bool() | ~sees).all())
        # And not everything is: the kernel would be no faster than a dense mask.
        assert float(read.float().mean()) < 0.7


@pytest.mark.parametrize("family", CONFIGS)
def test_blocks_and_spans_give_the_same_readings(family, monkeypatch):
    torch.manual_seed(1)
    model = ProcessRewardModel(build(CONFIGS[family])).eval()
    trees, reads = drawn(family)
    with torch.no_grad():
        spans = model(pack(trees, reads))
        monkeypatch.setattr(packing, "BLOCK_DEVICES", ("cpu",))
        blocks = model(pack(trees, reads))
    assert float((spans - blocks).abs().max()) < 1e-5


def test_a_window_shorter_than_a_path_is_refused(monkeypatch):
    monkeypatch.setattr(packing, "BLOCK_DEVICES", ("cpu",))
    config = Qwen2Config(**GROUPED, use_sliding_window=True, sliding_window=4, max_window_layers=0)
    with pytest.raises(MisstepError, match=r"expected at most the base's window 4"):
        ProcessRewardModel(build(config))(pack(*drawn("window")))


def test_attention_dropout_is_refused(monkeypatch):
    monkeypatch.setattr(packing, "BLOCK_DEVICES", ("cpu",))
    trees, reads = drawn("refused")
    config = small_config(VOCABULARY, 2, hidden_size=64, num_hidden_layers=2, num_attention_heads=4)
    config.attention_dropout = 0.1
    with pytest.raises(MisstepError, match=r"drops 0\.1 of its attention, expected 0"):
        ProcessRewardModel(build(config)).train()(pack(trees, reads))


@needs_gpu
@pytest.mark.parametrize("family", CONFIGS)
def test_on_a_gpu_readings_and_gradients_are_those_of_one_path_at_a_time(family):
    torch.manual_seed(1)
    model = ProcessRewardModel(build(CONFIGS[family])).to("cuda")
    trees, reads = drawn(family)
    packed, plain, packed_gradients, gradients = packed_and_plain(model, trees, reads)
    assert float((packed - plain).detach().abs().max()) < 1e-5
    for name, gradient in gradients.items():
        scale = float(gradient.abs().max()) + 1e-6
        assert float((packed_gradients[name] - gradient).abs().max()) / scale < 1e-4, name
