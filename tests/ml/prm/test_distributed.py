"""Which device and which backend each process of a group takes; what they train is in `test_two_processes`."""

from __future__ import annotations

import pytest
import torch
from torch import distributed

from ml.prm.distributed import Group, backend_for, own_device


@pytest.mark.parametrize(
    ("asked", "own", "backend"),
    [("cpu", "cpu", "gloo"), ("cuda", "cuda:1", "nccl"), ("cuda:0", "cuda:0", "nccl")],
)
def test_each_process_takes_the_gpu_of_its_number_and_the_backend_of_its_device(asked, own, backend):
    assert own_device(asked, local_rank=1) == own
    assert backend_for(own) == backend


@pytest.mark.parametrize(("asked", "said"), [("cpu", ["gloo"]), ("cuda", ["cuda:1", "nccl"])])
def test_a_group_settles_its_device_before_it_is_joined(monkeypatch, asked, said):
    heard = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", heard.append)
    monkeypatch.setattr(distributed, "init_process_group", heard.append)
    monkeypatch.setattr(distributed, "get_rank", lambda: 3)
    group = Group.from_environment(asked)
    assert heard == said
    assert (group.rank, group.size, group.device) == (3, 2, "cpu" if asked == "cpu" else "cuda:1")


def test_a_process_alone_keeps_the_device_that_was_asked_for(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert Group.from_environment("cuda:3").device == "cuda:3"
