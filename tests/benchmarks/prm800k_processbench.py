"""What a million parameters learn from PRM800K, by ProcessBench: beside published models, with what is missing.

    python -m tests.benchmarks.prm800k_processbench --out docs/results/prm800k_processbench.json

People's ratings of PRM800K phase 1 train a step classifier (a linear head, and target tokens of the language
model) and a preference model (pairs of rated siblings). They are judged on ProcessBench's GSM8K and MATH
subsets as the benchmark says: the threshold with the highest F1 on GSM8K, frozen for MATH. No pretrained base
can be downloaded here, so `support.base_model` makes one from the training text and GSM8K's training solutions.
Random scores and a base that reads nothing stand beside the models.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml.evaluation.first_mistake import best_threshold, first_mistake_report
from ml.evaluation.step_curves import step_report
from ml.formats import read
from ml.snapshot import SnapshotRow, problem_hash, write_snapshot
from tests.benchmarks.support.base_model import make_base
from tests.benchmarks.support.commands import ml, write_json
from tests.benchmarks.train_throughput import snapshot_row
from tests.data import DATA, ROOT

SUBSETS = {name: DATA / "processbench" / f"{name}.jsonl" for name in ("gsm8k", "math")}
RUNS: dict[str, tuple[str, ...]] = {
    "classifier": ("--objective", "classifier"),
    # Pairs of a +1 and a -1 behind the same prefix; a neutral sibling is on neither side.
    "preference": ("--objective", "preference", "--neutral", "drop"),
    "classifier, target tokens": ("--objective", "classifier", "--head", "tokens"),
    "classifier, neutral its own": ("--objective", "classifier", "--classes", "3"),
}
SEEDS_OF_CHANCE = 20
ANSWER_MARK = "\n\n# Answer"


def main() -> None:
    """Make what is missing, train each kind, and write all figures (a finished kind is not trained again)."""
    options = _options()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    body: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    if not (work / "snapshot").exists():
        body["data"] = freeze(work / "snapshot")
    if not (work / "base").exists():
        texts = list(_texts(work / "snapshot"))
        body["base"] = make_base(work / "base", texts, options.base_updates)
    body["chance"] = chance()
    for name in options.runs:
        if name not in body:
            body[name] = run(name, work, options)
            write_json(options.out, body)
        print(name, json.dumps(_short(body[name])), flush=True)
    write_json(options.out, body)


def freeze(folder: Path) -> dict[str, Any]:
    """PRM800K phase 1 as a snapshot of human labels; a twentieth of its problems is kept for validation."""
    counts = write_snapshot(folder, _rows(), name="PRM800K phase 1", labels="human")["counts"]
    evaluated = {
        problem_hash(s.solution.problem.text) for p in SUBSETS.values() for s in read(p, "processbench")
    }
    overlap = sum(problem_hash(row.problem) in evaluated for row in _rows())
    return {**counts, "problems_also_in_processbench": overlap}


def _rows() -> Iterator[SnapshotRow]:
    """The file's 930 lines that have steps, as they were when the published figures were made. `python -m ml snapshot`
    makes 888 rows of them with the same labels: 42 lines, all given up, are others word for word.
    """
    for labelled in read(DATA / "prm800k" / "phase1_train.jsonl", "prm800k"):
        row = snapshot_row(labelled)
        if row is not None:
            split = "train" if int(problem_hash(row.problem), 16) % 20 else "validation"
            options = [{**option, "text": _without_mark(option["text"])} for option in row.options]
            yield replace(row, split=split, steps=[*map(_without_mark, row.steps)], options=options)


def _without_mark(text: str) -> str:
    """A step without the "# Answer" heading that ends PRM800K's finished solutions.

    All 808 steps that have it are rated right, and nothing else is written so: a model reads the heading and
    not the step, and then calls every other way to state an answer wrong.
    """
    before = text.split(ANSWER_MARK)[0]
    return before if before.strip() else text


def _texts(snapshot: Path) -> Iterator[str]:
    """What the base reads: the training problems with every step and alternative, and GSM8K's own training."""
    for row in _rows():
        if row.split == "train":
            yield from (row.problem, *row.steps, *(option["text"] for option in row.options))
    for line in (DATA / "gsm8k" / "train.jsonl").open(encoding="utf-8"):
        body = json.loads(line)
        yield from (body["question"], *body["answer"].splitlines())


def run(name: str, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train one kind, score both subsets, and judge them."""
    checkpoint = work / name.replace(", ", "-").replace(" ", "-")
    shutil.rmtree(checkpoint, ignore_errors=True)
    started = time.monotonic()
    trained = ml(
        "train", "--snapshot", work / "snapshot", "--base", work / "base", "--out", checkpoint, *RUNS[name],
        "--epochs", options.epochs, "--batch-size", 8, "--learning-rate", options.learning_rate,
        "--maximum-length", 2048,
    )  # fmt: skip
    # Where the checkpoint lay is nobody's business but this machine's.
    card = {name: value for name, value in trained.items() if name != "checkpoint"}
    found: dict[str, Any] = {"seconds": time.monotonic() - started, "card": card}
    files = {subset: work / f"{checkpoint.name}.{subset}.jsonl" for subset in SUBSETS}
    for subset, path in SUBSETS.items():
        given = ("--solutions", path, "--format", "processbench")
        files[subset].unlink(missing_ok=True)
        scored = ml("score", "--checkpoint", checkpoint, *given, "--out", files[subset])
        chosen = (
            "--threshold-solutions", SUBSETS["gsm8k"], "--threshold-scores", files["gsm8k"],
            "--threshold-format", "processbench",
        )  # fmt: skip
        # GSM8K's threshold is its own, which needs no telling.
        of_others = () if subset == "gsm8k" else chosen
        found[subset] = ml("evaluate", "first-mistake", *given, "--scores", files[subset], *of_others)
        found[subset]["unscored_steps"] = scored["unscored_steps"]
        found[subset]["solutions_of_training_problems"] = scored["solutions_of_training_problems"]
    found["mean_f1"] = sum(found[subset]["f1"] for subset in SUBSETS) / len(SUBSETS)
    return found


def chance() -> dict[str, Any]:
    """Uniformly random scores under the same rule, mean over seeds: what the threshold alone is worth."""
    labelled = {subset: list(read(path, "processbench")) for subset, path in SUBSETS.items()}
    truths = {
        s: [one.annotation.first_mistake for one in ones if one.annotation] for s, ones in labelled.items()
    }
    reports: dict[str, list[dict[str, Any]]] = {subset: [] for subset in SUBSETS}
    for seed in range(SEEDS_OF_CHANCE):
        draw = random.Random(seed)
        scores = {
            s: [[draw.random() for _ in one.solution.steps] for one in ones] for s, ones in labelled.items()
        }
        threshold = best_threshold(scores["gsm8k"], truths["gsm8k"])
        for subset in SUBSETS:
            report = first_mistake_report(scores[subset], truths[subset], threshold)
            reports[subset].append(
                {**report, "roc_auc": step_report(scores[subset], truths[subset])["roc_auc"]}
            )
    wanted = ("f1", "accuracy_wrong", "accuracy_right", "exact", "roc_auc")
    return {
        subset: {name: sum(report[name] for report in found) / len(found) for name in wanted}
        for subset, found in reports.items()
    }


def _short(found: dict[str, Any]) -> dict[str, Any]:
    short: dict[str, Any] = {"mean_f1": round(found["mean_f1"], 4), "seconds": round(found["seconds"])}
    for subset in SUBSETS:
        figures = found[subset]
        wanted = ("f1", "accuracy_wrong", "accuracy_right", "threshold")
        short[subset] = {name: round(figures[name], 4) for name in wanted}
        short[subset]["step_auc"] = round(figures["steps"]["roc_auc"], 4)
    return short


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS)[:3])
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--base-updates", type=int, default=250, help="0: random weights")
    parser.add_argument("--work", type=Path, default=ROOT / "var" / "prm800k_processbench")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "prm800k_processbench.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
