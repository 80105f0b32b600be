"""How sure the figures of first mistakes are: intervals over problems, with thresholds as they were chosen."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.first_mistake import metric
from ml.evaluation.first_mistake_figures import figures, shares, sums_by_problem
from ml.evaluation.judged import JudgedSolution
from ml.snapshot import problem_hash
from tests.ml.evaluation.test_first_mistake import drawn, evaluated, files

MEASURES = {"f1", "accuracy_wrong", "accuracy_right", "exact"}
BY_WHAT_IS_KNOWN = ("by_scores", "with_share", "with_answers")


def rows_of(truths, problems):
    return [JudgedSolution([], truth, None, name) for truth, name in zip(truths, problems, strict=True)]


def test_every_set_of_figures_of_the_command_has_intervals_around_it(tmp_path, capsys):
    paths = files(tmp_path, *drawn(1))
    known = tmp_path / "training_problems.txt"
    known.write_text("\n".join(problem_hash(f"problem {index}") for index in range(20)))
    report = evaluated(capsys, *paths, "--training-problems", str(known))
    unseen = report["unseen"]
    likely = [
        each[name] for each in (report["most_likely"], unseen["most_likely"]) for name in BY_WHAT_IS_KNOWN
    ]
    for found in (report, report["held_out"], report["most_likely"], unseen, unseen["most_likely"], *likely):
        assert set(found["intervals"]) == MEASURES
        assert all(low <= found[name] <= high for name, (low, high) in found["intervals"].items())
        assert found["intervals"]["f1"][0] < found["f1"] < found["intervals"]["f1"][1]
    assert report == evaluated(capsys, *paths, "--training-problems", str(known))


def test_an_interval_of_a_share_covers_as_often_as_it_says():
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(60):
        said = [None if right else 0 for right in generator.random(80) < 0.7]
        low, high = figures(said, rows_of([None] * 80, map(str, range(80))))["intervals"]["accuracy_right"]
        covered += low <= 0.7 <= high
    assert covered >= 52


def test_problems_are_drawn_and_not_their_solutions():
    said, truths = [0] * 40 + [None] * 40, [0] * 20 + [None] * 40 + [0] * 20
    alone = figures(said, rows_of(truths, map(str, range(80))))["intervals"]["exact"]
    # Ten solutions of a problem that are right or wrong together say no more than one of them.
    together = figures(said, rows_of(truths, [str(index // 10) for index in range(80)]))["intervals"]["exact"]
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_the_sums_of_problems_give_the_metric_s_own_shares():
    scores, truths = drawn(3)
    said = [None if index % 3 else 0 for index in range(len(scores))]
    sums = sums_by_problem(said, truths, [str(index % 7) for index in range(len(scores))])
    found = metric(said, truths)
    names = ("f1", "accuracy_wrong", "accuracy_right", "exact")
    assert shares(sums) == pytest.approx([found[name] for name in names])


def test_what_no_solution_shows_has_no_interval():
    intervals = figures([None, 0], rows_of([None, None], ["a", "b"]))["intervals"]
    assert intervals["f1"] is None and intervals["accuracy_wrong"] is None
    assert intervals["accuracy_right"] == [0.0, 1.0]
