"""Which pairs a preference model learns from: rStar-Math's paper's, and its code's as options."""

from __future__ import annotations

from typing import Any

from ml.bounds import AMOUNT, WHOLE


def add_to(group: Any) -> None:
    """Add the options to a command's arguments."""
    group.add_argument(
        "--no-final-pairs",
        action="store_true",
        help="compare no whole right solutions with whole wrong ones (preference)",
    )
    group.add_argument(
        "--fill-pairs",
        action="store_true",
        help="where one step stands against several, pair it with up to four and not two, as rStar-Math's code does"
        " (preference)",
    )
    group.add_argument(
        "--least-margin",
        type=AMOUNT,
        default=0.0,
        metavar="Q",
        help="drop pairs whose Q, from -1 to 1, differ by less; rStar-Math's code: 0.5 (default: %(default)g)",
    )
    group.add_argument(
        "--least-edit-distance",
        type=WHOLE,
        default=0,
        metavar="N",
        help="drop pairs whose texts differ by fewer edits of a letter; rStar-Math's code: 20 (default: %(default)s)",
    )
