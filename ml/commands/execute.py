"""`python -m ml execute`: run the code of solutions in the sandbox; what each code step printed, and how it ended."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.commands import format_option
from ml.commands.once import OnceParser
from ml.execution import Sandbox, Verdict, sandbox
from ml.formats import format_of, read, solutions
from ml.json_lines import as_line
from ml.progress import Progress, print_result
from ml.search.grading import code_of
from ml.whole_file import refuse_unwritable, whole_file

LONGEST_OUTPUT = 4000


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = OnceParser(prog="python -m ml execute", description=__doc__)
    arguments.add_argument(
        "--solutions", required=True, type=Path, metavar="FILE", help="solutions whose code to run"
    )
    format_option.add_to(arguments)
    arguments.add_argument("--out", required=True, type=Path, metavar="FILE", help="JSON Lines to write")
    return arguments


def main(argv: list[str]) -> int:
    """Write one line `{"id", "steps": [null | {"verdict", "output"}]}` per solution with code, whole or not at all."""
    options = parser().parse_args(argv)
    format = format_of(options.solutions, options.format)
    refuse_unwritable(options.out, options.solutions)
    # Reading twice costs little beside running the code, and tells how long it will take.
    total = sum(1 for _ in solutions(read(options.solutions, format)))
    progress, box = Progress("solutions", total), sandbox()
    count, verdicts = 0, Counter[str]()
    with whole_file(options.out) as stream:
        for solution in solutions(read(options.solutions, format)):
            outcomes = outcomes_of(solution.steps, box)
            if any(outcomes):
                line = {"id": solution.id, "steps": outcomes}
                stream.write(as_line(line))
            count += 1
            verdicts.update(outcome["verdict"] for outcome in outcomes if outcome)
            progress.report(count)
    progress.finish(count)
    print_result(
        {
            "executions": str(options.out),
            "solutions": count,
            "sandbox": box.level,
            "verdicts": {verdict.value: verdicts[verdict.value] for verdict in Verdict},
        }
    )
    return 0


def outcomes_of(steps: Sequence[str], box: Sandbox) -> list[dict[str, Any] | None]:
    """What became of each step's code, run in order in one namespace; None for prose and behind a failed step.

    A failed step's output ends with its exception. The sandbox keeps the state of each path, so a step costs
    only itself.
    """
    outcomes: list[dict[str, Any] | None] = []
    codes: list[str] = []
    for step in steps:
        code = code_of(step)
        if code is None or any(outcome and outcome["verdict"] != Verdict.OK for outcome in outcomes):
            outcomes.append(None)
            continue
        codes.append(code)
        execution = box.execute(codes)
        told = "\n".join(part for part in (execution.output.strip("\n"), execution.error) if part)
        outcomes.append({"verdict": execution.verdict.value, "output": told[:LONGEST_OUTPUT]})
    return outcomes
