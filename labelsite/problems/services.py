"""Stores problems, solutions and steps from outside: in bulk, streaming, and the same file only once.

A batch costs a handful of statements whatever its size, and nothing here depends on how many rows the tables
already hold. Steps go straight into their table with COPY, because whether they are new is known beforehand:
a solution that this transaction inserted has no steps yet, and one that was already there has all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from django.db import connection

from labelsite.problems.identity import Digests, FindLooks, adopt_numbered, problem_digest
from labelsite.problems.models import Solution
from labelsite.problems.read_ahead import ReadAhead
from labelsite.statements import check_references_at_once
from ml.formats.identifiers import Occurrences
from ml.records import LabelledSolution, Problem
from ml.records import Solution as SolutionRecord

# A batch is closed at the first solution that brings it to this many options or solutions.
BATCH_OPTIONS = 20_000
BATCH_SOLUTIONS = 2_000
# The key in `Solution.extra` under which the record's own view of a shared problem is kept.
PROBLEM_KEY = "record_problem"
# What stands for a character that means something in the text format of COPY.
COPY_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
COPY_BLOCK = 500
# Formats in which every look has the name of the person whose it is.
NAMING_LOOKS = frozenset({"annotated"})


@dataclass(frozen=True, slots=True)
class StoredSolution:
    """Where a record went. `step_ids` are in the order of positions and options; None if not new."""

    solution_id: int
    problem_id: int
    labelled: LabelledSolution
    step_ids: Sequence[int] | None

    @property
    def is_new(self) -> bool:
        return self.step_ids is not None


def store(records: Iterable[LabelledSolution], source: str) -> Iterator[tuple[Solution, LabelledSolution]]:
    """Store `records` and yield each with its row. Streams, adds nothing twice, never commits by itself."""
    for batch in store_batches(records, source):
        rows = Solution.objects.select_related("problem").in_bulk([stored.solution_id for stored in batch])
        for stored in batch:
            yield rows[stored.solution_id], stored.labelled


def store_batches(
    records: Iterable[LabelledSolution], source: str, find_looks: FindLooks = lambda solutions: {}
) -> Iterator[list[StoredSolution]]:
    """Store `records` batch by batch, inside a transaction that the caller commits or rolls back.

    `records` is read in a thread of its own, so it must not use the database.
    """
    wait_for_other_imports(source)
    check_references_at_once()
    with Occurrences() as seen, ReadAhead(batches(records)) as read:
        digests = Digests(seen, names_looks=source in NAMING_LOOKS)
        for batch in read:
            yield _store_batch(batch, source, digests, find_looks)


def store_problems(problems: Sequence[Problem], source: str) -> list[int]:
    """Store problems that come without solutions; the id of each one's row. Adds nothing twice, never commits."""
    wait_for_other_imports(source)
    rows, _ = _store_problems(problems, source)
    return [rows[problem_digest(problem)][0] for problem in problems]


def batches(records: Iterable[LabelledSolution]) -> Iterator[list[LabelledSolution]]:
    """Cut a stream into lists of bounded weight, so that memory does not grow with the file."""
    batch: list[LabelledSolution] = []
    options = 0
    for record in records:
        batch.append(record)
        options += sum(len(position.options) for position in record.solution.positions)
        if options >= BATCH_OPTIONS or len(batch) >= BATCH_SOLUTIONS:
            yield batch
            batch, options = [], 0
    if batch:
        yield batch


def wait_for_other_imports(source: str) -> None:
    """Two imports of one source would wait for each other's rows in both directions; so they take turns.

    The turn lasts until the transaction ends; whoever has it already waits for nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"misstep import {source}"])


def _store_batch(
    batch: Sequence[LabelledSolution], source: str, digests: Digests, find_looks: FindLooks
) -> list[StoredSolution]:
    problems, new_problems = _store_problems([record.solution.problem for record in batch], source)
    keys: list[tuple[int, str]] = []
    solutions: dict[tuple[int, str], tuple[Any, ...]] = {}
    for record in batch:
        problem_id, kept = problems[problem_digest(record.solution.problem)]
        key = (problem_id, digests.of(record))
        keys.append(key)
        solutions.setdefault(key, _solution_values(record.solution, kept))
    adopted = adopt_numbered(batch, keys, new_problems, find_looks)
    inserted = _insert_solutions({key: values for key, values in solutions.items() if key not in adopted})
    known = adopted | inserted
    known |= _find_solutions([key for key in solutions if key not in known])
    step_ids = _copy_steps(
        {inserted[key]: record.solution for key, record in zip(keys, batch, strict=True) if key in inserted}
    )
    return [
        StoredSolution(known[key], key[0], record, step_ids.get(known[key]))
        for key, record in zip(keys, batch, strict=True)
    ]


def _store_problems(given: Sequence[Problem], source: str) -> tuple[dict[str, tuple[int, Problem]], set[int]]:
    """Insert those that are new; return each digest's row id and the problem as that row has it, and the new ids."""
    problems: dict[str, Problem] = {}
    for problem in given:
        problems.setdefault(problem_digest(problem), problem)
    columns = [
        (digest, problem.id, problem.text, problem.answer, problem.reference_solution)
        for digest, problem in problems.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO problems_problem"
            " (source, digest, external_id, text, answer, reference_solution, created_at)"
            " SELECT %s, new.*, now()"
            " FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) AS new"
            " ON CONFLICT (source, digest) DO NOTHING RETURNING id",
            [source, *_columns(columns, 5)],
        )
        new = {row[0] for row in cursor.fetchall()}
        cursor.execute(
            "SELECT digest, id, external_id, text, answer, reference_solution FROM problems_problem"
            " WHERE source = %s AND digest = ANY(%s)",
            [source, list(problems)],
        )
        return {row[0]: (row[1], Problem(*row[2:])) for row in cursor.fetchall()}, new


def _solution_values(solution: SolutionRecord, kept: Problem) -> tuple[Any, ...]:
    """The solution's columns; `extra` also keeps what its problem says otherwise than the row it shares."""
    extra = dict(solution.extra)
    if solution.problem != kept:
        extra[PROBLEM_KEY] = {
            "id": solution.problem.id,
            "reference_solution": solution.problem.reference_solution,
        }
    return (
        solution.id,
        solution.generator,
        solution.final_answer,
        solution.is_correct,
        len(solution.positions),
        json.dumps(extra, ensure_ascii=False),
    )


def _insert_solutions(solutions: dict[tuple[int, str], tuple[Any, ...]]) -> dict[tuple[int, str], int]:
    """Insert those that are not there yet; return (problem, digest) -> id of what was inserted."""
    columns = [(*key, *values) for key, values in solutions.items()]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO problems_solution (problem_id, digest, external_id, generator, final_answer,"
            " is_correct, position_count, extra, created_at)"
            " SELECT new.*, now() FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],"
            " %s::boolean[], %s::smallint[], %s::jsonb[]) AS new"
            " ON CONFLICT (problem_id, digest) DO NOTHING RETURNING problem_id, digest, id",
            _columns(columns, 8),
        )
        return {(problem_id, digest): identity for problem_id, digest, identity in cursor.fetchall()}


def _find_solutions(keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT problem_id, digest, id FROM problems_solution"
            " JOIN unnest(%s::bigint[], %s::text[]) AS wanted (problem, name)"
            " ON problem_id = wanted.problem AND digest = wanted.name",
            _columns(keys, 2),
        )
        return {(problem_id, digest): identity for problem_id, digest, identity in cursor.fetchall()}


def _copy_steps(solutions: dict[int, SolutionRecord]) -> dict[int, list[int]]:
    """Write every option of new solutions; return their ids, by solution, in the order of writing."""
    counts = {
        identity: sum(len(position.options) for position in solution.positions)
        for identity, solution in solutions.items()
    }
    new_ids = iter(reserve_ids("problems_step", sum(counts.values())))
    step_ids = {identity: [next(new_ids) for _ in range(count)] for identity, count in counts.items()}
    copy_lines(
        "problems_step (id, solution_id, position, option, text, source, is_chosen)",
        (
            line
            for identity, solution in solutions.items()
            for line in _step_lines(identity, solution, step_ids[identity])
        ),
    )
    return step_ids


def _step_lines(identity: int, solution: SolutionRecord, step_ids: Sequence[int]) -> Iterator[str]:
    ids = iter(step_ids)
    for place, position in enumerate(solution.positions):
        for number, option in enumerate(position.options):
            is_chosen = "t" if number == position.chosen else "f"
            text = option.text.translate(COPY_ESCAPES)
            yield f"{next(ids)}\t{identity}\t{place}\t{number}\t{text}\t{option.source}\t{is_chosen}\n"


def store_outcomes(outcomes: Mapping[int, tuple[str, str]]) -> int:
    """Keep verdict and output of executed steps, by the step's id; returns how many steps there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE problems_step AS step SET verdict = told.verdict, output = told.output"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS told (id, verdict, output)"
            " WHERE step.id = told.id",
            [list(outcomes), *_columns(list(outcomes.values()), 2)],
        )
        return cursor.rowcount


def copy_lines(target: str, lines: Iterable[str]) -> None:
    """COPY rows in PostgreSQL's text format, which costs half of what a call for each row does.

    `target` is a table with its columns. A text value in a line has gone through COPY_ESCAPES; null is \\N.
    """
    rows = iter(lines)
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        while block := "".join(islice(rows, COPY_BLOCK)):
            copy.write(block)


def reserve_ids(table: str, count: int) -> list[int]:
    """Take `count` ids of a table's sequence, so that rows can name each other before they are written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(nextval(name)) FROM generate_series(1, %s),"
            " (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS name OFFSET 0) AS sequence",
            [count, table],
        )
        return cursor.fetchone()[0] or []


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into one list a column, as `unnest` takes them."""
    flat = list(chain.from_iterable(rows))
    return [flat[column::width] for column in range(width)]
