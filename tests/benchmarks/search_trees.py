"""Trees a minute, searched together against one at a time: `python -m tests.benchmarks.search_trees`.

Same trees, same policy, same budget; the ratio is of one run, so that the machine's mood cancels out.
"""

from __future__ import annotations

import argparse
import json
import time

from ml.execution import Sandbox
from ml.pocket.problems import generate
from ml.policies import load_policy
from ml.policies.protocol import Policy
from ml.records import Problem
from ml.search import rstar
from ml.search.walk import Walk


def trees_a_minute(
    policy: Policy, problems: list[Problem], options: rstar.RStar, together: bool
) -> tuple[float, list[object]]:
    """Search every problem; returns trees a minute and the trees, to compare."""
    sandbox = Sandbox()
    walk = Walk(policy, sandbox, parallel=len(problems) if together else 1)
    started = time.monotonic()
    searches = ((p.id, rstar.search(p, options, 0, style="code")) for p in problems)
    found = {done.key: done.result.as_json() for done in walk.drive(searches)}
    seconds = time.monotonic() - started
    sandbox.close()
    return 60 * len(problems) / seconds, [found[p.id] for p in problems]


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=24)
    parser.add_argument("--rollouts", type=int, default=8)
    parser.add_argument("--candidates", type=int, default=4)
    chosen = parser.parse_args(arguments)
    policy, problems = load_policy("pocket"), generate(chosen.problems, seed=77)
    options = rstar.RStar(rollouts=chosen.rollouts, candidates=chosen.candidates)
    trees_a_minute(policy, problems[:1], options, together=True)
    together, trees = trees_a_minute(policy, problems, options, together=True)
    alone, again = trees_a_minute(policy, problems, options, together=False)
    print(
        json.dumps(
            {
                "benchmark": "search_trees",
                "problems": chosen.problems,
                "together_trees_a_minute": round(together, 1),
                "one_at_a_time_trees_a_minute": round(alone, 1),
                "ratio": round(together / alone, 2),
                "same_trees": trees == again,
            }
        )
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
