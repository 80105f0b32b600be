"""`python -m ml` in small windows, which waits amid the second one: whoever kills it never comes too late."""

from __future__ import annotations

import runpy
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ml.prm import score

WINDOW = 32
# More than a window and less than two.
SCORED = WINDOW + 5


def _scores_until_killed(*given: Any) -> Iterator[Any]:
    yield from islice(_all(*given), SCORED)
    time.sleep(600)


if __name__ == "__main__":
    score.WINDOW = WINDOW
    _all = score.Scorer.score_all
    score.Scorer.score_all = _scores_until_killed  # type: ignore[method-assign]
    sys.argv[0] = "ml"
    runpy.run_module("ml", run_name="__main__", alter_sys=True)
