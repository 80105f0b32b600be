"""Where tests and benchmarks find real labelled data: a folder beside the project, never part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MISSTEP_DATA", ROOT / ".." / "shared" / "data"))


def real_data(name: str) -> Path:
    """The path of one real data file; skips the calling test, saying so, when it is not there."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"real data file {name} is not here (MISSTEP_DATA names its folder)")
    return path
