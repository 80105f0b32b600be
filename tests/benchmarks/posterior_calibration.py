"""How literally fusion's posterior can be taken: noisy people and a search, held against the checker.

    python -m tests.benchmarks.posterior_calibration --out docs/results/posterior_calibration.json

The people and the searches of `pocket_labels`, on fewer problems: a third of people's verdicts are another one at
random, and the search is the usual one, or a poor one of two rollouts in prose. Neither fit sees the checker's word.
Files that are there already are used.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

from ml.records import LabelledSolution
from ml.targets import LabelRule
from ml.targets.calibrating import Gold, posterior_calibration
from ml.targets.snapshot_rows import has_witness, witnessed
from tests.benchmarks.pocket_labels import ROLLOUTS, noisily
from tests.benchmarks.support import pocket_snapshots as data
from tests.benchmarks.support.commands import write_json
from tests.benchmarks.support.svg import Line, line_plot
from tests.data import ROOT

SEARCHES = {
    "with a good search": ("--rollouts", ROLLOUTS),
    "with a poor search": ("--rollouts", 2, "--continuation-style", "prose"),
}


def main() -> None:
    """Make what is missing, and write all figures."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    solutions = data.sampled(options.work / "own.jsonl", f"pocket:{options.problems}:seed=101", 4, 0)
    found: dict[str, Any] = {"people alone": _figures(solutions, None)}
    for name, given in SEARCHES.items():
        folder = options.work / name.replace(" ", "-")
        found[name] = _figures(solutions, data.estimated(folder, solutions, *given))
    write_json(options.out, found)
    _draw(options.figures / "posterior_calibration.svg", found)


def _figures(solutions: Path, estimates: Path | None) -> dict[str, Any]:
    rng, rule = random.Random("noisy people"), LabelRule("mixed", mixture="fusion")
    truth: list[int | None] = []

    def people(labelled: LabelledSolution) -> dict[str, Any]:
        truth.append(data.annotated(labelled)["first_mistake"])
        return noisily(labelled, rng)

    rows = list(data.rows(solutions, estimates, people))
    gold = {index: Gold([place]) for index, place in enumerate(truth) if has_witness(rows[index], rule)}
    return posterior_calibration([witnessed(row, rule) for row in rows], gold)


def _draw(path: Path, found: dict[str, Any]) -> None:
    lines = [Line("calibrated", [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)])]
    for name, figures in found.items():
        points = [(one["score"], one["correct"]) for one in figures["labels"]["bins"]]
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
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "posterior_calibration.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
