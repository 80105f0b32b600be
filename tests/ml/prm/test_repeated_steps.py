"""Steps that come twice have one label, and problems that only look alike have trees of their own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from ml.prm.bases import POCKET_CONTEXT, pocket_layout, pocket_tokenizer
from ml.prm.examples import ExampleSettings, examples_from
from ml.prm.tokenization import StepTokenizer
from ml.snapshot import problem_hash
from ml.targets import LabelRule
from tests.ml.prm.toys import examples_of, sums, tokenizer

STEPS = tokenizer()


def test_an_alternative_that_repeats_a_sibling_is_left_out_and_counted():
    row = sums(1)[0]
    again = {**row.options[0], "text": row.steps[0], "rating": -1}
    twice = {**row.options[1], "rating": -1}
    counts: Counter[str] = Counter()
    repeated = replace(row, options=[again, *row.options, twice])
    (example,) = examples_from([repeated], STEPS, LabelRule("human"), ExampleSettings(), counts)
    (plain,) = examples_of("classifier", [row], STEPS)
    assert (example.tree, example.reads, example.targets) == (plain.tree, plain.reads, plain.targets)
    assert counts["repeated_alternatives"] == 2


def test_the_same_step_elsewhere_or_beside_an_unlabelled_one_is_kept():
    row = sums(1)[0]
    elsewhere = {**row.options[0], "position": 1}
    unlabelled = {**row.options[0], "position": 2, "text": row.steps[2]}
    row = replace(row, labels=[1.0, 1.0, None], options=[row.options[0], elsewhere, unlabelled])
    (example,) = examples_of("classifier", [row], STEPS)
    assert len(example.reads) == 5


def test_texts_of_the_same_tokens_are_no_preference_pair():
    row = sums(1)[0]
    # Signs that the pocket vocabulary does not know.
    pocket = StepTokenizer(pocket_tokenizer(None), pocket_layout(POCKET_CONTEXT, (), None))
    texts = ("7 \u2603", "7 \u2602")
    assert pocket.step(texts[0]) == pocket.step(texts[1])
    options = [
        {"position": 0, "text": text, "rating": rating} for text, rating in zip(texts, (1, -1), strict=True)
    ]
    alone = replace(row, labels=[None, 1.0, 1.0], options=options)
    assert examples_of("preference", [alone], pocket) == []


@pytest.mark.parametrize(("one", "other"), [("Add 5² + 1", "Add 52 + 1"), ("Add 1 1/2", "Add 11/2")])
def test_problems_that_only_look_alike_are_not_compared(one, other):
    assert problem_hash(one) == problem_hash(other)
    right = sums(1)[0]
    # The same step is right of one problem and wrong of the other; each has an alternative beside it.
    rows = [
        replace(right, problem=one, options=right.options[:1]),
        replace(right, id="b", problem=other, labels=[0.0, None, None], first_mistake=0,
                options=[{**right.options[1], "rating": 1}]),
    ]  # fmt: skip
    found = examples_of("preference", rows, STEPS)
    assert [example.tree.tokens[0] for example in found] == [STEPS.problem(one), STEPS.problem(other)]
    step = tuple(STEPS.step(right.steps[0]))
    sides = []
    for example in found:
        ((chosen, rejected, _),) = example.pairs
        tokens = [tuple(example.tree.tokens[example.reads[place]]) for place in (chosen, rejected)]
        sides.append(tokens.index(step))
    assert sides == [0, 1]
