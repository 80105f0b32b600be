"""What benchmarks of pocket labels read: sampled and written solutions, rollouts, snapshots, scores."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ml.formats import read
from ml.pocket.checker import first_mistake
from ml.pocket.problems import expression_of, generate
from ml.pocket.writer import write_freely
from ml.records import FinishReason, LabelledSolution
from ml.snapshot import SnapshotRow, write_snapshot
from ml.targets import LabelRule, label_rows
from ml.targets.series import SERIES
from tests.benchmarks.support.commands import ml

# What people say of a solution, as a snapshot row's evidence; None where nobody looked at it.
People = Callable[[LabelledSolution], dict[str, Any] | None]


def sampled(out: Path, problems: str, count: int, seed: int) -> Path:
    """Prose solutions by the pocket policy."""
    if not out.exists():
        given = ("--policy", "pocket", "--style", "prose", "--n", count, "--seed", seed)
        ml("sample", "--problems", problems, *given, "--out", out)
    return out


def written(out: Path, count: int, seed: int) -> Path:
    """One solution to each of `count` problems by simulated strangers, in the words of real traces."""
    if not out.exists():
        rng = random.Random(f"strangers {seed}")
        lines = []
        for problem in generate(count, seed):
            solution = write_freely(expression_of(problem.text), rng)
            record = {
                "steps": list(solution.steps),
                "final_answer": str(solution.answer),
                "is_correct": str(solution.answer) == problem.answer,
                "first_mistake": first_mistake(problem.text, solution.steps),
            }
            line = {"id": problem.id, "problem": problem.text, "answer": problem.answer}
            lines.append(json.dumps({**line, "generator": "strangers", "solutions": [record]}) + "\n")
        out.write_text("".join(lines), encoding="utf-8")
    return out


def distinct(out: Path, solutions: Path) -> Path:
    """The same samples without copies: a problem's solutions with equal steps are one."""
    if not out.exists():
        lines = []
        for line in map(json.loads, solutions.read_text(encoding="utf-8").splitlines()):
            once: dict[tuple[str, ...], Any] = {}
            for solution in line["solutions"]:
                once.setdefault(tuple(solution["steps"]), solution)
            lines.append(json.dumps({**line, "solutions": list(once.values())}) + "\n")
        out.write_text("".join(lines), encoding="utf-8")
    return out


def estimated(out: Path, solutions: Path, *options: object, parts: int = 1) -> Path:
    """OmegaPRM's estimates of given solutions: it looks for the first mistake only, which is all we train on.

    Two of a step's rollouts must be right, as in all published figures. `parts`: processes side by side.
    """
    joined = out / "estimates.jsonl"
    if not joined.exists():
        given = ("--format", "misstep", "--method", "omegaprm", "--policy", "pocket", "--seed", 0)
        given = (*given, "--set", "needed_right=2", *options)
        folders = [out / f"part-{part}-of-{parts}" for part in range(1, parts + 1)]

        def label(part: int) -> None:
            share = ("--part", f"{part}/{parts}", "--out", folders[part - 1])
            ml("autolabel", "--solutions", solutions, *given, *share)

        with ThreadPoolExecutor(parts) as threads:
            list(threads.map(label, range(1, parts + 1)))
        own = [(folder / "estimates.jsonl").read_text(encoding="utf-8") for folder in folders]
        joined.write_text("".join(own), encoding="utf-8")
    return joined


def rows(
    solutions: Path, estimates: Path | None, people: People, format: str = "misstep"
) -> Iterator[SnapshotRow]:
    """Snapshot rows, without labels yet: what people say of each solution and what the search said."""
    known = {}
    if estimates is not None:
        lines = map(json.loads, estimates.open(encoding="utf-8"))
        known = {
            line["id"]: {name: [s.get(name) for s in line["steps"]] for name in SERIES} for line in lines
        }
    for labelled in read(solutions, format):
        solution = labelled.solution
        steps = list(solution.steps)
        if labelled.annotation is None or not steps:
            continue
        yield SnapshotRow(
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
            human=people(labelled),
            automatic=known.get(solution.id),
        )


def verdict(first: int | None, count: int) -> dict[str, Any]:
    """One person's look at a solution of `count` steps whose first mistake is `first`."""
    ratings = [1 if first is None or k < first else -1 if k == first else None for k in range(count)]
    reason = FinishReason.SOLUTION if first is None else FinishReason.FOUND_ERROR
    return {"ratings": ratings, "first_mistake": first, "finish_reason": reason, "annotators": 1}


def annotated(labelled: LabelledSolution) -> dict[str, Any]:
    """The file's own annotation: the checker's word on pocket problems, people's on real traces."""
    assert labelled.annotation is not None
    return verdict(labelled.annotation.first_mistake, len(labelled.solution.steps))


def frozen(folder: Path, rows: Iterable[SnapshotRow], rule: LabelRule) -> Path:
    """A snapshot of the rows, labelled by the rule."""
    if not folder.exists():
        write_snapshot(folder, label_rows(rows, rule), name=f"pocket: {folder.name}", labels=rule.labels)
    return folder


def trained(checkpoint: Path, snapshot: Path, *options: object, processes: int = 1) -> Path:
    """A checkpoint of `python -m ml train`, by one process or by several that share each update."""
    if not (checkpoint / "card.json").exists():
        ml("train", "--snapshot", snapshot, "--out", checkpoint, *options, processes=processes)
    return checkpoint


def averaged(mean: Path, *checkpoints: Path) -> Path:
    """The checkpoint of their mean weights."""
    if not (mean / "card.json").exists():
        ml("average", "--checkpoints", *checkpoints, "--out", mean)
    return mean


def scored(checkpoint: Path, solutions: Path, format: str = "misstep") -> Path:
    """The checkpoint's scores of a file of solutions, once for each pair of them as they are now."""
    out = checkpoint.with_name(f"{checkpoint.name}.{solutions.stem}.scores.jsonl")
    newest = max(path.stat().st_mtime for path in (checkpoint / "manifest.json", solutions))
    if not out.exists() or out.stat().st_mtime < newest:
        out.unlink(missing_ok=True)
        ml("score", "--checkpoint", checkpoint, "--solutions", solutions, "--format", format, "--out", out)
    return out
