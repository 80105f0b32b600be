"""AdamW and Muon: which weights each moves, how far, and that both go on where they were saved."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import GPT2Config

from ml.errors import MisstepError
from ml.prm.model import build
from ml.prm.muon import WideMuon, orthogonal
from ml.prm.optimizers import optimizers_of
from tests.ml.prm.test_training import short_run
from tests.ml.prm.toys import forget_last_state, newest_state_of, tiny_model

RATE = 0.01


def moved(model: nn.Module, name: str, decay: float = 0.0) -> dict[str, torch.Tensor]:
    """By how much one step under a random gradient moves each weight."""
    torch.manual_seed(0)
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    optimizers = optimizers_of(model, name, RATE, decay)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizers.step()
    assert all(parameter.grad is None for parameter in model.parameters())
    return {key: p.detach() - before[key] for key, p in model.named_parameters()}


def test_muon_makes_the_steps_of_inner_matrices_orthogonal_and_as_large_as_those_of_adamw():
    steps = moved(tiny_model(), "muon")
    matrices = {key: step for key, step in steps.items() if "proj" in key}
    assert matrices
    for step in matrices.values():
        # The step is rate * 0.2 * sqrt(larger side) times a matrix whose singular values are about 1; of a random
        # square gradient the least ones begin near 0, and five iterations do not bring them all the way.
        sizes = torch.linalg.svdvals(step / (RATE * 0.2 * max(step.shape) ** 0.5))
        assert sizes.quantile(0.1) > 0.6 and sizes.max() < 1.5


def test_embeddings_heads_norms_and_biases_go_by_adamw_under_both():
    plain, mixed = moved(tiny_model(), "adamw"), moved(tiny_model(), "muon")
    outer = [key for key in plain if "proj" not in key]
    assert any("embed" in key for key in outer) and any("norm" in key for key in outer)
    for key in outer:
        assert torch.equal(plain[key], mixed[key])
        # AdamW's first step has the size of the rate, whatever the gradient's.
        assert plain[key].abs().max() == pytest.approx(RATE, rel=1e-3)


def test_a_head_that_its_family_calls_a_classifier_is_no_inner_matrix():
    config = GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=40, num_labels=2)
    muon, adamw = optimizers_of(build(config), "muon", RATE, 0.0).parts
    shapes = {tuple(p.shape) for group in muon.param_groups for p in group["params"]}
    assert (2, 32) not in shapes and (40, 32) not in shapes
    assert (2, 32) in {tuple(p.shape) for group in adamw.param_groups for p in group["params"]}


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_matrices_decay_and_norms_do_not(name):
    model = tiny_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    still = moved(model, name)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    decayed = moved(model, name, decay=0.5)
    for key in still:
        expected = -RATE * 0.5 if still[key].dim() > 1 else 0.0
        assert torch.allclose(decayed[key] - still[key], torch.tensor(expected), atol=1e-6)


def test_a_run_under_muon_that_stops_and_goes_on_ends_with_the_same_bits(tmp_path):
    torch.set_num_threads(1)
    undisturbed = short_run(None, optimizer="muon")
    short_run(tmp_path, optimizer="muon")
    forget_last_state(tmp_path)
    left = newest_state_of(tmp_path)
    assert left is not None and left.step == 9
    assert short_run(tmp_path, optimizer="muon") == undisturbed
    assert undisturbed[0] != short_run(None)[0]


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(MisstepError, match="optimizer 'sgd', expected adamw or muon"):
        optimizers_of(tiny_model(), "sgd", RATE, 0.0)


def test_a_model_without_inner_matrices_is_refused():
    with pytest.raises(MisstepError, match="matrices between its layers"):
        optimizers_of(nn.Sequential(nn.LayerNorm(4)), "muon", RATE, 0.0)


def test_muon_in_float32_makes_the_steps_of_torchs_own_but_for_the_rounding():
    torch.manual_seed(3)
    start, gradients = torch.randn(24, 40), [torch.randn(24, 40), torch.randn(24, 40)]
    ends = []
    for kind in (torch.optim.Muon, WideMuon):
        matrix = nn.Parameter(start.clone())
        optimizer = kind([matrix], lr=RATE, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
        for gradient in gradients:
            matrix.grad = gradient
            optimizer.step()
        ends.append(matrix.detach() - start)
        saved = optimizer.state_dict()["state"][0]
        assert list(saved) == ["momentum_buffer"]
    # bfloat16 keeps eight bits; its five iterations are off by some of them.
    assert (ends[0] - ends[1]).norm() < 0.03 * ends[0].norm()


@pytest.mark.parametrize("shape", [(12, 30), (30, 12), (20, 20)])
def test_singular_values_go_through_muons_polynomial(shape):
    torch.manual_seed(1)
    matrix = torch.randn(shape, dtype=torch.float64)
    a, b, c = 3.4445, -4.775, 2.0315
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    sizes = sizes / matrix.norm()
    for _ in range(5):
        sizes = a * sizes + b * sizes**3 + c * sizes**5
    expected = left @ torch.diag(sizes) @ right
    assert torch.allclose(orthogonal(matrix, (a, b, c), 5, 1e-7), expected, atol=1e-9)
