"""The usual submission in two statements: a first look, one person a task, a lease that still stands.

It is most of all submissions, and the only part of the site where every millisecond counts. Whatever is not
usual (a lost lease, a repeated key, a task for several people, gold, a step of one's own) finds nothing here
and takes the long way in `services.submit`, which has the same rules.
"""

from __future__ import annotations

import json
from uuid import UUID

from django.db import connection

from labelsite.annotations.judgement import Judgement, Lawful, Option, check
from labelsite.annotations.models import Annotation

_LEASE = """
SELECT task.id, lease.exposure, campaign.protocol, campaign.asks_reason, campaign.guideline_version,
       (SELECT json_agg(json_build_array(step.id, step.position, step.option, step.is_chosen)
                        ORDER BY step.position, step.option)::text
        FROM problems_step AS step
        WHERE step.solution_id = task.solution_id AND (step.source <> 'human' OR step.is_chosen))
FROM campaigns_assignment AS lease
JOIN campaigns_task AS task ON task.id = lease.task_id
JOIN campaigns_campaign AS campaign ON campaign.id = task.campaign_id
WHERE lease.id = %s AND lease.annotator_id = %s AND lease.token = %s AND lease.state = 'leased'
  AND task.kind = 'work' AND task.overlap = 1 AND NOT campaign.adaptive_overlap
"""

# Each part feeds the next, so a lease that is no longer there stores nothing at all.
_STORE = """
WITH lease AS (
    UPDATE campaigns_assignment SET state = 'submitted', heartbeat_at = now()
    WHERE id = %(assignment)s AND annotator_id = %(annotator)s AND token = %(token)s AND state = 'leased'
    RETURNING task_id, annotator_id, exposure
), annotation AS (
    INSERT INTO annotations_annotation (task_id, annotator_id, revision, is_live, origin, finish_reason, reason,
        trajectory, total_time_ms, exposure, guideline_version, idempotency_key, broken_rule, extra, created_at)
    SELECT task_id, annotator_id, 1, true, 'annotator', %(finish_reason)s, %(reason)s, %(trajectory)s::smallint[],
           %(total_time)s, exposure, %(guideline)s, %(key)s, '', '{}', now() FROM lease
    RETURNING id, task_id, created_at
), rated AS (
    INSERT INTO annotations_steprating (annotation_id, step_id, rating, flagged, milliseconds, note)
    SELECT annotation.id, given.* FROM annotation,
           unnest(%(steps)s::bigint[], %(ratings)s::smallint[], %(flags)s::bool[], %(times)s::int[], %(notes)s::text[])
           AS given
), settled AS (
    UPDATE campaigns_task AS task SET state = 'done' FROM annotation
    WHERE task.id = annotation.task_id AND task.state = 'open' AND task.overlap = 1
)
SELECT id, created_at FROM annotation
"""


def submit(
    assignment: int, annotator: int, token: str, key: str | UUID, judgement: Judgement
) -> Annotation | None:
    """The stored annotation, or None where the long way is needed. Raises Unlawful as the long way does."""
    if judgement.written:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_LEASE, [assignment, annotator, token])
        row = cursor.fetchone()
    if row is None or row[5] is None:
        return None
    task, exposure, protocol, asks_reason, guideline, options = row
    lawful = check(protocol, asks_reason, [Option(*option) for option in json.loads(options)], judgement)
    with connection.cursor() as cursor:
        cursor.execute(
            _STORE,
            {
                "assignment": assignment,
                "annotator": annotator,
                "token": token,
                "key": key,
                "guideline": guideline,
            }
            | _columns(lawful),
        )
        stored = cursor.fetchone()
    if stored is None:
        return None
    return Annotation(
        pk=stored[0],
        created_at=stored[1],
        task_id=task,
        annotator_id=annotator,
        finish_reason=lawful.finish_reason,
        reason=lawful.reason,
        trajectory=lawful.trajectory,
        total_time_ms=lawful.total_time_ms,
        exposure=exposure,
        guideline_version=guideline,
        idempotency_key=key,
    )


def _columns(lawful: Lawful) -> dict[str, object]:
    return {
        "finish_reason": lawful.finish_reason,
        "reason": lawful.reason,
        "trajectory": lawful.trajectory,
        "total_time": lawful.total_time_ms,
        "steps": [rating.step for rating in lawful.ratings],
        "ratings": [rating.rating for rating in lawful.ratings],
        "flags": [rating.flagged or None for rating in lawful.ratings],
        "times": [rating.milliseconds for rating in lawful.ratings],
        "notes": [rating.note for rating in lawful.ratings],
    }
