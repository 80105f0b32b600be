"""Packed rows give what each path gives alone: the same logits, the same gradients, and no looking across."""

from __future__ import annotations

import random

import pytest
import torch
from transformers import GPT2Config, Qwen2Config, Qwen3Config

from ml.errors import MisstepError
from ml.prm.attention import attend_over_spans
from ml.prm.model import ProcessRewardModel, build, small_config
from ml.prm.packing import LEAST_GROUP, TokenTree, batches_within, chain, pack, split_into_tokens
from tests.ml.prm.toys import VOCABULARY, random_tree, tiny_model

SIZES = {"vocab_size": VOCABULARY, "num_labels": 2, "bos_token_id": 0, "eos_token_id": 0}
GROUPED = {
    **SIZES, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96,
}  # fmt: skip
# Heads of 16, the narrowest that kernels for GPUs take.
CONFIGS = {
    "llama": small_config(VOCABULARY, 2, hidden_size=64, num_hidden_layers=2, num_attention_heads=4),
    "qwen2 with shared key heads": Qwen2Config(**GROUPED),
    "qwen3 with normed heads": Qwen3Config(**GROUPED, head_dim=16),
    "gpt2, whose last layer runs whole": GPT2Config(
        **SIZES, n_embd=64, n_layer=2, n_head=4, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    ),
}


def path_of(tree: TokenTree, node: int) -> list[int]:
    nodes = []
    while node >= 0:
        nodes.append(node)
        node = tree.parents[node]
    return [token for node in reversed(nodes) for token in tree.tokens[node]]


def packed_and_plain(model: ProcessRewardModel, trees, reads):
    """Logits and gradients of sum(logits^2), packed and one path at a time in transformers' own attention."""
    targets = model.target_ids or slice(None)
    device = next(model.parameters()).device
    packed = model(pack(trees, reads, device=device))
    (packed**2).sum().backward()
    packed_gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    model.plain.set_attn_implementation("sdpa")
    rows = []
    for tree, nodes in zip(trees, reads, strict=True):
        for node in nodes:
            ids = torch.tensor([path_of(tree, node)], device=device)
            rows.append(model.plain(input_ids=ids).logits[0, -1, targets])
    plain = torch.stack(rows)
    (plain**2).sum().backward()
    return packed, plain, packed_gradients, {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("targets", [(), (7, 3), (7, 3, 11)], ids=["linear head", "two tokens", "three"])
@pytest.mark.parametrize("family", CONFIGS)
def test_tree_packing_equals_one_path_at_a_time_in_logits_and_gradients(family, targets):
    torch.manual_seed(1)
    generator = random.Random(family)
    model = ProcessRewardModel(build(CONFIGS[family], bool(targets)), targets)
    trees = [random_tree(generator, generator.randint(1, 14)) for _ in range(4)]
    reads = [[n for n in range(len(tree.tokens)) if generator.random() < 0.7] for tree in trees]
    packed, plain, packed_gradients, gradients = packed_and_plain(model, trees, reads)
    assert float((packed - plain).detach().abs().max()) < 1e-5
    for name, gradient in gradients.items():
        scale = float(gradient.abs().max()) + 1e-6
        assert float((packed_gradients[name] - gradient).abs().max()) / scale < 1e-5, name


def test_sequence_packing_equals_the_plain_forward():
    generator = random.Random(3)
    trees = [chain([[generator.randrange(50) for _ in range(4)] for _ in range(5)]) for _ in range(6)]
    reads = [[1, 3, 4]] * 6
    packed, plain, packed_gradients, gradients = packed_and_plain(tiny_model(), trees, reads)
    assert float((packed - plain).detach().abs().max()) < 1e-5
    difference = max(float((packed_gradients[n] - g).abs().max()) for n, g in gradients.items())
    assert difference < 1e-5


def test_many_siblings_share_calls_in_small_groups_and_change_nothing_for_it():
    generator = random.Random(4)
    step = lambda: [generator.randrange(50) for _ in range(generator.randint(3, 30))]  # noqa: E731
    # 40 branches hang off the problem and 40 off its first step: far more tokens than one call takes.
    tree = TokenTree([step() for _ in range(82)], [-1, *[0] * 41, *[1] * 40])
    packed, plain, packed_gradients, gradients = packed_and_plain(tiny_model(), [tree], [[*range(1, 82)]])
    assert float((packed - plain).detach().abs().max()) < 1e-5
    assert max(float((packed_gradients[n] - g).abs().max()) for n, g in gradients.items()) < 1e-4
    lengths = pack([tree], [[1]]).plan.query_lengths
    assert len(lengths) > 10 and max(lengths[1:]) <= LEAST_GROUP


def test_a_chain_needs_no_mask_and_every_token_stands_once():
    row = pack([chain([[1, 2], [3], [4, 5]]), chain([[6], [7]])], [[1, 2], [1]])
    assert row.input_ids.tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert row.position_ids.tolist() == [[0, 1, 2, 3, 4, 0, 1]]
    assert row.plan.masks == [None, None] and row.plan.keys is None
    assert row.reads[row.order].tolist() == [2, 4, 6]


def test_siblings_sit_side_by_side_and_see_their_ancestors_only():
    # 0 -> 1 -> 2 is the longest path; 3 and 4 hang off node 0.
    tree = TokenTree([[1], [2, 3], [4], [5, 6], [7]], [-1, 0, 1, 0, 0])
    row = pack([tree], [[4, 3, 2]])
    assert row.input_ids.tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert row.position_ids.tolist() == [[0, 1, 2, 3, 1, 2, 1]]
    assert row.plan.query_lengths == [4, 3] and row.plan.key_lengths == [4, 4]
    assert (row.plan.masks[1] == 0).tolist() == [
        [True, True, False, False],
        [True, True, True, False],
        [True, False, False, True],
    ]
    assert row.reads[row.order].tolist() == [6, 5, 3]


def test_changing_one_solution_changes_no_others_score():
    model = tiny_model().eval()
    trees = [chain([[1, 2], [3, 4]]), chain([[5, 6], [7, 8]])]
    before = model(pack(trees, [[1], [1]]))
    changed = model(pack([chain([[9, 9], [9, 9]]), trees[1]], [[1], [1]]))
    assert torch.equal(before[1], changed[1])
    assert not torch.equal(before[0], changed[0])


def test_only_read_tokens_go_through_the_last_feed_forward():
    model = tiny_model()
    seen = []
    last = model.plain.model.layers[-1].mlp
    last.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[1]))
    model(pack([chain([[1] * 10, [2] * 10, [3] * 10])], [[1, 2]]))
    assert seen == [2]


def test_a_mask_is_kept_once_for_the_way_back_of_all_layers():
    row = pack([TokenTree([[1] * 9, [2] * 3, [3] * 2], [-1, 0, 0])], [[1, 2]])
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        tiny_model()(row)
    masks = {t.data_ptr() for t in kept if t.shape[-2:] == row.plan.masks[1].shape}
    assert masks == {row.plan.masks[1].data_ptr()}


def test_a_head_that_reads_every_token_asks_for_no_attention_of_the_read_ones():
    row = pack([chain([[1, 2], [3, 4]])], [[1]])
    tiny_model(tolerance=50.0)(row)
    assert "plan" in vars(row) and "read_plan" not in vars(row)


def test_a_path_longer_than_the_bases_window_is_refused():
    row = pack([chain([[1, 2, 3], [4, 5]])], [[1]])
    heads = torch.zeros(1, 1, 5, 4)
    with pytest.raises(MisstepError, match="path of up to 5 tokens, expected at most the base's window 4"):
        attend_over_spans(torch.nn.Identity(), heads, heads, heads, plan=row.plan, sliding_window=4)


def test_siblings_side_by_side_are_no_longer_path():
    tree = TokenTree([[1], *[[2, 3, 4]] * 5], [-1, 0, 0, 0, 0, 0])
    row = pack([tree], [[1, 2, 3, 4, 5]])
    assert (row.plan.longest, row.read_plan.longest, max(row.plan.key_lengths)) == (4, 4, 13)
    heads = torch.zeros(1, 1, 16, 4)
    attend_over_spans(torch.nn.Identity(), heads, heads, heads, plan=row.plan, sliding_window=4)


def test_batches_hold_at_most_the_budget():
    assert batches_within([3, 4, 9, 1, 1], 7) == [[0, 1], [2], [3, 4]]
    assert batches_within([], 7) == []


FORK = TokenTree([[9, 8], [1], [2, 3], [4]], [-1, 0, 0, 2])


def test_paths_run_from_the_root_to_each_leaf():
    assert list(FORK.paths()) == [[0, 1], [0, 2, 3]]
    assert list(chain([[9]]).paths()) == [[0]]


def test_split_into_tokens_each_node_becomes_a_chain_below_its_parents_last_token():
    assert split_into_tokens(FORK) == TokenTree([[9], [8], [1], [2], [3], [4]], [-1, 0, 1, 1, 3, 4])
