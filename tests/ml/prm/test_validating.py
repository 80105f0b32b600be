"""Looks at the validation split while a model trains: what they find, and that they change nothing else."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from ml.errors import MisstepError
from ml.prm import run as running
from ml.prm.validation_reading import Reading
from ml.prm.validation_steps import chosen
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.test_learning_rates import given_base
from tests.ml.prm.toys import forget_last_state, sums


def history(checkpoint):
    return [json.loads(line) for line in (checkpoint / "metrics.jsonl").read_text().splitlines()]


def weights(checkpoint):
    return load_file(checkpoint / "model.safetensors")


def are_same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first | second)


# Adapters with dropout draw at random in every update: what validation drew would show in the next one.
DRAWING = ("--steps", "6", "--learning-rate", "0.01", "--lora", "2", "--lora-dropout", "0.3")


def test_the_loss_and_f1_of_held_out_problems_stand_in_the_history(tmp_path, capsys):
    checkpoint, result = trained(tmp_path, capsys, "--steps", "5", "--validate-every", "2")
    found = history(checkpoint)
    assert [line["step"] for line in found if "validation_loss" in line] == [2, 4, 5]
    assert all(math.isfinite(line["validation_loss"]) for line in found if line["step"] in (2, 4, 5))
    # The last look is at the model that is published.
    assert found[-1]["validation_f1"] == result["metrics"]["validation"]["f1"]


@pytest.mark.parametrize("objective", ["classifier", "value", "preference", "outcome"])
def test_every_objective_has_a_loss_on_held_out_problems(tmp_path, capsys, objective):
    checkpoint, _ = trained(tmp_path, capsys, "--objective", objective, "--validate-every", "3")
    assert history(checkpoint)[-1]["validation_loss"] > 0


def test_looking_at_the_validation_split_leaves_the_weights_as_they_come_without(tmp_path, capsys):
    base = given_base(tmp_path / "base")
    plain, _ = trained(tmp_path, capsys, "--base", base, *DRAWING)
    given = ("--base", base, *DRAWING, "--validate-every", "1")
    looked, _ = trained(tmp_path, capsys, *given, snapshot=tmp_path / "snapshot", out="looked")
    assert are_same(weights(plain), weights(looked))


def test_a_run_that_looks_goes_on_to_the_same_bits_and_the_same_history(tmp_path, capsys):
    given = ("--base", given_base(tmp_path / "base"), *DRAWING, "--validate-every", "2", "--save-every", "3")
    whole, _ = trained(tmp_path, capsys, *given)
    part, _ = trained(tmp_path, capsys, *given, "--keep-state", snapshot=tmp_path / "snapshot", out="part")
    forget_last_state(tmp_path / "part.state")
    for name in ("card.json", "manifest.json", "metrics.jsonl"):
        (part / name).unlink()
    for path in part.glob("*.safetensors"):
        path.unlink()
    again, _ = trained(tmp_path, capsys, *given, snapshot=tmp_path / "snapshot", out="part")
    assert history(again) == history(whole) and are_same(weights(again), weights(whole))


def test_a_run_may_be_looked_at_more_often_when_it_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(running, "_publish", lambda *given: None)
    snapshot = snapshot_of(tmp_path)
    trained(tmp_path, capsys, "--keep-state", snapshot=snapshot)
    _, result = trained(tmp_path, capsys, "--validate-every", "1", snapshot=snapshot)
    assert result["metrics"]["train_loss"] is not None


def test_a_validation_takes_at_most_as_many_solutions_as_asked_for_of_whole_problems():
    rows = [replace(row, id=f"{row.id}-{k}") for row in sums(9, seed=1, split="validation") for k in range(3)]
    for limit in (3, 7, 12, 100):
        found = chosen(rows, limit)
        assert len(found) == min(limit // 3 * 3, len(rows))
        assert all(sum(row.problem == one.problem for row in found) == 3 for one in found)
        # Whatever the file's order, and some of what a larger one takes.
        assert {row.id for row in chosen(rows[::-1], limit)} == {row.id for row in found}
        assert {row.id for row in found} <= {row.id for row in chosen(rows, limit + 3)}
    assert [row.id for row in chosen(rows, None)] == [row.id for row in rows]
    assert len(chosen(rows, 2)) == 2
    silent = replace(rows[0], labels=[None] * 3, label_source=[None] * 3, is_correct=None, first_mistake=None)
    assert chosen([silent, *rows[3:6]], 3) == rows[3:6]


def test_a_limited_validation_counts_what_it_measured_and_leaves_the_weights(tmp_path, capsys):
    plain, _ = trained(tmp_path, capsys, "--validate-every", "2")
    limited = ("--validate-every", "2", "--validation-limit", "4", "--seed", "0")
    some, result = trained(tmp_path, capsys, *limited, snapshot=tmp_path / "snapshot", out="some")
    assert result["metrics"]["validation"]["count"] == 4 and are_same(weights(plain), weights(some))
    assert json.loads((some / "card.json").read_text())["config"]["validation_limit"] == 4
    # Without a look while it trains, too.
    _, last = trained(tmp_path, capsys, "--validation-limit", "4", snapshot=tmp_path / "snapshot", out="last")
    assert last["metrics"]["validation"] == result["metrics"]["validation"]


def test_nothing_to_validate_on_is_refused_before_the_first_update(tmp_path, capsys):
    with pytest.raises(MisstepError, match="--validate-every 1 with nothing to validate on"):
        trained(tmp_path, capsys, "--validate-every", "1", snapshot=snapshot_of(tmp_path, sums(8)))
    assert not (tmp_path / "checkpoint.state").exists()


def test_what_the_validation_found_is_reported_however_fresh_the_last_report_is(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    given = [
        "--snapshot",
        str(snapshot_of(tmp_path)),
        "--out",
        str(tmp_path / "checkpoint"),
        "--base",
        "small",
    ]
    from ml.commands.train import main

    assert main([*given, "--steps", "6", "--validate-every", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [
        line["progress"] for line in lines if "validation_loss" in line.get("progress", {}).get("metrics", {})
    ]
    assert [report["done"] for report in told] == [2, 4, 6]


@pytest.mark.parametrize("asked", [(), ("--validate-every", "3")])
def test_a_device_without_memory_for_the_validation_split_ends_the_run_in_one_line_and_keeps_its_updates(
    tmp_path, capsys, monkeypatch, asked
):
    def fill(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    snapshot = snapshot_of(tmp_path)
    with monkeypatch.context() as full, pytest.raises(MisstepError) as error:
        full.setattr(Reading, "_read_row", fill)
        trained(tmp_path, capsys, "--tokens-per-row", "512", *asked, snapshot=snapshot)
    [words] = str(error.value).splitlines()
    assert "at the validation split, in packed rows of up to 512 tokens" in words
    _, result = trained(tmp_path, capsys, "--tokens-per-row", "256", *asked, snapshot=snapshot)
    assert result["metrics"]["validation"]["count"] > 0
