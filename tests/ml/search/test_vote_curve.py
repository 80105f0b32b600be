"""What a search's gain counts over: the plain vote that the same tokens would buy."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from ml.records import Problem
from ml.search.voting import Candidate, Chosen
from tests.benchmarks.search_tokens import row as tokens_row
from tests.benchmarks.support.rows import Table
from tests.benchmarks.support.test_time_rows import joined, row
from tests.benchmarks.support.vote_curve import Pool, curve_of, pool_of, read_pool
from tests.data import ROOT

# Three of five samples are right on the first problem, none on the second.
POOL = Pool(("aabac", "aab.."), ("a", ""), 10.0)
COSTS = {"tokens": 30.0, "model_calls": 1.0, "seconds": 0.5}


def share_of_votes(samples: str, right: str, count: int) -> float:
    """The share of right votes over every subsample, ties shared."""
    found = []
    for drawn in combinations(samples, count):
        leading = [
            one for one in set(drawn) - {"."} if drawn.count(one) == max(map(drawn.count, set(drawn) - {"."}))
        ]
        found.append((right in leading) / len(leading) if leading else 0.0)
    return sum(found) / len(found)


def test_answers_that_are_equal_are_one_and_a_sample_without_an_end_has_none() -> None:
    problem = Problem("p", "?", "0.5")
    sampled = Chosen("7", tuple(Candidate((), answer) for answer in ("7", "1/2", None, "0.5", "7")))
    pool = pool_of([problem], [sampled], 6, 60.0)
    assert (pool.samples, pool.right, pool.tokens) == (("ab.ba.",), ("b",), 10.0)
    assert read_pool(json.loads(json.dumps(pool.as_json()))) == pool


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_the_curve_is_the_mean_vote_of_subsamples(count: int) -> None:
    right, never = curve_of(POOL).shares[count]
    assert right == pytest.approx(share_of_votes("aabac", "a", count), abs=0.08)
    assert never == 0.0


def test_a_vote_of_so_many_tokens_lies_between_those_of_whole_samples() -> None:
    curve = curve_of(POOL)
    two, three = curve.shares[2], curve.shares[3]
    assert curve.at(24.0) == pytest.approx(0.6 * two + 0.4 * three)
    assert curve.at(30.0) == pytest.approx(three)
    # Less than one sample is no vote, and past the largest the curve counts as level.
    assert curve.at(1.0) == pytest.approx(curve.shares[1])
    assert curve.at(900.0) == pytest.approx(curve.shares[5])
    larger = curve.with_vote(9, [False, True]).with_vote(3, [False, True])
    assert larger.at(70.0) == pytest.approx(0.5 * curve.shares[5] + 0.5 * larger.shares[9])
    assert larger.at(30.0) == pytest.approx(three)


def test_a_method_that_spends_more_than_self_consistency_is_judged_against_a_larger_vote() -> None:
    curve = curve_of(POOL)
    plain = row(1, "self-consistency", [True, False], 0, COSTS, [], curve, 3)
    beam = row(1, "beam search", [True, True], 1, {**COSTS, "tokens": 50.0}, [plain], curve, 4)
    assert (plain["tokens_over_self_consistency"], beam["tokens_over_self_consistency"]) == (1.0, 1.67)
    assert (plain["without_answer"], beam["without_answer"]) == (0.0, 0.5)
    assert plain["vote_of_same_tokens"] == round(float(curve.shares[3].mean()), 3)
    assert beam["vote_of_same_tokens"] == 0.5
    assert beam["over_vote_of_same_tokens"][0] == 0.5


def test_parts_make_the_same_rows_as_the_whole(tmp_path: Path) -> None:
    def measured(pool: Pool, right: list[bool]) -> list[dict[str, object]]:
        plain = row(1, "self-consistency", right, 0, COSTS, [], curve_of(pool), 3)
        return [plain, row(1, "beam search", right, 1, COSTS, [plain], curve_of(pool), 4)]

    parts = [Pool((one,), (right,), 10.0) for one, right in zip(POOL.samples, POOL.right, strict=True)]
    paths = [tmp_path / "0.json", tmp_path / "1.json"]
    for path, pool, right in zip(paths, parts, (True, False), strict=True):
        path.write_text(json.dumps({"pool": pool.as_json(), "rows": measured(pool, [right])}))
    whole = joined(paths)
    assert read_pool(whole["pool"]) == POOL
    plain, beam = measured(POOL, [True, False])
    assert whole["rows"] == [plain, {**beam, "without_answer": 1.0}]


def test_parts_that_counted_no_problems_without_an_answer_are_joined_with_what_was_repeated(
    tmp_path: Path,
) -> None:
    paths = [tmp_path / "0.json", tmp_path / "1.json"]
    for place, (path, counted) in enumerate(zip(paths, (None, 1), strict=True)):
        pool = Pool(POOL.samples[place : place + 1], POOL.right[place : place + 1], 10.0)
        plain = row(8, "self-consistency", [True], counted, COSTS, [], curve_of(pool), 3)
        note = {"repeated": {"problems": 4, "same": 4 - place, "without_answer": 0.25 * place}}
        path.write_text(json.dumps({"pool": pool.as_json(), "rows": [plain | note]}))
    (whole,) = joined(paths)["rows"]
    assert (whole["problems"], whole["without_answer"]) == (2, None)
    assert whole["repeated"] == {"problems": 8, "same": 7, "without_answer": 0.125}


def test_the_published_table_can_be_joined_again() -> None:
    path = ROOT / "docs" / "results" / "search_test_time.json"
    published = json.loads(path.read_text())["rows"]
    kept = "level", "method", "problems", "accuracy", "without_answer", "tokens", "right", "repeated"
    again = joined([path])["rows"]
    assert [{name: one.get(name) for name in kept} for one in again] == [
        {name: one.get(name) for name in kept} for one in published
    ]


def test_a_stopped_table_keeps_what_stands_beside_its_rows(tmp_path: Path) -> None:
    table = Table(tmp_path / "table.json", {"benchmark": "b"})
    table.write(pool=POOL.as_json())
    table.add({"level": 1})
    again = Table(tmp_path / "table.json", {"benchmark": "b"})
    assert (read_pool(again.more["pool"]), again.rows) == (POOL, [{"level": 1}])
    assert Table(tmp_path / "table.json", {"benchmark": "other"}).more == {}


def test_tokens_of_a_label_stand_beside_their_share_of_brute_force_and_the_labels_that_are_right() -> None:
    found = [(1, 30), (2, 10), (None, 20), (0, 20)]
    figures = tokens_row("omegaprm", found, [1, 2, 3, 0], [100, 60, 80, 80])
    assert (figures["tokens_a_label"], figures["share_of_brute_force"]) == (20.0, 0.25)
    assert (figures["accuracy"], figures["right"]) == (0.75, "1101")
    low, high = figures["share_interval"]
    assert 0.16 < low < 0.25 < high < 0.31
