"""The rows of a judgement: what a submission reads and writes, one statement each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from django.db.models import Max

from labelsite.annotations import judgement as rules
from labelsite.annotations.judgement import Lawful, Option
from labelsite.annotations.models import Annotation, FinishReason, first_mistake_sql
from labelsite.campaigns.leases import LEASE_COLUMNS, LEASE_TABLES, lease_from, submission
from labelsite.campaigns.models import Assignment, Task
from labelsite.problems.models import Solution, Step, StepSource
from labelsite.statements import Columns, Statement

# Everything but what other annotators wrote.
_SHOWN = "step.solution_id = {solution} AND (step.source <> 'human' OR step.is_chosen)"
_OPTIONS = Statement(
    "SELECT step.id, step.position, step.option, step.is_chosen FROM problems_step AS step"
    f" WHERE {_SHOWN.format(solution='%(solution)s')} ORDER BY step.position, step.option"
)
_LOOK = Statement(
    "SELECT (SELECT COALESCE(json_agg(json_build_array(step.id, step.position, step.option, step.is_chosen)"
    " ORDER BY step.position, step.option), '[]')::text FROM problems_step AS step"
    f" WHERE {_SHOWN.format(solution='task.solution_id')}), {LEASE_COLUMNS} {LEASE_TABLES} lease.id = %(assignment)s"
)
_ANNOTATION = Columns(Annotation, "annotation")
# Each part feeds the next, so a lease that is no longer there stores nothing at all.
_STORE = submission(
    f"""
annotation AS (
    INSERT INTO annotations_annotation AS annotation (task_id, annotator_id, revision, is_live, origin, finish_reason,
        reason, trajectory, total_time_ms, exposure, changed_after_reveal, guideline_version, idempotency_key,
        judgement_digest, broken_rule, extra, created_at)
    SELECT task_id, annotator_id, %(revision)s, true, 'annotator', %(finish_reason)s, %(reason)s,
        %(trajectory)s::smallint[], %(total_time)s::int, exposure, %(changed)s::bool, %(guideline)s, %(key)s::uuid,
        %(digest)s, '', %(extra)s::jsonb, now() FROM lease
    RETURNING {_ANNOTATION.sql}
), rated AS (
    INSERT INTO annotations_steprating (annotation_id, step_id, rating, flagged, milliseconds, note)
    SELECT annotation.id, given.* FROM annotation,
           unnest(%(steps)s::bigint[], %(ratings)s::smallint[], %(flags)s::bool[], %(times)s::int[], %(notes)s::text[])
           AS given
)
""",
    result=f"SELECT {_ANNOTATION.sql} FROM annotation",
)
_VERDICTS = Statement(
    f"SELECT annotation.finish_reason, {first_mistake_sql('annotation')}, annotator.labels_excluded"
    " FROM annotations_annotation AS annotation"
    " JOIN accounts_user AS annotator ON annotator.id = annotation.annotator_id"
    " WHERE annotation.task_id = %(task)s AND annotation.is_live AND NOT annotator.is_machine"
)


def options_of(task: Task) -> list[Option]:
    """The steps that a task shows."""
    return [Option(*row) for row in _OPTIONS.rows(solution=task.solution_id)]


def look(assignment: int, annotator: int) -> tuple[Assignment, list[Option]]:
    """A person's assignment as it is now, not locked, and the steps that its task shows."""
    options, *lease = _LOOK.row(assignment=assignment, annotator=annotator) or [None]
    if options is None:
        raise Assignment.DoesNotExist
    return lease_from(tuple(lease)), [Option(*option) for option in json.loads(options)]


def store(
    lease: Assignment,
    lawful: Lawful,
    key: str | UUID,
    *,
    guideline_version: int,
    digest: str,
    alone: bool = False,
    revision: int = 1,
    changed_after_reveal: bool | None = None,
) -> Annotation | None:
    """Uses the lease and writes the annotation with its ratings; None, and nothing written, if the lease is no
    longer as it was read. `alone` says that the task waits for this look only, and is done with it.
    """
    written = _write_steps(lease.task, lawful.written)
    ratings = [*lawful.ratings, *(rules.Rating(step, None) for step in written)]
    row = _STORE.row(
        assignment=lease.pk,
        token=str(lease.token),
        state=lease.state,
        alone=alone,
        revision=revision,
        finish_reason=lawful.finish_reason,
        reason=lawful.reason,
        trajectory=lawful.trajectory,
        total_time=lawful.total_time_ms,
        changed=changed_after_reveal,
        guideline=guideline_version,
        key=str(key),
        digest=digest,
        extra=json.dumps({"written": written} if written else {}),
        steps=[rating.step for rating in ratings],
        ratings=[rating.rating for rating in ratings],
        flags=[rating.flagged or None for rating in ratings],
        times=[rating.milliseconds for rating in ratings],
        notes=[rating.note for rating in ratings],
    )
    if row is None:
        return None
    annotation = _ANNOTATION.object(row)
    annotation.task = lease.task
    return annotation


def _write_steps(task: Task, written: Sequence[tuple[int, str]]) -> list[int]:
    """Stores steps that the annotator wrote as options of their positions, and returns their ids.

    They do not become the solution's own chosen steps, since another annotator still judges the original.
    """
    if written:
        # Campaigns share solutions: in another one somebody may write a step here in the same moment.
        Solution.objects.select_for_update(no_key=True).only("pk").get(pk=task.solution_id)
    steps = []
    for position, text in written:
        rows = Step.objects.filter(solution=task.solution_id, position=position)
        taken = rows.aggregate(last=Max("option"))["last"]
        option = 0 if taken is None else taken + 1
        steps.append(
            Step.objects.create(
                solution_id=task.solution_id,
                position=position,
                option=option,
                text=text,
                source=StepSource.HUMAN,
                is_chosen=False,
            )
        )
    return [step.pk for step in steps]


def verdict(finish_reason: str, first_mistake: int | None) -> int | str:
    """First-mistake position, -1 for none, or the finish reason of an exit."""
    if first_mistake is not None:
        return first_mistake
    return -1 if finish_reason == FinishReason.SOLUTION else finish_reason


def verdicts_on(task: Task) -> tuple[list[int | str], int]:
    """What the people who are done with the task say, one each, and how many more are done whose labels an admin
    excluded.
    """
    rows = _VERDICTS.rows(task=task.pk)
    heard = [verdict(finish_reason, mistake) for finish_reason, mistake, excluded in rows if not excluded]
    return heard, len(rows) - len(heard)
