"""Which rows `ml snapshot` keeps beside the labelled ones, and which split they are in."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ml.snapshot import SnapshotRow
from ml.snapshot_checks import SPLITS


def add_to(arguments: argparse.ArgumentParser) -> None:
    """The options."""
    arguments.add_argument(
        "--split",
        choices=SPLITS,
        help="the one split that all problems fall into (default: by each problem's text)",
    )
    arguments.add_argument(
        "--keep-unlabelled",
        action="store_true",
        help="keep solutions without any label whose answer is known to be right or wrong, for `train --objective"
        " outcome` and `train --outcomes`",
    )


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What was chosen, where it is not as usual."""
    chosen = {"keep_unlabelled": options.keep_unlabelled, "split": options.split}
    return {name: value for name, value in chosen.items() if value}


def in_split(rows: Iterable[SnapshotRow], split: str | None) -> Iterator[SnapshotRow]:
    """The rows, in this split where one is named."""
    return (replace(row, split=split) if split else row for row in rows)
