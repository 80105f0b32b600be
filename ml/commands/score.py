"""`python -m ml score`: each step's probability of being correct, by a checkpoint."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ml import formats
from ml.commands import device_option
from ml.commands.ranges import positive
from ml.formats import FORMATS, format_of, read
from ml.progress import Progress, print_result
from ml.snapshot import problem_hash, read_problem_hashes
from ml.whole_file import whole_file


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = argparse.ArgumentParser(prog="python -m ml score", description=__doc__)
    arguments.add_argument("--checkpoint", required=True, type=Path, metavar="DIR")
    arguments.add_argument(
        "--layout",
        type=Path,
        metavar="FILE",
        help="for a transformers folder that was not trained here: JSON that says how it reads (docs/checkpoints.md)",
    )
    arguments.add_argument("--solutions", required=True, type=Path, metavar="FILE")
    arguments.add_argument("--format", choices=FORMATS, help="of --solutions; guessed if left out")
    arguments.add_argument("--out", required=True, type=Path, metavar="FILE")
    arguments.add_argument(
        "--mean-over-tokens",
        action="store_true",
        help="outcome models: the mean reading up to each step's end",
    )
    device_option.add_to(arguments)
    arguments.add_argument(
        "--bf16", action="store_true", help="products of matrices in bfloat16: faster, a little less exact"
    )
    arguments.add_argument("--threads", type=positive, help="default: OMP_NUM_THREADS, or 1")
    return arguments


def main(argv: list[str]) -> int:
    """Write one line `{"id", "scores"}` per solution, whole or not at all."""
    options = parser().parse_args(argv)
    format = format_of(options.solutions, options.format)
    with whole_file(options.out) as stream:
        result = _score(options, format, stream)
    print_result(result)
    return 0


def _score(options: argparse.Namespace, format: str, stream: TextIO) -> dict[str, Any]:
    """Write the scores; returns the command's result."""
    from ml.prm import Unscored, load_scorer
    from ml.prm.distributed import chosen_device, refuse_missing_device
    from ml.prm.given_layout import read_layout
    from ml.prm.run import settle_process

    settle_process(options.threads)
    device = chosen_device(options.device)
    refuse_missing_device(device)
    layout = read_layout(options.layout) if options.layout else None
    scorer = load_scorer(options.checkpoint, device, options.mean_over_tokens, layout, options.bf16)
    known = read_problem_hashes(options.checkpoint / "training_problems.txt")
    seen = {"overlap": 0}

    def solutions() -> Iterator[Unscored]:
        for solution in formats.solutions(read(options.solutions, format)):
            seen["overlap"] += problem_hash(solution.problem.text) in known
            if solution.steps:
                yield Unscored(solution.id, solution.problem.text, solution.steps)

    # Reading twice costs little beside scoring, and tells how long it will take.
    total = sum(bool(one.steps) for one in formats.solutions(read(options.solutions, format)))
    progress = Progress("solutions", total)
    count = steps = 0
    for name, scores in scorer.score_all(solutions()):
        stream.write(json.dumps({"id": name, "scores": scores}) + "\n")
        count, steps = count + 1, steps + len(scores)
        progress.report(count)
    progress.finish(count)
    return {
        "scores": str(options.out),
        "solutions": count,
        "steps": steps,
        "unscored_steps": scorer.truncated,
        # Nobody says what another model was trained on.
        "solutions_of_training_problems": None if layout else seen["overlap"],
        "checkpoint": {name: scorer.card[name] for name in ("objective", "snapshot", "seed")},
    }
