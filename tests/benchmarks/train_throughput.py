"""Labelled steps per second of training, against trl 1.13's PRMTrainer.

    python -m tests.benchmarks.train_throughput --out docs/results/train_throughput.json

Same model, same tokens, same precision (float32), alternating, median of three. Each has one thread, and
seconds are the processor's, so that a busy machine is unfair to nobody (wall seconds stand beside them in
the raw part). Every run is added to --out at once, and the same command goes on where it was stopped; with
`--turns 1` it stops after one more turn of each trainer, for machines that are quiet only for minutes. trl
stands in an environment of its own (`--trl-python`), because later releases no longer have the trainer: `make
bench-trl` makes it with the versions of `trl-requirements.txt`. `--ours-alone` measures without it.

The random models of these samples stay near chance on held-out problems; `train_learning` is where all three learn.

The sample is fixed: whole records, evenly spaced in the order of their number of labelled steps, so that long
and short ones stand in it as they do in the file. One run is one epoch over it; speed counts every distinct
labelled step once, however often a trainer repeats it. trl's rows for alternatives are its own recipe's: one
row per option, with the prefix's labels repeated. What was trained is then judged on every rated step of
held-out problems, alternatives among them, by the same code for all.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ml.formats import read
from ml.records import LabelledSolution
from ml.snapshot import SnapshotRow, problem_hash
from tests.benchmarks.support.commands import write_json
from tests.data import DATA, ROOT

HELD_OUT_TENTHS = (0, 1)
HELD_OUT_PRM800K = 48
CASES = {
    "processbench": (
        ("processbench/gsm8k.jsonl", "processbench"),
        ("processbench/math.jsonl", "processbench"),
    ),
    "prm800k": (("prm800k/phase1_train.jsonl", "prm800k"),),
}
VARIANTS = ("ours", "trl default", "trl tuned")


def main() -> None:
    """Run what is missing of all cases, and write the raw figures with their medians."""
    options = _options()
    variants = variants_of(options)
    body = _earlier(options)
    for case in options.cases:
        with tempfile.TemporaryDirectory() as folder:
            prepared = prepare(case, Path(folder), options)
            raw = body.setdefault(case, {}).setdefault("raw", {})
            for name in turns({name: raw.setdefault(name, []) for name in variants}, options):
                raw[name].append(run_worker(name, Path(folder), options))
                print(case, name, raw[name][-1], file=sys.stderr, flush=True)
                write_json(options.out, body)
            body[case]["summary"] = {**prepared, **summary(raw)}
            if case == "prm800k" and "longer" not in body[case] and is_complete(raw, options):
                # One epoch is far fewer updates for us: what do we reach in the time that trl needs for it?
                epochs = max(1, int(body[case]["summary"]["times_faster_than"]["trl tuned"]))
                body[case]["longer"] = run_worker("ours", Path(folder), options, epochs)
            write_json(options.out, body)
        print(case, json.dumps(body[case]["summary"], indent=1))


def variants_of(options: argparse.Namespace) -> Sequence[str]:
    """Which trainers run. Raises SystemExit where trl is missing: a comparison with nobody must not look like one."""
    if options.ours_alone:
        return VARIANTS[:1]
    if not options.trl_python.exists():
        raise SystemExit(
            f"trl is not at {options.trl_python}, expected `make bench-trl` first or --ours-alone"
        )
    return VARIANTS


def _earlier(options: argparse.Namespace) -> dict[str, Any]:
    """What --out holds of the same settings; raises SystemExit where it holds another sample's runs."""
    settings = {
        name: getattr(options, name) for name in ("processbench_records", "prm800k_records", "repeats")
    }
    if not options.out.exists():
        return {"settings": settings}
    body: dict[str, Any] = json.loads(options.out.read_text(encoding="utf-8"))
    if body["settings"] != settings:
        raise SystemExit(f"{options.out} holds runs of {body['settings']}, expected {settings} or a new file")
    return body


def turns(raw: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> Iterator[str]:
    """Whose turn it is, until each had all its runs (or `--turns` more).

    The order turns with every repeat, so that a machine that grows busier is unfair to nobody.
    """
    names = list(raw)
    done = min(len(runs) for runs in raw.values())
    last = options.repeats if options.turns is None else min(options.repeats, done + options.turns)
    for repeat in range(done, last):
        start = repeat % len(names)
        yield from [name for name in names[start:] + names[:start] if len(raw[name]) <= repeat]


def is_complete(raw: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> bool:
    """Whether each of the three trainers had all its runs."""
    return set(raw) == set(VARIANTS) and all(len(runs) >= options.repeats for runs in raw.values())


def prepare(case: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Write one data set and its random model; returns what the sample holds."""
    train_rows, held_out = split_rows(case, options)
    write_data(folder, train_rows, held_out)
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.train_worker", "base", str(folder)], check=True, cwd=ROOT
    )
    return {
        "train_records": len(train_rows),
        "held_out_records": len(held_out),
        "labels_in_each_record": [labelled_steps(row) for row in train_rows],
    }


def summary(raw: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians of the processor's seconds, and what stands beside them."""
    raw = {name: runs for name, runs in raw.items() if runs}
    medians = {name: statistics.median(run["seconds"] for run in runs) for name, runs in raw.items()}
    ours = medians["ours"]
    labelled = raw["ours"][0]["labelled_steps"]
    return {
        "runs": {name: len(runs) for name, runs in raw.items()},
        "labelled_steps": labelled,
        "median_seconds": medians,
        "labelled_steps_per_second": {name: labelled / seconds for name, seconds in medians.items()},
        "times_faster_than": {name: seconds / ours for name, seconds in medians.items() if name != "ours"},
        "peak_memory_mib": {name: max(run["peak_mib"] for run in runs) for name, runs in raw.items()},
        "held_out": {name: runs[0]["held_out"] for name, runs in raw.items()},
        "updates": {name: runs[0]["updates"] for name, runs in raw.items()},
    }


def split_rows(case: str, options: argparse.Namespace) -> tuple[list[SnapshotRow], list[SnapshotRow]]:
    """Whole records by hash of the problem: a fixed sample to train on, and held-out ones."""
    rows = []
    for name, format in CASES[case]:
        rows += [row for row in map(snapshot_row, read(DATA / name, format)) if row is not None]
    rows.sort(key=lambda row: problem_hash(row.problem + row.id))
    held_out = [row for row in rows if int(problem_hash(row.problem), 16) % 10 in HELD_OUT_TENTHS]
    train_rows = [row for row in rows if int(problem_hash(row.problem), 16) % 10 not in HELD_OUT_TENTHS]
    if case == "processbench":
        return spread(train_rows, options.processbench_records), held_out
    return spread(train_rows, options.prm800k_records), spread(held_out, HELD_OUT_PRM800K)


def spread(rows: list[SnapshotRow], count: int) -> list[SnapshotRow]:
    """`count` records, evenly spaced in the order of how many labelled steps they have."""
    ordered = sorted(rows, key=labelled_steps)
    count = min(count, len(ordered))
    chosen = [ordered[(2 * k + 1) * len(ordered) // (2 * count)] for k in range(count)]
    return sorted(chosen, key=lambda row: problem_hash(row.problem + row.id))


def labelled_steps(row: SnapshotRow) -> int:
    """Rated steps of the trajectory and rated alternatives."""
    return sum(label is not None for label in row.labels) + len(row.options)


def snapshot_row(labelled: LabelledSolution) -> SnapshotRow | None:
    """A labelled solution as a row that both sides train on alike: every rated step, alternatives as options.

    As in trl's recipe, steps that a person wrote count as right, and labels behind a mistake are kept.
    """
    solution, annotation = labelled.solution, labelled.annotation
    steps = list(solution.steps)
    if annotation is None or not steps:
        return None
    rated = {(r.position, r.option): r.rating for r in annotation.ratings}
    ratings = [rated.get((p, solution.positions[p].chosen or 0)) for p in range(len(steps))]
    for position, step in enumerate(solution.positions[: len(steps)]):
        if step.options[step.chosen or 0].source == "human":
            ratings[position] = 1
    options = [
        {"position": p, "text": step.options[o].text, "rating": rating, "q_value": None}
        for p, step in enumerate(solution.positions[: len(steps) + 1])
        for o in range(len(step.options))
        if o != step.chosen and (rating := rated.get((p, o))) is not None and step.options[o].text.strip()
    ]
    labels = [None if rating is None else float(rating >= 0) for rating in ratings]
    return SnapshotRow(
        id=solution.id,
        problem_id=solution.problem.id,
        problem=solution.problem.text,
        steps=steps,
        split="train",
        labels=labels,
        label_source=["human" if label is not None else None for label in labels],
        human={"ratings": ratings, "first_mistake": annotation.first_mistake},
        options=options,
    )


def trl_rows(row: SnapshotRow, problem_end: str = "") -> list[dict[str, Any]]:
    """trl's recipe for PRM800K: each alternative is a row behind its prefix, and the trajectory is one more.

    A row ends before the first step without a label, because trl's rows have one for each step.
    """
    end = next((k for k, label in enumerate(row.labels) if label is None), len(row.steps))
    labels = [label == 1.0 for label in row.labels]
    prompt = row.problem + problem_end
    rows = [
        {
            "prompt": prompt,
            "completions": [*row.steps[: option["position"]], option["text"]],
            "labels": [*labels[: option["position"]], option["rating"] >= 0],
        }
        for option in row.options
        if option["position"] <= end
    ]
    return [*rows, {"prompt": prompt, "completions": row.steps[:end], "labels": labels[:end]}]


def write_data(
    folder: Path, train_rows: list[SnapshotRow], held_out: list[SnapshotRow], problem_end: str = ""
) -> None:
    """The same records for both: snapshot rows for us, trl's rows for trl."""
    for name, rows in (("train", train_rows), ("held_out", held_out)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    flat = [flat_row for row in train_rows for flat_row in trl_rows(row, problem_end)]
    (folder / "trl.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flat))


def run_worker(name: str, folder: Path, options: argparse.Namespace, epochs: float = 1) -> dict[str, Any]:
    """One training run in a process of its own; scoring of the held-out rows is the same code for all."""
    environment = _one_thread()
    if name == "ours":
        command = [sys.executable, "-m", "tests.benchmarks.train_worker", "ours", str(folder), str(epochs)]
    else:
        worker = ROOT / "tests" / "benchmarks" / "trl_worker.py"
        command = [str(options.trl_python), str(worker), str(folder), name.removeprefix("trl "), str(epochs)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    result["held_out"] = judged(folder)
    return result


def judged(folder: Path) -> dict[str, Any]:
    """What the model in `trained` makes of the held-out rows."""
    judge = [sys.executable, "-m", "tests.benchmarks.train_worker", "judge", str(folder)]
    done = subprocess.run(judge, cwd=ROOT, env=_one_thread(), capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def add_trl_options(parser: argparse.ArgumentParser) -> None:
    """Where trl is, or that it is not wanted."""
    parser.add_argument("--trl-python", type=Path, default=ROOT / "var" / "bench" / "trl" / "bin" / "python")
    parser.add_argument("--ours-alone", action="store_true", help="measure without trl")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--processbench-records", type=int, default=96)
    parser.add_argument("--prm800k-records", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--turns", type=int, help="stop after so many more turns of each trainer")
    add_trl_options(parser)
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "train_throughput.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
