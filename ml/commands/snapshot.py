"""`python -m ml snapshot`: a file's labels, frozen into the folder that `python -m ml train` reads."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

from ml.commands import beside_options, format_option, row_options, rule_options
from ml.commands.once import OnceParser
from ml.errors import MisstepError
from ml.evaluation.second_verdicts import SecondVerdicts
from ml.file_hash import sha256_of
from ml.finished_run import refuse_another, tell_finished
from ml.formats import KeyLog, format_of, read
from ml.formats.keys import counts_in_words
from ml.progress import Progress, print_result
from ml.records import LabelledSolution, SolutionEstimate
from ml.search.tree_rows import rows_from_trees
from ml.snapshot import SnapshotRow, described_snapshot, read_snapshot, refuse_used, write_snapshot
from ml.targets.calibrating import PosteriorCheck
from ml.targets.consensus import GIVEN_UP
from ml.targets.file_rows import rows_from
from ml.targets.rules import (
    CHOICES,
    LabelRule,
    doubt_about_shares,
    idle_parts,
    is_given_up,
    option_of,
    refuse_shares_of_ends,
)
from ml.targets.unlabelled import UNLABELLED, has_labels

# The options that name a file to read.
READ = ("solutions", "trees", "estimates", "second_verdicts", "gold")
# Formats whose own labels may be a machine's.
LABELLED_BY_MACHINES = ("math_shepherd", "math_aps", "stepwise")


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = OnceParser(prog="python -m ml snapshot", description=__doc__)
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument("--solutions", type=Path, metavar="FILE", help="labelled solutions")
    source.add_argument(
        "--trees",
        type=Path,
        metavar="FILE",
        help="trees.jsonl that `python -m ml autolabel` wrote of fresh problems: their trajectories, with automatic"
        " labels",
    )
    format_option.add_to(arguments)
    arguments.add_argument(
        "--estimates",
        type=Path,
        metavar="FILE",
        help="estimates.jsonl that `python -m ml autolabel` wrote of them",
    )
    arguments.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new or empty folder")
    arguments.add_argument("--name", help="name for the checkpoint's card (default: the file's name)")
    arguments.add_argument(
        "--labels",
        choices=CHOICES["labels"],
        help="whose labels (default: human, mixed with --estimates, automatic with --trees)",
    )
    rule_options.add_to(arguments)
    beside_options.add_to(arguments)
    row_options.add_to(arguments)
    return arguments


def main(argv: list[str]) -> int:
    """Write the folder, whole or not at all."""
    options = parser().parse_args(argv)
    out: Path = options.out
    # What stands there without a manifest is nothing to compare with, and no file has to be read to say so.
    is_finished = (out / "manifest.json").exists()
    if not is_finished:
        refuse_used(out)
    rule, path = _rule(options), options.trees or options.solutions
    format = "trees" if options.trees else format_of(path, options.format)
    frozen_by = rule if options.trees else _with_own_target(rule, format, options)
    settings = _settings(options, frozen_by, format)
    if is_finished:
        _print_result(out, _finished(out, settings))
        return 0
    second, check = (
        beside_options.second_verdicts(options, rule),
        beside_options.posterior_check(options, rule),
    )
    dropped: Counter[str] = Counter()
    estimates = beside_options.read_estimates(options.estimates)
    methods = {estimate.method for estimate in estimates.values()}
    refuse_shares_of_ends(rule, methods)
    if doubt := doubt_about_shares(rule, methods):
        print(f"python -m ml snapshot: {doubt}", file=sys.stderr)
    keys, rule = KeyLog(), frozen_by
    if options.trees:
        rows = _told(rows_from_trees(path, rule, dropped, options.keep_unlabelled))
    else:
        rows = _rows_of_solutions(options, format, rule, estimates, dropped, second, check, keys)
    first, source = next(rows, None), str(path)
    if first is None:
        reasons = ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in sorted(dropped.items()))
        raise MisstepError(
            f"{source}: {rule.labels} labels are on none of its solutions (left out: {reasons or 'nothing'}),"
            f" expected {_expected(rule, format, options.keep_unlabelled)}"
        )
    method = (first.automatic or {}).get("method") or next(filter(None, methods), None)
    labels_by: Counter[str] = Counter()
    found: dict[str, Any] = {} if settings is None else {"settings": settings}
    rows = row_options.in_split(chain([first], rows), options.split)
    rows = beside_options.noted(_counted(rows, labels_by), second, check, dropped, rule, found)
    manifest = write_snapshot(
        out,
        rows,
        name=options.name or path.name,
        labels=rule.labels,
        rule=asdict(rule),
        counts=labels_by,
        filters=dropped,
        lineage={
            "file": path.name,
            "format": format,
            "estimates": options.estimates is not None,
            **({"method": method} if method else {}),
        },
        **found,
    )
    beside_options.tell_of_nothing_compared(found)
    _print_result(out, {**manifest, **_unread(keys)})
    return 0


def _settings(options: argparse.Namespace, rule: LabelRule, format: str) -> dict[str, Any] | None:
    """What makes two snapshots the same: what was read, by its content, and how labels were made of it. None where one
    is no file that can be read twice: a pipe has its content once, and not for a hash."""
    paths = {name: path for name in READ if (path := getattr(options, name)) is not None}
    if not all(path.is_file() for path in paths.values()):
        return None
    return {
        **{name: sha256_of(path) for name, path in paths.items()},
        "format": format,
        **({"method": beside_options.method_of(options.estimates)} if options.estimates else {}),
        "rule": asdict(rule),
        "second_threshold": options.second_threshold,
        "name": options.name or (options.trees or options.solutions).name,
        **row_options.settings(options),
    }


def _finished(out: Path, settings: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The manifest of the same snapshot that stands whole at OUT; raises MisstepError where something else does."""
    known = described_snapshot(out).manifest.get("settings")
    if known is None or settings is None:
        raise MisstepError(f"{out} already holds files, expected a new or empty folder")
    refuse_another(out, known, settings)
    manifest = read_snapshot(out).manifest
    tell_finished(out)
    return manifest


def _print_result(out: Path, manifest: Mapping[str, Any]) -> None:
    told = (
        "name",
        "labels",
        "rule",
        "counts",
        "filters",
        "second_verdicts",
        "calibration",
        "sha256",
        "unread_keys",
    )
    print_result({"snapshot": str(out), **{name: manifest[name] for name in told if name in manifest}})


def _rule(options: argparse.Namespace) -> LabelRule:
    """Raises MisstepError for a part of the rule that would change nothing, or that no rule can have."""
    if options.trees:
        _refuse_beside_trees(options)
    labels = options.labels or ("automatic" if options.trees else "mixed" if options.estimates else "human")
    given = rule_options.asked(options)
    beside_options.refuse_idle(options, labels, given.get("mixture"))
    # A second method's word counts for automatic labels as well.
    asked = {k: v for k, v in given.items() if k != "mixture"} if options.second_verdicts else given
    if idle := idle_parts(labels, given if labels == "mixed" else asked):
        raise MisstepError(
            f"--{option_of(idle[0])} would change nothing in labels {labels}, expected it left out"
        )
    if options.estimates and labels == "human":
        raise MisstepError("--estimates with --labels human, expected automatic or mixed labels with it")
    return LabelRule(**{**given, "labels": labels})


def _with_own_target(rule: LabelRule, format: str, options: argparse.Namespace) -> LabelRule:
    """The rule that takes a file's own probabilities as they are, unless another target was asked for."""
    is_its_own = format == "stepwise" and options.estimates is None and rule.labels != "human"
    return replace(rule, target="soft") if is_its_own and options.target is None else rule


def _expected(rule: LabelRule, format: str, keep_unlabelled: bool) -> str:
    if rule.labels == "human" and format in LABELLED_BY_MACHINES:
        return "some that have them, or --labels automatic for what a machine said"
    if keep_unlabelled:
        return "some that have them, or whose answer is known to be right or wrong"
    return "some that have them, or --keep-unlabelled for what known answers teach"


def _refuse_beside_trees(options: argparse.Namespace) -> None:
    """Raises MisstepError for what a tree has no part in: nobody labelled it, and its estimates are its own."""
    for name in ("estimates", "format", "second_verdicts", "gold"):
        if getattr(options, name) is not None:
            raise MisstepError(f"--{name.replace('_', '-')} with --trees, expected --solutions with it")
    if options.labels not in (None, "automatic"):
        raise MisstepError(f"--labels {options.labels} with --trees, expected automatic, or left out")


def _rows_of_solutions(
    options: argparse.Namespace,
    format: str,
    rule: LabelRule,
    estimates: Mapping[str, SolutionEstimate],
    dropped: Counter[str],
    second: SecondVerdicts | None,
    check: PosteriorCheck | None,
    keys: KeyLog,
) -> Iterator[SnapshotRow]:
    """The rows of labelled solutions; raises MisstepError where a file beside them speaks of others."""
    source, known = str(options.solutions), set[str]()
    labelled = _noted(read(options.solutions, format, keys=keys), known)
    rows = rows_from(source, labelled, estimates, rule, dropped, second, options.keep_unlabelled)
    # With the first row the whole file has been read, and its ids are known.
    first = next(rows, None)
    beside_options.refuse_strangers(options.estimates, estimates, known, source)
    beside_options.refuse_strangers(options.second_verdicts, second.by_id if second else (), known, source)
    beside_options.refuse_strangers(options.gold, check.gold if check else (), known, source)
    return iter(()) if first is None else chain([first], rows)


def _unread(keys: KeyLog) -> dict[str, dict[str, int]]:
    """What the file says and no snapshot has, told on stderr as well; a site's import keeps some of these keys."""
    found = dict(keys.unread + keys.kept)
    if not found:
        return {}
    print(f"not read, so not in the snapshot: {counts_in_words(found)}", file=sys.stderr)
    return {"unread_keys": found}


def _noted(labelled: Iterator[LabelledSolution], known: set[str]) -> Iterator[LabelledSolution]:
    """The looks, while their solutions' ids are noted and progress is told, in which a solution counts once."""
    progress = Progress("solutions")
    for one in labelled:
        known.add(one.solution.id)
        progress.report(len(known))
        yield one
    progress.finish(len(known))


def _told(rows: Iterable[SnapshotRow]) -> Iterator[SnapshotRow]:
    """The rows, while progress is told."""
    progress, count = Progress("solutions"), 0
    for count, row in enumerate(rows, start=1):
        progress.report(count)
        yield row
    progress.finish(count)


def _counted(rows: Iterable[SnapshotRow], labels_by: Counter[str]) -> Iterator[SnapshotRow]:
    """The rows, while it is counted whose labels they have, on how many everybody gave up, and how many have none."""
    for row in rows:
        labels_by.update(f"labels_by_{origin}" for origin in (row.human or {}).get("origins", ()))
        labels_by.update([GIVEN_UP] if is_given_up(row.human) else [])
        labels_by.update([] if has_labels(row) else [UNLABELLED])
        yield row
