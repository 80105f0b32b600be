"""Numbers as tensors on a device: as torch makes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from ml.prm import train
from ml.prm.moving import moved, numbers

CPU = torch.device("cpu")


@pytest.mark.parametrize("values", [[1, 2], [0.5], [[0.0, 1], [1.0, 0]], []])
def test_numbers_are_the_tensor_that_torch_makes_of_them(values):
    assert torch.equal(numbers(values, CPU), torch.tensor(values))
    assert numbers(values, CPU).dtype == torch.tensor(values).dtype
    assert numbers(values, CPU, torch.long).dtype == torch.long


def test_a_tensor_stays_where_it_is_on_a_cpu():
    tensor = torch.arange(3)
    assert moved(tensor, CPU) is tensor


def test_no_update_makes_a_tensor_on_a_device_whose_copy_would_be_waited_for():
    """Each such copy leaves a GPU idle; what is moved goes through `ml.prm.moving`."""
    folder = Path(train.__file__).parent
    for name in ("train", "update", "objectives", "likelihood", "losses", "packing", "blocks", "one_by_one"):
        source = (folder / f"{name}.py").read_text(encoding="utf-8")
        waited = re.findall(r"torch\.tensor\([^\n]*device=.*|from_numpy\(.*\)\.to\(.*", source)
        assert not waited, name
