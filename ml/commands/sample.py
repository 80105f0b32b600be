"""`python -m ml sample`: write solutions to problems with a policy, grade them, and save them."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.execution import sandbox
from ml.json_lines import as_line, storable
from ml.pocket.checker import first_mistake
from ml.pocket.problems import is_pocket_problem
from ml.policies import engines_for, load_policy
from ml.policies.protocol import Continuation, PartlyAnswered, Policy, Prefix, Unanswerable
from ml.progress import Progress, print_result
from ml.records import Problem
from ml.search.grading import grade
from ml.search.problems import read_problems
from ml.whole_file import whole_file

# Problems are sampled in blocks, so that a policy can batch them and a long run shows progress.
COMPLETIONS_AT_ONCE = 512


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = argparse.ArgumentParser(prog="python -m ml sample", description=__doc__)
    arguments.add_argument(
        "--problems", required=True, metavar="pocket:N|FILE", help="pocket:N[:seed=S], or JSONL with answers"
    )
    arguments.add_argument(
        "--policy", default="pocket", help="pocket, a model's folder, or an http(s) address"
    )
    arguments.add_argument("--style", choices=("prose", "code"), default="code")
    arguments.add_argument("--n", type=int, default=32, help="solutions to each problem")
    arguments.add_argument("--temperature", type=float, default=0.8)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", required=True, type=Path, metavar="FILE")
    return arguments


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = parser().parse_args(argv)
    if arguments.n < 1 or arguments.temperature < 0:
        raise MisstepError(
            f"--n {arguments.n} --temperature {arguments.temperature}, expected 1 or more, and 0 or more"
        )
    print_result(run(arguments))
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Sample, grade and write; the file appears under its name only when it is whole."""
    problems = list(read_problems(arguments.problems))
    if not problems:
        raise MisstepError(f"{arguments.problems}: no problems, expected at least one")
    counts: Counter[str] = Counter()
    with whole_file(arguments.out) as file:
        policy = load_policy(arguments.policy, engines_for(len(problems)))
        for line, spent in sampled_lines(problems, policy, arguments):
            right = [solution["is_correct"] for solution in line["solutions"]]
            counts.update(written=len(right), correct=sum(right), solved=any(right), tokens=spent, answered=1)
            # The readers of this file refuse what cannot be stored.
            file.write(as_line(storable(line)))
        if not counts["written"]:
            raise MisstepError(f"{policy.name} wrote no step at all, expected solutions")
    asked = counts["answered"] * arguments.n
    empty = asked - counts["written"]
    if empty:
        told = f"{empty} of {asked} samples hold no step; they are counted (empty_samples) and not written"
        print(f"python -m ml sample: {told}", file=sys.stderr, flush=True)
    return {
        "out": str(arguments.out),
        "policy": policy.name,
        "problems": len(problems),
        "solutions": counts["written"],
        "empty_samples": empty,
        # Of these nothing is known: they are in no share below.
        "unanswered": len(problems) - counts["answered"],
        # An empty sample is no solution, and no right one.
        "pass_at_1": round(counts["correct"] / asked, 4),
        "solved": round(counts["solved"] / counts["answered"], 4),
        "tokens": counts["tokens"],
    }


def sampled_lines(
    problems: Sequence[Problem], policy: Policy, arguments: argparse.Namespace
) -> Iterator[tuple[dict[str, Any], int]]:
    """One output line for each problem that the policy can read, and the tokens that it took.

    Samples without any step are a number beside the solutions: no reader takes a solution with nothing to judge,
    and best-of-n counts them among its candidates.
    """
    progress = Progress("problems", len(problems))
    at_once = max(1, COMPLETIONS_AT_ONCE // arguments.n)
    for begin in range(0, len(problems), at_once):
        block = problems[begin : begin + at_once]
        prefixes = [Prefix(problem, (), arguments.style) for problem in block]
        for problem, continuations in zip(block, _written(policy, prefixes, arguments), strict=True):
            if isinstance(continuations, Unanswerable):
                warnings.warn(f"no solution to {problem.id!r}: {continuations}", stacklevel=2)
                continue
            solutions = [solution_record(problem, one, arguments.style) for one in continuations if one.steps]
            line: dict[str, Any] = {
                "id": problem.id,
                "problem": problem.text,
                "answer": problem.answer,
                "generator": policy.name,
                "solutions": solutions,
            }
            if empty := len(continuations) - len(solutions):
                line["empty_samples"] = empty
            yield line, sum(one.tokens for one in continuations)
        progress.report(min(begin + at_once, len(problems)))


def _written(
    policy: Policy, prefixes: Sequence[Prefix], arguments: argparse.Namespace
) -> Sequence[list[Continuation] | Unanswerable]:
    """What the policy writes of each, or why it cannot read it."""
    try:
        return policy.complete(prefixes, arguments.n, arguments.temperature, arguments.seed)
    except PartlyAnswered as partly:
        return partly.answers


def solution_record(problem: Problem, written: Continuation, style: str) -> dict[str, Any]:
    """One solution as it is saved; pocket problems also carry the checker's first mistake."""
    graded = grade(problem, written.steps, sandbox())
    record: dict[str, Any] = {
        "steps": list(written.steps),
        "final_answer": graded.answer if written.finished else None,
        "is_correct": graded.is_correct and written.finished,
        "style": style,
    }
    if is_pocket_problem(problem.text):
        record["first_mistake"] = first_mistake(problem.text, written.steps)
    return record
