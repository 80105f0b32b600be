"""CPU time by part of the site, read from /proc: unlike latency, it hardly depends on what else the machine does."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def tree_seconds(root: int) -> float:
    """CPU seconds so far of process `root` and all its descendants, those that have ended included."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name stands in parentheses and may itself hold anything.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        ticks[pid] = sum(map(int, fields[11:15]))
    return sum(spent for pid, spent in ticks.items() if _descends(pid, root, parents)) / _TICK


def _descends(pid: int, root: int, parents: Mapping[int, int]) -> bool:
    while pid not in (root, 0):
        pid = parents.get(pid, 0)
    return pid == root


def machine_seconds() -> float:
    """CPU seconds so far of everything on the machine, waiting excluded."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / _TICK


class Meter:
    """CPU of the named parts between `start` and `stop`; `roots` are the processes whose trees the parts are."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self.roots = roots
        self.before = self._read()
        self.client_before = time.process_time()
        self.started = time.perf_counter()

    def _read(self) -> dict[str, float]:
        return {name: tree_seconds(pid) for name, pid in self.roots.items()} | {"machine": machine_seconds()}

    def report(self, requests: int) -> dict[str, object]:
        """Milliseconds of CPU per request by part, and how many cores other programs took meanwhile."""
        took = time.perf_counter() - self.started
        spent = {name: after - self.before[name] for name, after in self._read().items()}
        spent["client"] = time.process_time() - self.client_before
        others = spent.pop("machine") - sum(spent.values())
        each = {name: round(1000 * seconds / max(1, requests), 2) for name, seconds in spent.items()}
        return {
            "cpu_ms_per_request": each | {"all": round(sum(each.values()), 2)},
            "cores_used_by_other_programs": round(max(0.0, others / took), 2),
        }
