"""`python -m ml score`: each step's probability of being correct, by a checkpoint."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml import formats
from ml.bounds import ABOVE_ZERO
from ml.commands import device_option, format_option
from ml.commands.once import OnceParser
from ml.commands.parts import add_part, part_settings
from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.finished_run import finished_result, keep_result
from ml.formats import format_of, read
from ml.progress import Progress, print_result
from ml.records import Solution
from ml.search.run_folder import RunFolder
from ml.snapshot import problem_hash, read_problem_hashes
from ml.whole_file import refuse_unwritable, whole_file

if TYPE_CHECKING:
    from ml.prm.score import Scorer


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = OnceParser(prog="python -m ml score", description=__doc__)
    arguments.add_argument(
        "--checkpoint", required=True, type=Path, metavar="DIR", help="folder that `python -m ml train` wrote"
    )
    arguments.add_argument(
        "--layout",
        type=Path,
        metavar="FILE",
        help="JSON file that says how a transformers folder that was not trained here reads (docs/checkpoints.md)",
    )
    arguments.add_argument("--solutions", required=True, type=Path, metavar="FILE", help="solutions to score")
    format_option.add_to(arguments)
    arguments.add_argument("--out", required=True, type=Path, metavar="FILE", help="JSON Lines to write")
    arguments.add_argument(
        "--mean-over-tokens",
        action="store_true",
        help="score a step by the mean reading of the tokens up to its end (outcome models only)",
    )
    device_option.add_to(arguments)
    arguments.add_argument(
        "--bf16",
        action="store_true",
        help="multiply matrices in bfloat16: a little less exact; faster on a GPU, and on a CPU with AMX",
    )
    arguments.add_argument(
        "--tokens-per-row",
        type=ABOVE_ZERO,
        metavar="N",
        help="most tokens of a packed row, unless a single solution is longer: fewer take less memory (default: 16384)",
    )
    add_part(arguments)
    arguments.add_argument(
        "--threads", type=ABOVE_ZERO, metavar="N", help="CPU threads (default: OMP_NUM_THREADS, or 1)"
    )
    return arguments


def main(argv: list[str]) -> int:
    """Write one line `{"id", "scores"}` per solution. The file appears under its name only when it is whole; until
    then, what is scored stands in a folder beside it, from which the same command goes on.
    """
    options = parser().parse_args(argv)
    format = format_of(options.solutions, options.format)
    refuse_unwritable(options.out, options.solutions, options.layout)
    print_result(_score(options, format))
    return 0


def _score(options: argparse.Namespace, format: str) -> dict[str, Any]:
    """Write the scores; returns the command's result."""
    from ml.devices import chosen_device, refuse_missing_device
    from ml.prm import load_scorer
    from ml.prm.given_layout import read_layout
    from ml.prm.run import settle_process

    settle_process(options.threads)
    device = chosen_device(options.device)
    refuse_missing_device(device)
    layout = read_layout(options.layout) if options.layout else None
    # At once, before a large file is read: where there is no checkpoint, nothing else needs to be known.
    identity = _identity(options.checkpoint, options.layout)
    total, digest = _counted(options.solutions, format)
    wanted = range(total) if options.part is None else options.part.places(total)
    beside = options.out.with_name(f"{options.out.name}.partial")
    settings = _settings(options, identity, {"solutions": total, "sha256": digest})
    with RunFolder(beside, settings).opened() as folder:
        is_done = 0 < len(folder.offsets) == len(wanted)
        if (earlier := finished_result(options.out, settings, is_done)) is not None:
            return earlier
        # Gigabytes, which nobody needs who has the scores already.
        scorer = load_scorer(options.checkpoint, device, options.mean_over_tokens, layout, options.bf16)
        seen = _score_missing(scorer, options, format, wanted, folder)
        counts = _written(folder, options.out)
        result = {
            "scores": str(options.out),
            **{name: counts[name] for name in ("solutions", "steps", "unscored_steps")},
            # Nobody says what another model was trained on.
            "solutions_of_training_problems": None if layout else seen,
            "checkpoint": {name: scorer.card[name] for name in ("objective", "snapshot", "seed")},
        }
        keep_result(options.out, settings, result)
    return result


def _solutions(path: Path, format: str) -> Iterator[Solution]:
    """Those that have something to score."""
    return (one for one in formats.solutions(read(path, format)) if one.steps)


def _counted(path: Path, format: str) -> tuple[int, str]:
    """How many solutions there are, and a hash of all that is read of them.

    Reading twice costs little beside scoring, and tells how long it will take.
    """
    count, digest = 0, hashlib.sha256()
    for one in _solutions(path, format):
        count += 1
        digest.update(repr((one.id, one.problem.text, one.steps)).encode("utf-8", "replace"))
    return count, digest.hexdigest()


def _settings(options: argparse.Namespace, identity: str, given: dict[str, Any]) -> dict[str, Any]:
    """What makes two runs the same run. Where it runs and in how long rows does not: that rounds otherwise, and no
    more.
    """
    return {
        "checkpoint": identity,
        "input": given,
        **part_settings(options.part),
        "mean_over_tokens": options.mean_over_tokens,
        "bf16": options.bf16,
    }


def _identity(checkpoint: Path, layout: Path | None) -> str:
    """A hash of the model: a checkpoint's manifest has that of each file. Raises MisstepError where it has none."""
    from ml.prm.checkpoint import check_whole

    files = [checkpoint / "manifest.json"]
    if layout is None and not files[0].exists():
        check_whole(checkpoint)
    if layout is not None:
        # A tokenizer may be any of several files, and other ones count for nothing.
        files = [layout, *sorted(path for path in checkpoint.iterdir() if path.is_file())]
    return hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()


def _score_missing(
    scorer: Scorer, options: argparse.Namespace, format: str, wanted: range, folder: RunFolder
) -> int:
    """Keep the scores that no earlier start has; returns how many solutions are of problems trained on."""
    from ml.prm import Unscored
    from ml.prm.score import TOKENS_PER_ROW, WINDOW

    known = read_problem_hashes(options.checkpoint / "training_problems.txt")
    begun_at = len(folder.offsets)
    # Who is read in one pass changes the last bits: the windows stay where they were.
    first = begun_at - begun_at % WINDOW
    seen = 0

    def waiting() -> Iterator[Unscored]:
        nonlocal seen
        own = islice(_solutions(options.solutions, format), wanted.start, wanted.stop)
        for place, one in enumerate(own):
            seen += problem_hash(one.problem.text) in known
            if place >= first:
                yield Unscored(one.id, one.problem.text, one.steps)

    progress = Progress("solutions", len(wanted), begun_at=begun_at)
    found = scorer.score_all(waiting(), options.tokens_per_row or TOKENS_PER_ROW)
    for place, (name, scores) in enumerate(found, start=first):
        if place < begun_at:
            continue
        if not all(score is None or math.isfinite(score) for score in scores):
            raise MisstepError(f"record {name}: a score that is no number, expected a sound model")
        folder.add(place, {"id": name, "scores": scores})
        progress.report(place + 1)
    progress.finish(len(wanted))
    return seen


def _written(folder: RunFolder, out: Path) -> Counter[str]:
    """The scores under their name, those of earlier starts too, and sums over all of them."""
    counts: Counter[str] = Counter(solutions=0, steps=0, unscored_steps=0)
    with whole_file(out) as stream:
        for kept in folder.lines():
            scores = kept["scores"]
            counts.update(solutions=1, steps=len(scores), unscored_steps=scores.count(None))
            stream.write(json.dumps({"id": kept["id"], "scores": scores}) + "\n")
    return counts
