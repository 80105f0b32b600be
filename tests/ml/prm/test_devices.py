"""Which device and how many threads a command takes."""

import pytest
import torch

from ml.commands import score, train
from ml.devices import chosen_device, refuse_missing_device
from ml.errors import MisstepError
from ml.prm.distributed import own_device
from ml.prm.run import settle_process


@pytest.mark.parametrize(
    "asked,said,has_gpu,taken",
    [
        ("cpu", "cuda:1", True, "cpu"),
        ("auto", "", True, "cuda"),
        ("auto", "", False, "cpu"),
        ("auto", "cuda:1", True, "cuda:1"),
        ("auto", "cpu", True, "cpu"),
    ],
)
def test_auto_takes_what_the_host_says_or_has(monkeypatch, asked, said, has_gpu, taken):
    monkeypatch.setenv("MISSTEP_DEVICE", said)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert chosen_device(asked) == taken


@pytest.mark.parametrize("given,said,taken", [(None, "", 1), (None, "2", 2), (3, "2", 3), (None, "many", 1)])
def test_threads_are_those_given_or_the_host_s_or_one(monkeypatch, given, said, taken):
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    try:
        settle_process(given)
        assert torch.get_num_threads() == taken
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("device", "complaint"),
    [
        ("gpu", r"--device gpu \(or MISSTEP_DEVICE\), expected cpu, cuda"),
        ("meta", r"--device meta \(or MISSTEP_DEVICE\), expected cpu, cuda"),
        ("cuda:9", "--device cuda:9, expected one of the 2 that torch sees here"),
    ],
)
def test_a_device_that_is_not_there_is_refused_in_words(monkeypatch, device, complaint):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(MisstepError, match=complaint):
        refuse_missing_device(device)
    for there in ("cpu", "cuda", "cuda:1"):
        refuse_missing_device(there)


def test_a_gpu_where_torch_sees_none_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MisstepError, match="--device cuda, expected cpu, because torch sees no GPU here"):
        refuse_missing_device("cuda")


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        (train, ("--snapshot", "s", "--out", "o")),
        (score, ("--checkpoint", "c", "--solutions", "s", "--out", "o")),
    ],
)
def test_a_command_takes_a_gpu_where_there_is_one_unless_it_is_told_otherwise(command, needed):
    assert command.parser().parse_args(needed).device == "auto"


@pytest.mark.parametrize(("said", "taken"), [("", "cuda:1"), ("cpu", "cpu")])
def test_processes_of_torchrun_share_the_gpus_that_auto_finds(monkeypatch, said, taken):
    monkeypatch.setenv("MISSTEP_DEVICE", said)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert own_device(chosen_device("auto"), 1) == taken
