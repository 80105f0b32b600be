"""Solutions that are scored together: what they share is read once, and no tree outgrows a row."""

from __future__ import annotations

import pytest

from ml.prm.score import Scorer, Unscored, shared_trees
from tests.ml.prm.toys import sums, tiny_model, tokenizer

STEPS = tokenizer()


def test_scoring_puts_equal_prefixes_through_once():
    row = sums(1)[0]
    twice = [Unscored("a", row.problem, row.steps), Unscored("b", row.problem, [row.steps[0], "no"])]
    trees, places = shared_trees(twice, STEPS)
    assert len(trees) == 1 and trees[0].parents == [-1, 0, 1, 2, 1]
    assert places == [(0, [1, 2, 3]), (0, [1, 4])]


def test_a_problem_with_more_tokens_than_a_row_is_scored_in_several_trees():
    row = sums(1)[0]
    many = [Unscored(str(k), row.problem, [row.steps[0], f"then {k} it is", "so"]) for k in range(12)]
    (whole,), _ = shared_trees(many, STEPS)
    limit = whole.size // 3
    trees, places = shared_trees(many, STEPS, limit)
    assert len(trees) > 2 and all(tree.size <= limit for tree in trees)
    for solution, (tree, nodes) in zip(many, places, strict=True):
        assert [trees[tree].tokens[node] for node in nodes] == [STEPS.step(s) for s in solution.steps]
    # A solution that is longer than the limit has a tree of its own, and copies of it have the same.
    alone, places = shared_trees([many[0], many[0], many[1]], STEPS, 1)
    assert [tree for tree, _ in places] == [0, 0, 1] and len(alone) == 2


@pytest.mark.parametrize("mean_over_tokens", [False, True])
def test_scores_do_not_depend_on_how_many_trees_a_problem_has(mean_over_tokens):
    row = sums(1)[0]
    many = [Unscored(str(k), row.problem, [row.steps[0], f"then {k} it is", "so"]) for k in range(12)]
    model = tiny_model(len(STEPS.tokenizer))
    scorer = Scorer(model, STEPS, {"objective": "outcome"}, mean_over_tokens)
    whole, parts = (list(scorer.score_all(many, limit)) for limit in (16384, 60))
    assert [name for name, _ in whole] == [name for name, _ in parts]
    for (_, one), (_, other) in zip(whole, parts, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_scoring_leaves_steps_without_a_score_where_the_context_ends():
    short = tokenizer(maximum_length=16)
    steps = ["1 + 1 = 2", "2 " * 100, "3"]
    trees, places = shared_trees(
        [Unscored("a", "Add 1 1", steps), Unscored("b", "Add 1 1 " * 9, steps)], short
    )
    assert places == [(0, [1]), (1, [])]
    assert max(tree.size for tree in trees) <= 16
