"""Which device and which backend each process of a group takes; what they train is in `test_two_processes`."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed

from ml.errors import FolderInUse
from ml.prm import distributed as ml_distributed
from ml.prm import resuming
from ml.prm.distributed import Group, backend_for, own_device
from ml.prm.optimizers import optimizers_of
from tests.ml.prm.processes import as_group_of_two, ended
from tests.ml.prm.toys import tiny_model


def alone_as(rank, size):
    """A process's view without the others, which `share` does not ask."""
    group = Group(rank)
    group.size = size
    return group


def test_an_update_is_shared_by_tokens_and_not_by_count():
    sizes = [900, 100, 500, 400, 100, 300, 200, 600, 100]
    shares = [alone_as(rank, 3).share(range(9), sizes) for rank in range(3)]
    assert sorted(place for share in shares for place in share) == list(range(9))
    assert all(share == sorted(share) for share in shares)
    loads = [sum(sizes[place] for place in share) for share in shares]
    # By turns it were 1500, 700 and 1000.
    assert sorted(loads) == [1000, 1100, 1100]


def test_a_process_alone_has_every_example_in_its_order():
    assert Group().share("cab", [1, 3, 2]) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("asked", "own", "backend"),
    [("cpu", "cpu", "gloo"), ("cuda", "cuda:1", "nccl"), ("cuda:0", "cuda:0", "nccl")],
)
def test_each_process_takes_the_gpu_of_its_number_and_the_backend_of_its_device(asked, own, backend):
    assert own_device(asked, local_rank=1) == own
    assert backend_for(own) == backend


@pytest.mark.parametrize(
    ("asked", "said"), [("cpu", ["gloo", "words"]), ("cuda", ["cuda:1", "nccl", "words"])]
)
def test_a_group_settles_its_device_before_it_is_joined(monkeypatch, asked, said):
    heard = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", heard.append)
    monkeypatch.setattr(distributed, "init_process_group", heard.append)
    monkeypatch.setattr(distributed, "new_group", lambda **given: heard.append("words"))
    monkeypatch.setattr(distributed, "get_rank", lambda: 3)
    group = Group.from_environment(asked)
    assert heard == said
    assert (group.rank, group.size, group.device) == (3, 2, "cpu" if asked == "cpu" else "cuda:1")


@pytest.mark.parametrize(
    ("asked", "fails", "left"),
    [("cpu", False, ["all"]), ("cpu", True, ["all"]), ("cuda", False, ["all"]), ("cuda", True, ["words"])],
)
def test_a_group_is_left_before_python_ends(monkeypatch, asked, fails, left):
    gone = []
    monkeypatch.setattr(Group, "from_environment", lambda device: Group(size=2, device=device))
    monkeypatch.setattr(distributed, "new_group", lambda **given: "words")
    monkeypatch.setattr(distributed, "destroy_process_group", lambda group: gone.append(group or "all"))
    with contextlib.suppress(KeyError), Group.joined(asked):
        if fails:
            raise KeyError
    assert gone == left


def test_a_process_alone_keeps_the_device_that_was_asked_for(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert Group.from_environment("cuda:3").device == "cuda:3"


def test_the_others_hear_the_first_one_however_long_its_work_takes():
    """Sums over the group count as dead after two seconds here; what is said by itself has patience."""
    found = [ended(process) for process in as_group_of_two("tests.ml.prm.test_distributed")]
    assert [status for status, _ in found] == [0, 0], found


def work_long() -> str:
    time.sleep(3)
    return "found"


def turn_away() -> str:
    raise FolderInUse("OUT: in use")


def save_slowly(group: Group) -> None:
    """A sum right after a save that takes longer than sums may."""
    model = tiny_model()
    write, resuming.save_state = resuming.save_state, lambda *given: time.sleep(3)
    optimizers = optimizers_of(model, "adamw", 1e-3, 0.0)
    resuming.save(Path(), model, optimizers, resuming.Run(), resuming.Mark(), group)
    resuming.save_state = write
    assert group.any(group.is_first)


def gradients_are_summed(group: Group) -> None:
    """In pieces of several gradients and in one of a large one, with none for what a process had no use for."""
    model = torch.nn.ParameterList(torch.full((size,), 1.0) for size in (3, 5, 4000, 7, 2))
    assert [len(bucket) for bucket in own_buckets(model)] == [2, 1, 2]
    for place, parameter in enumerate(model):
        if group.is_first or place != 3:
            parameter.grad = torch.full_like(parameter, 10.0 * place + group.rank)
    group.add_gradients(model)
    sums = [torch.full_like(p, 20.0 * place + 1 if place != 3 else 30.0) for place, p in enumerate(model)]
    assert all(torch.equal(p.grad, total) for p, total in zip(model, sums, strict=True))


def own_buckets(model):
    ml_distributed.BUCKET = 16000
    return list(ml_distributed._buckets([p.detach() for p in model]))


def in_group() -> None:
    """What each of the two processes does."""
    # Finding each other may take long on a busy machine.
    rank, port = int(os.environ["RANK"]), int(os.environ["MASTER_PORT"])
    patient = timedelta(minutes=1)
    store = distributed.TCPStore(os.environ["MASTER_ADDR"], port, 2, rank == 0, timeout=patient)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=2))
    group = Group.from_environment("cpu")
    assert group.first_does(work_long) == "found"
    save_slowly(group)
    gradients_are_summed(group)
    assert group.gathered(rank) == [0, 1]
    if group.is_first:
        time.sleep(3)
    group.told(None)
    try:
        group.first_does(turn_away)
    except FolderInUse as refusal:
        assert str(refusal) == "OUT: in use"
    else:
        raise AssertionError("a refusal was not heard")


if __name__ == "__main__":
    in_group()
    sys.stdout.flush()
    # Without the second that the group's threads may take to end.
    os._exit(0)
