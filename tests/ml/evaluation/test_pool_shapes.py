"""Pools of problems with different numbers of candidates, and scores on other scales than probabilities."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from ml.commands.evaluate import main
from ml.errors import BadRecord, MisstepError
from ml.evaluation.best_of_n import Pool, sizes_of, table
from ml.evaluation.pools import read_pools


def pool(name, count):
    """A problem whose first candidate alone is right, and has the highest score."""
    scores = [[1.0 - k / count] for k in range(count)]
    right = np.arange(count) == 0
    return Pool(name, np.arange(count), right, {"prm": scores})


def by_size(pools, **options):
    rows = table(pools, sizes_of(pools), resamples=50, **options)
    return {row["n"]: row for row in rows if (row["source"], row["rule"]) == ("prm", "last")}


def test_one_small_pool_does_not_cut_the_others():
    rows = by_size([*(pool(str(k), 16) for k in range(5)), pool("few", 3)])
    assert {n: row["problems"] for n, row in rows.items()} == {1: 6, 2: 6, 3: 6, 4: 5, 8: 5, 16: 5}
    # All sixteen candidates are seen, and the best of them is the right one.
    assert (rows[16]["accuracy"], rows[16]["low"], rows[16]["high"]) == (1.0, 1.0, 1.0)


def test_a_size_is_judged_as_if_the_smaller_pools_were_not_there():
    large = [pool(str(k), 16) for k in range(5)]
    alone, beside = by_size(large), by_size([*large, pool("few", 3)])
    for n in (4, 8, 16):
        assert {name: beside[n][name] for name in alone[n]} == alone[n]


def test_equal_pools_have_the_rows_that_they_had():
    rows = by_size([pool(str(k), 12) for k in range(4)])
    assert list(rows) == [1, 2, 4, 8, 12]
    assert list(rows[12]) == ["source", "rule", "n", "accuracy", "low", "high"]


def test_more_candidates_than_any_problem_has_are_refused():
    with pytest.raises(MisstepError, match="no problem has 5 candidates"):
        table([pool("a", 3)], [5])


def test_the_command_counts_the_problems_of_each_size(tmp_path, capsys):
    lines = []
    for name, count in (("a", 4), ("b", 2)):
        candidates = [{"final_answer": str(k), "is_correct": k == 0} for k in range(count)]
        lines.append(json.dumps({"id": name, "candidates": candidates}) + "\n")
    (tmp_path / "pool.jsonl").write_text("".join(lines))
    assert main(["best-of-n", "--pool", str(tmp_path / "pool.jsonl")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {row["n"]: row["problems"] for row in result["rows"]} == {1: 2, 2: 2, 4: 1}


def written(tmp_path, scores):
    path = tmp_path / "pool.jsonl"
    candidates = [{"is_correct": True, "step_scores": {"prm": [0.5]}}]
    candidates.append({"is_correct": False, "step_scores": {"prm": scores}})
    path.write_text(json.dumps({"id": "a", "candidates": candidates}) + "\n")
    return path


@pytest.mark.parametrize("score", [-0.5, 1.5, "0.5", True, None, 10**400])
def test_a_score_in_a_pool_that_is_no_probability_is_refused_by_line(tmp_path, score):
    path = written(tmp_path, [0.25, score])
    expected = (
        r"pool.jsonl:1: prm score .* in candidate 1, expected numbers in \[0, 1\], or another --score-scale"
    )
    with pytest.raises(BadRecord, match=expected):
        list(read_pools(path))


@pytest.mark.parametrize(("scale", "found"), [("logit", 1 / (1 + math.exp(1.5))), ("tanh", 0.25)])
def test_scores_on_another_scale_become_probabilities_where_that_is_said(tmp_path, scale, found):
    score = {"logit": -1.5, "tanh": -0.5}[scale]
    pools = list(read_pools(written(tmp_path, [score]), scale=scale))
    assert pools[0].scores["prm"][1] == [pytest.approx(found)]


@pytest.mark.parametrize(("scale", "score"), [("tanh", 1.5), ("logit", math.inf), ("logit", math.nan)])
def test_no_scale_takes_what_it_cannot_be(tmp_path, scale, score):
    with pytest.raises(BadRecord, match=r"prm score .* in candidate 1"):
        list(read_pools(written(tmp_path, [score]), scale=scale))


@pytest.mark.parametrize("source", ["--scores", "--second-scores"])
@pytest.mark.parametrize("given", [3, 1])
def test_scores_of_another_sampling_run_are_refused_by_their_number(tmp_path, source, given):
    candidates = [{"steps": ["x", "y"], "is_correct": right} for right in (True, False)]
    (tmp_path / "pool.jsonl").write_text(json.dumps({"id": "a", "candidates": candidates}) + "\n")
    options = []
    for name in ("--scores", "--second-scores"):
        path = tmp_path / f"{name[2:]}.jsonl"
        lines = [{"id": f"a/{k}", "scores": [None] * (given if k and name == source else 2)} for k in (0, 1)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        options += [name, str(path)]
    told = rf"pool.jsonl:1: {given} (second_)?scores for 2 steps of a/1, expected one for each"
    with pytest.raises(BadRecord, match=told):
        main(["best-of-n", "--pool", str(tmp_path / "pool.jsonl"), *options])


def test_a_line_s_own_scores_may_be_fewer_than_its_steps_and_never_more(tmp_path):
    path = tmp_path / "pool.jsonl"
    candidate = {"steps": ["x", "y"], "is_correct": True, "step_scores": {"prm": [0.5]}}
    path.write_text(json.dumps({"id": "a", "candidates": [candidate]}) + "\n")
    # A tree's value of the end alone.
    assert next(read_pools(path)).scores["prm"] == [[0.5]]
    candidate["step_scores"]["prm"] = [0.5, 0.5, 0.5]
    path.write_text(json.dumps({"id": "a", "candidates": [candidate]}) + "\n")
    with pytest.raises(BadRecord, match="3 prm scores for 2 steps of a/0, expected at most one for each"):
        list(read_pools(path))


def test_a_problem_that_stands_in_a_pool_twice_is_refused(tmp_path):
    path = tmp_path / "pool.jsonl"
    lines = [{"id": name, "candidates": [{"is_correct": True}]} for name in ("a", "b", "a")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(
        BadRecord, match=r"pool.jsonl:3: problem 'a' a second time, expected each problem once"
    ):
        list(read_pools(path))


def test_problems_without_ids_are_as_many_problems(tmp_path):
    path = tmp_path / "pool.jsonl"
    lines = [{"id": name, "candidates": [{"is_correct": True}]} for name in (None, None, "1")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(list(read_pools(path))) == 3


@pytest.mark.parametrize("place", [0, 1])
def test_a_problem_without_any_candidate_is_wrong_by_every_rule_of_a_scored_pool(tmp_path, capsys, place):
    candidate = {"final_answer": "4", "is_correct": True, "step_scores": {"prm": [0.9]}}
    lines = [json.dumps({"id": "a", "candidates": [candidate]})]
    lines.insert(place, json.dumps({"id": "b", "candidates": [], "empty_samples": 1}))
    (tmp_path / "pool.jsonl").write_text("\n".join(lines))
    assert main(["best-of-n", "--pool", str(tmp_path / "pool.jsonl")]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["accuracy"] for row in rows} == {0.5}
    assert {row["source"] for row in rows} == {None, "prm"}


def test_a_problem_of_which_nothing_could_be_graded_is_in_no_share(tmp_path, capsys):
    lines = [{"id": "a", "candidates": [{"final_answer": "4", "is_correct": True}]}]
    lines.append({"id": "b", "candidates": [], "ungraded_samples": 2})
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["best-of-n", "--pool", str(tmp_path / "pool.jsonl")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["problems"] == 1 and {row["accuracy"] for row in result["rows"]} == {1.0}
