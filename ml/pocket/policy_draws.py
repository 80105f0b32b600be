"""Random numbers of the pocket policy's draws: each depends on its own key and step, never on the batch."""

from __future__ import annotations

import numpy as np


def gumbel_noise(keys: np.ndarray, step: int, size: int) -> np.ndarray:
    """Gumbel draws [rows, size] for rows with keys [rows] at their `step`.

    The uniform numbers come from SplitMix64 (Steele, Lea and Flood 2014) as a counter-based generator.
    """
    with np.errstate(over="ignore"):
        counter = np.uint64(step) * np.uint64(size) + np.arange(1, size + 1, dtype=np.uint64)
        state = keys[:, None] + counter[None, :] * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    uniform = ((state >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return -np.log(-np.log(uniform))
