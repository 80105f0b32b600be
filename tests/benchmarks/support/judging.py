"""First mistakes named by a checkpoint, in the product's own words, cut down to the figures that tables show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.benchmarks.support.commands import ml
from tests.benchmarks.support.pocket_snapshots import scored

KEPT = ("exact", "f1", "accuracy_wrong", "accuracy_right")


def on_its_own(checkpoint: Path, solutions: Path) -> dict[str, Any]:
    """Each half of the problems judged by the threshold that suits the other half."""
    scores = scored(checkpoint, solutions)
    report = ml(
        "evaluate", "first-mistake", "--solutions", solutions, "--format", "misstep", "--scores", scores
    )
    return _short(report["held_out"], report)


def by_strangers(checkpoint: Path, strangers: Path, traces: Path) -> dict[str, Any]:
    """Real traces, judged by the threshold that suits simulated strangers' solutions."""
    report = ml(
        "evaluate", "first-mistake", "--solutions", traces, "--format", "big_bench_mistake",
        "--scores", scored(checkpoint, traces, "big_bench_mistake"),
        "--threshold-solutions", strangers, "--threshold-format", "misstep",
        "--threshold-scores", scored(checkpoint, strangers),
    )  # fmt: skip
    return _short(report, report)


def from_card(checkpoint: Path) -> dict[str, Any]:
    """How the checkpoint was trained."""
    card = json.loads((checkpoint / "card.json").read_text(encoding="utf-8"))
    chosen = {
        name: card["config"][name]
        for name in ("head", "tolerance", "optimizer", "learning_rate", "steps", "batch_size")
    }
    return {"base": card["base"], "label_rule": card["label_rule"], "seconds": card["seconds"], **chosen}


def _short(figures: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """What tables show. `exact` is by the threshold of best F1; the most likely place is chosen to be exact."""
    likely = report["most_likely"]
    return {
        **{name: round(figures[name], 4) for name in KEPT},
        "count": figures["count"],
        "step_auc": round(report["steps"]["roc_auc"], 4),
        "exact_most_likely": round(likely["exact"], 4),
        "exact_share_from_scores": round(likely["by_scores"]["exact"], 4),
        "exact_share_known": round(likely["with_share"]["exact"], 4),
        "exact_answer_known": round(likely["with_answers"]["exact"], 4),
    }
