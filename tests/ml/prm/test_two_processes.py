"""Two processes, under torchrun or told the same by other means, train what one trains."""

from __future__ import annotations

import json
import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification

from tests.ml.prm.commands import automatic_snapshot, snapshot_of, trained
from tests.ml.prm.processes import (
    as_group_of_two,
    ended,
    places_in_a_group,
    started,
    started_by_torchrun,
    trained_in_group,
)
from tests.ml.prm.toys import newest_state_of


def by_two_processes(snapshot, out, *arguments):
    found = [ended(process) for process in trained_in_group(snapshot, [out, out], *arguments)]
    assert [status for status, _ in found] == [0, 0], found[0][1][-2000:]


def largest_difference(one, two):
    weights = [AutoModelForTokenClassification.from_pretrained(folder).state_dict() for folder in (one, two)]
    return max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0])


def test_two_processes_under_torchrun_train_and_validate_what_one_does(tmp_path, capsys):
    snapshot, looks = snapshot_of(tmp_path), ("--validate-every", "2")
    alone, _ = trained(tmp_path, capsys, *looks, snapshot=snapshot, out="alone")
    process = started_by_torchrun(snapshot, tmp_path / "together", *looks)
    result, words = process.communicate(timeout=120)
    assert process.returncode == 0, words[-2000:]
    # One of them speaks for both: what reads stdout finds one JSON object.
    assert json.loads(result)["checkpoint"] == str(tmp_path / "together")
    assert words.count("3/3 steps") == 1
    assert largest_difference(alone, tmp_path / "together") < 1e-4
    histories = [(tmp_path / n / "metrics.jsonl").read_text().splitlines() for n in ("alone", "together")]
    for one, two in zip(*(map(json.loads, lines) for lines in histories), strict=True):
        assert one == pytest.approx(two, abs=1e-4)
    cards = [json.loads((tmp_path / n / "card.json").read_text()) for n in ("alone", "together")]
    figures = [card["metrics"]["validation"] for card in cards]
    assert figures[0] == pytest.approx(figures[1], abs=1e-4)


def test_two_processes_stop_at_the_same_update_when_one_of_them_is_asked_to(tmp_path):
    snapshot, given = snapshot_of(tmp_path), ("--steps", "5000", "--save-every", "5000")
    processes = [
        started(snapshot, tmp_path / "out", *given, **place, MISSTEP_PROGRESS="json")
        for place in places_in_a_group()
    ]
    # Updates are made when the first process reports one.
    assert "progress" in processes[0].stdout.readline()
    processes[1].send_signal(signal.SIGTERM)
    assert [ended(process)[0] for process in processes] == [143, 143]
    state = newest_state_of(tmp_path / "out.state")
    assert 0 < state.step < 5000 and len(state.body["history"]) == state.step


@pytest.mark.parametrize("split", ["", "split"])
def test_two_processes_drop_the_same_update_when_one_of_them_is_asked_to_stop_amid_it(tmp_path, split):
    def statuses(state, amid):
        asked = {"STATE": str(tmp_path / state), "AMID": str(amid), "SPLIT": split}
        processes = as_group_of_two("tests.ml.prm.process_stopped_amid_update", **asked)
        return [ended(process)[0] for process in processes]

    assert statuses("whole", 0) == [0, 0]
    # In a row of the second update.
    assert statuses("parted", 7) == [143, 143]
    state = newest_state_of(tmp_path / "parted")
    assert state.step == 1
    assert statuses("parted", 0) == [0, 0]
    whole, parted = (newest_state_of(tmp_path / name) for name in ("whole", "parted"))
    assert (whole.step, whole.body["history"]) == (parted.step, parted.body["history"])
    assert all(torch.equal(tensor, parted.tensors[name]) for name, tensor in whole.tensors.items())


def test_two_processes_hear_one_second_opinion(tmp_path, capsys):
    earlier, _ = trained(tmp_path, capsys, out="earlier")
    snapshot = automatic_snapshot(tmp_path)
    # Where no mistake is believed, hard labels would all be right, which is refused.
    asked = ("--labels", "automatic", "--target", "soft", "--second-opinion", str(earlier))
    options = (*asked, "--second-opinion-sure", "0.01", "--second-opinion-doubtful", "0.0")
    alone, _ = trained(tmp_path, capsys, *options, snapshot=snapshot, out="alone")
    by_two_processes(snapshot, tmp_path / "together", *options)
    counts = [json.loads((tmp_path / n / "card.json").read_text())["counts"] for n in ("alone", "together")]
    assert counts[0] == counts[1] and counts[0]["disbelieved_rows"] == 10
    assert largest_difference(alone, tmp_path / "together") < 1e-4


def test_two_processes_whose_steps_are_orthogonal_stay_near_what_one_trains(tmp_path, capsys):
    """Muon rounds to bfloat16 and stretches what little gradient a direction has: near, and not to the last bits."""
    snapshot, options = snapshot_of(tmp_path), ("--optimizer", "muon", "--trees", "problem")
    alone, _ = trained(tmp_path, capsys, *options, snapshot=snapshot, out="alone")
    by_two_processes(snapshot, tmp_path / "together", *options)
    assert largest_difference(alone, tmp_path / "together") < 2e-3


@pytest.mark.parametrize("precision", [(), ("--bf16",)])
def test_two_processes_with_split_weights_go_on_from_a_state_and_train_what_one_trains(
    tmp_path, capsys, precision
):
    snapshot = snapshot_of(tmp_path)
    # Short rows, of which the processes have unequal numbers.
    rows = ("--tokens-per-row", "100", "--save-every", "1", "--keep-state", *precision)
    alone, _ = trained(tmp_path, capsys, *rows, snapshot=snapshot, out="alone")
    together = tmp_path / "together"
    # States are whole: the two go on from the last but one that the one process left, and leave the next.
    shutil.copytree(tmp_path / "alone.state" / "step-00000002", tmp_path / "together.state" / "step-00000002")
    by_two_processes(snapshot, together, *rows, "--shard")
    assert largest_difference(alone, together) < 1e-4
    states = [
        load_file(tmp_path / f"{n}.state/step-00000003/state.safetensors") for n in ("alone", "together")
    ]
    assert states[0].keys() == states[1].keys()
    assert all(torch.allclose(states[0][name], states[1][name], atol=1e-4) for name in states[0])
    card = json.loads((together / "card.json").read_text())
    assert card["config"]["sharded"] and card["config"]["processes"] == 2
    assert len((together / "metrics.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("name", ["one", "two"])
def test_processes_that_find_states_of_different_steps_say_that_they_need_one_disk(tmp_path, capsys, name):
    snapshot = snapshot_of(tmp_path)
    rows = ("--save-every", "1", "--keep-state")
    trained(tmp_path, capsys, *rows, snapshot=snapshot, out="alone")
    shutil.copytree(tmp_path / "alone.state" / "step-00000002", tmp_path / f"{name}.state" / "step-00000002")
    outs = [tmp_path / "one", tmp_path / "two"]
    found = [ended(process) for process in trained_in_group(snapshot, outs, *rows)]
    assert [status for status, _ in found] == [1, 1]
    for _, words in found:
        assert "the processes found states of step 0 to 2, expected the same in all" in words
        assert "--out must lie on a disk that they share" in words
