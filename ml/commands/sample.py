"""`python -m ml sample`: write solutions to problems with a policy, grade them, and save them."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from ml.bounds import ABOVE_ZERO, AMOUNT, WHOLE
from ml.commands import policy_option
from ml.commands.once import OnceParser, StoreOnce
from ml.commands.parts import add_part, input_settings, part_settings, taken
from ml.errors import MisstepError
from ml.execution import sandbox
from ml.finished_run import finished_result, keep_result
from ml.json_lines import as_line, storable
from ml.policies import engines_for, load_policy, when_served
from ml.policies.address import without_address
from ml.policies.protocol import Policy
from ml.progress import Progress, print_result
from ml.records import Problem
from ml.search.problems import read_problems
from ml.search.run_folder import RunFolder, was_served
from ml.search.sampling import line_of, request_for, sample
from ml.search.texts import COMPLETIONS, WITHOUT_ANSWER, warnings_of
from ml.search.walk import Walk
from ml.whole_file import refuse_unwritable, whole_file

# Samples asked of a policy at a time, so that it can batch them and a long run shows progress.
COMPLETIONS_AT_ONCE = 512


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = OnceParser(prog="python -m ml sample", description=__doc__)
    arguments.add_argument(
        "--problems",
        action=StoreOnce,
        required=True,
        metavar="pocket:N|FILE",
        help="N problems of the pocket family (pocket:N[:seed=S]), or JSON Lines of problems with answers",
    )
    policy_option.add_to(arguments)
    arguments.add_argument(
        "--style",
        choices=("prose", "code"),
        default="code",
        help="style of the solutions (default: %(default)s)",
    )
    arguments.add_argument(
        "--n", type=ABOVE_ZERO, default=32, help="solutions to each problem (default: %(default)s)"
    )
    arguments.add_argument(
        "--temperature", type=AMOUNT, default=0.8, help="sampling temperature (default: %(default)s)"
    )
    arguments.add_argument("--seed", type=WHOLE, default=0, help="seed of all draws (default: %(default)s)")
    add_part(arguments)
    arguments.add_argument("--out", required=True, type=Path, metavar="FILE", help="JSON Lines to write")
    return arguments


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = parser().parse_args(argv)
    print_result(run(arguments))
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Sample, grade and write. The file appears under its name only when it is whole; until then, each finished problem
    stands in a folder beside it, from which the same command goes on.
    """
    problems = taken(read_problems(arguments.problems), arguments.problems, "problems", arguments.part)
    refuse_unwritable(arguments.out, arguments.problems)
    beside = arguments.out.with_name(f"{arguments.out.name}.partial")
    policy = load_policy(arguments.policy, engines_for(len(problems)), has_answered=was_served(beside))
    settings = _settings(arguments, policy.name, problems)
    with RunFolder(beside, settings).opened() as folder:
        is_done = 0 < len(folder.offsets) == len(problems)
        if (earlier := finished_result(arguments.out, settings, is_done)) is not None:
            return earlier
        when_served(policy, folder.mark_served)
        _sample_missing(problems, policy, arguments, folder)
        with whole_file(arguments.out) as file:
            counts = _write(folder, file)
            if not counts["written"]:
                # Nothing to go on from: another start would find the same.
                folder.discard()
                _refuse_nothing(policy.name, counts)
        result = _result(arguments, policy, len(problems), counts)
        keep_result(arguments.out, settings, result)
    return result


def _settings(arguments: argparse.Namespace, policy: str, problems: Sequence[Problem]) -> dict[str, Any]:
    """What makes two runs the same run."""
    return {
        "policy": policy,
        "input": input_settings(problems),
        **{name: getattr(arguments, name) for name in ("style", "n", "temperature", "seed")},
        **part_settings(arguments.part),
    }


def _sample_missing(
    problems: Sequence[Problem], policy: Policy, arguments: argparse.Namespace, folder: RunFolder
) -> None:
    """Sample what no earlier start has, and keep each problem as it is done."""
    given = arguments.style, arguments.n, arguments.temperature, arguments.seed
    requests = [request_for(problem, *given) for problem in problems]
    progress = Progress("problems", len(problems), begun_at=len(folder.offsets))
    missing = ((index, sample(one)) for index, one in enumerate(requests) if index not in folder.offsets)
    walk = Walk(policy, sandbox(), max_sequences=COMPLETIONS_AT_ONCE)
    for finished in walk.drive(missing, lambda _: []):
        index = finished.key
        if finished.unanswered:
            warnings.warn(f"no solution to {problems[index].id!r}: {finished.unanswered}", stacklevel=2)
            kept: dict[str, Any] = {"unanswered": finished.unanswered}
        else:
            # Also of a run that has moved all lines are by the same generator.
            kept = line_of(requests[index], without_address(policy.name), finished.result)
        # The readers of this file refuse what cannot be stored.
        folder.add(index, storable(kept))
        progress.report(len(folder.offsets))


def _told(kept: dict[str, Any]) -> dict[str, Any] | None:
    """The line of a problem; None where nothing is known of it, so that it is no pool to choose from."""
    line: dict[str, Any] | None = kept.get("line")
    return line if line is not None and (line["solutions"] or line.get("empty_samples")) else None


def _write(folder: RunFolder, file: TextIO) -> Counter[str]:
    """Write each problem's line; sums over all problems, those of earlier starts too."""
    counts: Counter[str] = Counter()
    for kept in folder.lines():
        line = kept.get("line", {"solutions": []})
        right = [solution["is_correct"] for solution in line["solutions"]]
        counts.update(written=len(right), correct=sum(right), tokens=kept.get("tokens", 0))
        counts.update(empty=line.get("empty_samples", 0), ungraded=line.get("ungraded_samples", 0))
        counts.update(kept.get("texts", {}))
        counts.update(unanswered="unanswered" in kept)
        if (told := _told(kept)) is not None:
            counts.update(solved=any(right), answered=1)
            file.write(as_line(told))
    return counts


def _result(
    arguments: argparse.Namespace, policy: Policy, problems: int, counts: Counter[str]
) -> dict[str, Any]:
    known = counts["written"] + counts["empty"]
    _tell_left_out(counts, known + counts["ungraded"])
    for told in warnings_of(counts, policy):
        warnings.warn(told, stacklevel=1)
    return {
        "out": str(arguments.out),
        "policy": policy.name,
        "problems": problems,
        "solutions": counts["written"],
        "empty_samples": counts["empty"],
        "ungraded_samples": counts["ungraded"],
        "cut_off": counts[f"cut_off_{COMPLETIONS}"],
        # Ended, and wrong since no answer was recognised in them.
        "without_answer": counts[WITHOUT_ANSWER],
        # Of these nothing is known: they are in no share below.
        "unanswered": problems - counts["answered"],
        # An empty sample is no solution, and no right one; of an ungraded one nothing is known.
        "pass_at_1": round(counts["correct"] / known, 4),
        "solved": round(counts["solved"] / counts["answered"], 4),
        "tokens": counts["tokens"],
    }


def _refuse_nothing(policy: str, counts: Counter[str]) -> NoReturn:
    if counts["unanswered"] and not counts["ungraded"] and not counts["empty"]:
        raise MisstepError(
            f"{counts['unanswered']} problems were not answered and none has a solution, expected solutions: "
            "the warnings say why"
        )
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
