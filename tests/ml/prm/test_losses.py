"""Every loss against its formula in plain Python, worked out number by number."""

from __future__ import annotations

import math

import pytest
import torch

from ml.prm.example import Example
from ml.prm.losses import classification_loss, preference_loss, value_loss
from ml.prm.objectives import normaliser_of, objective_loss
from ml.prm.packing import TokenTree
from ml.prm.score import probabilities

LOGITS = [[0.3, -1.2], [2.0, 0.5], [-0.7, 0.9]]


def plain_cross_entropy(logits, targets, weights, class_weights, smoothing):
    total, mass = 0.0, 0.0
    for row, target, weight in zip(logits, targets, weights, strict=True):
        partition = sum(math.exp(value) for value in row)
        for value, share, scale in zip(row, target, class_weights, strict=True):
            smoothed = (1 - smoothing) * share + smoothing / len(row)
            total -= weight * scale * smoothed * (value - math.log(partition))
            mass += weight * scale * smoothed
    return total / mass


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weights", [[1.0, 1.0], [3.0, 0.5]])
def test_classification_equals_the_formula_for_hard_and_soft_targets(class_weights, smoothing):
    targets, weights = [[0.0, 1.0], [1.0, 0.0], [0.35, 0.65]], [1.0, 2.0, 0.5]
    found = classification_loss(
        torch.tensor(LOGITS),
        torch.tensor(targets),
        torch.tensor(weights),
        torch.tensor(class_weights),
        smoothing,
    )
    expected = plain_cross_entropy(LOGITS, targets, weights, class_weights, smoothing)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_hard_targets_give_torchs_own_weighted_cross_entropy():
    classes, scale = torch.tensor([0, 1, 1]), torch.tensor([2.0, 0.7])
    expected = torch.nn.functional.cross_entropy(torch.tensor(LOGITS), classes, weight=scale)
    hard = torch.nn.functional.one_hot(classes, 2).float()
    found = classification_loss(torch.tensor(LOGITS), hard, torch.ones(3), scale)
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


def test_a_soft_target_is_never_truncated():
    loss = [
        float(classification_loss(torch.tensor([[0.0, 1.0]]), torch.tensor([[1 - p, p]]), torch.ones(1)))
        for p in (0.0, 0.4, 0.9)
    ]
    partition = math.log(1 + math.e)
    assert loss == pytest.approx([partition, partition - 0.4, partition - 0.9], abs=1e-6)


def test_value_is_the_weighted_mean_squared_error():
    found = value_loss(torch.tensor([0.2, 0.9]), torch.tensor([0.5, 1.0]), torch.tensor([1.0, 3.0]))
    assert float(found) == pytest.approx((0.3**2 + 3 * 0.1**2) / 4)


def test_one_preference_pair_of_two_by_two_at_delta_one():
    scores = torch.tensor([0.5, -0.5])
    found = preference_loss(scores, torch.tensor([0]), torch.tensor([1]), torch.tensor([0.25]), 1.0)
    assert float(found) == pytest.approx(0.0783154, abs=1e-6)


def test_preference_equals_the_formula_over_nodes_of_unequal_size():
    scores = [0.4, -0.1, 0.9, -0.8, 0.05]
    pairs = [(0, 1, 1.0), (2, 3, 0.5), (2, 4, 0.5)]
    expected = -sum(w * math.log(1 / (1 + math.exp(scores[b] - scores[a]))) for a, b, w in pairs) / 2
    columns = [torch.tensor([pair[k] for pair in pairs]) for k in range(3)]
    assert float(preference_loss(torch.tensor(scores), *columns, 2.0)) == pytest.approx(expected, abs=1e-6)


def test_a_bounded_margin_cannot_pass_the_derived_floor():
    best = preference_loss(
        torch.tensor([1.0, -1.0]), torch.tensor([0]), torch.tensor([1]), torch.ones(1), 1.0
    )
    assert float(best) == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)


def example(targets, weights, pairs=(), parents=0) -> Example:
    count = max(len(targets), 2)
    tree = TokenTree([[1]] * (count + 1), [-1, *range(count)])
    return Example("e", tree, list(range(1, len(weights) + 1)), targets, weights, list(pairs), parents)


def test_outcome_is_the_binary_cross_entropy_of_the_answer():
    answers = example([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], [1.0, 1.0, 1.0])
    total = normaliser_of("outcome", [answers])
    found = objective_loss("outcome", torch.tensor(LOGITS), [answers], total)
    expected = plain_cross_entropy(LOGITS, [[0, 1], [1, 0], [0, 1]], [1, 1, 1], [1, 1], 0.0)
    assert float(found) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_an_update_in_two_rows_has_the_loss_of_one_row(smoothing):
    one = example([[0.0, 1.0], [1.0, 0.0]], [1.0, 1.0])
    two = example([[0.35, 0.65]], [2.0])
    weights = (3.0, 0.5)
    total = normaliser_of("classifier", [one, two], weights, smoothing)
    scale = {"class_weights": torch.tensor(weights), "smoothing": smoothing}
    logits = torch.tensor(LOGITS)
    whole = objective_loss("classifier", logits, [one, two], total, **scale)
    parts = objective_loss("classifier", logits[:2], [one], total, **scale)
    parts += objective_loss("classifier", logits[2:], [two], total, **scale)
    assert float(parts) == pytest.approx(float(whole), abs=1e-6)
    expected = plain_cross_entropy(LOGITS, [[0, 1], [1, 0], [0.35, 0.65]], [1, 1, 2], weights, smoothing)
    assert float(whole) == pytest.approx(expected, abs=1e-6)


def test_pairs_of_a_second_example_point_behind_the_first():
    first = example([], [1.0, 1.0], [(0, 1, 1.0)], 1)
    second = example([], [1.0, 1.0], [(1, 0, 1.0)], 1)
    outputs = torch.tensor([[2.0], [0.5], [-1.0], [1.0]])
    found = objective_loss("preference", outputs, [first, second], 2.0)
    margins = [math.tanh(2.0) - math.tanh(0.5), math.tanh(1.0) - math.tanh(-1.0)]
    assert float(found) == pytest.approx(sum(math.log(1 + math.exp(-m)) for m in margins) / 2, abs=1e-6)


def test_raw_preferences_are_compared_without_a_bound_and_read_through_tanh_of_a_fifth():
    pair = example([], [1.0, 1.0], [(0, 1, 1.0)], 1)
    outputs = torch.tensor([[12.0], [-4.0]])
    raw = objective_loss("preference", outputs, [pair], 1.0, preference_output="raw_then_tanh5")
    assert float(raw) == pytest.approx(math.log1p(math.exp(-16.0)), abs=1e-9)
    bounded = objective_loss("preference", outputs, [pair], 1.0)
    assert float(bounded) == pytest.approx(math.log1p(math.exp(-2.0)), abs=1e-3)
    card = {"objective": "preference", "config": {"preference_output": "raw_then_tanh5"}}
    expected = [(1.0 + math.tanh(x / 5.0)) / 2.0 for x in (12.0, -4.0)]
    assert probabilities(outputs, card).tolist() == pytest.approx(expected, abs=1e-6)
