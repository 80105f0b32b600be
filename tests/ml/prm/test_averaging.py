"""`python -m ml average`: one checkpoint whose weights are the mean of several."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file, save_file

from ml.__main__ import main
from ml.commands import average as command
from ml.prm.averaging import _rule_of_all
from ml.prm.checkpoint import check_whole, seal
from ml.prm.value_model import usual_aggregation
from ml.targets import LabelRule
from tests.ml.prm.commands import scored, snapshot_of, trained
from tests.ml.prm.toys import sums


@pytest.fixture
def first(tmp_path, capsys) -> Path:
    return trained(tmp_path, capsys, out="first")[0]


@pytest.fixture
def second(tmp_path, capsys, first) -> Path:
    """A run that went on from the first, on other labels."""
    other = snapshot_of(tmp_path, [*sums(12, seed=5), *sums(6, seed=1, split="validation")], name="other")
    return trained(tmp_path, capsys, "--base", str(first), "--seed", "3", snapshot=other, out="second")[0]


def averaged(capsys, out: Path, *given: object) -> dict:
    assert command.main([*map(str, given), "--out", str(out)]) == 0
    capsys.readouterr()
    return check_whole(out)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_the_weights_are_the_mean_in_the_given_proportion(tmp_path, capsys, first, second) -> None:
    card = averaged(capsys, tmp_path / "mean", "--checkpoints", first, second, "--weights", 1, 3)
    one, two, mean = weights(first), weights(second), weights(tmp_path / "mean")
    assert mean.keys() == one.keys()
    assert any(not torch.equal(one[name], two[name]) for name in one)
    for name, found in mean.items():
        torch.testing.assert_close(found, 0.25 * one[name] + 0.75 * two[name], atol=1e-7, rtol=1e-6)
    assert [part["share"] for part in card["averaged"]] == [0.25, 0.75]


def test_an_average_is_scored_trained_further_and_averaged_like_any_checkpoint(
    tmp_path, capsys, first, second
) -> None:
    mean = tmp_path / "mean"
    averaged(capsys, mean, "--checkpoints", first, second)
    scores, summary = scored(tmp_path, capsys, mean, sums(4, seed=9))
    assert len(scores) == 4 and summary["steps"] == 12
    further, _ = trained(tmp_path, capsys, "--base", str(mean), snapshot=tmp_path / "other", out="further")
    # Neither began at the other, but both once were the first.
    averaged(capsys, tmp_path / "again", "--checkpoints", mean, further)


def test_its_card_says_what_its_parts_agree_on_and_each_of_them(tmp_path, capsys, first, second) -> None:
    card = averaged(capsys, tmp_path / "mean", "--checkpoints", first, second)
    cards = [json.loads((folder / "card.json").read_text()) for folder in (first, second)]
    assert card["seed"] is None and "seed" not in card["config"]
    assert card["config"]["batch_size"] == cards[0]["config"]["batch_size"]
    assert "learning_rate" not in card["config"]
    assert [part["snapshot"] for part in card["averaged"]] == [one["snapshot"] for one in cards]
    assert card["snapshot"]["snapshots"] == [one["snapshot"] for one in cards]
    known = [set((folder / "training_problems.txt").read_text().split()) for folder in (first, second)]
    assert set((tmp_path / "mean" / "training_problems.txt").read_text().split()) == known[0] | known[1]
    assert not (tmp_path / "mean" / "metrics.jsonl").exists()


HUMAN, AUTOMATIC = {"labels": "human", "neutral": "drop"}, {"labels": "automatic", "target": "soft"}
AGREED = {"labels": "mixed", "mixture": "consensus"}


@pytest.mark.parametrize(
    ("rules", "shared", "aggregation"),
    [
        ([HUMAN, HUMAN], HUMAN, "product"),
        ([HUMAN, {"labels": "human", "threshold": 0.5}], {"labels": "human"}, "product"),
        ([HUMAN, AUTOMATIC], {"labels": "mixed"}, "last"),
        ([HUMAN, {"labels": "mixed"}], {"labels": "mixed"}, "last"),
        ([HUMAN, AGREED], AGREED, "product"),
        ([AGREED, {"labels": "mixed", "mixture": "fusion"}], AGREED, "product"),
        ([AGREED, {"labels": "mixed", "mixture": "agreement_weighted"}], {"labels": "mixed"}, "last"),
        ([AGREED, {"labels": "automatic", "mixture": "consensus"}], {"labels": "mixed"}, "last"),
    ],
)
def test_its_rule_is_what_its_parts_rules_share_and_says_whether_rollouts_taught(rules, shared, aggregation):
    written = [asdict(LabelRule(**rule)) for rule in rules]
    for order in (written, written[::-1]):
        found = _rule_of_all(order)
        assert LabelRule.of(found) == LabelRule.of(shared)
        assert usual_aggregation({"objective": "classifier", "label_rule": found}) == aggregation
        assert all(found[name] == rule[name] for rule in order for name in found if name not in shared)


def test_the_same_average_is_finished_and_another_is_refused(tmp_path, capsys, first, second) -> None:
    mean = tmp_path / "mean"
    averaged(capsys, mean, "--checkpoints", first, second)
    before = (mean / "manifest.json").read_bytes()
    averaged(capsys, mean, "--checkpoints", first, second, "--weights", 2, 2)
    assert (mean / "manifest.json").read_bytes() == before
    given = ["average", "--checkpoints", str(first), str(second), "--weights", "1", "2", "--out", str(mean)]
    assert main(given) == 1
    assert "holds a finished run with other settings" in capsys.readouterr().err
    assert main(["average", "--checkpoints", str(first), str(mean), "--out", str(second)]) == 1
    assert f"{second} already holds a checkpoint" in capsys.readouterr().err


def refusal(capsys, *given: object) -> str:
    assert main(["average", *map(str, given)]) == 1
    return capsys.readouterr().err


def test_checkpoints_that_never_were_the_same_model_are_refused(tmp_path, capsys, first) -> None:
    stranger, _ = trained(tmp_path, capsys, "--seed", "8", snapshot=tmp_path / "snapshot", out="stranger")
    said = refusal(capsys, "--checkpoints", first, stranger, "--out", tmp_path / "mean")
    assert (
        f"{stranger} began from 'small'" in said
        and "expected checkpoints that once were the same model" in said
    )
    assert not (tmp_path / "mean").exists()


def test_layers_on_top_that_another_seed_drew_are_no_same_model(tmp_path, capsys, first) -> None:
    """Below them stand the same weights, but what these say goes through other layers."""
    given = ("--base", str(first), "--extra-layers", "1")
    rows = tmp_path / "snapshot"
    one, other = (
        trained(tmp_path, capsys, *given, "--seed", seed, snapshot=rows, out=f"seed-{seed}")[0]
        for seed in "12"
    )
    said = refusal(capsys, "--checkpoints", one, other, "--out", tmp_path / "mean")
    assert "expected checkpoints that once were the same model" in said


def test_what_else_stands_in_the_folder_is_no_part_of_the_average(tmp_path, capsys, first, second) -> None:
    (first / "notes.txt").write_text("mine")
    save_file({"mine": torch.zeros(1)}, first / "other.safetensors")
    averaged(capsys, tmp_path / "mean", "--checkpoints", first, second)
    assert not (tmp_path / "mean" / "notes.txt").exists()


def test_checkpoints_that_are_read_in_other_ways_are_refused(tmp_path, capsys, first) -> None:
    given = ("--base", str(first), "--objective", "value")
    other, _ = trained(tmp_path, capsys, *given, snapshot=tmp_path / "snapshot", out="value")
    said = refusal(capsys, "--checkpoints", first, other, "--out", tmp_path / "mean")
    assert f"{other}: objective is value, expected classifier as in the first checkpoint" in said


def test_less_than_two_twice_the_same_and_a_wrong_number_of_weights_are_refused(
    tmp_path, capsys, first
) -> None:
    out = ("--out", tmp_path / "mean")
    assert "one checkpoint, expected two at least" in refusal(capsys, "--checkpoints", first, *out)
    copied = shutil.copytree(first, tmp_path / "copied")
    said = refusal(capsys, "--checkpoints", first, copied, *out)
    assert f"{copied} is the same checkpoint as {first}" in said
    said = refusal(capsys, "--checkpoints", first, copied, "--weights", 1, *out)
    assert "1 weights for 2 checkpoints" in said


def test_a_torn_checkpoint_and_another_shape_are_refused(tmp_path, capsys, first, second) -> None:
    out = ("--out", tmp_path / "mean")
    tensors = weights(second)
    name = min(tensors)
    changed = {**tensors, name: tensors[name][:-1].clone()}
    save_file(changed, second / "model.safetensors", metadata={"format": "pt"})
    said = refusal(capsys, "--checkpoints", first, second, *out)
    assert "files differ from manifest.json" in said
    (second / "manifest.json").unlink()
    seal(second)
    said = refusal(capsys, "--checkpoints", first, second, *out)
    assert f"the shape of {name} is {list(changed[name].shape)}" in said


def test_weights_in_several_files_are_averaged_file_by_file(tmp_path, capsys, first, second) -> None:
    """Of a large model each file is made by itself; another may be cut in other places."""
    tensors = weights(first)
    names = sorted(tensors)
    for place, part in enumerate((names[::2], names[1::2]), start=1):
        own = {name: tensors[name] for name in part}
        save_file(own, first / f"model-{place:05d}-of-00002.safetensors", metadata={"format": "pt"})
    (first / "model.safetensors").unlink()
    (first / "manifest.json").unlink()
    seal(first)
    # The second began from the first as it was: its base is told by other hashes now.
    third = second.with_name("third")
    shutil.copytree(first, third)
    card = json.loads((third / "card.json").read_text())
    (third / "card.json").write_text(json.dumps({**card, "note": "another"}))
    (third / "manifest.json").unlink()
    seal(third)
    averaged(capsys, tmp_path / "mean", "--checkpoints", first, third)
    found = {}
    for path in sorted((tmp_path / "mean").glob("*.safetensors")):
        found.update(load_file(path))
    assert len(list((tmp_path / "mean").glob("*.safetensors"))) == 2
    assert all(torch.equal(found[name], tensors[name]) for name in names)
