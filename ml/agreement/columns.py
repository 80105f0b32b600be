"""Columns of labels: what every measure asks of its input before it computes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def paired(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both arrays, once it is sure that they are two columns of one table; ValueError otherwise."""
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"arrays of shapes {first.shape} and {second.shape}, expected two of one length")
    return first, second


def scored(scores: ArrayLike, positive: ArrayLike) -> tuple[Floats, Booleans]:
    """Scores as floats and outcomes as booleans; ValueError for a score that is not a number."""
    values, right = paired(np.asarray(scores, dtype=np.float64), np.asarray(positive).astype(bool))
    if np.isnan(values).any():
        raise ValueError("a score that is not a number; leave out what was not scored")
    return values, right


def counted(counts: ArrayLike | None, values: NDArray[Any]) -> Integers:
    """How often each row of a table occurs: once where nothing else is said.

    ValueError for another length, or for a row that never occurs.
    """
    if counts is None:
        return np.ones(len(values), dtype=np.int64)
    times = paired(values, np.asarray(counts, dtype=np.int64))[1]
    if (times < 1).any():
        raise ValueError("a count below 1; leave out what does not occur")
    return times
