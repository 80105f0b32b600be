"""Do all trainers learn the same? A small PRM by ours and by trl 1.13's PRMTrainer, judged on held-out problems.

    python -m tests.benchmarks.train_learning --out docs/results/train_learning.json

`train_throughput` measures speed from random weights, which so little training leaves near chance. Here the base is
the pocket reader, which can do the arithmetic, with a new linear head; the labels are the checker's (every step up to
the first mistake), so that a trainer that works ranks steps well above 0.5. All begin with the same weights, read the
same tokens and make the same number of updates at the same peak rate in float32, each on one thread. Ours then trains
once more, for as many updates as it makes in the processor's seconds that trl tuned needed. Figures are of one run, and
of the last weights: none are chosen by the held-out problems.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, label_rows
from tests.benchmarks.support import pocket_snapshots as data
from tests.benchmarks.support.commands import write_json
from tests.benchmarks.train_throughput import add_trl_options, judged, run_worker, variants_of, write_data
from tests.data import ROOT

SAMPLES = 4
LONGER = "ours, in the time of trl tuned"
TRAIN_SEED, HELD_OUT_SEED = 301, 302


def main() -> None:
    """Run each trainer once and ours for as long as trl; what was run is written after each."""
    options = _options()
    variants = variants_of(options)
    found: dict[str, Any] = {"settings": _settings(options), "runs": {}}
    runs = found["runs"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found["sample"] = prepare(folder, options)
        found["before_training"] = {"held_out": before_training(folder)}
        for variant in variants:
            runs[variant] = _run(variant, folder, options, options.epochs)
            write_json(options.out, found)
        if "trl tuned" in runs:
            times = runs["trl tuned"]["seconds"] / runs["ours"]["seconds"]
            runs[LONGER] = _run("ours", folder, options, options.epochs * times)
            write_json(options.out, found)


def prepare(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Write the rows and the base; returns what the sample holds. Solutions that are there already are used."""
    options.work.mkdir(parents=True, exist_ok=True)
    held_out = _rows(options.work, "held-out", options.held_out_problems, HELD_OUT_SEED)
    unseen = {row.problem for row in held_out}
    drawn = _rows(options.work, "train", options.problems, TRAIN_SEED)
    train_rows = [row for row in drawn if row.problem not in unseen]
    command = [sys.executable, "-m", "tests.benchmarks.train_worker", "pocket-base", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT)
    layout = json.loads((folder / "base" / "steps.json").read_text(encoding="utf-8"))
    write_data(folder, train_rows, held_out, layout["problem_end"])
    return {"train": _counts(train_rows), "held_out": _counts(held_out)}


def before_training(folder: Path) -> dict[str, Any]:
    """What the base with its new head makes of the held-out rows: where every trainer begins."""
    shutil.copytree(folder / "base", folder / "trained")
    return judged(folder)


def _rows(work: Path, part: str, problems: int, seed: int) -> list[SnapshotRow]:
    """The pocket policy's solutions of fresh problems, labelled by the checker up to the first mistake."""
    path = work / f"{part}-{problems}.jsonl"
    solutions = data.sampled(path, f"pocket:{problems}:seed={seed}", SAMPLES, 0)
    return list(label_rows(data.rows(solutions, None, data.annotated), LabelRule("human")))


def _counts(rows: list[SnapshotRow]) -> dict[str, int]:
    labels = [label for row in rows for label in row.labels if label is not None]
    return {
        "problems": len({row.problem for row in rows}),
        "solutions": len(rows),
        "labelled_steps": len(labels),
        "wrong_steps": labels.count(0.0),
    }


def _run(name: str, folder: Path, options: argparse.Namespace, epochs: float) -> dict[str, Any]:
    run = run_worker(name, folder, options, epochs)
    print(name, json.dumps(run), flush=True)
    return run


def _settings(options: argparse.Namespace) -> dict[str, int]:
    return {name: getattr(options, name) for name in ("problems", "held_out_problems", "epochs")}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=250, help=f"to train on, {SAMPLES} solutions each")
    parser.add_argument("--held-out-problems", type=int, default=150, help=f"{SAMPLES} solutions each")
    parser.add_argument("--epochs", type=int, default=1)
    add_trl_options(parser)
    parser.add_argument("--work", type=Path, default=ROOT / "var" / "train_learning")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "train_learning.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
