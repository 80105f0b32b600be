"""Learning curves: what one more human label is worth in rollouts, and what choosing labels is worth.

    python -m tests.benchmarks.learning_curves --out docs/results/learning_curves.json --images docs/images

A simulated campaign on pocket problems. People (the checker) label solutions up to the first mistake; the
search labels them by 8, or by 2, rollouts behind each step; a third curve adds people's labels to a fixed
stock of the search's. Active learning is that of Let's Verify Step by Step (section 2.4): a PRM from the first
labels scores the pool, and of the next labels 80 % go to its most convincing wrong answers, 20 % to the most
convincing of the rest; the model is then trained anew on all labels bought so far.

Every model starts from the pocket reader with a new head, which knows nothing of mistakes (its likelihood head would
know nearly all before the first label). It learns for the same number of epochs, so that its updates grow with its
labels, and for 40 updates at least; `python -m ml curve` measures the same on a snapshot of one's own. It is judged on
fresh problems: F1 of the first mistake, each half of the problems with the threshold chosen on the other half.
Intervals are a 95 % bootstrap over problems and seeds. Every measured point is kept in --out at once, and the same
command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.acquisition import aggregate
from ml.evaluation.label_worth import reaching, rising
from ml.evaluation.line_plot import Line, line_plot
from ml.snapshot import SnapshotRow
from tests.benchmarks.support.commands import ml, write_json
from tests.benchmarks.support.pocket_pool import Unlabelled, by_person, by_rollouts, read_pool
from tests.benchmarks.support.pocket_prm import Recipe, f1_interval, judged, scores_of, trained
from tests.data import ROOT

MANY, FEW = 8, 2
CONVINCING_WRONG = 0.8
HUMAN, BOTH, ACTIVE = "human", "human + automatic stock", "human, chosen by the PRM"
AUTOMATIC = {MANY: f"automatic, {MANY} rollouts a step", FEW: f"automatic, {FEW} rollouts a step"}


def main() -> None:
    """Measure what is missing, then write the figures and draw them."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    pool, test = _pools(options)
    body: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    body["settings"] = _settings(options)
    body["pool"] = _described(pool)
    points = body.setdefault("points", {})
    campaign = _Campaign(pool, test, options)
    for seed in options.seeds:
        for curve, size in campaign.plan():
            name = f"{curve}/{size}/{seed}"
            if name not in points:
                points[name] = campaign.measure(curve, size, seed)
                print(name, {k: points[name][k] for k in ("rollouts", "step_auc")}, flush=True)
                write_json(options.out, body)
    body["curves"] = curves(points)
    body["worth"] = worth(body["curves"])
    write_json(options.out, body)
    draw(body["curves"], options.images)
    print(json.dumps({"curves": body["curves"], "worth": body["worth"]}, indent=1))


class _Campaign:
    """Buys labels for one pool in different ways, and measures the model after each purchase."""

    def __init__(self, pool: Sequence[Unlabelled], test: Sequence[Unlabelled], options: argparse.Namespace):
        self.pool, self.test, self.options = pool, test, options
        self.recipe = Recipe(
            options.epochs,
            options.batch_size,
            options.learning_rate,
            options.head,
            options.base,
            options.least_updates,
        )

    def plan(self) -> list[tuple[str, int]]:
        """(curve, labelled solutions) of every point; active learning starts once its selector has its labels."""
        sizes = self.options.sizes
        plan = [(curve, size) for curve in (HUMAN, *AUTOMATIC.values()) for size in sizes]
        active = [(ACTIVE, size) for size in sizes if size > self.options.selector]
        return plan + [(BOTH, size) for size in sizes[:-1]] + active

    def measure(self, curve: str, size: int, seed: int) -> dict[str, Any]:
        """Train on what the purchase gives, and judge on the held-out problems."""
        rows, rollouts = self._purchase(curve, size, seed)
        found = judged(trained(rows, self.recipe, seed), self.test)
        wrong = sum(row.first_mistake is not None for row in rows)
        return {"solutions": len(rows), "rollouts": rollouts, "wrong_solutions": wrong, **found}

    def _purchase(self, curve: str, size: int, seed: int) -> tuple[list[SnapshotRow], int]:
        """Rows with labels, and how many rollouts they took."""
        order = self._uniform(seed)
        if curve == HUMAN:
            return [by_person(one) for one in order[:size]], 0
        if curve == ACTIVE:
            return [by_person(one) for one in self._chosen(order, size, seed)], 0
        count = MANY if curve in (BOTH, AUTOMATIC[MANY]) else FEW
        # The stock lies at the other end of the order: people's labels and the search's never meet.
        searched = order[-self.options.stock :] if curve == BOTH else order[:size]
        labelled = [by_rollouts(one, count, seed) for one in searched]
        rows, rollouts = [row for row, _ in labelled], sum(spent for _, spent in labelled)
        return rows + ([by_person(one) for one in order[:size]] if curve == BOTH else []), rollouts

    def _uniform(self, seed: int) -> list[Unlabelled]:
        """Solutions that the search has seen, in random order."""
        order = [one for one in self.pool if one.estimate]
        random.Random(f"uniform {seed}").shuffle(order)
        return order

    def _chosen(self, order: Sequence[Unlabelled], size: int, seed: int) -> list[Unlabelled]:
        """The first labels uniformly, the rest as the PRM trained on these chooses from the whole pool."""
        first = list(order[: self.options.selector])
        prm = trained([by_person(one) for one in first], self.recipe, seed)
        known = {one.row.id for one in first}
        waiting = [one for one in self.pool if one.row.id not in known]
        convincing = {
            one.row.id: aggregate([score or 0.0 for score in scores])
            for one, scores in zip(waiting, scores_of(prm, waiting), strict=True)
        }
        ranked = sorted(waiting, key=lambda one: -convincing[one.row.id])
        wanted = size - len(first)
        wrong = [one for one in ranked if not one.row.is_correct][: round(CONVINCING_WRONG * wanted)]
        taken = {one.row.id for one in wrong}
        rest = [one for one in ranked if one.row.id not in taken][: wanted - len(wrong)]
        return first + wrong + rest


def curves(points: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Per curve and size: F1 with its interval, and means over seeds of the rest."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for name, point in points.items():
        curve, size, _ = name.rsplit("/", 2)
        groups[curve, int(size)].append(point)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (curve, size), runs in sorted(groups.items(), key=lambda item: item[0]):
        f1, low, high = f1_interval([run["by_problem"] for run in runs])
        best = {rule: sum(r["best_of_n"][rule] for r in runs) / len(runs) for rule in runs[0]["best_of_n"]}
        found[curve].append(
            {
                "labelled": size, "seeds": len(runs), "rollouts": _mean(runs, "rollouts"), "f1": f1, "low": low,
                "high": high, "step_auc": _mean(runs, "step_auc"), "wrong_solutions": _mean(runs, "wrong_solutions"),
                "best_of_n": best,
            }
        )  # fmt: skip
    return dict(found)


def _mean(runs: Sequence[dict[str, Any]], key: str) -> float:
    return float(sum(run[key] for run in runs) / len(runs))


def worth(found: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """How many rollouts reach what n human labels reach, and what the next human label is worth in rollouts.

    Both curves are read as those of `python -m ml curve` (`ml.evaluation.label_worth`). None where the search's curve
    does not reach that quality.
    """
    rows = []
    sizes, levels = _rising(found[HUMAN], "labelled")
    for count, name in AUTOMATIC.items():
        search = _rising(found[name], "rollouts")
        equal = [(labels, f1, reaching(*search, f1)) for labels, f1 in zip(sizes, levels, strict=True)]
        for (labels, f1, rollouts), following in zip(equal, [*equal[1:], (0, 0.0, None)], strict=True):
            further = following[2] if rollouts is not None else None
            rows.append(
                {
                    "rollouts_a_step": count,
                    "human_labels": labels,
                    "f1": f1,
                    "equal_rollouts": rollouts,
                    "rollouts_per_label": rollouts / labels if rollouts is not None else None,
                    "next_label_in_rollouts": (further - rollouts) / (following[0] - labels)
                    if rollouts is not None and further is not None
                    else None,
                }
            )
    return rows


def _rising(points: Sequence[dict[str, Any]], amount: str) -> tuple[list[float], list[float]]:
    return [point[amount] for point in points], rising([point["f1"] for point in points])


def draw(found: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    """F1 by labelled solutions, and by rollouts with people's points as levels."""
    names = (HUMAN, ACTIVE, *AUTOMATIC.values(), BOTH)
    by_labels = [_drawn(name, found[name], "labelled") for name in names if name in found]
    line_plot(
        folder / "learning_curves.svg",
        "What labels teach: F1 of the first mistake on fresh problems",
        "labelled solutions",
        "F1",
        by_labels,
    )
    spent = [_drawn(name, found[name], "rollouts") for name in AUTOMATIC.values()]
    ends = [
        min(p[0] for line in spent for p in line.points),
        max(p[0] for line in spent for p in line.points),
    ]
    levels = [
        Line(f"{point['labelled']} human labels", [(x, point["f1"], point["f1"], point["f1"]) for x in ends])
        for point in found[HUMAN]
    ]
    line_plot(
        folder / "labels_in_rollouts.svg",
        "What rollouts buy, and how many human labels buy the same",
        "rollouts spent",
        "F1",
        [*spent, *levels],
    )


def _drawn(name: str, points: Sequence[dict[str, Any]], x: str) -> Line:
    return Line(name, [(point[x], point["f1"], point["low"], point["high"]) for point in points])


def _pools(options: argparse.Namespace) -> tuple[list[Unlabelled], list[Unlabelled]]:
    """The pool (rollouts behind its first solutions) and the held-out problems, made where they are not there."""
    work: Path = options.work
    for name, problems, count, seed in (
        ("pool", f"pocket:{options.problems}:seed=7", 4, 7),
        ("test", f"pocket:{options.test_problems}:seed=8", 16, 8),
    ):
        if not (work / f"{name}.jsonl").exists():
            given = ("--policy", "pocket", "--style", "prose", "--n", count, "--seed", seed)
            ml("sample", "--problems", problems, *given, "--out", work / f"{name}.jsonl")
    lines = (work / "pool.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (work / "searched.jsonl").write_text("".join(lines[: options.searched_problems]), encoding="utf-8")
    if not (work / "estimates").exists():
        given = ("--format", "misstep", "--method", "math-shepherd", "--policy", "pocket", "--rollouts", MANY)
        ml("autolabel", "--solutions", work / "searched.jsonl", *given, "--out", work / "estimates")
    estimates = work / "estimates" / "estimates.jsonl"
    return read_pool(work / "pool.jsonl", estimates), read_pool(work / "test.jsonl", estimates)


def _described(pool: Sequence[Unlabelled]) -> dict[str, Any]:
    """The pool in figures, and how often the search's verdict is the checker's."""
    searched = [one for one in pool if one.estimate]
    exact = {
        count: sum(by_rollouts(one, count, 0)[0].first_mistake == one.first_mistake for one in searched)
        for count in AUTOMATIC
    }
    return {
        "solutions": len(pool),
        "wrong_answers": sum(not one.row.is_correct for one in pool),
        "searched": len(searched),
        "steps_a_solution": sum(len(one.row.steps) for one in pool) / len(pool),
        "exact_share": {count: right / max(len(searched), 1) for count, right in exact.items()},
    }


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {k: v for k, v in vars(options).items() if k not in ("out", "work", "images")}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=600, help="four solutions each to choose from")
    parser.add_argument("--searched-problems", type=int, default=240, help="of these with rollouts")
    parser.add_argument("--test-problems", type=int, default=100, help="16 solutions each")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 12, 36, 108, 324, 900], metavar="LABELS")
    parser.add_argument("--stock", type=int, default=36, help="the search's solutions that people add to")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=float, default=4.0, help="passes of every model over its labels")
    parser.add_argument("--selector", type=int, default=108, help="labels that active learning begins with")
    parser.add_argument("--least-updates", type=int, default=40, help="of a model with few labels")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--base", choices=("pocket", "pocket-reader"), default="pocket-reader")
    parser.add_argument("--head", choices=("linear", "likelihood"), default="linear")
    parser.add_argument("--work", type=Path, default=ROOT / "var" / "learning_curves")
    parser.add_argument("--images", type=Path, default=ROOT / "var" / "learning_curves")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "learning_curves.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
