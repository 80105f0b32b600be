"""Training on all samples of each problem: as one tree (`--trees problem`) against one solution after another.

    python -m tests.benchmarks.problem_trees --out docs/results/problem_trees.json

Both read the same samples of the pocket policy once, with the checker's labels, from the same base, in updates of
about as many tokens; processor seconds of one thread, in turns, the median of --repeats. The ratio counts
solutions a second; copies of a solution cost the chains as much as any other and the tree nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ml.prm.bases import HeadSettings, open_base
from ml.prm.example import Example
from ml.prm.examples import ExampleSettings, examples_from
from ml.prm.likelihood import TOLERANCE
from ml.prm.model import ProcessRewardModel
from ml.prm.problem_trees import by_problem
from ml.prm.train import TrainingSettings, train
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, label_rows
from tests.benchmarks.support import pocket_snapshots as data
from tests.benchmarks.support.commands import write_json

TOKENS_AN_UPDATE = 8192


@dataclass(frozen=True)
class Case:
    """One way to hold the same labelled solutions."""

    name: str
    examples: list[Example]

    @property
    def tokens(self) -> int:
        """In all examples."""
        return sum(example.tree.size for example in self.examples)


def main() -> None:
    """Sample, train in turns, and write the ratio beside the raw seconds."""
    options = _options()
    torch.set_num_threads(1)
    found = {
        str(samples): _measured(samples, options.problems, options.repeats) for samples in options.samples
    }
    write_json(options.out, {"problems": options.problems, "by samples of a problem": found})
    print(json.dumps(found, indent=1))


def _measured(samples: int, problems: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = data.sampled(Path(folder) / "pool.jsonl", f"pocket:{problems}:seed=107", samples, 0)
        rows = list(label_rows(data.rows(file, None, data.annotated), LabelRule("human")))
    cases = _cases(rows)
    seconds: dict[str, list[float]] = {case.name: [] for case in cases}
    for repeat in range(repeats):
        for case in cases if repeat % 2 else reversed(cases):
            seconds[case.name].append(round(_one_epoch(case), 2))
    medians = {name: statistics.median(all_seconds) for name, all_seconds in seconds.items()}
    apart, together = cases
    return {
        "solutions": len(rows),
        "distinct": len({(row.problem, *row.steps) for row in rows}),
        "tokens": {case.name: case.tokens for case in cases},
        "tokens ratio": round(apart.tokens / together.tokens, 2),
        "seconds": seconds,
        "solutions a second": {name: round(len(rows) / median, 1) for name, median in medians.items()},
        "times as fast": round(medians[apart.name] / medians[together.name], 2),
    }


def _cases(rows: list[SnapshotRow]) -> tuple[Case, Case]:
    tokenizer = open_base("pocket", [], HeadSettings(2, (), TOLERANCE), 0, None, False).tokenizer
    apart = examples_from(rows, tokenizer, LabelRule("human"), ExampleSettings(), Counter())
    return Case("solutions", apart), Case("problems", by_problem(apart, "path", TOKENS_AN_UPDATE))


def _one_epoch(case: Case) -> float:
    """Processor seconds of one pass over all examples, by those that were read."""
    base = open_base("pocket", [], HeadSettings(2, (), TOLERANCE), 0, None, False)
    model = ProcessRewardModel(base.model, (), TOLERANCE, len(base.tokenizer.separator))
    # Updates of equal size that read every example once: a rest that does not fill one is left out.
    count = len(case.examples)
    batch = max(1, round(TOKENS_AN_UPDATE * count / case.tokens))
    updates = max(1, count // batch)
    batch = count // updates
    settings = TrainingSettings(
        "classifier", updates, batch_size=batch, bfloat16=True, language_weight=1.0, optimizer="muon"
    )
    started = time.process_time()
    train(model, case.examples, settings)
    return (time.process_time() - started) * count / (updates * batch)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=12)
    parser.add_argument("--samples", type=int, nargs="+", default=[4, 16, 64], help="of each problem")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("var/problem_trees.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
