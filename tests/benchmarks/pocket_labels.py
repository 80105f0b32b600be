"""What labels are worth: PRMs from human-like, automatic and mixed labels of the same pocket solutions.

    python -m tests.benchmarks.pocket_labels --out var/pocket_labels.json

Solutions: the pocket policy's own prose, four to each of many problems and 32 to each of fewer. The checker
stands for people and labelled half of the problems; OmegaPRM labelled all. Each model is judged on fresh problems
(first mistake; best of 64 against majority vote and an outcome model, paired over problems). What a threshold or an
aggregation is chosen on has problems of its own. For fusion, a third of people's labels of the first part are another
verdict at random, beside the search as it is and beside a poor one. Files that are there already are used.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ml.evaluation.judged import half_of
from ml.records import LabelledSolution
from ml.snapshot import SnapshotRow, problem_hash
from ml.targets import LabelRule, label_rows
from tests.benchmarks.support import pocket_snapshots as data
from tests.benchmarks.support.choices import OUTCOMES, best_of_n
from tests.benchmarks.support.commands import write_json
from tests.benchmarks.support.judging import from_card, on_its_own
from tests.data import ROOT

# Which snapshot, and which options of `python -m ml train`.
RUNS = {
    "no labels at all": ("half", "--labels", "human"),
    "human": ("half", "--labels", "human"),
    "automatic": ("half", "--labels", "automatic"),
    "mixed": ("half", "--labels", "mixed"),
    "outcome": ("half", "--labels", "mixed", "--objective", "outcome"),
    # As in Let's Verify and in Cobbe et al.: the outcome is predicted all along the solution, and its end is the score.
    "outcome at every step": (
        "half",
        *("--labels", "mixed", "--objective", "outcome", "--outcome-tokens", "steps", "--weighting", "path"),
    ),
    "outcome at the last token": ("half", "--labels", "mixed", "--objective", "outcome", "--head", "linear"),
    "noisy human": ("noisy", "--labels", "human"),
    "automatic of the same": ("noisy", "--labels", "automatic"),
    "fusion": ("noisy", "--labels", "mixed", "--label-rule", "fusion"),
    "weak automatic": ("weak", "--labels", "automatic"),
    "fusion with weak automatic": ("weak", "--labels", "mixed", "--label-rule", "fusion"),
}
# What fusion fuses, and has to be as good as.
SOURCES = {
    "fusion": ("noisy human", "automatic of the same"),
    "fusion with weak automatic": ("noisy human", "weak automatic"),
}
# What these learn from names no first mistake.
WITHOUT_STEPS = ("no labels at all", *OUTCOMES, "outcome at the last token")
NOISE = 1 / 3
# All but one read the tokens that came, outcome models as well: their products run over the whole solution.
EFFORT = (
    "--base", "pocket-reader", "--head", "likelihood", "--trees", "problem", "--batch-size", 6,
    "--optimizer", "muon", "--bf16", "--compile",
)  # fmt: skip
POOL_PROBLEMS, POOL_SAMPLES = 400, 32
# Rollouts of a probed prefix: with 16 the search names one first mistake in fifty more, at twice the tokens.
ROLLOUTS = 4
# What the base knows by itself: a checkpoint that has not moved from it.
UNTRAINED = ("--steps", 1, "--learning-rate", 1e-9)


@dataclass(frozen=True)
class Files:
    """Solutions and estimates. parts: what is trained on, each with its estimates; weak: poor estimates of the
    first, None where no run learns from them. test, development: fresh problems with 64 samples each; development
    chooses an aggregation and nothing else.
    """

    work: Path
    parts: tuple[tuple[Path, Path], ...]
    weak: Path | None
    test: Path
    development: Path


def main() -> None:
    """Make what is missing, train each kind, and write all figures."""
    options = _options()
    files = _files(options)
    for snapshot in dict.fromkeys(RUNS[name][0] for name in options.runs):
        data.frozen(files.work / snapshot, _rows(files, snapshot), LabelRule("mixed"))
    found: dict[str, Any] = {"labels": _label_accuracy(files, options.runs), "models": {}}
    # The models of one seed before those of the next, so that a run that is stopped has some of every kind.
    models = [(name, seed) for seed in options.seeds for name in options.runs]
    judged = dict(
        zip(models, _at_once(options, [partial(_judged, files, *m, options) for m in models]), strict=True)
    )
    for name in options.runs:
        found["models"][name] = [judged[name, seed] for seed in options.seeds]
    found["best_of_n"] = best_of_n(
        options.runs,
        options.seeds,
        files.test,
        files.development,
        lambda run, seed, path: data.scored(_folder(files, run, seed), path),
        SOURCES,
    )
    write_json(options.out, found)


def _at_once(options: argparse.Namespace, makers: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each makes, in order. A maker waits for commands of one thread each, so that every core can have one. Where
    one fails, none is begun any more.
    """
    with ThreadPoolExecutor(options.jobs) as workers:
        try:
            return [future.result() for future in [workers.submit(make) for make in makers]]
        finally:
            workers.shutdown(cancel_futures=True)


def _judged(files: Files, name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """A model of one kind of label, trained where it is missing, with what it names of the test's first mistakes."""
    snapshot, *given = RUNS[name]
    checkpoint = _folder(files, name, seed)
    # What a run sets for itself comes last, and so counts.
    effort = (*EFFORT, *_length(name, options), "--seed", seed, *given)
    data.trained(checkpoint, files.work / snapshot, *effort)
    figures = {"trained": from_card(checkpoint), "test": on_its_own(checkpoint, files.test)}
    print(name, seed, json.dumps(figures), flush=True)
    return figures


def _length(name: str, options: argparse.Namespace) -> tuple[object, ...]:
    """How long and at what rate a model trains: on the first part alone, a third of the solutions, half as long."""
    if name == "no labels at all":
        return UNTRAINED
    steps = options.steps if RUNS[name][0] == "half" else options.steps // 2
    return ("--steps", steps, "--learning-rate", options.learning_rate)


def _files(options: argparse.Namespace) -> Files:
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    weak = any(RUNS[name][0] == "weak" for name in options.runs)
    test = f"pocket:{options.test_problems}:seed={options.test_seed}"
    tested, development, *parts = _at_once(
        options,
        [
            partial(data.sampled, work / "test.jsonl", test, 64, 1),
            partial(data.sampled, work / "development.jsonl", "pocket:40:seed=104", 64, 2),
            partial(_own, work, options.problems),
            *(partial(_pool, work, k) for k in range(options.pools)),
        ],
    )
    return Files(work, tuple(parts), _weak(work) if weak else None, tested, development)


def _own(work: Path, problems: int) -> tuple[Path, Path]:
    return _estimated(work, data.sampled(work / "own.jsonl", f"pocket:{problems}:seed=101", 4, 0))


def _pool(work: Path, k: int) -> tuple[Path, Path]:
    problems, raw = f"pocket:{POOL_PROBLEMS}:seed={600 + k}", work / f"pool-{k}.all.jsonl"
    return _estimated(
        work, data.distinct(work / f"pool-{k}.jsonl", data.sampled(raw, problems, POOL_SAMPLES, 6))
    )


def _estimated(work: Path, part: Path) -> tuple[Path, Path]:
    return part, data.estimated(work / f"estimates-{part.stem}", part, "--rollouts", ROLLOUTS)


def _weak(work: Path) -> Path:
    poor = ("--rollouts", 2, "--continuation-style", "prose")
    return data.estimated(work / "estimates-weak", work / "own.jsonl", *poor)


def _folder(files: Files, run: str, seed: int) -> Path:
    return files.work / f"{run.replace(' ', '-')}-{seed}"


def _rows(files: Files, snapshot: str) -> Iterator[SnapshotRow]:
    return _half(files) if snapshot == "half" else _noisy(files, snapshot)


def _half(files: Files) -> Iterator[SnapshotRow]:
    """People labelled the solutions of every second problem, the search those of every one."""

    def people(labelled: LabelledSolution) -> dict[str, Any] | None:
        return data.annotated(labelled) if half_of(problem_hash(labelled.solution.problem.text)) else None

    return chain.from_iterable(data.rows(part, estimates, people) for part, estimates in files.parts)


def _noisy(files: Files, search: str) -> Iterator[SnapshotRow]:
    """People labelled all of the first part, a third of it at random; the search is the usual one, or the `weak`."""
    rng = random.Random("noisy people")

    part, estimates = files.parts[0]
    found = files.weak if search == "weak" else estimates
    return data.rows(part, found, lambda labelled: noisily(labelled, rng))


def noisily(labelled: LabelledSolution, rng: random.Random) -> dict[str, Any]:
    """The checker's word, but for a share of `NOISE` another verdict at random."""
    count, said = len(labelled.solution.steps), data.annotated(labelled)
    if rng.random() >= NOISE:
        return said
    return data.verdict(rng.choice([k for k in (None, *range(count)) if k != said["first_mistake"]]), count)


def _label_accuracy(files: Files, runs: Sequence[str]) -> dict[str, Any]:
    """How many solutions' first mistakes each kind of label names as the checker does."""
    truth = {
        row.id: row.human["first_mistake"]
        for part, _ in files.parts
        for row in data.rows(part, None, data.annotated)
        if row.human
    }
    found = {}
    for name in (name for name in runs if name not in WITHOUT_STEPS):
        snapshot, _, labels, *given = RUNS[name]
        rule = LabelRule(labels, mixture=given[1]) if given else LabelRule(labels)
        rows = label_rows(_rows(files, snapshot), rule)
        labelled = [row for row in rows if any(label is not None for label in row.labels)]
        right = sum(row.first_mistake == truth[row.id] for row in labelled)
        found[name] = {"solutions": len(labelled), "right": round(right / len(labelled), 4)}
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=3000, help="that the policy solves, four times each")
    parser.add_argument(
        "--pools", type=int, default=4, help=f"of {POOL_PROBLEMS} problems, {POOL_SAMPLES} times each"
    )
    parser.add_argument("--test-problems", type=int, default=300, help="64 solutions each")
    parser.add_argument("--test-seed", type=int, default=103, help="of these problems")
    parser.add_argument("--steps", type=int, default=600, help="updates of each model of all parts")
    parser.add_argument("--learning-rate", type=float, default=1.5e-4)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="of the trainings, whose mean counts"
    )
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="commands at a time, of a thread each"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "var" / "pocket_labels")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "pocket_labels.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
