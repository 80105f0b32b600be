"""Small rows and models that the tests of `ml.prm` share."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ml.prm.checkpoint import StoredState, newest_state, read_state
from ml.prm.example import Example
from ml.prm.examples import ExampleSettings, examples_from
from ml.prm.model import ProcessRewardModel, build, small_config
from ml.prm.packing import TokenTree
from ml.prm.tokenization import Layout, StepTokenizer, learned_tokenizer
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule

VOCABULARY = 50


def tokenizer(maximum_length: int = 256) -> StepTokenizer:
    texts = [text for row in sums(4) for text in (row.problem, *row.steps)]
    return StepTokenizer(learned_tokenizer(texts, 300), Layout(maximum_length=maximum_length))


def sums(count: int, seed: int = 0, split: str = "train") -> list[SnapshotRow]:
    """Sums of four numbers, added one by one; in half of them one step is off by something."""
    generator = random.Random(seed)
    rows = []
    for index in range(count):
        numbers = [generator.randint(1, 9) for _ in range(4)]
        wrong = generator.randrange(3) if index % 2 else None
        total, steps = numbers[0], []
        for k, number in enumerate(numbers[1:]):
            result = total + number + (generator.randint(1, 9) if k == wrong else 0)
            steps.append(f"{total} + {number} = {result}")
            total = result
        labels = [1.0 if wrong is None or k < wrong else 0.0 if k == wrong else None for k in range(3)]
        rows.append(
            SnapshotRow(
                id=f"sum-{seed}-{index}",
                problem_id=f"sum-{seed}-{index}",
                problem="Add " + " ".join(map(str, numbers)),
                steps=steps,
                split=split,
                labels=labels,
                label_source=["human" if label is not None else None for label in labels],
                first_mistake=wrong,
                is_correct=wrong is None,
                options=[
                    {
                        "position": 0,
                        "text": f"{numbers[0]} + {numbers[1]} = 77",
                        "rating": -1,
                        "q_value": 0.0,
                    },
                    {"position": 0, "text": f"{numbers[0]} and {numbers[1]}", "rating": 1, "q_value": 1.0},
                ],
            )
        )
    return rows


def with_neutrals(rows: list[SnapshotRow]) -> list[SnapshotRow]:
    """The rows with people's ratings, a 0 at every right second step."""
    rated = []
    for row in rows:
        ratings = [None if label is None else 1 if label else -1 for label in row.labels]
        if ratings[1] == 1:
            ratings[1] = 0
        rated.append(replace(row, human={"ratings": ratings}))
    return rated


def tiny_model(
    vocabulary: int = VOCABULARY,
    outputs: int = 2,
    seed: int = 0,
    targets: Sequence[int] = (),
    tolerance: float | None = None,
) -> ProcessRewardModel:
    torch.manual_seed(seed)
    config = small_config(vocabulary, outputs, hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
    return ProcessRewardModel(build(config, bool(targets) or tolerance is not None), targets, tolerance)


def random_tree(generator: random.Random, nodes: int) -> TokenTree:
    tokens = [[generator.randrange(VOCABULARY) for _ in range(generator.randint(1, 6))] for _ in range(nodes)]
    return TokenTree(tokens, [-1] + [generator.randrange(max(0, i - 4), i) for i in range(1, nodes)])


def examples_of(objective: str, rows: list[SnapshotRow], steps: StepTokenizer, **settings) -> list[Example]:
    settings.setdefault("outputs", {"classifier": 2, "outcome": 2}.get(objective, 1))
    chosen = ExampleSettings(objective=objective, **settings)
    return examples_from(rows, steps, LabelRule("human"), chosen, Counter())


def forget_last_state(folder: Path) -> None:
    """As if a run had been killed before its last update was saved."""
    shutil.rmtree(max(folder.glob("step-*")))


def newest_state_of(folder: Path) -> StoredState | None:
    """What a run would go on from."""
    newest = newest_state(folder)
    return None if newest is None else read_state(newest)
