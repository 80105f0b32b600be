"""What one more human label is worth in rollouts, worked out by hand, and the choice of active learning."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ml.snapshot import SnapshotRow
from tests.benchmarks import learning_curves
from tests.benchmarks.learning_curves import AUTOMATIC, FEW, HUMAN, MANY, worth
from tests.benchmarks.support import pocket_prm
from tests.benchmarks.support.pocket_pool import Unlabelled, by_person, by_rollouts


def points(name, *pairs):
    return [{name: x, "f1": f1} for x, f1 in pairs]


def test_a_labels_worth_is_read_between_the_searchs_points():
    curves = {
        HUMAN: points("labelled", (10, 0.5), (20, 0.6), (40, 0.9)),
        AUTOMATIC[MANY]: points("rollouts", (100, 0.4), (400, 0.6), (1600, 0.8)),
        AUTOMATIC[FEW]: points("rollouts", (50, 0.55), (100, 0.5), (200, 0.6)),
    }
    rows = {(row["rollouts_a_step"], row["human_labels"]): row for row in worth(curves)}
    # Half way between 0.4 and 0.6 on a logarithmic axis is the geometric mean of 100 and 400.
    assert rows[MANY, 10]["equal_rollouts"] == pytest.approx(200)
    assert rows[MANY, 10]["rollouts_per_label"] == pytest.approx(20)
    assert rows[MANY, 20]["equal_rollouts"] == pytest.approx(400)
    assert rows[MANY, 10]["next_label_in_rollouts"] == pytest.approx(20)
    # The search never reaches 0.9, and the first point of the other curve lies above 0.5 already.
    assert rows[MANY, 40]["equal_rollouts"] is None and rows[MANY, 20]["next_label_in_rollouts"] is None
    assert rows[FEW, 10]["equal_rollouts"] is None
    # A larger purchase is never worth less: 0.55 and 0.5 both count as their mean.
    assert rows[FEW, 20]["equal_rollouts"] == pytest.approx(200)


def unlabelled(name: str, is_correct: bool, first_mistake: int | None = None) -> Unlabelled:
    row = SnapshotRow(
        name, name, f"{name} =", ["a", "b"], "train", [None] * 2, [None] * 2, is_correct=is_correct
    )
    return Unlabelled(row, first_mistake, {"visits": [8, 8], "correct": [8, 0]})


def test_four_fifths_of_the_chosen_are_convincing_wrong_answers(monkeypatch):
    first = [unlabelled(f"first {k}", True) for k in range(2)]
    wrong = [unlabelled(f"wrong {k}", False, 1) for k in range(9)]
    right = [unlabelled(f"right {k}", True) for k in range(9)]
    convincing = {one.row.id: float(one.row.id[-1]) / 10 for one in [*wrong, *right]}
    monkeypatch.setattr(learning_curves, "trained", lambda rows, recipe, seed: None)
    monkeypatch.setattr(
        learning_curves, "scores_of", lambda prm, pool: [[convincing[one.row.id], 1.0] for one in pool]
    )
    options = SimpleNamespace(
        epochs=1,
        batch_size=1,
        learning_rate=1e-3,
        head="linear",
        base="pocket",
        least_updates=1,
        sizes=[1, 2, 7],
        selector=2,
    )
    campaign = learning_curves._Campaign([*first, *wrong, *right], [], options)
    chosen = [one.row.id for one in campaign._chosen(first, 7, seed=0)]
    assert learning_curves.ACTIVE not in {curve for curve, size in campaign.plan() if size <= 2}
    assert (learning_curves.ACTIVE, 7) in campaign.plan()
    assert chosen == ["first 0", "first 1", "wrong 8", "wrong 7", "wrong 6", "wrong 5", "right 8"]


def test_updates_grow_with_the_labels_and_are_never_fewer_than_asked_for(monkeypatch):
    updates = []
    monkeypatch.setattr(pocket_prm, "train", lambda model, examples, settings: updates.append(settings.steps))
    rows = [by_person(unlabelled(f"x {k}", False, 1)) for k in range(64)]
    for size in (3, 16, 64):
        pocket_prm.trained(rows[:size], pocket_prm.Recipe(2.0, 16, 1e-3, "linear"), seed=0)
    pocket_prm.trained(rows[:3], pocket_prm.Recipe(2.0, 16, 1e-3, "linear", least_updates=5), seed=0)
    assert updates == [2, 2, 8, 5]


def test_people_stop_at_the_first_mistake_and_rollouts_are_counted():
    one = unlabelled("x", False, 0)
    assert by_person(one).labels == [0.0, None]
    row, spent = by_rollouts(one, 2, seed=0)
    assert spent == 4 and row.labels == [1.0, 0.0] and row.automatic["visits"] == [2, 2]
