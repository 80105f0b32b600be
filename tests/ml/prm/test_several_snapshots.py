"""A model is trained on several snapshots together: each solution once, and never on labels that contradict."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ml.commands import train as train_command
from ml.errors import MisstepError
from ml.joined_snapshot import join
from ml.snapshot import read_snapshot
from tests.ml.prm.commands import QUICK, snapshot_of
from tests.ml.prm.toys import sums


def with_evidence(row):
    """The row with the ratings that its labels were made of."""
    ratings = [None if label is None else 1 if label else -1 for label in row.labels]
    reason = "solution" if row.first_mistake is None else "found_error"
    said = {"ratings": ratings, "first_mistake": row.first_mistake, "finish_reason": reason}
    return replace(row, human=said)


def two(tmp_path, second=None, **manifest):
    """Snapshots of twelve solutions and of eight others, or of `second`; the rows of both have the same ids."""
    rows = sums(20, seed=3)
    others = [replace(row, id=rows[place].id, problem_id="0") for place, row in enumerate(rows[12:])]
    rows, others = ([with_evidence(row) for row in some] for some in (rows, others))
    held_out = sums(4, seed=1, split="validation")
    first = snapshot_of(tmp_path, [*rows[:12], *held_out], name="first")
    return first, snapshot_of(tmp_path, others if second is None else second, name="second", **manifest)


def train(tmp_path, *folders, options=(), out="checkpoint"):
    named = [word for folder in folders for word in ("--snapshot", str(folder))]
    assert train_command.main([*named, "--out", str(tmp_path / out), *QUICK, *options]) == 0
    return json.loads((tmp_path / out / "card.json").read_text())


def test_a_model_is_trained_on_all_of_several_snapshots_and_its_card_names_each(tmp_path):
    folders = two(tmp_path)
    card = train(tmp_path, *folders)
    assert card["counts"]["train_rows"] == 20
    assert [part["sha256"] for part in card["snapshot"]["snapshots"]] == [
        read_snapshot(folder).sha256 for folder in folders
    ]
    assert card["snapshot"]["repeated_solutions"] == 0
    assert card["snapshot"]["sha256"] not in [part["sha256"] for part in card["snapshot"]["snapshots"]]


def test_one_snapshot_is_named_on_the_card_as_ever(tmp_path):
    first, _ = two(tmp_path)
    sha256 = read_snapshot(first).sha256
    assert train(tmp_path, first)["snapshot"] == {"sha256": sha256, "name": "sums"}


def test_a_solution_that_both_have_with_the_same_labels_counts_once_and_is_told(tmp_path, capsys):
    rows = sums(20, seed=3)
    folders = two(tmp_path, [replace(row, id=f"other-{row.id}") for row in rows[6:]])
    card = train(tmp_path, *folders)
    assert card["counts"]["train_rows"] == 20 and card["snapshot"]["repeated_solutions"] == 6
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["snapshot"]["repeated_solutions"] == 6


def test_labels_of_one_solution_that_contradict_each_other_are_refused_with_the_record(tmp_path):
    row = sums(20, seed=3)[1]
    flipped = [None if label is None else 1 - label for label in row.labels]
    folders = two(tmp_path, [replace(row, labels=flipped, first_mistake=None)])
    with pytest.raises(
        MisstepError, match=rf"second: record {row.id} has other labels than in a snapshot before"
    ):
        train(tmp_path, *folders)
    assert not (tmp_path / "checkpoint").exists()


def test_the_same_content_twice_is_refused(tmp_path):
    first, _ = two(tmp_path)
    with pytest.raises(MisstepError, match="2 times, expected each once"):
        train(tmp_path, first, first)


def test_labels_frozen_by_different_rules_are_refused_unless_all_are_made_anew(tmp_path):
    folders = two(tmp_path, rule={"neutral": "negative"})
    with pytest.raises(MisstepError, match=r"frozen by different rules .* expected --labels"):
        train(tmp_path, *folders)
    card = train(tmp_path, *folders, options=["--labels", "human"])
    assert card["label_rule"]["neutral"] == "positive" and card["counts"]["train_rows"] == 20


def test_rules_that_differ_only_in_what_changes_nothing_are_no_different_rules(tmp_path):
    folders = two(tmp_path, rule={"mixture": "consensus", "target": "soft"})
    assert train(tmp_path, *folders)["counts"]["train_rows"] == 20


def test_other_evidence_of_one_solution_is_refused_where_labels_are_made_anew(tmp_path):
    (row,) = (with_evidence(row) for row in sums(20, seed=3)[1:2])
    folders = two(tmp_path, [replace(row, human={**row.human, "annotators": 3})])
    assert train(tmp_path, *folders)["snapshot"]["repeated_solutions"] == 1
    with pytest.raises(MisstepError, match="has other evidence than in a snapshot before"):
        train(tmp_path, *folders, options=["--neutral", "drop"], out="anew")


def test_other_labels_and_posteriors_of_the_same_evidence_are_no_contradiction_where_all_are_made_anew(
    tmp_path,
):
    (row,) = (with_evidence(row) for row in sums(20, seed=3)[1:2])
    assert row.first_mistake == 1
    labels, posterior = [1.0, *[0.0] * (len(row.steps) - 1)], [0.9] * len(row.steps)
    other = replace(
        row, labels=labels, label_source=["human"] * len(labels), human={**row.human, "posterior": posterior}
    )
    folders = two(tmp_path, [other], rule={"after_mistake": "wrong"})
    card = train(tmp_path, *folders, options=["--labels", "human"])
    assert card["snapshot"]["repeated_solutions"] == 1


def test_each_of_several_snapshots_may_be_read_by_a_manifest_of_its_own_and_not_one_of_them(tmp_path):
    first, second = two(tmp_path)
    manifest = json.loads((second / "manifest.json").read_text())
    (tmp_path / "own.json").write_text(json.dumps({**manifest, "name": "own"}))
    options = ["--manifest", str(first / "manifest.json")]
    with pytest.raises(MisstepError, match="1 manifests for 2 snapshots"):
        train(tmp_path, first, second, options=options)
    card = train(tmp_path, first, second, options=[*options, "--manifest", str(tmp_path / "own.json")])
    assert [one["name"] for one in card["snapshot"]["snapshots"]] == ["sums", "own"]


def test_rows_of_one_number_in_two_snapshots_stay_apart_and_those_of_one_problem_come_together(tmp_path):
    rows = list(join([read_snapshot(folder) for folder in two(tmp_path)], None, {}))
    assert len({row.id for row in rows}) == len(rows)
    problems = {row.problem for row in rows}
    assert len({row.problem_id for row in rows}) == len(problems)


def test_a_run_on_several_goes_on_with_the_same_ones_alone(tmp_path):
    first, second = two(tmp_path)
    third = snapshot_of(tmp_path, sums(8, seed=9), name="third")
    kept = ["--save-every", "1", "--keep-state"]
    card = train(tmp_path, first, second, options=kept)
    (tmp_path / "checkpoint").rename(tmp_path / "before")
    for others in ((first, third), (first,), (second, first)):
        with pytest.raises(MisstepError, match=r"checkpoint\.state"):
            train(tmp_path, *others, options=kept)
    assert train(tmp_path, first, second, options=kept)["snapshot"] == card["snapshot"]
