"""How literally fusion's posterior can be taken: noisy people and a search, held against the checker.

    python -m tests.benchmarks.posterior_calibration --out docs/results/posterior_calibration.json --images docs/images

The people and the searches of `pocket_labels`, on fewer problems: a third of people's verdicts are another one at
random, and the search is the usual one, or a poor one of two rollouts in prose. Neither fit sees the checker's word.
Beside it, what consensus filtering makes of the poor search with a judge that errs as those people do. Files that are
there already are used.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml.evaluation.line_plot import Line, line_plot
from ml.records import LabelledSolution
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, label_rows
from ml.targets.calibrating import Gold, posterior_calibration
from ml.targets.snapshot_rows import has_witness, witnessed
from tests.benchmarks.pocket_labels import ROLLOUTS, noisily
from tests.benchmarks.support import pocket_snapshots as data
from tests.benchmarks.support.commands import write_json
from tests.data import ROOT

# A bin of fewer steps is in the file and not in the plot.
FEWEST = 20
SEARCHES = {
    "with a good search": ("--rollouts", ROLLOUTS),
    "with a poor search": ("--rollouts", 2, "--continuation-style", "prose"),
}


def main() -> None:
    """Make what is missing, and write all figures."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    solutions = data.sampled(options.work / "own.jsonl", f"pocket:{options.problems}:seed=101", 4, 0)
    fused: dict[str, Any] = {"people alone": _figures(solutions, None)}
    for name, given in SEARCHES.items():
        estimates = data.estimated(options.work / name.replace(" ", "-"), solutions, *given)
        fused[name] = _figures(solutions, estimates)
    # The last search is the poor one.
    write_json(options.out, {"fusion": fused, "consensus": _consensus(solutions, estimates)})
    _draw(options.images / "posterior_calibration.svg", fused)


def _rows(solutions: Path, estimates: Path | None) -> tuple[list[SnapshotRow], list[int | None]]:
    """What noisy people and the search say of each solution, and the checker's first mistakes."""
    rng = random.Random("noisy people")
    truth: list[int | None] = []

    def people(labelled: LabelledSolution) -> dict[str, Any]:
        truth.append(data.annotated(labelled)["first_mistake"])
        return noisily(labelled, rng)

    return list(data.rows(solutions, estimates, people)), truth


def _consensus(solutions: Path, estimates: Path) -> dict[str, Any]:
    """How many first mistakes are right: the judge's, the search's, and those on which the two agree."""
    rows, truth = _rows(solutions, estimates)
    both = [
        replace(row, human=None, automatic={**(row.automatic or {}), "second": row.human}) for row in rows
    ]
    kinds = {
        "judge alone": label_rows(rows, LabelRule("human")),
        "search alone": label_rows(rows, LabelRule("automatic")),
        "both agree": label_rows(both, LabelRule("automatic", mixture="consensus")),
    }
    found = {}
    for name, labelled in kinds.items():
        kept = [k for k, row in enumerate(labelled) if any(label is not None for label in row.labels)]
        right = sum(labelled[k].first_mistake == truth[k] for k in kept)
        found[name] = {"solutions": len(kept), "right": right / len(kept)}
    return found


def _figures(solutions: Path, estimates: Path | None) -> dict[str, Any]:
    rows, truth = _rows(solutions, estimates)
    rule = LabelRule("mixed", mixture="fusion")
    gold = {index: Gold([place]) for index, place in enumerate(truth) if has_witness(rows[index], rule)}
    return posterior_calibration([witnessed(row, rule) for row in rows], gold)


def _draw(path: Path, found: dict[str, Any]) -> None:
    lines = [Line("calibrated", [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)])]
    for name, figures in found.items():
        points = [
            (one["score"], one["correct"]) for one in figures["labels"]["bins"] if one["count"] >= FEWEST
        ]
        lines.append(Line(name, [(score, right, right, right) for score, right in points]))
    line_plot(
        path,
        "Labels of fusion against the checker",
        "label",
        "share of right steps",
        lines,
        is_logarithmic=False,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=500, help="that the policy solves, four times each")
    parser.add_argument("--work", type=Path, default=ROOT / "var" / "posterior_calibration")
    parser.add_argument("--images", type=Path, default=ROOT / "var" / "posterior_calibration")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "posterior_calibration.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
