"""Trains the reward model that guides the benchmarks' searches, from automatic labels of pocket problems alone.

    python -m tests.benchmarks.support.guide --out var/guide

Every stage is kept in the folder, so a second call costs nothing. The problems' seed is none that a benchmark
measures on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.support.commands import ml
from tests.data import ROOT

SEED = 11
# What reads arithmetic without a label, taught gently where mistakes stand.
EFFORT = (
    "--base", "pocket-reader", "--head", "likelihood", "--trees", "problem", "--batch-size", 6,
    "--optimizer", "muon", "--learning-rate", 1.5e-4,
)  # fmt: skip


def guide(
    folder: Path, problems: int = 1000, solutions: int = 6, rollouts: int = 4, steps: int = 400
) -> Path:
    """The checkpoint in `folder`, made first where it is missing."""
    checkpoint, snapshot, sampled = folder / "checkpoint", folder / "snapshot", folder / "train.jsonl"
    estimates = folder / "estimates"
    folder.mkdir(parents=True, exist_ok=True)
    if not sampled.exists():
        given = ("--problems", f"pocket:{problems}:seed={SEED}", "--style", "prose", "--n", solutions)
        ml("sample", *given, "--seed", 3, "--out", sampled)
    if not (estimates / "run.json").exists():
        given = ("--solutions", sampled, "--format", "misstep", "--method", "math-shepherd")
        ml("autolabel", *given, "--rollouts", rollouts, "--out", estimates)
    if not snapshot.exists():
        given = ("--solutions", sampled, "--format", "misstep", "--estimates", estimates / "estimates.jsonl")
        named = ("--labels", "automatic", "--name", "pocket: automatic labels")
        ml("snapshot", *given, *named, "--out", snapshot)
    if not (checkpoint / "card.json").exists():
        given = ("--snapshot", snapshot, "--labels", "automatic", "--steps", steps)
        ml("train", *given, *EFFORT, "--out", checkpoint)
    return checkpoint


def main() -> None:
    """Print where the checkpoint lies."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "guide")
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    print(guide(options.out, steps=options.steps))


if __name__ == "__main__":
    main()
