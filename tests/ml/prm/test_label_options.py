"""Whose labels a run trains on, and by which rule: what the snapshot says, until the command says otherwise."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from ml.errors import MisstepError
from ml.prm import train
from ml.targets import LabelRule, label_rows
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.toys import forget_last_state, sums

SEARCH = {"visits": [4] * 3, "correct": [4, 3, 1]}
PERSON = {"ratings": [1, None, None], "first_mistake": None, "finish_reason": "give_up", "annotators": 1}

# Both call the first step wrong, and say nothing behind it: labels of one class are refused.
WRONG = {**PERSON, "ratings": [-1, None, None], "first_mistake": 0, "finish_reason": "found_error"}
FAILED = {"visits": [4] * 3, "correct": [0, 0, 0]}


def frozen(tmp_path, labels, **rule):
    """Solutions of which a person rated the first step and a search all three, the last one wrong; frozen by a rule."""
    chosen = LabelRule(labels, **rule)
    rows = [replace(row, human=PERSON, automatic=SEARCH, options=[]) for row in sums(8)]
    rows[-1] = replace(rows[-1], human=WRONG, automatic=FAILED)
    return snapshot_of(tmp_path, label_rows(rows, chosen), name=labels, labels=labels, rule=asdict(chosen))


def card_of(checkpoint):
    return json.loads((checkpoint / "card.json").read_text())


@pytest.mark.parametrize(("labels", "steps"), [("human", 8), ("automatic", 22), ("mixed", 22)])
def test_without_a_label_option_the_frozen_labels_serve_whoever_gave_them(tmp_path, capsys, labels, steps):
    snapshot = frozen(tmp_path, labels)
    card = card_of(trained(tmp_path, capsys, snapshot=snapshot)[0])
    assert card["counts"]["labelled_steps"] == steps
    assert card["label_rule"]["labels"] == labels and card["config"]["frozen_labels"]


@pytest.mark.parametrize(
    ("labels", "options", "part"),
    [
        ("mixed", ("--label-rule", "fusion"), ("mixture", "fusion")),
        ("mixed", ("--target", "soft"), ("target", "soft")),
        ("automatic", ("--target", "soft"), ("target", "soft")),
        ("human", ("--neutral", "drop"), ("neutral", "drop")),
    ],
)
def test_an_option_without_labels_decides_the_snapshots_kind_of_labels_anew(
    tmp_path, capsys, labels, options, part
):
    card = card_of(trained(tmp_path, capsys, *options, snapshot=frozen(tmp_path, labels))[0])
    assert card["label_rule"] == {**asdict(LabelRule(labels)), part[0]: part[1]}
    assert not card["config"]["frozen_labels"]


def test_other_labels_than_the_frozen_ones_are_not_called_frozen(tmp_path, capsys):
    card = card_of(trained(tmp_path, capsys, "--labels", "human", snapshot=frozen(tmp_path, "mixed"))[0])
    assert card["label_rule"]["labels"] == "human" and not card["config"]["frozen_labels"]
    assert card["counts"]["labelled_steps"] == 8


@pytest.mark.parametrize(
    ("labels", "options", "complaint"),
    [
        ("automatic", ("--label-rule", "fusion"), "--label-rule .* labels automatic, expected labels mixed"),
        ("human", ("--target", "soft"), "--target .* labels human, expected labels automatic or mixed"),
        ("human", ("--threshold", "0.5"), "--threshold .* labels human"),
        ("mixed", ("--labels", "human", "--target", "soft"), "--target .* labels human"),
        (
            "mixed",
            ("--labels", "human", "--automatic-weight", "2"),
            "--automatic-weight .* expected labels mixed",
        ),
        (
            "mixed",
            ("--labels", "automatic", "--neutral", "drop"),
            "--neutral .* expected labels human or mixed",
        ),
        (
            "mixed",
            ("--label-rule", "consensus", "--target", "soft"),
            "--target .* labels mixed by consensus, expected --label-rule people_override or agreement_weighted",
        ),
        ("mixed", ("--label-rule", "fusion", "--target", "hard"), "--target .* labels mixed by fusion"),
        (
            "mixed",
            ("--label-rule", "fusion", "--threshold", "0.5"),
            "--threshold .* mixed by fusion, expected --label-rule people_override or consensus or agreement_",
        ),
        (
            "mixed",
            ("--automatic-weight", "2"),
            "--automatic-weight .* people_override, expected --label-rule agreement_weighted with it",
        ),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(tmp_path, capsys, labels, options, complaint):
    with pytest.raises(MisstepError, match=complaint):
        trained(tmp_path, capsys, *options, snapshot=frozen(tmp_path, labels))
    assert not (tmp_path / "checkpoint").exists()


def test_a_run_goes_on_whether_or_not_its_frozen_labels_are_named(tmp_path, capsys, monkeypatch):
    snapshot = frozen(tmp_path, "mixed")
    kept = ("--save-every", "1", "--keep-state")
    first, _ = trained(tmp_path, capsys, *kept, snapshot=snapshot)
    for path in sorted(first.iterdir()):
        path.unlink()
    forget_last_state(tmp_path / "checkpoint.state")

    update, again = train.gradients_of, []
    monkeypatch.setattr(train, "gradients_of", lambda *given: again.append(1) or update(*given))
    trained(tmp_path, capsys, *kept, "--labels", "mixed", snapshot=snapshot)
    assert len(again) == 1


@pytest.mark.parametrize("is_frozen", [True, False])
def test_a_classifier_of_quality_values_is_refused_and_a_value_model_of_them_is_not(
    tmp_path, capsys, is_frozen
):
    snapshot = frozen(tmp_path, "mixed", **({"target": "quality_value"} if is_frozen else {}))
    asked = () if is_frozen else ("--target", "quality_value")
    with pytest.raises(MisstepError, match="target is quality_value, expected --target hard or soft"):
        trained(tmp_path, capsys, *asked, snapshot=snapshot)
    trained(tmp_path, capsys, "--objective", "value", *asked, snapshot=snapshot)


@pytest.mark.parametrize("mixture", ["fusion", "agreement_weighted"])
@pytest.mark.parametrize("is_frozen", [True, False])
def test_a_class_for_neutrals_that_a_mean_swallows_is_refused(tmp_path, capsys, mixture, is_frozen):
    snapshot = frozen(tmp_path, "mixed", **({"mixture": mixture} if is_frozen else {}))
    asked = () if is_frozen else ("--label-rule", mixture)
    with pytest.raises(
        MisstepError, match=f"--classes 3 with labels whose mixture is {mixture}, expected --label-rule"
    ):
        trained(tmp_path, capsys, "--classes", "3", *asked, snapshot=snapshot)
    trained(tmp_path, capsys, "--classes", "3", "--label-rule", "people_override", snapshot=snapshot)
