"""What makes two solutions of one problem the same, so that the same file imported twice adds nothing.

A record with an id of its own is known by it, and by its texts. One without is known by its content alone: its line's
number changes when a line is put before it. Where a file says the same several times, the first is the first again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set

from django.db import connection

from ml.formats.identifiers import Occurrences
from ml.records import LabelledSolution, Problem
from ml.records import Solution as SolutionRecord

# Begins the digests that know nothing of a line's number; until there were such, every digest held the id.
BY_CONTENT = "c:"
# An id that a reader made of a line's number, and of what it found there.
NUMBERED = re.compile(r"[0-9]+([/:].*)?", re.DOTALL)
Key = tuple[int, str]
# The file's own words for who looked and when, and how to find those of solutions that are stored.
Look = tuple[str | None, str | None]
FindLooks = Callable[[Sequence[int]], Mapping[int, Look]]


def problem_digest(problem: Problem) -> str:
    """What makes two problems of one source the same: their text and their reference answer."""
    return hashlib.sha256(json.dumps([problem.text, problem.answer]).encode()).hexdigest()


def solution_digest(solution: SolutionRecord, identity: str | None = None) -> str:
    """What makes two solutions of one problem the same: their id (or `identity`) and the text of every option."""
    pieces = [solution.id if identity is None else identity]
    for position in solution.positions:
        pieces.append(str(len(position.options)))
        pieces.extend(option.text for option in position.options)
    # No text holds a NUL (the readers refuse it), so the joined pieces can be cut in one way only.
    return hashlib.sha256("\0".join(pieces).encode()).hexdigest()


class Digests:
    """The digests of a file's records, in their order. `names_looks`: the format says whose each look is."""

    def __init__(self, seen: Occurrences, names_looks: bool = False) -> None:
        self._seen = seen
        self._names_looks = names_looks

    def of(self, labelled: LabelledSolution) -> str:
        """What the record is known by. The first looks of several people at the same content are at one solution."""
        if not labelled.is_numbered:
            return solution_digest(labelled.solution)
        solution = labelled.solution
        content = json.dumps([solution_digest(solution, ""), solution.generator, *_look(labelled)])
        counted = [solution.problem.text, solution.problem.answer, content, self._whose(labelled)]
        number = self._seen.before(json.dumps(counted))
        return BY_CONTENT + hashlib.sha256(f"{content} {number}".encode()).hexdigest()[: 64 - len(BY_CONTENT)]

    def _whose(self, labelled: LabelledSolution) -> str | None:
        """Repetitions are counted for each person, so that a look is known again whoever else's stand around it."""
        return labelled.annotation.labeler if labelled.annotation and self._names_looks else None


def _look(labelled: LabelledSolution) -> Look:
    """Who looked at it, and when: PRM800K has a line for each look, several for one solution."""
    labeler = labelled.annotation.extra.get("labeler") if labelled.annotation else None
    return (labeler, labelled.annotation.created_at) if labelled.annotation and labeler else (None, None)


def adopt_numbered(
    batch: Sequence[LabelledSolution], keys: Sequence[Key], new_problems: Set[int], find_looks: FindLooks
) -> dict[Key, int]:
    """Solutions stored under numbers that may be their lines', under the keys by which these records look for them.

    They keep what they were known by, which an id of the file's own may need, and are known by content too from now
    on. Of several with the same content, the one of the lowest line is the first record's.
    """
    numbered = {
        key: record
        for key, record in zip(keys, batch, strict=True)
        if record.is_numbered and key[0] not in new_problems
    }
    known, adopted, stored = _stored_by_number({problem for problem, _ in numbered})
    looks = find_looks([row for rows in stored.values() for row, _, _ in rows]) if stored else {}
    new: dict[Key, int] = {}
    for key, record in numbered.items():
        is_known = key in known or key in adopted
        rows = stored.get(_group(key[0], record.solution), []) if not is_known else []
        for place, (row, external_id, digest) in enumerate(rows):
            is_same_look = looks.get(row, _look(record)) == _look(record)
            if is_same_look and solution_digest(record.solution, external_id) == digest:
                new[key] = row
                del rows[place]
                break
    if new:
        _write_adopted(new)
    return {key: row for key, row in adopted.items() if key in numbered} | new


_Group = tuple[int, int, str | None]


def _group(problem_id: int, solution: SolutionRecord) -> _Group:
    return problem_id, len(solution.positions), solution.generator


_Stored = dict[_Group, list[tuple[int, str, str]]]


def _stored_by_number(problems: Set[int]) -> tuple[set[Key], dict[Key, int], _Stored]:
    """What is known by content alone, what was adopted, and what else a line's number may have named, in order."""
    known: set[Key] = set()
    adopted: dict[Key, int] = {}
    found: _Stored = defaultdict(list)
    if not problems:
        return known, adopted, found
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT problem_id, position_count, generator, solution.id, external_id, digest, adopted_digest"
            " FROM unnest(%s::bigint[]) AS wanted (id)"
            " JOIN problems_solution AS solution ON problem_id = wanted.id ORDER BY solution.id",
            [list(problems)],
        )
        for problem, positions, generator, row, external_id, digest, adopted_digest in cursor.fetchall():
            if adopted_digest:
                adopted[problem, adopted_digest] = row
            elif digest.startswith(BY_CONTENT):
                known.add((problem, digest))
            elif NUMBERED.fullmatch(external_id):
                found[problem, positions, generator].append((row, external_id, digest))
    return known, adopted, found


def _write_adopted(new: Mapping[Key, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE problems_solution AS solution SET adopted_digest = new.digest"
            " FROM unnest(%s::bigint[], %s::text[]) AS new (id, digest) WHERE solution.id = new.id",
            [list(new.values()), [digest for _, digest in new]],
        )
