"""What `python -m ml train` and `score` refuse, and that they do so before they begin."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from ml.commands import train as train_command
from ml.errors import MisstepError, NotAvailable
from ml.file_hash import sha256_of
from ml.prm.out_folder import refuse_finished
from ml.snapshot import combined_hash
from tests.ml.prm.commands import scored, snapshot_of, trained
from tests.ml.prm.toys import sums, with_neutrals


def refusal(tmp_path, capsys, *arguments, snapshot):
    with pytest.raises(MisstepError) as error:
        trained(tmp_path, capsys, *arguments, snapshot=snapshot)
    assert not (tmp_path / "checkpoint").exists()
    return str(error.value)


def test_a_changed_snapshot_is_refused(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path)
    part = snapshot / "parts" / "part-00000.jsonl"
    part.write_text(part.read_text().replace('"train"', '"test"', 1))
    assert "sha256" in refusal(tmp_path, capsys, snapshot=snapshot)


def edited(snapshot, number, **changes):
    """Change one row behind the writer's back, with hashes that match: as another tool might write it."""
    part = snapshot / "parts" / "part-00000.jsonl"
    lines = part.read_text().splitlines()
    lines[number] = json.dumps({**json.loads(lines[number]), **changes})
    part.write_text("".join(line + "\n" for line in lines))
    manifest = json.loads((snapshot / "manifest.json").read_text())
    manifest["parts"][0]["sha256"] = sha256_of(part)
    manifest["sha256"] = combined_hash([sha256_of(part)])
    (snapshot / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": [1.0, 1.0]}, "2 labels for 3 steps"),
        ({"steps": ["1 + 1 = 2", " ", "3"]}, "step 1 is empty"),
        ({"labels": [1.0, math.nan, None]}, "label nan at step 1"),
        ({"labels": [1.0, "fine", None]}, "label 'fine' at step 1"),
        ({"human": {"ratings": [1, 2, None]}}, r"ratings [1, 2, None]"),
        ({"automatic": {"soft": [1.0, math.nan, 0.0]}}, "automatic soft [1.0, nan, 0.0]"),
        ({"options": [{"position": 9, "text": "no", "rating": 1}]}, "an alternative at position 9"),
    ],
)
def test_a_bad_record_in_a_snapshot_is_refused_by_its_id_before_training(
    tmp_path, capsys, changes, complaint
):
    snapshot = snapshot_of(tmp_path)
    edited(snapshot, 4, **changes)
    assert f"record sum-0-4: {complaint}" in refusal(tmp_path, capsys, snapshot=snapshot)
    assert not list(tmp_path.glob("checkpoint*"))


def test_a_step_longer_than_the_context_is_refused_with_its_record(tmp_path, capsys):
    long = replace(sums(1)[0], id="windy", steps=["1 + 1 = 2 " * 100, "b", "c"])
    snapshot = snapshot_of(tmp_path, [*sums(8), long])
    message = refusal(tmp_path, capsys, "--maximum-length", "120", snapshot=snapshot)
    assert "record windy: step 0" in message and "expected at most the context of 120" in message


def test_a_problem_in_two_splits_is_refused(tmp_path, capsys):
    leaking = replace(sums(1)[0], id="again", split="validation")
    message = refusal(tmp_path, capsys, snapshot=snapshot_of(tmp_path, [*sums(8), leaking]))
    assert "1 problems stand in more than one split" in message


def test_a_snapshot_without_training_rows_is_refused(tmp_path, capsys):
    rows = [replace(row, split="test") for row in sums(4)]
    assert "no rows in split train" in refusal(tmp_path, capsys, snapshot=snapshot_of(tmp_path, rows))


def test_a_checkpoint_that_does_not_say_what_was_asked_for_is_not_written_over(tmp_path, capsys):
    (tmp_path / "checkpoint").mkdir()
    for name in ("card.json", "manifest.json"):
        (tmp_path / "checkpoint" / name).write_text("{}")
    with pytest.raises(MisstepError, match="already holds a checkpoint"):
        trained(tmp_path, capsys)
    with pytest.raises(MisstepError, match="snapshot already holds a snapshot"):
        refuse_finished(tmp_path / "snapshot")


def test_an_unknown_objective_is_not_available(tmp_path):
    with pytest.raises(NotAvailable, match="objective 'rank'"):
        train_command.main(["--snapshot", "x", "--out", "y", "--objective", "rank"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--class-weights", "1", "2", "3"), "--class-weights 1 2 3: One for each of 2 classes is expected"),
        (
            ("--classes", "3", "--class-weights", "1", "2"),
            "--class-weights 1 2: One for each of 3 classes is expected",
        ),
        (
            ("--objective", "value", "--smoothing", "0.1"),
            "--smoothing 0.1 with objective value, expected classifier",
        ),
        (
            ("--objective", "outcome", "--class-weights", "1", "2"),
            "--class-weights 1 2 with objective outcome",
        ),
        (("--objective", "value", "--classes", "3"), "--classes 3 with objective value, expected classifier"),
        (("--outcome-tokens", "all"), "--outcome-tokens all with objective classifier, expected outcome"),
        (("--outcome-tokens", "steps"), "--outcome-tokens steps with objective classifier, expected outcome"),
        (
            ("--objective", "value", "--preference-output", "raw_then_tanh5"),
            "--preference-output raw_then_tanh5 with objective value, expected preference",
        ),
        (("--objective", "preference", "--trees", "problem"), "--trees problem with objective preference"),
        (
            ("--objective", "outcome", "--outcome-tokens", "all", "--trees", "problem"),
            "--outcome-tokens all, expected --weighting path with it: In trees of problems",
        ),
        (("--no-final-pairs",), "--no-final-pairs with objective classifier, expected preference"),
        (("--fill-pairs",), "--fill-pairs with objective classifier, expected preference"),
        (("--least-margin", "0.5"), "--least-margin 0.5 with objective classifier, expected preference"),
        (("--least-edit-distance", "20"), "--least-edit-distance 20 with objective classifier"),
        (
            ("--shard",),
            "--shard in one process, expected several: torchrun --nproc-per-node N -m ml train ...",
        ),
        (("--optimizer", "muon", "--shard"), "--optimizer muon with --shard, expected one of them"),
        (("--epochs", "5"), "--epochs 5 with --steps 3, expected one of them"),
    ],
)
def test_what_no_run_can_have_or_the_objective_ignores_is_refused(tmp_path, capsys, arguments, complaint):
    assert complaint in refusal(tmp_path, capsys, *arguments, snapshot=snapshot_of(tmp_path))
    assert not list(tmp_path.glob("checkpoint*"))


@pytest.mark.parametrize("neutral", ["drop", "negative"])
@pytest.mark.parametrize("is_frozen", [True, False])
def test_a_class_for_neutrals_that_the_rule_takes_away_is_refused(tmp_path, capsys, neutral, is_frozen):
    rule = {"labels": "human", "neutral": neutral if is_frozen else "positive"}
    snapshot = snapshot_of(tmp_path, with_neutrals(sums(20)), rule=rule)
    asked = () if is_frozen else ("--neutral", neutral)
    message = refusal(tmp_path, capsys, "--classes", "3", *asked, snapshot=snapshot)
    assert f"--classes 3 with labels whose neutral is {neutral}, expected --neutral positive" in message
    assert "--neutral positive" in message
    _, result = trained(tmp_path, capsys, "--classes", "3", "--neutral", "positive", snapshot=snapshot)
    assert result["label_rule"]["neutral"] == "positive"


def test_preferences_without_alternatives_are_refused_where_no_other_pairs_are(tmp_path, capsys):
    given = ("--objective", "preference", "--no-alternatives")
    message = refusal(tmp_path, capsys, *given, snapshot=snapshot_of(tmp_path))
    assert (
        "solutions to train on has a target for --objective preference under the rule --labels human"
        in message
    )


def test_a_problem_seen_in_training_is_reported_when_it_is_scored(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys)
    _, summary = scored(tmp_path, capsys, checkpoint, [*sums(2), *sums(2, seed=9)])
    assert summary["solutions_of_training_problems"] == 2


def test_what_a_base_and_a_second_opinion_were_trained_on_is_known_to_the_model_too(tmp_path, capsys):
    first, _ = trained(tmp_path, capsys, out="first")
    opinion, _ = trained(
        tmp_path, capsys, snapshot=snapshot_of(tmp_path, sums(4, seed=5), "five"), out="opinion"
    )
    rows = [
        replace(row, label_source=["automatic" if s else None for s in row.label_source])
        for row in sums(6, 7)
    ]
    later = snapshot_of(tmp_path, rows, "later", labels="automatic")
    asked = ("--base", str(first), "--second-opinion", str(opinion))
    model, _ = trained(tmp_path, capsys, *asked, snapshot=later, out="second")
    # 20 of the base, 4 of the second opinion, 6 of its own; and a model on top of it knows them all.
    assert len((model / "training_problems.txt").read_text().split()) == 30
    heir, _ = trained(tmp_path, capsys, "--base", str(model), snapshot=later, out="third")
    _, summary = scored(
        tmp_path, capsys, heir, [*sums(2), *sums(2, seed=5), *sums(2, seed=7), *sums(2, seed=9)]
    )
    assert summary["solutions_of_training_problems"] == 6


def test_scoring_from_a_torn_checkpoint_writes_nothing(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys)
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(MisstepError, match="differ from manifest"):
        scored(tmp_path, capsys, checkpoint, sums(2))
    assert not list(tmp_path.glob("scores.jsonl*"))


def test_the_tokens_that_came_need_classes_and_predict_beside_it(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path)
    message = refusal(tmp_path, capsys, "--head", "likelihood", "--objective", "value", snapshot=snapshot)
    assert "--head likelihood with objective value, expected classifier or outcome" in message
    lonely = refusal(tmp_path, capsys, "--language-weight", "1", snapshot=snapshot)
    assert "--language-weight 1, expected --head likelihood" in lonely
    tolerant = refusal(tmp_path, capsys, "--tolerance", "5", snapshot=snapshot)
    assert "--tolerance 5, expected --head likelihood with it" in tolerant
    outcomes = refusal(tmp_path, capsys, "--outcomes", snapshot=snapshot)
    assert "--outcomes, expected --head likelihood" in outcomes
    every = ("--objective", "outcome", "--head", "likelihood", "--outcome-tokens", "all")
    message = refusal(tmp_path, capsys, *every, snapshot=snapshot)
    assert "--outcome-tokens all: The tokens that came are read as whole steps" in message


def test_target_tokens_need_an_objective_with_classes(tmp_path, capsys):
    message = refusal(
        tmp_path, capsys, "--head", "tokens", "--objective", "value", snapshot=snapshot_of(tmp_path)
    )
    assert "--head tokens with objective value, expected classifier or outcome" in message
    lonely = refusal(tmp_path, capsys, "--target-tokens", "no", "yes", snapshot=tmp_path / "snapshot")
    assert "--target-tokens no yes, expected --head tokens with it" in lonely


@pytest.mark.parametrize(
    ("objective", "complaint"),
    [
        ("outcome --outcome-tokens last", r"all 10 outcomes to train on \(10 solutions\) are right"),
        ("classifier", r"all 30 labelled steps to train on \(10 solutions\) are right"),
    ],
)
def test_targets_of_one_class_are_refused_with_their_number(tmp_path, capsys, objective, complaint):
    right = [replace(row, options=[]) for row in sums(20) if row.first_mistake is None]
    with pytest.raises(MisstepError, match=complaint):
        trained(tmp_path, capsys, "--objective", *objective.split(), snapshot=snapshot_of(tmp_path, right))
    assert not (tmp_path / "checkpoint.state").exists()


def test_right_and_neutral_steps_are_one_class_also_where_these_have_one_of_their_own(tmp_path, capsys):
    right = [replace(row, options=[]) for row in with_neutrals(sums(20)) if row.first_mistake is None]
    arguments = ("--classes", "3", "--labels", "human", "--neutral", "positive")
    with pytest.raises(MisstepError, match=r"all 30 labelled steps to train on \(10 solutions\) are right"):
        trained(tmp_path, capsys, *arguments, snapshot=snapshot_of(tmp_path, right))


def test_soft_labels_above_a_half_are_no_single_class(tmp_path, capsys):
    right = [replace(row, options=[]) for row in sums(20) if row.first_mistake is None]
    soft = [replace(row, labels=[0.9, 0.8, 0.7 + 0.01 * k]) for k, row in enumerate(right)]
    trained(tmp_path, capsys, snapshot=snapshot_of(tmp_path, soft))
