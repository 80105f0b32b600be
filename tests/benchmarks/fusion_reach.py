"""Fusion where the search's policy cannot solve some of the problems: simulated people and rollouts.

    python -m tests.benchmarks.fusion_reach --out docs/results/fusion_reach.json

Four solutions to a problem, of 5 to 12 steps, half of them wrong, first mistakes anywhere. An annotator names the right
place in 85 % and another at random else. Of a problem within reach 70 % of 8 rollouts behind each right prefix end
right; of one beyond it, and behind wrong prefixes, 3 %. Beside a fixed share beyond reach, success rates drawn from a
Beta distribution, and rates that a problem's solutions share only roughly. Fusion is told which solutions are of one
problem, or takes each for a problem of its own (`alone`).
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.targets.fusion import Witnessed, fuse
from tests.benchmarks.support.commands import write_json
from tests.data import ROOT

PROBLEMS, OF_EACH, ROLLOUTS, RIGHT_PLACE, LUCKY = 750, 4, 8, 0.85, 0.03
Draw = Callable[[random.Random], float]


def of_each_its_own(rng: random.Random, success: float) -> float:
    """The success rate behind one solution: around its problem's, but often far from it."""
    return rng.betavariate(4 * success, 4 * (1 - success))


DIFFICULTIES: dict[str, Draw] = {
    "all within reach": lambda rng: 0.7,
    "20 % beyond reach": lambda rng: LUCKY if rng.random() < 0.2 else 0.7,
    "40 % beyond reach": lambda rng: LUCKY if rng.random() < 0.4 else 0.7,
    "success rates from Beta(1, 1)": lambda rng: rng.betavariate(1, 1),
    "success rates from Beta(0.5, 0.5)": lambda rng: rng.betavariate(0.5, 0.5),
}
SHARED_ROUGHLY = ("20 % beyond reach", "40 % beyond reach")


def main() -> None:
    """Simulate, fuse, and write how often people and fusion name the right place."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "fusion_reach.json")
    options = parser.parse_args()
    kinds = [(name, False) for name in DIFFICULTIES] + [(name, True) for name in SHARED_ROUGHLY]
    found = [
        {
            "difficulty": f"{name}, shared roughly" if roughly else name,
            "annotators": annotators,
            **_measured(DIFFICULTIES[name], roughly, annotators),
        }
        for name, roughly in kinds
        for annotators in (1, 3)
    ]
    for row in found:
        print(row)
    write_json(options.out, found)


def _measured(draw: Draw, roughly: bool, annotators: int) -> dict[str, Any]:
    rng = random.Random("fusion and reach")
    drawn: list[tuple[Witnessed, int | None]] = []
    for problem in range(PROBLEMS):
        success = draw(rng)
        for _ in range(OF_EACH):
            own = of_each_its_own(rng, success) if roughly else success
            drawn.append(_solution(rng, str(problem), own, annotators))
    items = [item for item, _ in drawn]
    truths = [truth for _, truth in drawn]
    voted = [Counter(item.verdicts.values()).most_common(1)[0][0] for item in items]
    return {
        "people": _share_right(voted, truths),
        "by_problem": _fused(items, truths),
        "alone": _fused([replace(item, problem=None) for item in items], truths),
    }


def _fused(items: list[Witnessed], truths: list[int | None]) -> dict[str, float]:
    fusion = fuse(items)
    best = [int(np.argmax(places)) for places in fusion.places]
    named = [None if k == item.step_count else k for k, item in zip(best, items, strict=True)]
    of_truth = [
        places[-1 if truth is None else truth] for places, truth in zip(fusion.places, truths, strict=True)
    ]
    return {
        "right": _share_right(named, truths),
        "stated": round(float(np.mean([places.max() for places in fusion.places])), 4),
        "log_loss": round(float(-np.mean(np.log(of_truth))), 4),
        "beyond_reach": round(float(fusion.rates.reaches.problems[0]), 4),
    }


def _solution(
    rng: random.Random, problem: str, success: float, annotators: int
) -> tuple[Witnessed, int | None]:
    steps = rng.randint(5, 12)
    truth = rng.randrange(steps) if rng.random() < 0.5 else None
    others = [place for place in (None, *range(steps)) if place != truth]
    said = {
        f"annotator {k}": truth if rng.random() < RIGHT_PLACE else rng.choice(others)
        for k in range(annotators)
    }
    # Behind a finished solution's last step no rollout runs.
    chances = [LUCKY if truth is not None and k >= truth else success for k in range(steps - 1)]
    shares = [sum(rng.random() < chance for _ in range(ROLLOUTS)) / ROLLOUTS for chance in chances]
    return Witnessed(
        steps, said, answer_correct=truth is None, shares=[*shares, None], problem=problem
    ), truth


def _share_right(named: list[int | None], truths: list[int | None]) -> float:
    return round(float(np.mean([one == truth for one, truth in zip(named, truths, strict=True)])), 4)


if __name__ == "__main__":
    main()
