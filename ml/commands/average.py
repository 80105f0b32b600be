"""`python -m ml average`: one checkpoint whose weights are the mean of several."""

from __future__ import annotations

import argparse
from pathlib import Path

from ml.bounds import LENGTH
from ml.commands.once import OnceParser
from ml.progress import print_result


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = OnceParser(prog="python -m ml average", description=__doc__)
    arguments.add_argument(
        "--checkpoints",
        required=True,
        nargs="+",
        metavar="DIR",
        help="two or more that began from the same weights, or of which one began from another",
    )
    arguments.add_argument(
        "--weights",
        nargs="+",
        type=LENGTH,
        metavar="W",
        help="how much each checkpoint counts, in proportion (default: all the same)",
    )
    arguments.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="a new folder, for a checkpoint"
    )
    return arguments


def main(argv: list[str]) -> int:
    """Write the checkpoint; it is scored, evaluated and trained further like any other."""
    options = parser().parse_args(argv)
    from ml.prm.averaging import average
    from ml.prm.run import settle_process

    settle_process(None)
    card = average([Path(folder) for folder in options.checkpoints], options.weights, options.out)
    print_result({"checkpoint": str(options.out), "averaged": [part["name"] for part in card["averaged"]]})
    return 0
