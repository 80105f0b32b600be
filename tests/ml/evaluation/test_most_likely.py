"""The most likely first mistake: by hand, against Bayes on simulated solutions, and by the command."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from ml.evaluation.first_mistake import MISSING, best_threshold, metric, predict
from ml.evaluation.most_likely import MostLikely, fit
from ml.snapshot import problem_hash
from tests.data import ROOT
from tests.ml.evaluation.test_first_mistake import evaluated, files

# Half of all solutions have a mistake: one in eleven of those with a right answer, nine in ten of the others.
AS_THEY_ARE = MostLikely((0.0, 1.0), (0.0, 1.0), 0.5, {True: 1 / 11, False: 0.9})


def test_chances_by_hand():
    # 0.9 and 0.6 right: the first mistake at 1 with 0.1, at 2 with 0.9 x 0.4, nowhere with 0.9 x 0.6.
    assert AS_THEY_ARE.chances([0.9, 0.6]) == pytest.approx([0.1, 0.36, 0.54])
    assert AS_THEY_ARE.predict([0.9, 0.6]) is None
    # A wrong answer makes a mistake nine times likelier: 0.9 and 3.24 against 0.54.
    assert AS_THEY_ARE.odds_knowing(False) == pytest.approx(9.0)
    assert AS_THEY_ARE.chances([0.9, 0.6], 9.0) == pytest.approx(np.array([0.9, 3.24, 0.54]) / 4.68)
    assert AS_THEY_ARE.predict([0.9, 0.6], 9.0) == 1
    # A right one makes it ten times less likely.
    assert AS_THEY_ARE.odds_knowing(True) == pytest.approx(0.1)
    assert AS_THEY_ARE.predict([0.9, 0.3], 0.1) is None
    assert AS_THEY_ARE.odds_knowing(None) == 1.0


def test_a_share_of_wrong_answers_mixes_both_by_hand():
    # Three answers of four wrong: a mistake in 0.75 x 0.9 + 0.25 / 11, against a half.
    chance = 0.675 + 0.25 / 11
    assert AS_THEY_ARE.odds_knowing_share(0.75) == pytest.approx(chance / (1 - chance))
    for share, is_correct in ((1.0, False), (0.0, True)):
        assert AS_THEY_ARE.odds_knowing_share(share) == pytest.approx(AS_THEY_ARE.odds_knowing(is_correct))


def test_scores_are_read_through_the_curve():
    # Half-way between 0.5 and 0.7 stands half-way between 0.2 and 0.9; below the lowest score is as at it.
    curve = MostLikely((0.5, 0.7), (0.2, 0.9), 0.5, {})
    assert curve.chances([0.6, 0.1]) == pytest.approx([0.45, 0.55 * 0.8, 0.55 * 0.2])


def test_certain_scores():
    assert AS_THEY_ARE.predict([1.0, 0.0, 1.0]) == 1


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from([0.1, 1.0, 9.0]))
def test_chances_are_chances(scores, odds):
    chances = AS_THEY_ARE.chances(scores, odds)
    assert len(chances) == len(scores) + 1
    assert (chances >= 0).all() and chances.sum() == pytest.approx(1)


def simulated(count: int, mean: float, seed: int, steps: int = 4):
    """Solutions whose every step is right with a chance that its score tells through a crooked line."""
    generator = np.random.default_rng(seed)
    scores, truths, are_correct = [], [], []
    for _ in range(count):
        logits = generator.normal(mean, 2.0, steps)
        right = generator.random(steps) < 1 / (1 + np.exp(-logits))
        scores.append((1 / (1 + np.exp(-(logits - 1.5) / 2))).tolist())
        truths.append(None if right.all() else int(np.argmin(right)))
        # One wrong solution in ten ends in the right answer.
        are_correct.append(bool(truths[-1] is None or generator.random() < 0.1))
    return scores, truths, are_correct


def test_pools_by_hand():
    # Targets 3/4 of two right, 1/4 of two wrong steps; 0.4 and 0.6 are the wrong way round and share a pool.
    fitted = fit([[0.2], [0.4], [0.6], [0.8]], [0, None, 0, None], [None] * 4)
    assert fitted.scores == (0.2, 0.4, 0.6, 0.8)
    assert fitted.chances_of_right == pytest.approx((0.25, 0.5, 0.5, 0.75))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([k / 8 for k in range(9)]), st.booleans()), min_size=1, max_size=60)
)
def test_the_curve_equals_scikit_learn(steps):
    right = np.array([is_right for _, is_right in steps])
    target = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
    theirs = IsotonicRegression(out_of_bounds="clip").fit([score for score, _ in steps], target)
    fitted = fit([[score] for score, _ in steps], [None if ok else 0 for ok in right], [None] * len(steps))
    asked = np.linspace(0, 1, 33)
    assert np.interp(asked, fitted.scores, fitted.chances_of_right) == pytest.approx(theirs.predict(asked))


def test_the_crooked_line_is_found():
    fitted = fit(*simulated(20_000, 2.0, 0))
    # Scores were made with half the slope and 1.5 too low: the way back is 2 and 1.5.
    for score in (0.2, 0.5, 0.8):
        true = 1 / (1 + math.exp(-(2 * math.log(score / (1 - score)) + 1.5)))
        assert np.interp(score, fitted.scores, fitted.chances_of_right) == pytest.approx(true, abs=0.03)


def test_it_names_more_first_mistakes_than_the_best_threshold_and_more_still_with_known_answers():
    fitted = fit(*simulated(3000, 4.0, 1, steps=16))
    scores, truths, are_correct = simulated(3000, 4.0, 2, steps=16)
    threshold = best_threshold(scores, truths)
    exact = [
        metric(said, truths)["exact"]
        for said in (
            [predict(values, threshold) for values in scores],
            [fitted.predict(values) for values in scores],
            [
                fitted.predict(values, fitted.odds_knowing(known))
                for values, known in zip(scores, are_correct, strict=True)
            ],
        )
    ]
    assert exact[0] < exact[1] < exact[2] - 0.05


def test_the_share_of_mistakes_that_scores_speak_for_by_hand():
    # Both solutions have a mistake with chance 0.9 at even odds. With r times the odds each has 9 r / (9 r + 1), which
    # would grow without end; one solution more of each kind makes it (2 x + 1) / 4 with x = 9 r / (9 r + 1) and
    # r = (2 x + 1) / (3 - 2 x): 9 (2 x + 1) (1 - x) = x (3 - 2 x), so 16 x^2 - 6 x - 9 = 0.
    x = (6 + math.sqrt(36 + 4 * 16 * 9)) / 32
    odds = AS_THEY_ARE.odds_by_scores([[0.1], [0.1], [0.1, None]])
    assert odds == pytest.approx((2 * x + 1) / (3 - 2 * x))
    assert AS_THEY_ARE.odds_by_scores([]) == AS_THEY_ARE.odds_by_scores([[None]]) == 1.0


@pytest.mark.parametrize("rare", [True, False])
def test_where_mistakes_are_rarer_or_more_frequent_scores_alone_find_how_often_they_are(rare):
    fitted = fit(*simulated(8000, 2.5, 3))
    scores, truths, _ = simulated(8000, 2.5, 4)
    # Of one kind only every eighth solution is there.
    kept = [k for k, truth in enumerate(truths) if (truth is None) is rare or k % 8 == 0]
    scores, truths = [scores[k] for k in kept], [truths[k] for k in kept]
    odds = fitted.odds_by_scores(scores)
    chance = odds * fitted.mistake_anywhere / (1 - fitted.mistake_anywhere)
    assert chance / (1 + chance) == pytest.approx(sum(t is not None for t in truths) / len(truths), abs=0.03)
    alone, shifted = (
        metric([fitted.predict(values, known) for values in scores], truths)["exact"] for known in (1.0, odds)
    )
    assert shifted > alone + 0.02


def test_an_absent_score_counts_only_where_it_could_decide():
    # 0.9 at the first step, and whatever follows shares the 0.1 that are left.
    assert AS_THEY_ARE.predict([0.1, None]) == 0
    # 0.4 at the second step against 0.54 behind it.
    assert AS_THEY_ARE.predict([0.9, 0.6, None]) == MISSING
    # A wrong answer lifts both by nine: 3.24 against up to 0.54 x 9; a right one lowers the first alone.
    assert AS_THEY_ARE.predict([0.9, 0.6, None], 9.0) == MISSING
    assert AS_THEY_ARE.predict([0.9, 0.2, None], 9.0) == 1
    assert AS_THEY_ARE.predict([None, 0.1]) == MISSING


def test_how_often_there_is_a_mistake_by_hand():
    # Four of six have a mistake, with one solution more 4.5 of 7. Wrong answers: 3 + 4.5/7 of 4; right ones 1 of 2.
    fitted = fit([[0.5]] * 6, [0, 0, 0, 0, None, None], [False, False, False, True, True, None])
    assert fitted.mistake_anywhere == pytest.approx(4.5 / 7)
    assert fitted.mistake_given == pytest.approx({False: (3 + 4.5 / 7) / 4, True: (1 + 4.5 / 7) / 3})


@pytest.mark.parametrize(("mistakes", "wrong"), [(100, 3), (3, 3), (99, 40), (2, 1)])
def test_however_few_are_known_a_wrong_answer_speaks_for_a_mistake_and_a_right_one_against(mistakes, wrong):
    # Every known wrong answer is of a solution with a mistake; the mirror image is as clear.
    truths = [0] * mistakes + [None] * (101 - mistakes)
    known = [False] * wrong + [None] * (101 - wrong)
    assert fit([[0.5]] * 101, truths, known).odds_knowing(False) > 1
    mirrored = [None if truth == 0 else 0 for truth in truths], [None if k is None else True for k in known]
    assert fit([[0.5]] * 101, *mirrored).odds_knowing(True) < 1


def test_an_answer_that_was_never_seen_changes_nothing():
    fitted = fit([[0.5]] * 2, [0, None], [None, None])
    assert [fitted.odds_knowing(answer) for answer in (True, False)] == pytest.approx([1.0, 1.0])
    assert fitted.odds_knowing_share(0.9) == pytest.approx(1.0)


def test_a_share_of_wrong_answers_helps_where_there_are_more_mistakes_than_where_it_was_calibrated():
    fitted = fit(*simulated(3000, 4.0, 7))
    scores, truths, known = simulated(3000, 4.0, 8)
    # Nine in ten of the solutions without a mistake are left out.
    kept = [index for index, truth in enumerate(truths) if truth is not None or index % 10 == 0]
    odds = fitted.odds_knowing_share(sum(not known[index] for index in kept) / len(kept))
    truths = [truths[index] for index in kept]
    exact = [
        metric([fitted.predict(scores[index], given) for index in kept], truths)["exact"]
        for given in (1.0, odds)
    ]
    assert exact[1] > exact[0] + 0.1


def test_scores_that_separate_perfectly_or_know_one_kind_only_are_never_certain():
    parted = fit([[0.9], [0.1]] * 20, [None, 0] * 20, [None] * 40)
    assert parted.chances_of_right == pytest.approx((1 / 22, 21 / 22))
    assert parted.predict([0.9]) is None and parted.predict([0.1]) == 0
    assert fit([[0.9]] * 3, [None] * 3, [True] * 3).chances_of_right == pytest.approx((4 / 5,))
    assert fit([], [], []).predict([0.9, 0.2]) == 1


def test_a_solution_with_an_absent_score_teaches_nothing():
    scores, truths, known = simulated(200, 2.0, 3)
    more = [*scores, [0.1, None]], [*truths, 1], [*known, False]
    assert fit(*more) == fit(scores, truths, known)


def test_the_command_reports_it_calibrated_on_other_problems(tmp_path, capsys):
    here, there = simulated(300, 2.0, 4), simulated(300, 2.0, 5)
    solutions, scores = files(tmp_path / "here", *here[:2], are_correct=here[2])
    others, other_scores = files(
        tmp_path / "there", *there[:2], [f"other problem {k}" for k in range(300)], there[2]
    )
    own = evaluated(capsys, solutions, scores)["most_likely"]
    assert own["calibrated_on"] == "the other half of the problems"
    given = ("--threshold-solutions", str(others), "--threshold-scores", str(other_scores))
    moved = evaluated(capsys, solutions, scores, *given, "--threshold-format", "processbench")["most_likely"]
    fitted = fit(*there)
    assert moved["calibrated_on"] == "solutions.jsonl"
    expected = metric([fitted.predict(values) for values in here[0]], here[1])
    assert {name: moved[name] for name in expected} == pytest.approx(expected)
    said = [
        fitted.predict(values, fitted.odds_knowing(known))
        for values, known in zip(here[0], here[2], strict=True)
    ]
    expected = metric(said, here[1])
    assert {name: moved["with_answers"][name] for name in expected} == pytest.approx(expected)
    assert moved["with_answers"]["count"] == 300
    wrong = sum(not known for known in here[2]) / 300
    assert moved["with_share"]["wrong_answers"] == pytest.approx(wrong)
    expected = metric(
        [fitted.predict(values, fitted.odds_knowing_share(wrong)) for values in here[0]], here[1]
    )
    assert {name: moved["with_share"][name] for name in expected} == pytest.approx(expected)
    odds = fitted.odds_by_scores(here[0])
    expected = metric([fitted.predict(values, odds) for values in here[0]], here[1])
    assert {name: moved["by_scores"][name] for name in expected} == pytest.approx(expected)
    # On its own, each half has the odds that its scores speak for by the other half's calibration.
    halves = [
        [k for k in range(300) if int(problem_hash(f"problem {k}"), 16) // 10 % 2 == half] for half in (0, 1)
    ]
    said: list[int | None] = [None] * 300
    for known, asked in (halves, halves[::-1]):
        likely = fit(*([values[k] for k in known] for values in here))
        odds = likely.odds_by_scores([here[0][k] for k in asked])
        for k in asked:
            said[k] = likely.predict(here[0][k], odds)
    expected = metric(said, here[1])
    assert {name: own["by_scores"][name] for name in expected} == pytest.approx(expected)
    for found in (own, moved):
        assert found["with_answers"]["exact"] > found["exact"] + 0.05


def test_figures_with_answers_are_of_solutions_with_a_known_answer(tmp_path, capsys):
    scores, truths, known = simulated(300, 2.0, 6)
    half_known = [answer if index % 2 else None for index, answer in enumerate(known)]
    report = evaluated(capsys, *files(tmp_path / "some", scores, truths, are_correct=half_known))[
        "most_likely"
    ]
    assert (report["count"], report["with_answers"]["count"]) == (300, 150)
    nothing_known = files(
        tmp_path / "none", scores, truths, [f"other problem {k}" for k in range(300)], [None] * 300
    )
    report = evaluated(capsys, *nothing_known)["most_likely"]
    assert report["with_answers"] is None
    given = ("--threshold-solutions", str(tmp_path / "none" / "solutions.jsonl"), "--threshold-format", "processbench",
             "--threshold-scores", str(tmp_path / "none" / "scores.jsonl"))  # fmt: skip
    some = (tmp_path / "some" / "solutions.jsonl", tmp_path / "some" / "scores.jsonl")
    assert evaluated(capsys, *some, *given)["most_likely"]["with_answers"] is None


def test_the_lines_of_python_in_the_docs_run():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "evaluation.md").read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "most_likely" in block]
    names: dict = {}
    exec(compile(block, "docs/evaluation.md", "exec"), names)
    chances = names["likely"].chances([0.9, 0.4, 0.8], names["likely"].odds_knowing(False))
    assert len(chances) == 4 and chances.argmax() == 1
