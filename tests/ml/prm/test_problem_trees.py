"""Solutions of one problem as one tree: what is shared stands once, and teaches what the solutions taught apart."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
import torch

from ml.prm.example import Example
from ml.prm.examples import ExampleSettings, examples_from
from ml.prm.likelihood import TOLERANCE, count_tokens
from ml.prm.objectives import normaliser_of, objective_loss
from ml.prm.packing import TokenTree, chain, pack
from ml.prm.problem_trees import by_problem
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule
from tests.ml.prm.toys import sums, tiny_model, tokenizer

STEPS = tokenizer()


def solution(name: str, *steps: int, targets: list[float], problem: int = 9) -> Example:
    """One token a step; the targets are chances of being right, of the first steps."""
    tree = chain([[problem], *([step] for step in steps)])
    reads = list(range(1, len(targets) + 1))
    return Example(name, tree, reads, [[1 - t, t] for t in targets], [1.0] * len(reads))


def test_equal_steps_behind_equal_steps_are_one_node():
    first = solution("a", 1, 2, 3, targets=[1, 1, 0])
    second = solution("b", 1, 2, 4, targets=[1, 0])
    third = solution("c", 2, targets=[1])
    (tree,) = by_problem([first, second, third], "node", 100)
    assert tree.id == "a"
    assert list(map(list, tree.tree.tokens)) == [[9], [1], [2], [3], [4], [2]]
    assert tree.tree.parents == [-1, 0, 1, 2, 2, 0]
    assert tree.reads == [1, 2, 3, 5]
    # Of the step 2 behind 1 one solution says that it is right, the other that it is wrong.
    assert tree.targets == [[0, 1], [0.5, 0.5], [1, 0], [0, 1]]
    assert tree.weights == [1.0] * 4
    (paths,) = by_problem([first, second, third], "path", 100)
    assert paths.weights == [2.0, 2.0, 1.0, 1.0]


def test_problems_stay_apart_and_copies_fall_together():
    copies = [solution(str(k), 1, targets=[1]) for k in range(3)]
    other = solution("other", 1, targets=[0], problem=8)
    one, two = by_problem([copies[0], other, *copies[1:]], "path", 100)
    assert (one.tree.size, one.weights, two.id) == (2, [3.0], "other")


def test_readings_of_whole_solutions_and_of_steps_are_not_joined():
    whole = replace(solution("whole", 1, 2, targets=[1]), reads=[2], reads_paths=True)
    assert [e.reads_paths for e in by_problem([whole, solution("steps", 1, targets=[0])], "node", 100)] == [
        True,
        False,
    ]


def test_a_tree_is_no_larger_than_the_limit_and_nothing_is_lost():
    generator = random.Random(0)
    given = [
        solution(str(k), *(generator.randint(1, 3) for _ in range(6)), targets=[1] * 6) for k in range(40)
    ]
    trees = by_problem(given, "path", 20)
    assert len(trees) > 1 and all(tree.tree.size <= 20 for tree in trees)
    assert sum(sum(tree.weights) for tree in trees) == 40 * 6
    (alone,) = by_problem(given[:1], "path", 3)
    assert alone.tree.size == 7


def siblings_of_one_problem() -> list[SnapshotRow]:
    """Eight looks at solutions of one problem that share their beginnings, some of them copies."""
    rows = sums(8)
    return [
        replace(row, id=f"row-{k}", problem=rows[0].problem, options=[]) for k, row in enumerate(rows)
    ] + [replace(rows[0], id="copy", options=[])]


@pytest.mark.parametrize(
    ("objective", "tokens", "tolerance"),
    [
        *(("classifier", "last", tolerance) for tolerance in (None, 0.0, TOLERANCE)),
        *(("outcome", tokens, None) for tokens in ("last", "steps")),
        *(
            ("outcome", tokens, tolerance)
            for tokens in ("product", "products")
            for tolerance in (0.0, TOLERANCE)
        ),
    ],
)
def test_a_problem_as_one_tree_has_the_loss_and_the_gradient_of_its_solutions_apart(
    objective, tokens, tolerance
):
    torch.set_num_threads(1)
    settings = ExampleSettings(objective, outcome_tokens=tokens)
    rows = siblings_of_one_problem()
    apart = examples_from(rows, STEPS, LabelRule("human"), settings, Counter())
    together = by_problem(apart, "path", 10_000)
    assert len(together) == 1 and together[0].tree.size < sum(e.tree.size for e in apart)
    losses, gradients = [], []
    for examples in (apart, together):
        model = tiny_model(len(STEPS.tokenizer), 2, tolerance=tolerance)
        packed = pack(
            [e.tree for e in examples], [e.reads for e in examples], [e.reads_paths for e in examples]
        )
        if tolerance is None:
            outputs, beside = model(packed), torch.tensor(0.0)
        else:
            outputs, beside = model.with_language_loss(packed, examples, count_tokens(examples, 0))
        loss = objective_loss(objective, outputs, examples, normaliser_of(objective, examples)) + beside
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-6)


def test_equal_alternatives_of_one_example_are_counted_once_against_the_limit():
    twice = Example("twice", TokenTree([[9], [1], [1, 2], [1, 2]], [-1, 0, 0, 0]), [1], [[0, 1]], [1.0])
    first = solution("first", 1, targets=[1])
    assert len(by_problem([first, twice], "node", 4)) == 1


def test_right_tokens_are_counted_along_the_whole_path():
    whole = replace(solution("whole", 1, 2, 3, targets=[1]), reads=[3], reads_paths=True)
    assert count_tokens([whole], 0) == 3
    assert count_tokens([replace(whole, reads_paths=False)], 0) == 1
    assert count_tokens([replace(whole, weights=[2.0])], 0) == 6
    assert count_tokens([replace(whole, targets=[[1.0, 0.0]])], 0) == 0
