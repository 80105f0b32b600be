"""How many cores this process may use, and how many workers beside it pay."""

from __future__ import annotations

import os

# A sandbox's server takes 100 MB and more, and the process that feeds them has one core itself: no run of it keeps
# more than so many busy.
MOST_WORKERS = 32


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def allotted_cores() -> int:
    """The cores that this process may run on, or as many of them as OMP_NUM_THREADS allots."""
    cores = usable_cores()
    said = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(said))) if said.isdigit() else cores


def worker_count(least: int = 1) -> int:
    """How many worker processes of one kind: one for each core, between `least` and a fixed most."""
    return max(least, min(MOST_WORKERS, allotted_cores()))
