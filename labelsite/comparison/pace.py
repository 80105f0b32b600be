"""Whose pace the comparison marks: the rule of `annotations.pace`, by its own figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labelsite.accounts.models import User
from labelsite.annotations.pace import Pace, too_fast
from labelsite.comparison.measures import PersonFigures


def too_fast_among(persons: Iterable[PersonFigures], labelers: Mapping[int, User]) -> set[int]:
    """People only: what was imported says nothing of how long somebody sat before a page of this site."""
    return too_fast(
        {
            row.annotator: Pace(row.timed, row.seconds)
            for row in persons
            if row.seconds is not None and (labeler := labelers.get(row.annotator)) and not labeler.is_machine
        },
        excluded=[number for number, labeler in labelers.items() if labeler.labels_excluded],
    )
