"""What the validation split can say: labelled steps also beside the trajectory, and no figure that nothing showed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ml.prm.distributed import Group
from ml.prm.train import TrainingSettings
from ml.prm.validation import Validation
from ml.prm.validation_steps import asked_of, step_figures
from ml.targets import LabelRule
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.test_training import STEPS, sized_model
from tests.ml.prm.test_validating import history
from tests.ml.prm.toys import examples_of, sums

HUMAN = LabelRule("human")
CARD = {
    "objective": "classifier",
    "label_rule": {"labels": "human", "neutral": "positive"},
    "config": {"alternatives": True, "outcome_tokens": "last", "preference_output": "tanh"},
}
THRESHOLDED = {"threshold", "f1", "accuracy_wrong", "accuracy_right", "exact"}


def right_ones(count):
    """Held-out solutions without a mistake, each with a wrong alternative, as PRM800K's phase 1 has them."""
    return [row for row in sums(2 * count, seed=1, split="validation") if row.first_mistake is None]


def test_without_wrong_solutions_the_alternatives_still_tell_and_f1_is_left_out(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path, [*sums(20), *right_ones(6)])
    checkpoint, result = trained(tmp_path, capsys, "--validate-every", "3", snapshot=snapshot)
    found = result["metrics"]["validation"]
    assert (found["count"], found["count_wrong"], found["count_right"]) == (6, 0, 6)
    assert not THRESHOLDED & found.keys()
    # Three steps of each solution; of the two alternatives one is rated wrong and one says a step over again.
    assert found["step_count_wrong"] == 6 and found["step_count"] > 18
    assert 0 <= found["step_auc"] <= 1 and 0 <= found["step_accuracy"] <= 1
    last = history(checkpoint)[-1]
    assert last["validation_step_auc"] == found["step_auc"] and "validation_f1" not in last


def test_alternatives_that_are_not_trained_on_are_not_measured_either(tmp_path, capsys):
    snapshot = snapshot_of(tmp_path, [*sums(20), *right_ones(6)])
    _, result = trained(tmp_path, capsys, "--no-alternatives", snapshot=snapshot)
    found = result["metrics"]["validation"]
    assert (found["step_count"], found["step_count_wrong"]) == (18, 0) and "step_auc" not in found


def test_a_solution_without_a_verdict_counts_by_its_labelled_steps(tmp_path, capsys):
    given_up = [
        replace(row, human={"ratings": [1, 1, 1], "finish_reason": "give_up"}) for row in right_ones(3)
    ]
    _, result = trained(tmp_path, capsys, snapshot=snapshot_of(tmp_path, [*sums(20), *given_up]))
    found = result["metrics"]["validation"]
    assert found["count"] == 0 and found["step_count"] >= 9 and not THRESHOLDED & found.keys()


def test_what_is_asked_of_a_row_is_what_training_would_take():
    row = replace(
        sums(2)[1],
        labels=[1.0, 0.0, None],
        label_source=["human", "human", None],
        first_mistake=1,
        options=[
            {"position": 0, "text": "good", "rating": 1, "q_value": None},
            {"position": 1, "text": "bad", "rating": -1, "q_value": None},
            {"position": 1, "text": "bad", "rating": 1, "q_value": None},
            {"position": 1, "text": "unrated", "rating": None, "q_value": 0.5},
            {"position": 2, "text": "behind the mistake", "rating": 1, "q_value": None},
        ],
    )
    asked = asked_of(row, HUMAN, with_alternatives=True)
    assert [one.steps[-1] for one in asked.solutions[1:]] == ["good", "bad"]
    assert asked.right == [True, False, None, True, False]
    # The second alternative does not fit the context.
    scores = [[0.9, 0.2, 0.1], [0.8], [0.3, None]]
    assert list(asked.measured(scores)) == [(0.9, True), (0.2, False), (0.8, True)]
    assert asked_of(row, LabelRule("automatic"), with_alternatives=True).right == [True, False, None]


def test_a_half_of_the_rollouts_is_a_right_step_and_a_half_of_the_people_is_none():
    row = replace(
        sums(1)[0], labels=[1.0, 0.5, 0.5], label_source=["human", "automatic", "human"], options=[]
    )
    assert asked_of(row, LabelRule("mixed", target="soft"), with_alternatives=False).right == [
        True,
        True,
        None,
    ]


def test_step_figures_are_those_of_hand_worked_scores():
    found = step_figures([(0.9, True), (0.4, True), (0.6, False), (0.1, False)], is_classifier=True)
    assert found == {"step_count": 4, "step_count_wrong": 2, "step_auc": 0.75, "step_accuracy": 0.5}
    assert step_figures([(0.9, True)], is_classifier=False) == {"step_count": 1, "step_count_wrong": 0}
    assert step_figures([], is_classifier=True) == {}


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_a_look_that_is_asked_to_stop_ends_before_its_next_row(looks):
    rows = sums(4, split="validation")
    examples = examples_of("classifier", rows, STEPS)
    settings = TrainingSettings("classifier", 1, tokens_per_row=1)
    look = Validation(sized_model("classifier"), STEPS, CARD, rows, examples, settings, Group())
    asked = iter(range(100))
    # Four rows, each of one problem, for the loss and the scores.
    assert look(lambda: next(asked) >= looks) is None and look.figures is None
    assert next(asked) == looks + 1
    assert look() is not None and look.figures is not None
