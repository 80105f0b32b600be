"""Automatic labels against people on 152 real traces: `python -m tests.benchmarks.search_agreement`.

Exact first-mistake agreement by method and number of rollouts, with its cost and the confusion; and the
traces whose answer is wrong although nobody marked a mistake: there people were probably wrong, and they
count against the method.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ml.execution import Sandbox
from ml.formats import read
from ml.policies import load_policy, rollout_style
from ml.policies.protocol import Policy
from ml.records import LabelledSolution, SolutionEstimate
from ml.search.consensus import estimate_by_consensus
from ml.search.recipes import RECIPES
from ml.search.walk import Walk
from tests.data import real_data


def label(
    policy: Policy, traces: Sequence[LabelledSolution], method: str, rollouts: int, blind: bool
) -> tuple[dict[str, SolutionEstimate], dict[str, float]]:
    """Every trace's estimate by id, and what they cost. blind: against the policy's majority, not the
    reference.
    """
    recipe, sandbox = RECIPES[method], Sandbox()
    options = recipe.with_options({"rollouts": rollouts, "style": rollout_style("pocket")})
    walk = Walk(policy, sandbox)
    started = time.monotonic()
    searches = (
        (
            trace.solution.id,
            estimate_by_consensus(
                trace.solution, lambda solution: recipe.estimate(solution, options, 0), 32, 0, "code"
            )
            if blind
            else recipe.estimate(trace.solution, options, 0),
        )
        for trace in traces
    )
    found = {done.key: done.result for done in walk.drive(searches)}
    sandbox.close()
    return found, {"tokens": walk.cost.tokens, "seconds": round(time.monotonic() - started, 1)}


def compare(traces: Sequence[LabelledSolution], found: Mapping[str, SolutionEstimate]) -> dict[str, Any]:
    """Agreement with people, the most frequent confusions, and where people were probably wrong."""
    confusion: Counter[str] = Counter()
    agreed, doubtful = 0, []
    for trace in traces:
        assert trace.annotation is not None
        people, machine = trace.annotation.first_mistake, found[trace.solution.id].first_mistake
        agreed += people == machine
        if people != machine:
            confusion[f"people {people}, search {machine}"] += 1
        if people is None and machine is not None and trace.solution.is_correct is False:
            doubtful.append(trace.solution.id)
    return {
        "agreement": round(agreed / len(traces), 3),
        "agreement_without_doubtful": round(agreed / (len(traces) - len(doubtful)), 3),
        "people_probably_wrong": doubtful,
        "confusion": dict(confusion.most_common(8)),
    }


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line for each method and number of rollouts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", nargs="+", default=["math-shepherd:16", "omegaprm:16"])
    parser.add_argument("--blind", action="store_true", help="never look at the reference answer")
    parser.add_argument("--limit", type=int)
    chosen = parser.parse_args(arguments)
    path = real_data("big_bench_mistake/multistep_arithmetic.jsonl")
    traces = list(read(path, "big_bench_mistake"))[: chosen.limit]
    policy = load_policy("pocket")
    for run in chosen.runs:
        method, _, rollouts = run.partition(":")
        found, cost = label(policy, traces, method, int(rollouts), chosen.blind)
        row = {"benchmark": "search_agreement", "method": method, "rollouts": int(rollouts)}
        print(json.dumps(row | {"blind": chosen.blind} | compare(traces, found) | cost), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
