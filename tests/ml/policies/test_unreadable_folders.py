"""Folders that hold no causal model in safetensors are no policy."""

import pytest

pytest.importorskip("torch", reason="the extra `ml` is not installed")

import torch
from safetensors.torch import load_file

from ml.errors import MisstepError
from ml.policies import load_policy
from tests.ml.policies.pocket_folder import make_pocket_folder

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
