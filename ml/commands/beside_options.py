"""What `ml snapshot` reads beside the labels themselves: estimates, a second method's verdicts, and gold."""

from __future__ import annotations

import argparse
import filecmp
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml.bounds import FINITE
from ml.errors import BadRecord, MisstepError
from ml.evaluation.gold import read_gold
from ml.evaluation.second_verdicts import SecondVerdicts, confirmed, read_second_verdicts
from ml.records import SolutionEstimate
from ml.result_lines import estimates_by_id
from ml.snapshot import SnapshotRow
from ml.targets.calibrating import PosteriorCheck
from ml.targets.rules import LabelRule


def add_to(arguments: argparse.ArgumentParser) -> None:
    """The options."""
    arguments.add_argument(
        "--second-verdicts",
        type=Path,
        metavar="FILE",
        help="with --label-rule consensus: estimates, critiques or scores of a second method, with which the rollouts"
        " of a solution that nobody judged must agree on the first mistake",
    )
    arguments.add_argument(
        "--second-threshold",
        type=FINITE,
        metavar="SCORE",
        help="with scores in --second-verdicts: a step is wrong below this score",
    )
    arguments.add_argument(
        "--gold",
        type=Path,
        metavar="FILE",
        help="with --label-rule fusion: a file with known first mistakes of some of the solutions; the posterior's"
        " calibration on them is told, and goes into the manifest",
    )


def refuse_idle(options: argparse.Namespace, labels: str, mixture: str | None) -> None:
    """Raises MisstepError for an option that would change nothing by this rule."""
    if options.second_verdicts and (labels == "human" or mixture != "consensus"):
        raise MisstepError("--second-verdicts without --label-rule consensus, expected the two together")
    if _is_same_file(options.second_verdicts, options.estimates):
        raise MisstepError(
            f"--second-verdicts {options.second_verdicts} is the same file as --estimates, expected another method's"
        )
    if options.second_threshold is not None and not options.second_verdicts:
        raise MisstepError("--second-threshold without --second-verdicts, expected scores in such a file")
    if options.gold and (labels, mixture) != ("mixed", "fusion"):
        raise MisstepError("--gold without --label-rule fusion, expected the two together")


def _is_same_file(one: Path | None, other: Path | None) -> bool:
    """Whether both files are there and say the same, byte for byte."""
    if one is None or other is None or not (one.is_file() and other.is_file()):
        return False
    return filecmp.cmp(one, other, shallow=False)


def second_verdicts(options: argparse.Namespace, rule: LabelRule) -> SecondVerdicts | None:
    """The second method's verdicts, if there is one."""
    if options.second_verdicts is None:
        return None
    return read_second_verdicts(options.second_verdicts, rule, options.second_threshold)


def posterior_check(options: argparse.Namespace, rule: LabelRule) -> PosteriorCheck | None:
    """What compares fusion's posterior with gold, if there is any."""
    return PosteriorCheck(rule, read_gold(options.gold)) if options.gold else None


def read_estimates(path: Path | None) -> dict[str, SolutionEstimate]:
    """By the solution's id. A line that names no method is of the one that the record beside the file names. Raises
    BadRecord for an id that comes twice, and where there is none: mixed labels would be people's alone.
    """
    if path is None:
        return {}
    method, found = method_of(path), estimates_by_id(path)
    if not found:
        raise BadRecord(str(path), 1, "no line", "a line for each solution")
    return {name: one if one.method else replace(one, method=method) for name, one in found.items()}


def method_of(estimates: Path) -> str | None:
    """The method of a search, by the record beside its estimates; None where there is none to read."""
    record = estimates.with_name("run.json")
    try:
        method = json.loads(record.read_text(encoding="utf-8"))["method"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return method if isinstance(method, str) else None


def tell_of_nothing_compared(found: Mapping[str, Any]) -> None:
    """Gold that nobody else's word can be held against leaves no figures, which may be an oversight."""
    if found.get("calibration") == {}:
        told = "no solution of --gold has a witness besides the gold's own labels, so calibration is empty"
        print(f"python -m ml snapshot: {told}", file=sys.stderr)


def refuse_strangers(path: Path | None, ids: Iterable[str], known: Set[str], source: str) -> None:
    """Raises MisstepError where a file beside the solutions speaks of others."""
    if strangers := sorted(set(ids) - known):
        raise MisstepError(
            f"{path}: {len(strangers)} of its ids are not in {source} ({', '.join(strangers[:20])}),"
            " expected some of its solutions"
        )


def noted(
    rows: Iterator[SnapshotRow],
    second: SecondVerdicts | None,
    check: PosteriorCheck | None,
    filters: Mapping[str, int],
    rule: LabelRule,
    found: dict[str, Any],
) -> Iterator[SnapshotRow]:
    """The same rows. `found` gains what a manifest keeps of the files beside the labels; whole after the last row."""
    if second:
        found["second_verdicts"] = {}
        rows = confirmed(rows, second.described, filters, rule, found["second_verdicts"])
    if check:
        found["calibration"] = {}
        rows = check.noted(rows, found["calibration"])
    return rows
