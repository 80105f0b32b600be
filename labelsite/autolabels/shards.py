"""Into how many jobs a run is cut: enough for every worker that listens, few enough that each is worth its start."""

from __future__ import annotations

import math

from labelsite.jobs.workers import slots_serving

QUEUE = "default"
# Below this a policy's batches are half empty, and loading it takes longer than what it is loaded for.
SMALLEST = 25
# A worker that is lost costs at most this much work.
LARGEST = 500
# More parts than workers: who has the easy ones takes another, and nobody waits long for the last.
PARTS_PER_SLOT = 2


def shard_size_for(items: int) -> int:
    """How many items each job of a run gets, so that all workers that are there now have work."""
    return shard_size(items, slots_serving(QUEUE))


def shard_size(items: int, slots: int) -> int:
    """The same for `slots` jobs at once: equal parts of 25 to 500. A single worker has nothing to share."""
    wanted = slots * PARTS_PER_SLOT if slots > 1 else 1
    worthwhile = max(1, items // SMALLEST)
    parts = max(min(wanted, worthwhile), math.ceil(items / LARGEST))
    return math.ceil(items / parts) if items else SMALLEST
