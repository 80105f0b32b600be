"""How good the pocket policy is on fresh problems: `python -m ml.pocket.measuring [--checkpoint DIR]`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ml.execution import sandbox
from ml.pocket.problems import HELD_OUT_SEED, generate
from ml.policies.protocol import Policy, Prefix
from ml.records import Problem
from ml.search.grading import grade


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


def main() -> None:
    """Print one JSON object a line."""
    from ml.pocket.policy import load_pocket_policy

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, help="default: the policy that is shipped")
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--styles", nargs="+", default=["code", "prose"])
    parser.add_argument("--temperature", type=float, default=0.8)
    arguments = parser.parse_args()
    policy = load_pocket_policy(arguments.checkpoint)
    held_out = generate(arguments.problems, HELD_OUT_SEED)
    for style in arguments.styles:
        accuracy = measure_accuracy(policy, held_out, style, arguments.samples, arguments.temperature)
        print(json.dumps(asdict(accuracy)), flush=True)


if __name__ == "__main__":
    main()
