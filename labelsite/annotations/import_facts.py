"""What a file says of a solution beside its labels, where that is something else than is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from labelsite.problems.models import Problem, Solution
from labelsite.problems.services import PROBLEM_KEY
from ml.formats.records import METADATA
from ml.given_answers import GivenAnswers
from ml.records import Solution as SolutionRecord

# What a file leaves out, or has as null, it says nothing of.
COLUMNS = ("is_correct", "final_answer", "generator")
# The labels of files that are no person's word lie here.
MACHINE_LABELS = ("hard", "soft", "labels")
REFERENCE = "reference_solution"


@dataclass(frozen=True, slots=True)
class OtherFacts:
    """What a record says otherwise than the row of its solution: columns, and keys of the row's `extra`."""

    columns: Mapping[str, Any]
    extra: Mapping[str, Any]

    def __bool__(self) -> bool:
        return bool(self.columns or self.extra)

    @property
    def names(self) -> tuple[str, ...]:
        """What differs, as people know it."""
        return (*self.columns, *(REFERENCE if name == PROBLEM_KEY else name for name in self.extra))


NO_FACTS = OtherFacts({}, {})


def other_facts(said: SolutionRecord, row: Solution, *, is_numbered: bool) -> OtherFacts:
    """What the record says otherwise than its row, which has its problem with it.

    is_numbered: the file has no ids. Then lines with the same steps are one solution, of which the first line's further
    keys are kept, whatever the others have.
    """
    facts = {name: getattr(said, name) for name in COLUMNS}
    columns = {name: value for name, value in facts.items() if value not in (None, getattr(row, name))}
    extra = dict(_other_extra(said, row))
    if is_numbered:
        extra.pop(METADATA, None)
    return OtherFacts(columns, extra)


def _other_extra(said: SolutionRecord, row: Solution) -> Iterator[tuple[str, Any]]:
    for name in MACHINE_LABELS:
        if name in said.extra and said.extra[name] != row.extra.get(name):
            yield name, said.extra[name]
    kept = row.extra.get(METADATA, {})
    metadata = {key: value for key, value in said.extra.get(METADATA, {}).items() if value is not None}
    if any(_as_stored(kept.get(key)) != _as_stored(metadata[key]) for key in metadata):
        yield METADATA, {**kept, **metadata}
    own_view = row.extra.get(PROBLEM_KEY, {})
    reference = said.problem.reference_solution
    if reference not in (None, own_view.get(REFERENCE, row.problem.reference_solution)):
        yield PROBLEM_KEY, {**own_view, REFERENCE: reference}


def _as_stored(value: Any) -> Any:
    """The value with its numbers as the table has them: 1e23 comes back from there as a whole number, not a float."""
    return json.loads(json.dumps(value), parse_float=Decimal, parse_int=Decimal)


def put_facts_right(solution: int, facts: OtherFacts, said: SolutionRecord, answers: GivenAnswers) -> None:
    """Store what the file now says of a solution, in the row as it is by now."""
    row = Solution.objects.select_related("problem").get(pk=solution)
    columns = {**facts.columns, **_graded_anew(facts, said, answers)}
    Solution.objects.filter(pk=solution).update(**columns, extra={**row.extra, **facts.extra})
    if PROBLEM_KEY in facts.extra:
        # Pages show the problem's own: what others of its solutions were imported with stays.
        without = Problem.objects.filter(pk=row.problem_id, reference_solution=None)
        without.update(reference_solution=said.problem.reference_solution)


def _graded_anew(facts: OtherFacts, said: SolutionRecord, answers: GivenAnswers) -> dict[str, bool | None]:
    """The grade of an answer that the file put right without a word on it: the old grade was of another answer."""
    if "final_answer" not in facts.columns or said.is_correct is not None:
        return {}
    return {"is_correct": answers.is_correct(said)}
