"""Writes of annotations: drafts, submissions, revisions. Every door (page, API, script) comes through here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from labelsite.accounts.models import User
from labelsite.annotations import judgement as rules
from labelsite.annotations import screening
from labelsite.annotations.conflicts import AlreadySubmitted, Closed, KeyReused, ProtocolChanged, StaleDraft
from labelsite.annotations.judgement import Judgement, Lawful, Option, Unlawful
from labelsite.annotations.judgement_json import parse
from labelsite.annotations.models import EXITS, Annotation, FinishReason
from labelsite.annotations.store import look, options_of, store, verdict, verdicts_on
from labelsite.campaigns.access import takes_changes
from labelsite.campaigns.leases import hold, hold_of, take_up
from labelsite.campaigns.models import Assignment, AssignmentState, Exposure, Task, TaskKind
from labelsite.campaigns.services import set_kind
from labelsite.campaigns.settling import one_look_settles, settle
from labelsite.deadlocks import again_after_deadlock

LARGEST_DRAFT = 200_000


def save_draft(
    assignment: int, annotator: User, token: str, version: int, draft: Mapping[str, Any]
) -> tuple[int, bool]:
    """Keeps the draft; returns its new version, and whether the lease still stands.

    The draft outlives the lease: it is kept also when the lease was lost. Raises StaleDraft when `version`
    is not the stored one, Unlawful when the draft is no draft.
    """
    text = _draft_text(draft)
    with connection.cursor() as cursor:
        cursor.execute(
            # Work that arrives is a sign of life too.
            "UPDATE campaigns_assignment SET draft = %s::jsonb, draft_version = draft_version + 1,"
            " leased_until = CASE WHEN state = 'leased' AND token = %s"
            " THEN now() + %s * interval '1 second' ELSE leased_until END"
            " WHERE id = %s AND annotator_id = %s AND draft_version = %s AND state <> 'submitted'"
            " RETURNING draft_version, state = 'leased' AND token = %s",
            [text, token, settings.LEASE_SECONDS, assignment, annotator.pk, version, token],
        )
        if row := cursor.fetchone():
            return row[0], row[1]
    stored = Assignment.objects.get(pk=assignment, annotator=annotator)
    if stored.state == AssignmentState.SUBMITTED:
        raise AlreadySubmitted
    raise StaleDraft(stored.draft, stored.draft_version)


def _draft_text(draft: Mapping[str, Any]) -> str:
    """The draft as JSON that PostgreSQL takes: no NaN, no NUL, and no half of an emoji."""
    try:
        text = json.dumps(draft, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (ValueError, RecursionError) as error:
        raise Unlawful("malformed", _("This is not a draft.")) from error
    if not isinstance(draft, dict) or size > LARGEST_DRAFT or "\\u0000" in text:
        raise Unlawful("malformed", _("This is not a draft."))
    return text


@again_after_deadlock
def submit(
    assignment: Assignment | int,
    token: str,
    idempotency_key: str | UUID,
    judgement: Judgement | Mapping[str, Any],
    *,
    annotator: int | None = None,
) -> Annotation:
    """Stores the finished look and gives the task on, in one transaction. Safe to repeat with the same key.

    Raises Unlawful, LeaseLost or ProtocolChanged (nothing stored, the draft is kept), AlreadySubmitted or KeyReused.
    """
    pk, owner = _owned(assignment, annotator)
    said = judgement if isinstance(judgement, Judgement) else parse(judgement)
    try:
        # The savepoint matters only inside a caller's transaction, which a refused key must leave usable.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            if annotation := _submit_alone(pk, owner, str(token), idempotency_key, said):
                return annotation
        with transaction.atomic():
            lease = hold(pk, owner)
            if lease.state == AssignmentState.SUBMITTED:
                return _replayed(lease, idempotency_key, said)
            lawful = _checked(lease.task, options_of(lease.task), said)
            take_up(lease, str(token))
            guideline = _guideline_seen(lease.task, said)
            digest = rules.digest_of(said)
            annotation = _stored(
                store(lease, lawful, idempotency_key, guideline_version=guideline, digest=digest)
            )
            _after_submission(lease.task, annotation)
    except IntegrityError as error:
        if "idempotency_key" in str(error):
            raise KeyReused from error
        raise
    return annotation


def _submit_alone(
    assignment: int, annotator: int, token: str, key: str | UUID, said: Judgement
) -> Annotation | None:
    """Most submissions: nobody else has a say in what becomes of the task, so nothing need be locked, and the one
    statement that stores the judgement is the transaction. None where it is not like that, or no longer.
    """
    lease, options = look(assignment, annotator)
    is_held = lease.state == AssignmentState.LEASED and str(lease.token) == token
    if said.written or not is_held or not one_look_settles(lease.task):
        return None
    lawful, guideline = _checked(lease.task, options, said), _guideline_seen(lease.task, said)
    return store(lease, lawful, key, guideline_version=guideline, digest=rules.digest_of(said), alone=True)


def _checked(
    task: Task, options: Sequence[Option], said: Judgement, *, is_correction: bool = False
) -> Lawful:
    """The judgement by the campaign's rules, which must be those that its page asked by, where it tells them."""
    if said.protocol not in (None, task.campaign.protocol):
        raise ProtocolChanged(is_correction)
    return rules.check(task.campaign.protocol, task.campaign.asks_reason, options, said)


def _guideline_seen(task: Task, said: Judgement) -> int:
    """The version that the person judged by. A page stays open while a guideline changes, so it tells its own."""
    newest = task.campaign.guideline_version
    seen = newest if said.guideline_version is None else said.guideline_version
    if not 1 <= seen <= newest:
        message = _("There is no version %(version)s of this guideline.") % {"version": seen}
        raise Unlawful("guideline_version", message)
    return seen


def _stored(annotation: Annotation | None) -> Annotation:
    assert annotation is not None, "a locked lease stays as it was read"
    return annotation


def _owned(assignment: Assignment | int, annotator: int | None) -> tuple[int, int]:
    if isinstance(assignment, Assignment):
        return assignment.pk, assignment.annotator_id
    assert annotator is not None, "an assignment given by its id needs its annotator"
    return assignment, annotator


def _replayed(lease: Assignment, key: str | UUID, said: Judgement) -> Annotation:
    """The answer to a repeated request: what the first one stored."""
    same = Annotation.objects.filter(idempotency_key=key).select_related("task").first()
    if same is None:
        raise AlreadySubmitted
    return _same(same, lease.task_id, lease.annotator_id, said)


def _same(repeated: Annotation, task: int, annotator: int, said: Judgement) -> Annotation:
    """What a key stands for, if it is this judgement of this task."""
    is_here = (repeated.task_id, repeated.annotator_id) == (task, annotator)
    if not is_here or repeated.judgement_digest != rules.digest_of(said):
        raise KeyReused
    return repeated


def verdict_of(annotation: Annotation) -> int | str:
    return verdict(annotation.finish_reason, annotation.first_mistake)


def _after_submission(task: Task, annotation: Annotation) -> None:
    if task.kind == TaskKind.WORK:
        settle(task, *verdicts_on(task))
    elif task.kind == TaskKind.SCREENING:
        screening.judge(task.campaign, annotation.annotator_id)


@transaction.atomic
def set_task_kind(task: Task, kind: str, gold: Sequence[int] | None, by: User | None = None) -> None:
    """Turns a task into gold, screening or work; what becomes work again is settled by what was submitted so far.

    Raises ValidationError.
    """
    fresh = set_kind(task, kind, gold, by=by)
    settle(fresh, *verdicts_on(fresh))


def may_revise(annotation: Annotation) -> bool:
    """The last submission can be undone; earlier ones as long as the campaign allows editing and it is no gold.

    Neither where the campaign takes no changes from the person any more.
    """
    campaign = annotation.task.campaign
    if not takes_changes(annotation.annotator, [campaign.pk]).get(campaign.pk):
        return False
    # Of what was submitted, not of what was corrected: a correction makes its task no newer.
    firsts = Annotation.objects.filter(annotator=annotation.annotator_id, task__campaign=campaign, revision=1)
    if firsts.order_by("-pk").values_list("task", flat=True).first() == annotation.task_id:
        return True
    return campaign.allows_editing and annotation.task.kind == TaskKind.WORK


def undo(annotation: Annotation) -> dict[str, Any]:
    """Opens the person's last submission again and returns its draft; it stands until it is submitted anew."""
    if not annotation.is_live or not may_revise(annotation):
        raise Closed(_("This can no longer be changed."))
    return draft_of(annotation)


def draft_of(annotation: Annotation) -> dict[str, Any]:
    """A stored annotation in the form of a draft, so that the page can open it.

    Why a task was left is no part of it: the draft's reason says what is wrong with a step.
    """
    steps = annotation.ratings.select_related("step").all()
    written = set(annotation.extra.get("written", []))
    return {
        "ratings": {
            str(row.step_id): {
                "rating": row.rating,
                "flagged": bool(row.flagged),
                "ms": row.milliseconds or 0,
                "note": row.note,
            }
            for row in steps
            if row.step_id not in written
        },
        "written": [
            row.step.text for row in sorted(steps, key=lambda row: row.step_id) if row.step_id in written
        ],
        "reached": bool(written) and annotation.finish_reason == FinishReason.SOLUTION,
        "first": annotation.first_mistake,
        "finish": annotation.finish_reason,
        "reason": "" if annotation.finish_reason in EXITS else annotation.reason,
        "elapsed": annotation.total_time_ms or 0,
    }


@again_after_deadlock
def revise(
    annotation: Annotation,
    revision: int,
    idempotency_key: str | UUID,
    judgement: Judgement | Mapping[str, Any],
) -> Annotation:
    """A correction: a new live revision beside the old one. `revision` is the one that the page had opened."""
    said = judgement if isinstance(judgement, Judgement) else parse(judgement)
    with transaction.atomic():
        lease = hold_of(annotation.task_id, annotation.annotator_id)
        if repeated := Annotation.objects.filter(idempotency_key=idempotency_key).first():
            return _same(repeated, annotation.task_id, annotation.annotator_id, said)
        live = Annotation.objects.select_related("task__campaign").get(
            task=annotation.task_id, annotator=annotation.annotator_id, is_live=True
        )
        if live.revision != revision:
            raise StaleDraft(draft_of(live), live.revision)
        if not may_revise(live):
            raise Closed(_("This can no longer be changed."))
        lawful = _checked(live.task, options_of(live.task), said, is_correction=True)
        changed = (lawful.trajectory, lawful.finish_reason) != (live.trajectory, live.finish_reason)
        revealed = live.changed_after_reveal is not None
        Annotation.objects.filter(pk=live.pk).update(is_live=False)
        new = _stored(store(
            lease, lawful, idempotency_key,
            guideline_version=_guideline_seen(live.task, said), digest=rules.digest_of(said),
            revision=live.revision + 1,
            changed_after_reveal=(live.changed_after_reveal or changed) if revealed else None,
        ))  # fmt: skip
        _after_submission(lease.task, new)
    return new


def reveal(annotation: Annotation) -> None:
    """Notes that the person now sees the machines' labels, where they were covered until now."""
    covered = Annotation.objects.filter(pk=annotation.pk, exposure=Exposure.AFTER, changed_after_reveal=None)
    covered.update(changed_after_reveal=False)
