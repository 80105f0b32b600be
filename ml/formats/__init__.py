"""The outside formats: one file each, all read the same way, line by line, into `ml.records`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import cast

from ml.errors import BadRecord, MisstepError
from ml.formats import (
    annotated,
    big_bench_mistake,
    gsm8k_solutions,
    math_aps,
    math_shepherd,
    misstep,
    mr_gsm8k,
    prm800k,
    processbench,
    records,
    stepwise,
)
from ml.formats.fields import Record
from ml.formats.identifiers import UsedIds
from ml.formats.keys import KeyLog
from ml.formats.lines import Limits, OnError, Unreadable, read_objects
from ml.formats.other_tools import HOW, record_of_tool
from ml.records import LabelledSolution, Solution
from ml.said import Said

__all__ = [
    "FORMATS",
    "NAMELESS",
    "KeyLog",
    "Limits",
    "format_of",
    "guess",
    "looks_by_solution",
    "read",
    "refuse_other_tools",
    "solutions",
]

Parse = Callable[[Record, int], Iterator[LabelledSolution]]

# A format whose records may have an id of their own names its key as ID_KEY.

# `guess` takes the first format whose KEYS a line has; the more particular ones stand first.
MODULES: MappingProxyType[str, ModuleType] = MappingProxyType(
    {
        "processbench": processbench,
        "prm800k": prm800k,
        "big_bench_mistake": big_bench_mistake,
        "mr_gsm8k": mr_gsm8k,
        "gsm8k_solutions": gsm8k_solutions,
        "misstep": misstep,
        "math_aps": math_aps,
        "math_shepherd": math_shepherd,
        "stepwise": stepwise,
        "annotated": annotated,
        "records": records,
    }
)
FORMATS = tuple(MODULES)
# Whom labels are of where a format names nobody.
NAMELESS = frozenset(module.LABELER for module in MODULES.values() if hasattr(module, "LABELER"))

# What the database's columns hold, and what a person could ever look at.
LONGEST_NAME = 200
MOST_STEPS = 1_000


def read(
    path: str | Path,
    format: str,
    on_error: OnError | None = None,
    name: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    keys: KeyLog | None = None,
) -> Iterator[LabelledSolution]:
    """Yield the solutions of a `.jsonl` or gzipped file, with their annotations where the file has some.

    Memory does not grow with the file. Without `on_error` the first bad line raises BadRecord; with it, each
    bad line is handed over and reading goes on: a caller can show the first twenty and count the rest.
    name: what messages call the file (an upload lies under a name of its own). keys: counts what the format does
    not read.
    Raises MisstepError at once for an unknown format.
    """
    if format not in MODULES:
        raise MisstepError(f"format {format!r}, expected one of {', '.join(FORMATS)}")
    module = MODULES[format]
    parse = _marking(_parse_of(module, Path(path), limits), module, format, keys)
    return _read(Path(path), parse, on_error or _raise, name or str(path), limits)


def solutions(labelled: Iterable[LabelledSolution]) -> Iterator[Solution]:
    """Each solution once, however many people looked at it: a line may hold several looks."""
    for _, looks in groupby(labelled, lambda found: (found.line, found.solution.id)):
        yield next(looks).solution


def looks_by_solution(labelled: Iterable[LabelledSolution]) -> Iterator[list[LabelledSolution]]:
    """All looks at each solution together, in the file's order."""
    for _, looks in groupby(labelled, lambda found: (found.line, found.solution.id)):
        yield list(looks)


def _marking(parse: Parse, module: ModuleType, format: str, keys: KeyLog | None) -> Parse:
    """A `parse` that says whose a line is, of another tool or format, and not only which key it lacks; that marks the
    records without an id of their own, and notes the keys of each line that could be read.
    """
    id_key = getattr(module, "ID_KEY", None)

    def marked(record: Record, line: int) -> Iterator[LabelledSolution]:
        _refuse_others(record, module, format)
        for labelled in parse(record, line):
            has_id = id_key is not None and record.get(id_key) is not None
            yield labelled if has_id else replace(labelled, is_numbered=True)
        if keys is not None:
            keys.note(module, record)

    return marked


def _refuse_others(record: Record, module: ModuleType, format: str) -> None:
    if _shows(record, module):
        return
    if found := record_of_tool(record):
        expected = Said("one of the format %(format)s %(how)s", format=format, how=HOW)
        raise Unreadable(found, expected, fatal=True)
    # The keys of `records` stand in most formats: a line that lacks one of its own may have them.
    if (theirs := _shown_by(record)) and theirs != "records":
        found = Said("a line of the format %(format)s", format=theirs)
        raise Unreadable(found, Said("one of the format %(format)s", format=format), fatal=True)


def _parse_of(module: ModuleType, path: Path, limits: Limits) -> Parse:
    """A format's `parse`, or what its `parser` makes for the file where a line's meaning depends on the others."""
    if not hasattr(module, "parser"):
        return cast(Parse, module.parse)
    # What is wrong with a line is told when it is read, not when it is looked at for the others' sake.
    return cast(Parse, module.parser(lambda: _looked_at(path, limits)))


@contextmanager
def _looked_at(path: Path, limits: Limits) -> Iterator[Iterator[tuple[int, Record]]]:
    with closing(read_objects(path, str(path), limits, lambda error: None)) as objects:
        yield islice(objects, limits.rows_ahead)


def _read(
    path: Path, parse: Parse, on_error: OnError, name: str, limits: Limits
) -> Iterator[LabelledSolution]:
    # `closing` shuts the file also when the caller stops in the middle.
    with UsedIds() as used, closing(read_objects(path, name, limits, on_error)) as objects:
        for line, record in objects:
            try:
                # A line is taken whole or not at all: a bad fourth solution takes the first three with it.
                solutions = list(parse(record, line))
                for labelled in solutions:
                    _refuse_oversized(labelled)
                    used.refuse_again(labelled.solution.id, labelled.line)
            except Unreadable as error:
                on_error(BadRecord(name, line, error.found, error.expected))
                if error.fatal:
                    return
            else:
                yield from solutions


def _refuse_oversized(labelled: LabelledSolution) -> None:
    solution = labelled.solution
    names = {"id": solution.id, "problem id": solution.problem.id, "generator": solution.generator or ""}
    for name, value in names.items():
        if len(value) > LONGEST_NAME:
            raise Unreadable(
                Said("a %(name)s of %(count)s characters", name=name, count=len(value)),
                Said("at most %(most)s", most=LONGEST_NAME),
            )
    if (
        max([len(solution.positions), *(len(position.options) for position in solution.positions)])
        > MOST_STEPS
    ):
        raise Unreadable(
            "a solution of too many steps or alternatives", Said("at most %(most)s of each", most=MOST_STEPS)
        )


def _raise(error: BadRecord) -> None:
    raise error from None


def guess(path: str | Path) -> str | None:
    """The format that the first record's keys speak for, or None (also if that line cannot be read)."""
    errors: list[BadRecord] = []
    with closing(read_objects(Path(path), str(path), Limits(), errors.append)) as objects:
        first = next(objects, None)
    if first is None or errors:
        return None
    return _shown_by(first[1])


def _shown_by(record: Record) -> str | None:
    return next((name for name, module in MODULES.items() if _shows(record, module)), None)


def _shows(record: Record, module: ModuleType) -> bool:
    """Whether a line has the keys of a format, in one of the ways in which it may have them."""
    return record.keys() >= module.KEYS or record.keys() >= getattr(module, "OTHER_KEYS", module.KEYS)


def format_of(path: str | Path, asked: str | None) -> str:
    """The format that was asked for, or the one that the file shows; raises MisstepError where neither is known."""
    kind = asked or guess(path)
    if kind is None:
        refuse_other_tools(path)
        known = ", ".join(FORMATS)
        raise MisstepError(f"{path}: its format is not known, expected --format with one of {known}")
    return kind


def refuse_other_tools(path: str | Path, name: str | None = None) -> None:
    """Raises BadRecord where the first line tells whose file it is, or cannot be read at all."""
    with closing(read_objects(Path(path), name or str(path), Limits(), _raise)) as objects:
        line, record = next(objects, (1, {}))
    if found := record_of_tool(record):
        raise BadRecord(name or str(path), line, found, Said("a line of one of our formats %(how)s", how=HOW))
