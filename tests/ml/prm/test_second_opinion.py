"""Labels that an earlier model cannot believe are left out; what people said never is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from ml.errors import MisstepError
from ml.prm import second_opinion
from ml.prm.second_opinion import SecondOpinion, is_believed, refuse_useless, without, without_rollouts
from ml.targets import LabelRule
from tests.ml.prm.commands import automatic_snapshot, trained
from tests.ml.prm.toys import sums

BY_ROLLOUTS = ("--labels", "automatic")
# Where no mistake is believed, hard labels would all be right, which is refused.
SHARES = (*BY_ROLLOUTS, "--target", "soft")
# Three updates leave every score near a half: each is sure enough to be above 0.01, and none is below 0.
DENY_MISTAKES = ("--second-opinion-sure", "0.01", "--second-opinion-doubtful", "0.0")


def row(labels, first, source="automatic"):
    sources = source if isinstance(source, list) else [None if label is None else source for label in labels]
    return replace(sums(1)[0], labels=labels, label_source=sources, first_mistake=first)


def test_an_opinion_is_asked_where_a_second_method_confirmed_rollouts_that_nobody_judged():
    rule = LabelRule("mixed", mixture="consensus")
    judged = row([1.0, 0.0, None], 1, source="human")
    refuse_useless(rule, [judged, row([1.0, 0.0, None], 1)])
    with pytest.raises(MisstepError, match=r"labels mixed by consensus, expected .* consensus with a second"):
        refuse_useless(rule, [judged])


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
        # Soft labels of right steps lie anywhere above nothing; what counts is where the first mistake stands.
        ([0.25, 0.0, None], 1, [0.05, 0.2, 0.0], False),
        ([0.25, 0.0, None], 1, [0.9, 0.2, 0.0], True),
        # Where none was named, a low share and a low score say the same, and only a high share is denied.
        ([0.9, 0.02, 0.9], None, [0.9, 0.03, 0.9], True),
        ([0.9, 0.5, 0.9], None, [0.9, 0.03, 0.9], True),
        ([0.9, 0.6, 0.9], None, [0.9, 0.03, 0.9], False),
        # Behind the first mistake a step has no verdict to deny, also where its label was kept.
        ([1.0, 0.0, 1.0], 1, [0.9, 0.2, 0.0], True),
    ],
)
def test_a_sure_score_against_what_rollouts_hold_is_what_counts(opinion, labels, first, scores, is_kept):
    assert is_believed(row(labels, first), scores, opinion) is is_kept


def test_people_are_believed_whatever_the_model_says(opinion):
    assert is_believed(row([1.0, 0.0, None], 1, source="human"), [0.0, 1.0, 1.0], opinion)


def test_of_a_row_that_both_judged_people_keep_theirs():
    both = row([1.0, 1.0, 0.0], 2, source=["human", "automatic", "human"])
    left = without_rollouts(both)
    assert (left.labels, left.label_source) == ([1.0, None, 0.0], ["human", None, "human"])
    assert left.first_mistake == 2 and left.options == both.options
    named = without_rollouts(row([1.0, 0.0, None], 1, source=["human", "automatic", None]))
    assert (named.labels, named.first_mistake) == ([1.0, None, None], None)


def test_what_was_asked_is_counted_also_where_all_is_believed():
    counts = Counter()
    rows = [row([1.0, 1.0, 1.0], None)]
    assert without(rows, {"places": [], "asked_rows": 1, "unasked_steps": 2}, counts) == rows
    assert counts == {"opinion_rows": 1, "disbelieved_rows": 0, "opinion_unasked_steps": 2}


def test_training_leaves_disbelieved_solutions_out_and_says_so_on_the_card(tmp_path, capsys):
    earlier, _ = trained(tmp_path, capsys, out="earlier")
    snapshot = automatic_snapshot(tmp_path)
    given = (*SHARES, "--second-opinion", str(earlier), *DENY_MISTAKES)
    out, printed = trained(tmp_path, capsys, *given, snapshot=snapshot, out="later")
    counts = printed["counts"]
    assert (counts["opinion_rows"], counts["disbelieved_rows"], counts["train_examples"]) == (20, 10, 10)
    said = json.loads((out / "card.json").read_text())["config"]["second_opinion"]
    assert (said["sure"], said["doubtful"]) == (0.01, 0.0) and len(said["manifest_sha256"]) == 64


def test_without_labels_solutions_teach_by_their_answers(tmp_path, capsys):
    earlier, _ = trained(tmp_path, capsys, out="earlier")
    snapshot = automatic_snapshot(tmp_path)
    given = (*BY_ROLLOUTS, "--second-opinion", str(earlier), *DENY_MISTAKES)
    more = ("--head", "likelihood", "--outcomes")
    _, printed = trained(tmp_path, capsys, *given, *more, snapshot=snapshot, out="later")
    assert printed["counts"]["solutions_read_by_outcome"] == 10


def test_a_resumed_run_asks_nobody_a_second_time_and_ends_in_the_same_weights(tmp_path, capsys, monkeypatch):
    earlier, _ = trained(tmp_path, capsys, out="earlier")
    snapshot = automatic_snapshot(tmp_path)
    given = (
        *SHARES,
        "--second-opinion",
        str(earlier),
        *DENY_MISTAKES,
        "--save-every",
        "1",
        "--keep-state",
    )
    undisturbed, _ = trained(tmp_path, capsys, *given, snapshot=snapshot, out="one")
    first, _ = trained(tmp_path, capsys, *given, snapshot=snapshot, out="two")
    for path in sorted(first.iterdir()):
        path.unlink()

    def nobody(*_):
        raise AssertionError("asked again")

    monkeypatch.setattr(second_opinion, "_asked", nobody)
    second, _ = trained(tmp_path, capsys, *given, snapshot=snapshot, out="two")
    weights = [(folder / "model.safetensors").read_bytes() for folder in (undisturbed, second)]
    assert weights[0] == weights[1]


def test_an_opinion_needs_a_classifier_labels_of_rollouts_and_thresholds_that_leave_room(tmp_path, capsys):
    outcome, _ = trained(tmp_path, capsys, "--objective", "outcome", out="outcome")
    snapshot = automatic_snapshot(tmp_path)
    asked = ("--second-opinion", str(outcome))
    for given, complaint in (
        ((*BY_ROLLOUTS, *asked), "has objective outcome, expected classifier"),
        ((*BY_ROLLOUTS, "--second-opinion-sure", "0.7"), "expected --second-opinion with it"),
        (
            (*BY_ROLLOUTS, *asked, "--second-opinion-sure", "0.01"),
            "Doubt has to begin below 0.01, where it is sure",
        ),
        ((*BY_ROLLOUTS, *asked, "--objective", "outcome"), "with objective outcome"),
        ((*BY_ROLLOUTS, "--second-opinion", str(tmp_path)), "is no checkpoint"),
        (("--labels", "human", *asked), "with labels human, expected automatic"),
        (("--labels", "mixed", "--label-rule", "consensus", *asked), "with labels mixed by consensus"),
    ):
        with pytest.raises(MisstepError, match=complaint):
            trained(tmp_path, capsys, *given, snapshot=snapshot)
    assert not (tmp_path / "checkpoint").exists()
