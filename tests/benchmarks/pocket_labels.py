"""What labels are worth: PRMs from human-like, automatic and mixed labels of the same pocket solutions.

    python -m tests.benchmarks.pocket_labels --out docs/results/pocket_labels.json

The checker stands for people and labelled half of the problems; rollouts of the pocket policy labelled all.
Each model is judged on fresh problems (first mistake against the checker; best-of-n against majority vote
and an outcome model) and on people's real traces of BIG-Bench Mistake. Files given with --train,
--estimates and --test are used instead of being made.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml.formats import read
from ml.records import FinishReason
from ml.snapshot import SnapshotRow, problem_hash, write_snapshot
from ml.targets import LabelRule, label_rows
from tests.data import ROOT

DATA = Path(os.environ.get("MISSTEP_DATA", ROOT / ".." / "shared" / "data"))
TRACES = DATA / "big_bench_mistake" / "multistep_arithmetic.jsonl"
SERIES = ("visits", "correct", "q_value", "hard", "soft", "quality_value")
RUNS = {
    "human": ("--labels", "human"),
    "automatic": ("--labels", "automatic"),
    "mixed": ("--labels", "mixed"),
    "outcome": ("--labels", "mixed", "--objective", "outcome"),
}


def main() -> None:
    """Make what is missing, train each kind, and write all figures."""
    options = _options()
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    train = options.train or _sampled(work / "train.jsonl", f"pocket:{options.problems}", 4, 0)
    estimates = options.estimates or _estimated(work / "estimates", train, options.rollouts)
    test = options.test or _sampled(work / "test.jsonl", f"pocket:{options.test_problems}:seed=1", 64, 1)
    _snapshot(work / "snapshot", train, estimates)
    results = {}
    for name in options.runs:
        results[name] = _run(name, work, test, options.steps)
        print(name, json.dumps(_short(results[name])), flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _run(name: str, work: Path, test: Path, steps: int) -> dict[str, Any]:
    checkpoint = work / name
    card = checkpoint / "card.json"
    if not card.exists():
        _ml("train", "--snapshot", work / "snapshot", "--out", checkpoint, "--steps", steps, *RUNS[name])
    found: dict[str, Any] = {"card": json.loads(card.read_text())}
    for kind, solutions, format in (("pocket", test, "misstep"), ("traces", TRACES, "big_bench_mistake")):
        if not solutions.exists():
            continue
        given = ("--solutions", solutions, "--format", format)
        scores = work / f"{name}.{kind}.jsonl"
        _ml("score", "--checkpoint", checkpoint, *given, "--out", scores)
        found[kind] = _ml("evaluate", "first-mistake", *given, "--scores", scores)
        if kind == "pocket":
            found["best_of_n"] = _ml("evaluate", "best-of-n", "--pool", test, "--scores", scores)
    return found


def _short(found: dict[str, Any]) -> dict[str, Any]:
    short: dict[str, Any] = {}
    for kind in ("pocket", "traces"):
        if kind in found:
            held_out = found[kind]["held_out"]
            short[kind] = {key: round(held_out[key], 3) for key in ("exact", "f1", "accuracy_wrong")}
            short[kind]["step_auc"] = round(found[kind]["steps"]["roc_auc"], 3)
    largest = max(row["n"] for row in found["best_of_n"]["rows"])
    for row in found["best_of_n"]["rows"]:
        if row["n"] == largest and row["rule"] in ("majority", "last", "minimum", "product", "oracle"):
            short[f"{row['rule']}@{largest}"] = [round(row[key], 3) for key in ("accuracy", "low", "high")]
    return short


def _snapshot(folder: Path, train: Path, estimates: Path) -> None:
    """People (the checker) labelled every second problem, the search every one."""
    if folder.exists():
        return
    rows = label_rows(_rows(train, estimates), LabelRule("mixed"))
    write_snapshot(folder, rows, name="pocket: people on half, search on all", labels="mixed")


def _rows(train: Path, estimates: Path) -> Iterator[SnapshotRow]:
    known = {line["id"]: line["steps"] for line in map(json.loads, estimates.open(encoding="utf-8"))}
    for labelled in read(train, "misstep"):
        solution, annotation = labelled.solution, labelled.annotation
        steps = list(solution.steps)
        if annotation is None or not steps or solution.id not in known:
            continue
        first = annotation.first_mistake
        ratings = [1 if first is None or k < first else -1 if k == first else None for k in range(len(steps))]
        reason = FinishReason.SOLUTION if first is None else FinishReason.FOUND_ERROR
        row = SnapshotRow(
            id=solution.id,
            problem_id=solution.problem.id,
            problem=solution.problem.text,
            steps=steps,
            split="train",
            labels=[None] * len(steps),
            label_source=[None] * len(steps),
            answer=solution.problem.answer,
            final_answer=solution.final_answer,
            is_correct=solution.is_correct,
            human={"ratings": ratings, "first_mistake": first, "finish_reason": reason, "annotators": 1},
            automatic={name: [step.get(name) for step in known[solution.id]] for name in SERIES},
        )
        yield row if int(problem_hash(row.problem), 16) // 10 % 2 else replace(row, human=None)


def _sampled(out: Path, problems: str, count: int, seed: int) -> Path:
    if not out.exists():
        given = ("--policy", "pocket", "--style", "prose", "--n", count, "--seed", seed)
        _ml("sample", "--problems", problems, *given, "--out", out)
    return out


def _estimated(out: Path, solutions: Path, rollouts: int) -> Path:
    if not (out / "estimates.jsonl").exists():
        given = ("--format", "misstep", "--method", "math-shepherd", "--policy", "pocket")
        _ml("autolabel", "--solutions", solutions, *given, "--rollouts", rollouts, "--seed", 0, "--out", out)
    return out / "estimates.jsonl"


def _ml(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "ml", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[2:])}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=120, help="to train on, four solutions each")
    parser.add_argument("--test-problems", type=int, default=60, help="64 solutions each")
    parser.add_argument("--rollouts", type=int, default=8, help="behind each step")
    parser.add_argument("--steps", type=int, default=100, help="updates of each training run")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--train", type=Path, help="a file of python -m ml sample")
    parser.add_argument("--estimates", type=Path, help="the estimates.jsonl of its autolabel run")
    parser.add_argument("--test", type=Path)
    parser.add_argument("--work", type=Path, default=ROOT / "var" / "pocket_labels")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "pocket_labels.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
