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
from ml.execution import Verdict, sandbox
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
            empty, ungraded = line.get("empty_samples", 0), line.get("ungraded_samples", 0)
            counts.update(
                written=len(right), correct=sum(right), empty=empty, ungraded=ungraded, tokens=spent
            )
            if not right and not empty:
                # Nothing is known of this problem, so it is no pool to choose from.
                continue
            counts.update(solved=any(right), answered=1)
            # The readers of this file refuse what cannot be stored.
            file.write(as_line(storable(line)))
        _refuse_nothing(policy.name, counts)
    known = counts["written"] + counts["empty"]
    _tell_left_out(counts, known + counts["ungraded"])
    return {
        "out": str(arguments.out),
        "policy": policy.name,
        "problems": len(problems),
        "solutions": counts["written"],
        "empty_samples": counts["empty"],
        "ungraded_samples": counts["ungraded"],
        # Of these nothing is known: they are in no share below.
        "unanswered": len(problems) - counts["answered"],
        # An empty sample is no solution, and no right one; of an ungraded one nothing is known.
        "pass_at_1": round(counts["correct"] / known, 4),
        "solved": round(counts["solved"] / counts["answered"], 4),
        "tokens": counts["tokens"],
    }


def _refuse_nothing(policy: str, counts: Counter[str]) -> None:
    if counts["written"]:
        return
    if counts["ungraded"]:
        raise MisstepError(
            f"none of {counts['ungraded']} solutions could be graded: the sandbox or the grader failed each time"
        )
    raise MisstepError(f"{policy} wrote no step at all, expected solutions")


def _tell_left_out(counts: Counter[str], samples: int) -> None:
    """Say on stderr what is missing in the file, and why."""
    for kind, reason in (("empty", "hold no step"), ("ungraded", "could not be run or graded here")):
        if counts[kind]:
            told = f"{counts[kind]} of {samples} samples {reason}; they are counted ({kind}_samples) and not written"
            print(f"python -m ml sample: {told}", file=sys.stderr, flush=True)


def sampled_lines(
    problems: Sequence[Problem], policy: Policy, arguments: argparse.Namespace
) -> Iterator[tuple[dict[str, Any], int]]:
    """One output line for each problem that the policy can read, and the tokens that it took.

    Samples without any step are a number beside the solutions: no reader takes a solution with nothing to judge,
    and best-of-n counts them among its candidates. Those whose grading failed here are another number, and no
    candidates: nothing is known of them.
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
            with_steps = [one for one in continuations if one.steps]
            graded = [solution_record(problem, one, arguments.style) for one in with_steps]
            solutions = [record for record in graded if record is not None]
            line: dict[str, Any] = {
                "id": problem.id,
                "problem": problem.text,
                "answer": problem.answer,
                "generator": policy.name,
                "solutions": solutions,
            }
            if empty := len(continuations) - len(with_steps):
                line["empty_samples"] = empty
            if ungraded := len(with_steps) - len(solutions):
                line["ungraded_samples"] = ungraded
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


def solution_record(problem: Problem, written: Continuation, style: str) -> dict[str, Any] | None:
    """One solution as it is saved; pocket problems also carry the checker's first mistake.

    None where an infrastructure verdict leaves open whether it is right.
    """
    graded = grade(problem, written.steps, sandbox())
    if written.finished and graded.execution and graded.execution.verdict is Verdict.INFRASTRUCTURE:
        return None
    record: dict[str, Any] = {
        "steps": list(written.steps),
        "final_answer": graded.answer if written.finished else None,
        "is_correct": graded.is_correct and written.finished,
        "style": style,
    }
    if is_pocket_problem(problem.text):
        record["first_mistake"] = first_mistake(problem.text, written.steps)
    return record
