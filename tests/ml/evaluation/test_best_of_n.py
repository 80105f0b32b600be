"""Best-of-n rules on a hand-worked pool and against exhaustive counting, and the real pool's own figures."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from ml.aggregation import AGGREGATIONS
from ml.commands.evaluate import main
from ml.errors import BadRecord, MisstepError
from ml.evaluation.best_of_n import Pool, aggregate, differences_by_rule, table
from ml.evaluation.pools import group_answers, read_pools, read_scores
from ml.search.voting import Candidate, best_candidate
from tests.benchmarks.support.choices import paired_difference
from tests.data import real_data


def pool(name="p", right=(1, 0, 0), groups=(0, 1, 1), scores=((0.9, 0.8), (0.5,), (0.6, 0.7))) -> Pool:
    return Pool(name, np.array(groups), np.array(right, dtype=bool), {"prm": [list(s) for s in scores]})


def figures(pools, size, **options):
    rows = table(pools, [size], resamples=50, **options)
    return {(row["source"], row["rule"]): row["accuracy"] for row in rows}


def test_aggregations():
    steps = [0.5, 0.9, 0.8]
    assert aggregate(steps, "product") == pytest.approx(math.log(0.36))
    assert aggregate(steps, "minimum") == 0.5 and aggregate(steps, "maximum") == 0.9
    assert aggregate(steps, "mean") == pytest.approx(2.2 / 3) and aggregate(steps, "last") == 0.8


def test_a_product_over_a_thousand_steps_does_not_vanish():
    assert aggregate([0.4] * 1000, "product") < aggregate([0.41] * 1000, "product") < 0


def test_each_rule_on_one_hand_worked_problem():
    found = figures([pool()], 3)
    assert found[None, "pass@1"] == pytest.approx(1 / 3)
    assert found[None, "majority"] == 0.0  # Two wrong ones agree.
    assert found[None, "oracle"] == 1.0
    assert found["prm", "product"] == 1.0  # 0.72 against 0.5 and 0.42.
    assert found["prm", "vote product"] == 0.0  # 0.72 against 0.5 + 0.42.
    assert found["prm", "vote minimum"] == 0.0  # 0.8 against 0.5 + 0.6.


def test_ties_share_instead_of_favouring_the_first():
    tied = pool(right=(1, 0), groups=(0, 1), scores=((0.5,), (0.5,)))
    found = figures([tied], 2)
    assert found["prm", "last"] == 0.5 and found[None, "majority"] == 0.5


def test_a_candidate_without_an_answer_has_no_vote():
    silent = pool(right=(0, 0, 1), groups=(-1, -1, 0))
    assert figures([silent], 3)[None, "majority"] == 1.0


@pytest.mark.parametrize("rule", AGGREGATIONS)
def test_the_highest_score_is_chosen_among_candidates_with_an_answer_as_solving_does(rule):
    scores = [[0.9], [0.5], [0.1]]
    silent = pool(right=(0, 1, 0), groups=(-1, 0, 1), scores=scores)
    assert figures([silent], 3)["prm", rule] == 1.0
    candidates = [
        Candidate((), answer, tuple(one)) for answer, one in zip((None, "4", "5"), scores, strict=True)
    ]
    assert best_candidate(candidates, rule).answer == "4"
    # Nothing is right where nothing has an answer; files that name no answers are judged by scores alone.
    assert figures([silent, pool("q", (0, 0, 0), (-1, -1, -1))], 3)["prm", rule] == 0.5
    unnamed = pool(right=(1, 0, 0), groups=(-1, -1, -1), scores=scores)
    assert figures([unnamed], 3)["prm", rule] == 1.0


def test_where_no_candidate_has_an_answer_there_is_no_row_of_any_vote(tmp_path, capsys):
    candidates = [
        {"is_correct": right, "step_scores": {"prm": [score]}} for right, score in ((True, 0.9), (False, 0.1))
    ]
    (tmp_path / "pool.jsonl").write_text(json.dumps({"id": "a", "candidates": candidates}) + "\n")
    main(["best-of-n", "--pool", str(tmp_path / "pool.jsonl")])
    result = json.loads(capsys.readouterr().out)
    assert (result["candidates"], result["candidates_without_answer"]) == (2, 2)
    assert {row["rule"] for row in result["rows"]} == {"pass@1", "oracle", *AGGREGATIONS}
    silent = pool(groups=(-1, -1, -1))
    both = replace(silent, scores={"one": silent.scores["prm"], "other": silent.scores["prm"]})
    assert {row["rule"] for row in differences_by_rule([both], "one", "other", seed=0)} == {*AGGREGATIONS}


@pytest.mark.parametrize("steps", [5, 500])
def test_products_next_to_nothing_still_outvote_smaller_ones(steps):
    tiny = pool(right=(1, 0), groups=(0, 1), scores=([1e-3] * steps, [1e-6] * steps))
    assert figures([tiny], 2)["prm", "vote product"] == 1.0
    silent = pool(right=(0, 1, 0), groups=(-1, 0, 1), scores=([0.9] * steps, *tiny.scores["prm"]))
    assert figures([silent], 3)["prm", "vote product"] == 1.0


def test_a_vote_without_any_weight_is_shared():
    unscored = pool(right=(1, 0), groups=(0, 1), scores=((), ()))
    assert figures([unscored], 2)["prm", "vote product"] == 0.5


def test_a_paired_difference_leaves_out_what_is_hard_for_both():
    won, lost_by_both = pool(), pool(right=(0, 0, 0))
    found = paired_difference([won, lost_by_both], [("prm", "product")], [(None, "majority")])
    assert found["difference"] == 0.5 and found["low"] == 0.0 and found["high"] == 1.0
    alike = paired_difference([won, lost_by_both], [("prm", "product")], [("prm", "last")])
    assert alike == {"difference": 0.0, "low": 0.0, "high": 0.0}


def test_a_paired_difference_takes_the_mean_of_several_models_on_a_side():
    one = pool()
    both = [("prm", "product"), (None, "majority")]
    assert paired_difference([one], both, [(None, "majority")])["difference"] == 0.5
    assert paired_difference([one], both, both)["difference"] == 0.0


def test_models_that_choose_differently_on_fewer_than_six_problems_have_no_interval():
    two = {"one": [[0.9], [0.1], [0.1]], "other": [[0.1], [0.9], [0.1]]}
    problems = [replace(pool(str(number)), scores=two) for number in range(6)]
    found = {row["rule"]: row for row in differences_by_rule(problems[:5], "one", "other", seed=0)}
    assert found["product"] == {"rule": "product", "difference": 1.0, "low": None, "high": None}
    found = {row["rule"]: row for row in differences_by_rule(problems, "one", "other", seed=0)}
    assert found["product"] == {"rule": "product", "difference": 1.0, "low": 1.0, "high": 1.0}


def test_subsamples_agree_with_counting_all_subsets():
    whole = pool(right=(1, 0, 0, 1), groups=(0, 1, 1, 0), scores=((0.2,), (0.5,), (0.6,), (0.4,)))
    found = figures([whole], 2, subsamples=3000)
    subsets = list(itertools.combinations(range(4), 2))
    scores = [0.2, 0.5, 0.6, 0.4]
    best = np.mean([whole.right[max(subset, key=lambda k: scores[k])] for subset in subsets])
    oracle = np.mean([any(whole.right[k] for k in subset) for subset in subsets])
    assert found["prm", "last"] == pytest.approx(best, abs=0.03)
    assert found[None, "oracle"] == pytest.approx(oracle, abs=0.03)
    assert found[None, "pass@1"] == pytest.approx(0.5, abs=0.03)


def test_the_interval_narrows_with_more_problems_and_holds_the_figure():
    few = table([pool(str(k), right=(k % 2, 0, 0)) for k in range(10)], [3])
    many = table([pool(str(k), right=(k % 2, 0, 0)) for k in range(160)], [3])
    for rows in (few, many):
        assert all(row["low"] <= row["accuracy"] <= row["high"] for row in rows)
    oracle = [next(r for r in rows if r["rule"] == "oracle") for rows in (few, many)]
    widths = [row["high"] - row["low"] for row in oracle]
    assert widths[1] < widths[0] / 2
    # 160 coin flips: the normal interval is 2 * 1.96 * sqrt(0.25 / 160).
    assert widths[1] == pytest.approx(2 * 1.96 * math.sqrt(0.25 / 160), rel=0.2)


def test_answers_are_grouped_by_the_grader_and_not_by_string():
    assert group_answers(["18", "18.0", "$18$", "19", None, ""]) == [0, 0, 0, 1, -1, -1]


def test_a_pool_without_candidates_or_scores_is_refused_by_line(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_text('{"id": "a", "candidates": []}\n')
    with pytest.raises(BadRecord, match=r"pool.jsonl:1: no candidates"):
        list(read_pools(path))
    candidate = {"steps": ["x"], "final_answer": "1", "is_correct": True}
    path.write_text(json.dumps({"id": "a", "solutions": [candidate]}) + "\n")
    assert len(list(read_pools(path))) == 1
    with pytest.raises(BadRecord, match="no scores for a/0"):
        list(read_pools(path, extra={"scores": {"b/0": [1.0]}}))
    for count in (-1, True, "1"):
        path.write_text(json.dumps({"id": "a", "solutions": [candidate], "empty_samples": count}) + "\n")
        with pytest.raises(BadRecord, match="expected a whole number, 0 or more"):
            list(read_pools(path))


@pytest.mark.parametrize(
    ("candidates", "complaint"),
    [
        ([{"is_correct": None}], "is_correct None in candidate 0, expected true or false"),
        (
            [{"is_correct": True, "step_scores": {"prm": [0.5]}}, {"is_correct": False}],
            "no prm scores in candidate 1, expected them in each candidate or in none",
        ),
        (
            [{"is_correct": True, "step_scores": {"other": [0.5]}}],
            r"scores of \['other'\], expected those of the first line: \['prm'\]",
        ),
    ],
)
def test_what_is_missing_in_a_pool_is_refused_and_counts_as_nothing(tmp_path, candidates, complaint):
    whole = {"is_correct": True, "step_scores": {"prm": [0.5]}}
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps({"solutions": some}) + "\n" for some in ([whole], candidates)))
    with pytest.raises(BadRecord, match=rf"pool.jsonl:2: {complaint}"):
        list(read_pools(path))


def test_a_problem_without_a_models_scores_is_not_judged_for_it():
    unscored = Pool("q", np.array([0]), np.array([True]), {})
    with pytest.raises(MisstepError, match="problem q: no scores of prm"):
        table([pool(), unscored], [1], resamples=2)


def test_steps_beyond_the_context_are_counted_and_the_others_decide(tmp_path, capsys):
    solutions = [
        {"steps": ["x", "y"], "final_answer": "1", "is_correct": right} for right in (True, False, False)
    ]
    scores = [[0.9, None], [0.8, 0.8], [None, None]]
    (tmp_path / "pool.jsonl").write_text(json.dumps({"id": "a", "solutions": solutions}) + "\n")
    lines = [json.dumps({"id": f"a/{k}", "scores": found}) + "\n" for k, found in enumerate(scores)]
    other = json.dumps({"id": "of another pool", "scores": [None]}) + "\n"
    (tmp_path / "scores.jsonl").write_text("".join([*lines, other]))
    (tmp_path / "second.jsonl").write_text(
        "".join(json.dumps({"id": f"a/{k}", "scores": [k / 2] * 2}) + "\n" for k in range(3))
    )
    given = ["--scores", str(tmp_path / "scores.jsonl"), "--second-scores", str(tmp_path / "second.jsonl")]
    main(["best-of-n", "--pool", str(tmp_path / "pool.jsonl"), *given])
    result = json.loads(capsys.readouterr().out)
    counted = ("unscored_steps", "solutions_with_unscored_steps", "solutions_without_scores")
    assert [result[name] for name in counted] == [3, 2, 1]
    rows = [row for row in result["rows"] if row["n"] == 3]
    found = {row["rule"]: row["accuracy"] for row in rows if row["source"] == "scores"}
    # 0.9 against 0.8 and nothing. A 0 for the missing score would have lost by every rule but the largest score.
    for rule in ("product", "minimum", "mean", "last", "maximum"):
        assert found[rule] == 1.0
    # Of one answer all are right or wrong by the vote: a third of its votes.
    assert found["vote product"] == pytest.approx(1 / 3)
    # The second model chooses the last, which is wrong.
    gains = {row["rule"]: row["difference"] for row in result["difference"]}
    theirs = {row["rule"]: row["accuracy"] for row in rows if row["source"] == "second_scores"}
    assert gains == {rule: found[rule] - theirs[rule] for rule in found} and gains["product"] == 1.0
    with pytest.raises(MisstepError, match="--second-scores without --scores"):
        main(["best-of-n", "--pool", str(tmp_path / "pool.jsonl"), *given[2:]])


@pytest.mark.parametrize("rule", ["product", "minimum", "mean", "last", "maximum"])
def test_a_solution_without_any_score_counts_as_nothing(rule):
    scores = [[], [0.0001]]
    one = Pool("p", np.array([0, 1]), np.array([False, True]), {"prm": scores})
    found = figures([one], 2)
    assert found["prm", rule] == found["prm", f"vote {rule}"] == 1.0
    nobody = Pool("p", np.array([0, 1]), np.array([False, True]), {"prm": [[], []]})
    found = figures([nobody], 2)
    assert found["prm", rule] == found["prm", f"vote {rule}"] == 0.5


@pytest.mark.parametrize("score", ['"x"', "true", "[0.5]", "1.5", "NaN"])
def test_a_score_that_is_no_probability_is_refused_by_line(tmp_path, score):
    path = tmp_path / "scores.jsonl"
    path.write_text(f'{{"id": "a", "scores": [null, 0, 1]}}\n{{"id": "b", "scores": [{score}]}}\n')
    with pytest.raises(BadRecord, match=r"scores.jsonl:2: scores .*, expected numbers in \[0, 1\] or null"):
        read_scores(path)


def test_the_real_pool_shows_both_reward_models_between_majority_and_oracle(capsys):
    path = real_data("best_of_n/gsm8k_pools.jsonl")
    main(["best-of-n", "--pool", str(path), "--subsamples", "1"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["problems"] == 254 and result["candidates"] == 254 * 32
    rows = {(r["source"], r["rule"]): r["accuracy"] for r in result["rows"] if r["n"] == 32}
    candidates = [json.loads(line)["candidates"] for line in path.open()]
    right = np.array([[c["is_correct"] for c in group] for group in candidates])
    assert rows[None, "pass@1"] == pytest.approx(right.mean())
    assert rows[None, "oracle"] == pytest.approx(right.any(1).mean())
    assert rows[None, "majority"] < rows["qwen_prm", "product"] < rows[None, "oracle"]
    last = np.array([[c["step_scores"]["qwen_prm"][-1] for c in group] for group in candidates])
    best = [r[s == s.max()].mean() for r, s in zip(right, last, strict=True)]
    assert rows["qwen_prm", "last"] == pytest.approx(np.mean(best))
