"""What labels are worth: PRMs from human-like, automatic and mixed labels of the same pocket solutions.

    python -m tests.benchmarks.pocket_labels --out docs/results/pocket_labels.json

Solutions: the pocket policy's own prose, four to each of many problems and 32 to each of fewer, and simulated
strangers' in the words of real traces. The checker stands for people and labelled half of the problems; OmegaPRM
labelled all. Each model is judged on fresh problems (first mistake; best of 64 against majority vote and an
outcome model, paired over problems) and on people's real traces of BIG-Bench Mistake, which nothing here is
trained, chosen or tuned on but `*+traces`. What a threshold or an aggregation is chosen on has problems of its
own. Files that are there already are used.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ml.records import LabelledSolution
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, label_rows
from tests.benchmarks.support import pocket_snapshots as data
from tests.benchmarks.support.choices import best_of_n
from tests.benchmarks.support.commands import DATA, ml, write_json
from tests.data import ROOT

TRACES = DATA / "big_bench_mistake" / "multistep_arithmetic.jsonl"
KEPT = ("exact", "f1", "accuracy_wrong", "accuracy_right")
# Which snapshot, and which options of `python -m ml train`.
RUNS = {
    "human": ("half", "--labels", "human"),
    "automatic": ("half", "--labels", "automatic"),
    "mixed": ("half", "--labels", "mixed"),
    "outcome": ("half", "--labels", "mixed", "--objective", "outcome"),
    "noisy human": ("noisy", "--labels", "human"),
    "weak automatic": ("noisy", "--labels", "automatic"),
    "fusion": ("noisy", "--labels", "mixed", "--label-rule", "fusion"),
}
NOISE = 1 / 3
# All read the tokens that came, the outcome model as well: its product runs over the whole solution.
EFFORT = (
    "--head", "likelihood", "--trees", "problem", "--batch-size", 6, "--optimizer", "muon",
    "--learning-rate", 1.5e-3, "--bf16",
)  # fmt: skip
POOL_PROBLEMS, POOL_SAMPLES = 400, 32
# Rollouts of a probed prefix: with 16 the search names one first mistake in fifty more, at twice the tokens.
ROLLOUTS = 4
# How people's labels of half of the traces are added to a finished model.
TOUCH = ("--head", "likelihood", "--epochs", 6, "--learning-rate", 3e-4, "--batch-size", 16)


@dataclass(frozen=True)
class Files:
    """Solutions and estimates. parts: what is trained on, each with its estimates; weak: poor estimates of the
    first. test, development: fresh problems with 64 samples each; development chooses an aggregation and nothing
    else. strangers: fresh solutions in the traces' words, which choose a threshold.
    """

    work: Path
    parts: tuple[tuple[Path, Path], ...]
    weak: Path
    test: Path
    development: Path
    strangers: Path


def main() -> None:
    """Make what is missing, train each kind, and write all figures."""
    options = _options()
    files = _files(options)
    rule = LabelRule("mixed")
    data.frozen(files.work / "half", _half(files), rule)
    data.frozen(files.work / "noisy", _noisy(files), rule)
    found: dict[str, Any] = {"labels": _label_accuracy(files), "models": {}}
    for name in options.runs:
        snapshot, *given = RUNS[name]
        data.trained(_folder(files, name), files.work / snapshot, *given, *EFFORT, "--steps", options.steps)
        found["models"][name] = _judged(name, files)
        print(name, json.dumps(found["models"][name]), flush=True)
    found["best_of_n"] = best_of_n(
        options.runs, files.test, files.development, lambda run, path: data.scored(_folder(files, run), path)
    )
    if TRACES.exists() and "automatic" in options.runs:
        found["automatic, then people's labels of half of the traces"] = _with_people(files)
    write_json(options.out, found)


def _files(options: argparse.Namespace) -> Files:
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    parts = [data.sampled(work / "own.jsonl", f"pocket:{options.problems}:seed=101", 4, 0)]
    for k in range(options.pools):
        problems, raw = f"pocket:{POOL_PROBLEMS}:seed={600 + k}", work / f"pool-{k}.all.jsonl"
        parts.append(data.distinct(work / f"pool-{k}.jsonl", data.sampled(raw, problems, POOL_SAMPLES, 6)))
    if options.strangers:
        parts.append(data.written(work / "written.jsonl", options.strangers, 102))
    return Files(
        work,
        tuple((p, data.estimated(work / f"estimates-{p.stem}", p, "--rollouts", ROLLOUTS)) for p in parts),
        data.estimated(work / "weak", parts[0], "--rollouts", 2, "--continuation-style", "prose"),
        data.sampled(work / "test.jsonl", f"pocket:{options.test_problems}:seed=103", 64, 1),
        data.sampled(work / "development.jsonl", "pocket:40:seed=104", 64, 2),
        data.written(work / "strangers.jsonl", 500, 105),
    )


def _folder(files: Files, run: str) -> Path:
    return files.work / run.replace(" ", "-")


def _half(files: Files) -> Iterator[SnapshotRow]:
    """People labelled the solutions of every second problem, the search those of every one."""

    def people(labelled: LabelledSolution) -> dict[str, Any] | None:
        return data.annotated(labelled) if data.half_of(labelled.solution.problem.text) else None

    return chain.from_iterable(data.rows(part, estimates, people) for part, estimates in files.parts)


def _noisy(files: Files) -> Iterator[SnapshotRow]:
    """People labelled all of the first part, a third of it at random; the search had two rollouts for a prefix."""
    rng = random.Random("noisy people")

    def people(labelled: LabelledSolution) -> dict[str, Any]:
        count, said = len(labelled.solution.steps), data.annotated(labelled)
        if rng.random() >= NOISE:
            return said
        return data.verdict(
            rng.choice([k for k in (None, *range(count)) if k != said["first_mistake"]]), count
        )

    return data.rows(files.parts[0][0], files.weak, people)


def _label_accuracy(files: Files) -> dict[str, Any]:
    """How many solutions' first mistakes each kind of label names as the checker does."""
    truth = {
        row.id: row.human["first_mistake"]
        for part, _ in files.parts
        for row in data.rows(part, None, data.annotated)
        if row.human
    }
    kinds = {
        name: (snapshot, LabelRule(*given[1:2], **_mixture(given)))
        for name, (snapshot, *given) in RUNS.items()
    }
    kinds.pop("outcome")
    found = {}
    for name, (snapshot, rule) in kinds.items():
        rows = label_rows((_half if snapshot == "half" else _noisy)(files), rule)
        labelled = [row for row in rows if any(label is not None for label in row.labels)]
        right = sum(row.first_mistake == truth[row.id] for row in labelled)
        found[name] = {"solutions": len(labelled), "right": round(right / len(labelled), 4)}
    return found


def _mixture(given: Sequence[str]) -> dict[str, str]:
    return {"mixture": given[given.index("--label-rule") + 1]} if "--label-rule" in given else {}


def _judged(name: str, files: Files) -> dict[str, Any]:
    """First mistakes on fresh samples (each half by the other half's threshold), on strangers, on traces."""
    checkpoint = _folder(files, name)
    card = json.loads((checkpoint / "card.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {
        "seconds": card["seconds"],
        "label_rule": card["label_rule"],
        "learning_rate": card["config"]["learning_rate"],
        "updates": card["config"]["steps"],
    }
    for kind in (files.test, files.strangers):
        scores = data.scored(checkpoint, kind)
        report = ml(
            "evaluate", "first-mistake", "--solutions", kind, "--format", "misstep", "--scores", scores
        )
        found[kind.stem] = _short(report["held_out"], report)
    if TRACES.exists():
        report = _on_traces(checkpoint, files.strangers)
        found["traces"] = _short(report, report)
    return found


def _on_traces(checkpoint: Path, strangers: Path, traces: Path = TRACES) -> dict[str, Any]:
    """First mistakes of the real traces; the threshold is the one that suits fresh strangers' solutions."""
    return ml(
        "evaluate", "first-mistake", "--solutions", traces, "--format", "big_bench_mistake",
        "--scores", data.scored(checkpoint, traces, "big_bench_mistake"),
        "--threshold-solutions", strangers, "--threshold-format", "misstep",
        "--threshold-scores", data.scored(checkpoint, strangers),
    )  # fmt: skip


def _short(figures: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    short = {name: round(figures[name], 4) for name in KEPT} | {"count": figures["count"]}
    return short | {"step_auc": round(report["steps"]["roc_auc"], 4)}


def _with_people(files: Files) -> dict[str, Any]:
    """The model of automatic labels goes on with people's labels of one half of the traces; both ways."""
    parts = [files.work / f"traces-{half}.jsonl" for half in (0, 1)]
    lines = TRACES.read_text(encoding="utf-8").splitlines(keepends=True)
    for half, part in enumerate(parts):
        own = [line for line in lines if data.half_of(json.loads(line)["input"]) == half]
        part.write_text("".join(own), encoding="utf-8")
    found: dict[str, Any] = {}
    for half, part in enumerate(parts):
        rows = data.rows(part, None, data.annotated, "big_bench_mistake")
        snapshot = data.frozen(files.work / f"people-{half}", rows, LabelRule("human"))
        base = ("--base", _folder(files, "automatic"), "--labels", "human")
        trained = data.trained(files.work / f"automatic-people-{half}", snapshot, *base, *TOUCH)
        for name, checkpoint in (("before", _folder(files, "automatic")), ("after", trained)):
            report = _on_traces(checkpoint, files.strangers, parts[1 - half])
            found[f"tested on half {1 - half}, {name}"] = _short(report, report)
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=3000, help="that the policy solves, four times each")
    parser.add_argument(
        "--pools", type=int, default=4, help=f"of {POOL_PROBLEMS} problems, {POOL_SAMPLES} times each"
    )
    parser.add_argument(
        "--strangers", type=int, default=0, help="problems that strangers solve, once each, as well"
    )
    parser.add_argument("--test-problems", type=int, default=100, help="64 solutions each")
    parser.add_argument("--steps", type=int, default=2000, help="updates of each model")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--work", type=Path, default=ROOT / "var" / "pocket_labels")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "pocket_labels.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
