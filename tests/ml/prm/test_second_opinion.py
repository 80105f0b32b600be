"""Labels that an earlier model cannot believe are left out; what people said never is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ml.errors import MisstepError
from ml.prm.second_opinion import SecondOpinion, is_believed
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.toys import sums


def row(labels, first, source="automatic"):
    base = sums(1)[0]
    sources = [None if label is None else source for label in labels]
    return replace(base, labels=labels, label_source=sources, first_mistake=first)


@pytest.fixture
def opinion(tmp_path):
    return SecondOpinion(tmp_path, sure=0.6, doubtful=0.1)


@pytest.mark.parametrize(
    ("labels", "first", "scores", "is_kept"),
    [
        ([1.0, 0.0, None], 1, [0.9, 0.6, 0.0], True),
        ([1.0, 0.0, None], 1, [0.9, 0.61, 0.0], False),
        ([1.0, 0.0, None], 1, [0.1, 0.2, 0.0], True),
        ([1.0, 0.0, None], 1, [0.09, 0.2, 0.0], False),
        ([1.0, 1.0, 1.0], None, [0.9, 0.9, 0.05], False),
        ([1.0, 1.0, 1.0], None, [0.9, 0.9, None], True),
        ([None, None, None], None, [0.0, 0.0, 0.0], True),
    ],
)
def test_a_sure_score_against_a_label_of_the_search_is_what_counts(opinion, labels, first, scores, is_kept):
    assert is_believed(row(labels, first), scores, opinion) is is_kept


def test_people_are_believed_whatever_the_model_says(opinion):
    assert is_believed(row([1.0, 0.0, None], 1, source="human"), [0.0, 1.0, 1.0], opinion)


def automatic_snapshot(tmp_path, rows, name="automatic"):
    """The rows with their labels as the search's own word."""
    evidence = [
        replace(
            r,
            automatic={
                "visits": [4] * 3,
                "soft": [
                    0.0 if r.first_mistake is not None and k >= r.first_mistake else 1.0 for k in range(3)
                ],
            },
            human=None,
        )
        for r in rows
    ]
    return snapshot_of(tmp_path, evidence, name=name)


def test_training_leaves_disbelieved_solutions_out_and_says_so_on_the_card(tmp_path, capsys):
    earlier, _ = trained(tmp_path, capsys, out="earlier")
    snapshot = automatic_snapshot(tmp_path, sums(20))
    given = ("--labels", "automatic", "--label-rule", "people_override", "--second-opinion", str(earlier))
    # Three updates leave every score near a half: sure enough to be above 0.01 is each of them.
    thresholds = ("--second-opinion-sure", "0.01", "--second-opinion-doubtful", "0.0")
    out, printed = trained(tmp_path, capsys, *given, *thresholds, snapshot=snapshot, out="later")
    assert printed["counts"]["disbelieved_rows"] == 10
    assert printed["counts"]["train_examples"] == 10
    said = json.loads((out / "card.json").read_text())["config"]["second_opinion"]
    assert (said["sure"], said["doubtful"]) == (0.01, 0.0) and len(said["manifest_sha256"]) == 64


def test_an_opinion_needs_a_classifier_and_thresholds_that_leave_room(tmp_path, capsys):
    outcome, _ = trained(tmp_path, capsys, "--objective", "outcome", out="outcome")
    snapshot = automatic_snapshot(tmp_path, sums(20))
    given = ("--labels", "automatic", "--label-rule", "people_override")
    for more, complaint in (
        (("--second-opinion", str(outcome)), "has objective outcome, expected classifier"),
        (("--second-opinion-sure", "0.7"), "expected --second-opinion with it"),
        (
            ("--second-opinion", str(outcome), "--second-opinion-sure", "0.01"),
            "0 <= doubtful < sure <= 1",
        ),
        (("--second-opinion", str(outcome), "--objective", "outcome"), "with objective outcome"),
    ):
        with pytest.raises(MisstepError, match=complaint):
            trained(tmp_path, capsys, *given, *more, snapshot=snapshot)
    assert not (tmp_path / "checkpoint").exists()
