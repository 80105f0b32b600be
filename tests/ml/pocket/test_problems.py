"""The problem family: by seed, exact, and shaped as the real expressions are."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ml.errors import MisstepError
from ml.pocket.expression import Sum, strip_brackets
from ml.pocket.plan import levels
from ml.pocket.problems import LARGEST_ANSWER, expression_of, from_request, generate, is_pocket_problem
from tests.data import real_data


def test_the_same_seed_gives_the_same_problems_and_a_longer_list_begins_with_the_shorter() -> None:
    assert generate(20, seed=3) == generate(40, seed=3)[:20]


def test_two_seeds_share_no_problem_and_no_id() -> None:
    first, second = generate(300, seed=1), generate(300, seed=2)
    assert not {p.text for p in first} & {p.text for p in second}
    assert not {p.id for p in first} & {p.id for p in second}


def test_every_answer_is_what_python_says_and_within_bounds() -> None:
    for problem in generate(300, seed=4):
        assert int(problem.answer or "") == eval(problem.text.removesuffix("="))
        assert abs(int(problem.answer or "")) <= LARGEST_ANSWER


def test_a_request_names_a_number_and_perhaps_a_seed() -> None:
    assert from_request("pocket:3") == generate(3, seed=0)
    assert from_request("pocket:3:seed=7") == generate(3, seed=7)
    for wrong in ("pocket:", "pocket:x", "pocket:3:seed", "pocket:-1", "problems.jsonl"):
        with pytest.raises(MisstepError, match="expected pocket:N"):
            from_request(wrong)


@pytest.mark.parametrize(
    "text", ["What is 2 + 3?", "2 + 3 =", "(A + B) * (C) =", "", "((1 + 2) * (3 / 4)) ="]
)
def test_other_texts_are_no_pocket_problems(text: str) -> None:
    assert not is_pocket_problem(text)


def test_the_shapes_are_those_of_the_real_expressions() -> None:
    rows = real_data("big_bench_mistake/multistep_arithmetic.jsonl").read_text().splitlines()
    real = Counter(_shape(json.loads(row)["input"]) for row in rows)
    ours = Counter(_shape(problem.text) for problem in generate(2_000))
    assert set(ours) == set(real)
    for shape, count in real.items():
        assert abs(ours[shape] / 2_000 - count / len(rows)) < 0.06, shape


def _shape(text: str) -> tuple[int, int]:
    root = strip_brackets(expression_of(text))
    group: Sum = root
    while levels(group):
        group = next(f for term in group.terms for f in term.factors if isinstance(f, Sum))
    return levels(root), sum(len(term.factors) for term in group.terms)
