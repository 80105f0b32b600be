"""Automatic labels against people on 152 real traces, by method, rollouts and cost; with and without the answer.

    python -m tests.benchmarks.search_agreement --out docs/results/search_agreement.json

Exact first-mistake agreement with its confusion; and the traces whose answer is wrong although nobody marked a
mistake: there people were probably wrong, and they count against the method. Then the same with no look at the
reference answer: rollouts graded against the policy's own majority, and a reward model trained on automatic
labels of pocket problems, whose threshold is set on pocket problems too.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.agreement import wilson_interval
from ml.evaluation.first_mistake import best_threshold, predict
from ml.execution import Sandbox
from ml.formats import read
from ml.given_answers import GivenAnswers
from ml.pocket.checker import first_mistake
from ml.pocket.problems import generate
from ml.policies import load_policy, rollout_style
from ml.policies.protocol import Policy, Prefix
from ml.prm import load_scorer
from ml.records import LabelledSolution, SolutionEstimate
from ml.search.consensus import estimate_by_consensus
from ml.search.recipes import RECIPES
from ml.search.walk import Walk
from tests.benchmarks.support.guide import guide
from tests.benchmarks.support.rows import Table
from tests.benchmarks.support.variants import variant_of
from tests.data import ROOT, real_data

BY_ROLLOUTS = {"math-shepherd": 32, "omegaprm": 32, "omegaprm, two right": 32, "rest-mcts": 8, "rstar": 8}
BLIND = ("math-shepherd:4", "math-shepherd:16", "omegaprm, two right:16")
VOTERS = 32


def label(
    policy: Policy, traces: Sequence[LabelledSolution], method: str, rollouts: int, blind: bool
) -> tuple[dict[str, SolutionEstimate], dict[str, float]]:
    """Every trace's estimate by id, and what they cost. blind: against the policy's majority, not the
    reference.
    """
    name, variant = variant_of(method)
    recipe, sandbox = RECIPES[name], Sandbox()
    options = recipe.with_options({"rollouts": rollouts, "style": rollout_style("pocket"), **variant})
    walk = Walk(policy, sandbox)
    started = time.monotonic()
    searches = (
        (
            trace.solution.id,
            estimate_by_consensus(
                trace.solution, lambda solution: recipe.estimate(solution, options, 0), VOTERS, 0, "code"
            )
            if blind
            else recipe.estimate(trace.solution, options, 0),
        )
        for trace in traces
    )
    found = {done.key: done.result for done in walk.drive(searches)}
    sandbox.close()
    return found, {"tokens": walk.cost.tokens, "seconds": round(time.monotonic() - started, 1)}


def compare(traces: Sequence[LabelledSolution], found: Mapping[str, int | None]) -> dict[str, Any]:
    """Agreement with people, the most frequent confusions, and where people were probably wrong."""
    confusion: Counter[str] = Counter()
    agreed, doubtful, answers = 0, [], GivenAnswers()
    for trace in traces:
        assert trace.annotation is not None
        people, machine = trace.annotation.first_mistake, found[trace.solution.id]
        agreed += people == machine
        if people != machine:
            confusion[f"people {people}, search {machine}"] += 1
        if people is None and machine is not None and answers.is_correct(trace.solution) is False:
            doubtful.append(trace.solution.id)
    return {
        "agreement": round(agreed / len(traces), 3),
        "interval": [round(end, 3) for end in wilson_interval(agreed, len(traces))],
        "agreement_without_doubtful": round(agreed / max(1, len(traces) - len(doubtful)), 3),
        "people_probably_wrong": doubtful,
        "confusion": dict(confusion.most_common(8)),
    }


def searched(
    policy: Policy, traces: Sequence[LabelledSolution], method: str, rollouts: int, blind: bool
) -> dict[str, Any]:
    """The row of one method with one number of rollouts."""
    found, cost = label(policy, traces, method, rollouts, blind)
    row = {"method": method, "rollouts": rollouts, "blind": blind}
    return row | compare(traces, {name: one.first_mistake for name, one in found.items()}) | cost


def scored(policy: Policy, traces: Sequence[LabelledSolution], checkpoint: Path) -> dict[str, Any]:
    """The reward model's row; its threshold is the best one on fresh pocket solutions, by the checker."""
    scorer = load_scorer(checkpoint)
    problems = generate(60, seed=31)
    written = policy.complete([Prefix(problem, (), "prose") for problem in problems], 4, 0.8, 0)
    pairs = [(p, one.steps) for p, row in zip(problems, written, strict=True) for one in row if one.steps]
    truths = [first_mistake(problem.text, steps) for problem, steps in pairs]
    threshold = best_threshold([scorer.score(problem.text, steps) for problem, steps in pairs], truths)
    started = time.monotonic()
    found = {
        trace.solution.id: predict(scorer.score(trace.solution.problem.text, trace.solution.steps), threshold)
        for trace in traces
    }
    cost = {"tokens": 0, "seconds": round(time.monotonic() - started, 1)}
    row = {"method": "process reward model", "blind": True, "threshold": round(threshold, 4)}
    return row | compare(traces, found) | cost


def default_runs() -> list[str]:
    """Every method by powers of two up to what it can afford."""
    return [
        f"{method}:{2**power}" for method, most in BY_ROLLOUTS.items() for power in range(most.bit_length())
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print and write one row after another; rows that --out already has are not measured again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", nargs="*", default=default_runs(), metavar="METHOD:ROLLOUTS")
    parser.add_argument("--blind-runs", nargs="*", default=BLIND, metavar="METHOD:ROLLOUTS")
    parser.add_argument("--guide", type=Path, help="a checkpoint of python -m ml train; else one is trained")
    parser.add_argument("--without-guide", action="store_true")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "search_agreement.json")
    chosen = parser.parse_args(arguments)
    path = real_data("big_bench_mistake/multistep_arithmetic.jsonl")
    traces = list(read(path, "big_bench_mistake"))[: chosen.limit]
    policy = load_policy("pocket")
    header = {"benchmark": "search_agreement", "policy": policy.name, "traces": len(traces), "voters": VOTERS}
    table = Table(chosen.out, header)
    for blind, runs in ((False, chosen.runs), (True, chosen.blind_runs)):
        for run in runs:
            method, _, rollouts = run.partition(":")
            if not table.has(method=method, rollouts=int(rollouts), blind=blind):
                table.add(searched(policy, traces, method, int(rollouts), blind))
    if not chosen.without_guide:
        table.add(scored(policy, traces, chosen.guide or guide(ROOT / "var" / "guide")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
