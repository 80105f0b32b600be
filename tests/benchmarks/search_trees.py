"""Trees a minute, searched together against one at a time: `python -m tests.benchmarks.search_trees`.

Same trees, same policy, same budget; the ratio is of one run, so that the machine's mood cancels out. The
processor time is that of this process and all that it started, so it hardly sees what else the machine does.
Together: as many trees under way as --parallel says, one engine for each core. One at a time: the next tree begins
when the last has ended, in one engine in the driving process (faster for one tree than an engine in another
process); a node's candidates are still one batch, and what was read of its path is not read again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from pathlib import Path

from ml.execution import Sandbox
from ml.pocket.problems import generate
from ml.policies import load_policy
from ml.policies.protocol import Policy
from ml.records import Problem
from ml.search import rstar
from ml.search.walk import Walk


def trees_a_minute(
    policy: Policy, problems: list[Problem], options: rstar.RStar, parallel: int
) -> tuple[float, float, list[object]]:
    """Search every problem; returns trees a minute, processor milliseconds a tree, and the trees."""
    sandbox = Sandbox()
    walk = Walk(policy, sandbox, parallel=parallel)
    started, spent = time.monotonic(), processor_seconds()
    searches = ((p.id, rstar.search(p, options, 0, style="code")) for p in problems)
    found = {done.key: done.result.as_json() for done in walk.drive(searches)}
    seconds = time.monotonic() - started
    spent = processor_seconds() - spent
    sandbox.close()
    return 60 * len(problems) / seconds, 1000 * spent / len(problems), [found[p.id] for p in problems]


def processor_seconds() -> float:
    """What this process and all its descendants have used, those that have ended included."""
    fields = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    family = {os.getpid()}
    while more := {pid for pid, field in fields.items() if int(field[1]) in family} - family:
        family |= more
    ticks = sum(int(field) for pid in family & set(fields) for field in fields[pid][11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=600)
    parser.add_argument(
        "--alone", type=int, default=60, help="how many of them are searched one at a time too"
    )
    parser.add_argument("--parallel", type=int, default=300, help="trees under way at once, when together")
    parser.add_argument("--engines", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rollouts", type=int, default=8)
    parser.add_argument("--candidates", type=int, default=4)
    chosen = parser.parse_args(arguments)
    one, many = load_policy("pocket"), load_policy("pocket", chosen.engines)
    problems = generate(chosen.problems, seed=77)
    options = rstar.RStar(rollouts=chosen.rollouts, candidates=chosen.candidates)
    for policy in (one, many):
        trees_a_minute(policy, generate(8, seed=78), options, parallel=8)
    alone, alone_spent, few = trees_a_minute(one, problems[: chosen.alone], options, parallel=1)
    together, together_spent, trees = trees_a_minute(many, problems, options, parallel=chosen.parallel)
    print(
        json.dumps(
            {
                "benchmark": "search_trees",
                "problems": chosen.problems,
                "engines": chosen.engines,
                "under_way": chosen.parallel,
                "together_trees_a_minute": round(together, 1),
                "one_at_a_time": chosen.alone,
                "one_at_a_time_trees_a_minute": round(alone, 1),
                "ratio": round(together / alone, 2),
                "together_processor_ms_a_tree": round(together_spent, 1),
                "one_at_a_time_processor_ms_a_tree": round(alone_spent, 1),
                "same_trees": trees[: chosen.alone] == few,
            }
        )
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
