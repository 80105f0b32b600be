"""How good the pocket policy is: `python -m ml.pocket.measuring [--checkpoint DIR] [--traces FILE]`.

On fresh problems: pass@1, majority vote, and how many problems any sample solves, in each style.
On traces with people's labels: how often the first step after which no rollout succeeds is the step that
people marked.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ml.execution import sandbox
from ml.formats import read
from ml.pocket.checker import first_mistake
from ml.pocket.problems import HELD_OUT_SEED, generate
from ml.policies.protocol import Policy, Prefix
from ml.records import LabelledSolution, Problem
from ml.search.grading import grade

# Behind each prefix of a trace.
ROLLOUTS = 16


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares. pass_at_1: of samples right. majority: commonest answer right. solved: any sample right."""

    style: str
    problems: int
    samples: int
    pass_at_1: float
    majority: float
    solved: float


def measure_accuracy(
    policy: Policy,
    problems: Sequence[Problem],
    style: str,
    samples: int,
    temperature: float = 0.8,
) -> Accuracy:
    """Sample each problem and grade what comes."""
    written = policy.complete([Prefix(p, (), style) for p in problems], samples, temperature, seed=0)
    right = majority = solved = 0
    for problem, solutions in zip(problems, written, strict=True):
        answers = [grade(problem, one.steps, sandbox()).answer for one in solutions]
        correct = answers.count(problem.answer)
        votes = Counter(answer for answer in answers if answer is not None).most_common(1)
        right, solved = right + correct, solved + (correct > 0)
        majority += bool(votes) and votes[0][0] == problem.answer
    count = len(problems)
    return Accuracy(style, count, samples, right / (count * samples), majority / count, solved / count)


@dataclass(frozen=True, slots=True)
class Finding:
    """What people, the checker and rollouts say of a trace (None: no mistake). correct: right rollouts after each step
    but the last.
    """

    people: int | None
    checker: int | None
    rollouts: int | None
    correct: tuple[int, ...]
    answer_is_right: bool


def find_mistakes(
    policy: Policy, traces: Sequence[LabelledSolution], style: str, temperature: float
) -> list[Finding]:
    """The first step after which no rollout is right; the last step is graded by its own answer."""
    solutions = [trace.solution for trace in traces]
    prefixes = [
        Prefix(solution.problem, solution.steps[: length + 1], style)
        for solution in solutions
        for length in range(len(solution.steps) - 1)
    ]
    completed = iter(policy.complete(prefixes, ROLLOUTS, temperature, seed=0))
    findings = []
    for trace, solution in zip(traces, solutions, strict=True):
        correct = tuple(
            sum(grade(solution.problem, one.steps, sandbox()).is_correct for one in next(completed))
            for _ in solution.steps[1:]
        )
        right = bool(solution.is_correct)
        failed = [place for place, count in enumerate(correct) if count == 0]
        found = failed[0] if failed else (None if right else len(solution.steps) - 1)
        truth = first_mistake(solution.problem.text, solution.steps)
        people = trace.annotation.first_mistake if trace.annotation else None
        findings.append(Finding(people, truth, found, correct, right))
    return findings


def report(findings: Sequence[Finding]) -> dict[str, object]:
    """Agreement of rollouts with people, and the catches: wrong answers that only rollouts found."""
    confusion = Counter((str(f.people), str(f.rollouts)) for f in findings)
    return {
        "traces": len(findings),
        "rollouts_as_people": sum(f.rollouts == f.people for f in findings) / len(findings),
        "rollouts_as_checker": sum(f.rollouts == f.checker for f in findings) / len(findings),
        "checker_as_people": sum(f.checker == f.people for f in findings) / len(findings),
        "catches": [
            {"trace": place, "rollouts": f.rollouts, "checker": f.checker}
            for place, f in enumerate(findings)
            if f.people is None and not f.answer_is_right and f.rollouts is not None
        ],
        "confusion": {
            f"people {people}, rollouts {found}": n for (people, found), n in sorted(confusion.items())
        },
    }


def main() -> None:
    """Print one JSON object a line."""
    from ml.pocket.policy import load_pocket_policy

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, help="default: the policy that is shipped")
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--traces", type=Path, help="big_bench_mistake/multistep_arithmetic.jsonl")
    parser.add_argument("--styles", nargs="+", default=["code", "prose"])
    parser.add_argument("--temperature", type=float, default=0.8)
    arguments = parser.parse_args()
    policy = load_pocket_policy(arguments.checkpoint)
    held_out = generate(arguments.problems, HELD_OUT_SEED)
    for style in arguments.styles:
        if held_out:
            accuracy = measure_accuracy(policy, held_out, style, arguments.samples, arguments.temperature)
            print(json.dumps(asdict(accuracy)), flush=True)
        if arguments.traces:
            traces = list(read(arguments.traces, "big_bench_mistake"))
            found = find_mistakes(policy, traces, style, temperature=arguments.temperature)
            print(json.dumps({"style": style} | report(found)), flush=True)


if __name__ == "__main__":
    main()
