"""Folders that hold no causal model in safetensors are no policy."""

import pytest

pytest.importorskip("torch", reason="the extra `ml` is not installed")

import torch
from safetensors.torch import load_file, save_file

from ml.errors import MisstepError
from ml.policies import load_policy
from tests.ml.policies.pocket_folder import make_pocket_folder
from tests.ml.policies.random_folder import make_random_folder

EXPECTED = "expected a causal model with safetensors weights"


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(MisstepError, match=EXPECTED):
        load_policy(str(tmp_path))


def test_weights_that_unpickling_would_open_are_no_policy(tmp_path):
    weights = make_pocket_folder(tmp_path) / "model.safetensors"
    torch.save(load_file(weights), tmp_path / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(MisstepError, match=EXPECTED):
        load_policy(str(tmp_path))


def test_a_model_without_its_language_head_is_no_policy(tmp_path):
    weights = make_random_folder(tmp_path) / "model.safetensors"
    assert load_policy(str(tmp_path))
    tensors = {name: tensor for name, tensor in load_file(weights).items() if name != "lm_head.weight"}
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(MisstepError, match=r"has no lm_head\.weight, expected a whole language model"):
        load_policy(str(tmp_path))
