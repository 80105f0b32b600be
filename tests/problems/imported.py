"""Solutions as their files had them."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from labelsite.problems.models import Solution as SolutionRow
from labelsite.problems.queries import record_of, with_positions
from ml.records import Solution


def as_imported(solutions: QuerySet[SolutionRow]) -> Iterator[tuple[SolutionRow, Solution]]:
    """Each row beside the record as its file had it: with the file's own ids."""
    for row, positions in with_positions(solutions):
        yield row, record_of(row, positions, row.external_id)
