"""Finds a file's solutions among a campaign's, so that what a command made of the file belongs to rows here.

An id of a file, or a line's number, says nothing of other files: what is matched are the problem's text and the steps.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelsite.campaigns.models import Campaign
from labelsite.problems.models import Solution
from labelsite.problems.queries import with_positions
from ml import formats
from ml.json_lines import as_line
from ml.records import Position
from ml.result_lines import Refusal, objects_in
from ml.whole_file import whole_file

_Row = tuple[int, str]


@dataclass(frozen=True)
class Matches:
    """The rows of a file's solutions by the file's ids; None for those that the campaign does not have."""

    solutions: Path
    campaign: Campaign
    rows: Mapping[str, int | None]
    step_counts: Mapping[str, int]

    def row_of(self, identity: str, refusal: Refusal) -> int:
        """Raises BadRecord for an id that is not in the file, and for a solution that is not in the campaign."""
        if identity not in self.rows:
            refusal(f"id {identity!r}", f"an id of {self.solutions}")
        row = self.rows[identity]
        if row is None:
            refusal(
                f"id {identity!r}, whose problem and steps are in no solution of the campaign {self.campaign.name}",
                "solutions that were imported there first",
            )
        return row


def match(campaign: Campaign, solutions: Path, format: str) -> Matches:
    """The campaign's row of each solution of the file. Where both have the same content several times, equal ids find
    each other, and the rest goes by the order. Raises BadRecord for a line that cannot be read.
    """
    known = _rows_by_content(campaign)
    rows: dict[str, int | None] = {}
    counts: dict[str, int] = {}
    for solution in formats.solutions(formats.read(solutions, format)):
        alike = known[_content(solution.problem.text, list(solution.steps))]
        place = next((k for k, (_, external_id) in enumerate(alike) if external_id == solution.id), 0)
        rows[solution.id] = alike.pop(place)[0] if alike else None
        counts[solution.id] = len(solution.steps)
    return Matches(solutions, campaign, rows, counts)


def with_rows(source: Path, target: Path, matches: Matches, steps_in: str = "") -> int:
    """Write the lines of `source` to `target` with rows here in the place of the file's ids; return their number.

    steps_in: the key of a list that has an entry for each step. Raises BadRecord, with file and line, for a line that
    belongs to no solution, for a second one of the same solution, and for one of another number of steps.
    """
    first: dict[int, int] = {}
    with whole_file(target) as stream:
        for number, record in objects_in(source):
            refusal = Refusal(source, number)
            identity = refusal.identity(record)
            row = matches.row_of(identity, refusal)
            if steps_in:
                _refuse_other_steps(refusal, record, identity, matches, steps_in)
                if first.setdefault(row, number) != number:
                    refusal(
                        f"id {identity!r} again (first on line {first[row]})", "one line for each solution"
                    )
            stream.write(as_line({**record, "id": str(row)}))
            first.setdefault(row, number)
    return len(first)


def _refuse_other_steps(
    refusal: Refusal, record: Mapping[str, Any], identity: str, matches: Matches, steps_in: str
) -> None:
    found, expected = len(refusal.listed(record, steps_in)), matches.step_counts[identity]
    if found != expected:
        refusal(f"{found} {steps_in} of {identity!r}", f"one for each of its {expected} steps")


def _rows_by_content(campaign: Campaign) -> defaultdict[bytes, list[_Row]]:
    found: defaultdict[bytes, list[_Row]] = defaultdict(list)
    ordered = Solution.objects.filter(tasks__campaign=campaign).order_by("pk")
    for row, positions in with_positions(ordered):
        found[_content(row.problem.text, _trajectory(positions))].append((row.pk, row.external_id))
    return found


def _trajectory(positions: tuple[Position, ...]) -> list[str]:
    """The texts up to the first position where nothing is chosen, as `ml.records.Solution` has them."""
    texts: list[str] = []
    for position in positions:
        if position.chosen is None:
            break
        texts.append(position.options[position.chosen].text)
    return texts


def _content(problem: str, steps: list[str]) -> bytes:
    """A digest: a campaign may have a million steps."""
    return hashlib.sha256(json.dumps([problem, steps]).encode()).digest()
