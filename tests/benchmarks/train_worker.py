"""One process of the training benchmarks on our side: makes the base, trains, or judges a trained model."""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.agreement import auc
from ml.evaluation.first_mistake import first_mistake_report
from ml.prm.bases import shipped_folder
from ml.prm.examples import ExampleSettings, examples_from
from ml.prm.loading import load
from ml.prm.model import ProcessRewardModel, build, small_config
from ml.prm.score import Scorer, Unscored
from ml.prm.tokenization import (
    Layout,
    StepTokenizer,
    learned_tokenizer,
    load_step_tokenizer,
    pocket_layout,
    pocket_tokenizer,
)
from ml.prm.train import TrainingSettings, train
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule

BATCH, RATE, CONTEXT = 8, 5e-4, 1024


def rows_of(folder: Path, name: str) -> list[SnapshotRow]:
    """The rows that the benchmark wrote."""
    return [SnapshotRow(**json.loads(line)) for line in (folder / f"{name}.jsonl").open()]


def make_base(folder: Path) -> None:
    """A random Llama and a tokenizer learned from the training text; trl's layout of steps."""
    rows = rows_of(folder, "train")
    tokenizer = learned_tokenizer([text for row in rows for text in (row.problem, *row.steps)])
    torch.manual_seed(0)
    build(small_config(len(tokenizer), 2)).save_pretrained(str(folder / "base"))
    StepTokenizer(tokenizer, Layout(problem_end="", maximum_length=CONTEXT)).save(folder / "base")


def make_pocket_base(folder: Path) -> None:
    """The pocket reader with a new head, which all trainers begin with, and the reader's own layout of steps."""
    weights = shipped_folder("pocket-reader")
    if weights is None:
        raise SystemExit("the pocket reader's weights are not in this checkout, expected ml/pocket/reader")
    torch.manual_seed(0)
    load(weights, 2).save_pretrained(str(folder / "base"))
    StepTokenizer(pocket_tokenizer(weights), pocket_layout(CONTEXT)).save(folder / "base")


def train_ours(folder: Path, epochs: float) -> None:
    """One epoch (or more, or part of one) in packed rows and trees, from the same head as trl."""
    torch.set_num_threads(1)
    tokenizer = load_step_tokenizer(folder / "base")
    counts: Counter[str] = Counter()
    rows = rows_of(folder, "train")
    examples = examples_from(rows, tokenizer, LabelRule("human"), ExampleSettings(), counts)
    model = ProcessRewardModel(load(folder / "base", 2, keeps_head=True))
    # A record with its alternatives is a batch by itself: about as many labels as eight of trl's rows.
    batch = 1 if any(row.options for row in rows) else BATCH
    steps = math.ceil(len(examples) * epochs / batch)
    settings = TrainingSettings("classifier", steps, learning_rate=RATE, batch_size=batch, weight_decay=0.0)
    started, wall = time.process_time(), time.perf_counter()
    train(model, examples, settings)
    seconds, wall = time.process_time() - started, time.perf_counter() - wall
    model.model.save_pretrained(str(folder / "trained"))
    labelled = sum(len(example.reads) for example in examples)
    tokens = sum(example.tree.size for example in examples)
    report(seconds, steps, wall_seconds=wall, labelled_steps=labelled, epochs=epochs, tokens=tokens, **counts)


def report(seconds: float, updates: int, **further: object) -> None:
    """The run's line: time, updates and the process's peak memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "updates": updates, "peak_mib": round(peak), **further}))


def judge(folder: Path) -> None:
    """What the model in `trained` makes of the held-out rows."""
    tokenizer = load_step_tokenizer(folder / "base")
    model = ProcessRewardModel(load(folder / "trained"))
    print(json.dumps(judged_scores(model, tokenizer, rows_of(folder, "held_out"))))


def judged_scores(
    model: ProcessRewardModel, tokenizer: StepTokenizer, rows: Sequence[SnapshotRow]
) -> dict[str, Any]:
    """Held-out loss and AUC over every rated step, alternatives among them, and ProcessBench F1."""
    card = {"objective": "classifier", "label_rule": {"neutral": "positive"}}
    scorer = Scorer(model, tokenizer, card)
    scores = [found for _, found in scorer.score_all(Unscored(r.id, r.problem, r.steps) for r in rows)]
    judged = [
        (score, label == 1.0)
        for row, found in zip(rows, scores, strict=True)
        for score, label in zip(found, row.labels, strict=True)
        if score is not None and label is not None
    ]
    for row in rows:
        judged += judged_options(row, scorer)
    flat, correct = np.array([score for score, _ in judged]), np.array([right for _, right in judged])
    chances = torch.tensor(flat).clamp(1e-6, 1 - 1e-6)
    loss = -torch.where(torch.tensor(correct), chances.log(), (1 - chances).log()).mean()
    figures: dict[str, Any] = {
        "loss": float(loss),
        "step_auc": auc(flat, correct),
        "wrong_share": float(1 - correct.mean()),
        "steps": len(flat),
    }
    # Records without alternatives tell where the first mistake is; PRM800K's trajectories go round theirs.
    if not any(row.options for row in rows):
        truths = [(row.human or {}).get("first_mistake") for row in rows]
        figures["f1"] = first_mistake_report(scores, truths)["f1"]
    return figures


def judged_options(row: SnapshotRow, scorer: Scorer) -> list[tuple[float, bool]]:
    """The score of each rated alternative behind its prefix, with whether people called it right."""
    beside = [
        Unscored(f"{k}", row.problem, [*row.steps[: option["position"]], option["text"]])
        for k, option in enumerate(row.options)
    ]
    found = [scores[-1] for _, scores in scorer.score_all(beside)]
    return [
        (score, option["rating"] >= 0)
        for score, option in zip(found, row.options, strict=True)
        if score is not None
    ]


if __name__ == "__main__":
    verb, where = sys.argv[1], Path(sys.argv[2])
    if verb == "base":
        make_base(where)
    elif verb == "pocket-base":
        make_pocket_base(where)
    elif verb == "ours":
        train_ours(where, float(sys.argv[3]))
    else:
        judge(where)
