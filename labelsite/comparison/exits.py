"""Looks without a verdict, counted for each labeler: few rows, which the arrays of `evidence` leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from labelsite.annotations.known_answers import counts_sql
from labelsite.campaigns.models import Campaign

_COUNTS = counts_sql("a", "t")
_QUERY = f"""
    SELECT a.annotator_id,
        count(*) FILTER (WHERE a.finish_reason = 'bad_problem'),
        count(*) FILTER (WHERE a.finish_reason = 'give_up'),
        count(*) FILTER (WHERE {_COUNTS} AND t.kind <> 'work'),
        count(*) FILTER (WHERE {_COUNTS})
    FROM annotations_annotation a JOIN campaigns_task t ON t.id = a.task_id
    WHERE t.campaign_id = %(campaign)s AND a.is_live AND a.broken_rule = ''
        AND a.finish_reason IN ('bad_problem', 'give_up')
    GROUP BY a.annotator_id
"""


@dataclass(frozen=True, slots=True)
class Exits:
    """One labeler's reported problems and give-ups; how many of both were on gold items and on known answers."""

    bad_problems: int = 0
    give_ups: int = 0
    gold: int = 0
    known: int = 0


def exits_by_person(campaign: Campaign) -> Mapping[int, Exits]:
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, {"campaign": campaign.pk})
        return {person: Exits(*counts) for person, *counts in cursor.fetchall()}
