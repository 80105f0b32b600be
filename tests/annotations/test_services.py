"""Drafts, submissions, revisions: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

from uuid import uuid4

import pytest

from labelsite.annotations import services
from labelsite.annotations.conflicts import AlreadySubmitted, Closed, KeyReused, StaleDraft
from labelsite.annotations.judgement import Unlawful
from labelsite.annotations.models import Annotation
from labelsite.campaigns import queue
from labelsite.campaigns.leases import LeaseLost
from labelsite.campaigns.models import Assignment, MemberState, Protocol, TaskKind
from labelsite.problems.models import Step
from tests.annotations.submissions import STEPS, expire, judgement, submit
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_member, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


def test_a_submission_stores_every_rating_and_closes_the_task(lease) -> None:
    annotation = submit(lease, 1, -1, alternatives=(1, None))
    assert (annotation.trajectory, annotation.finish_reason, annotation.total_time_ms) == (
        [1, -1],
        "found_error",
        1234,
    )
    rows = annotation.ratings.order_by("step__position", "step__option").values_list("rating", "flagged")
    assert list(rows) == [(1, None), (-1, None), (1, None), (None, True)]
    lease.task.refresh_from_db()
    assert (lease.task.state, lease.task.remaining) == ("done", 0)
    assert annotation.exposure == "after" and annotation.guideline_version == 1


def test_the_same_key_again_gives_the_same_answer_and_stores_nothing_new(lease) -> None:
    key = uuid4()
    first = submit(lease, 1, 1, 1, key=key)
    assert submit(lease, 1, 1, 1, key=key).pk == first.pk
    assert Annotation.objects.count() == 1


def test_the_same_key_with_another_judgement_is_refused_and_the_first_one_stands(lease) -> None:
    key = uuid4()
    first = submit(lease, 1, 1, 1, key=key)
    for other in ((-1,), (1, 1, 0)):
        with pytest.raises(KeyReused):
            submit(lease, *other, key=key)
    assert Annotation.objects.get().trajectory == [1, 1, 1]
    revised = services.revise(first, 1, uuid4(), judgement(lease.task, 1, 0, 1))
    with pytest.raises(KeyReused):
        services.revise(first, 1, revised.idempotency_key, judgement(lease.task, 1, 0, 0))
    assert submit(lease, 1, 1, 1, key=key).pk == first.pk


def test_another_key_for_a_submitted_task_is_told_so(lease) -> None:
    submit(lease, 1, 1, 1)
    with pytest.raises(AlreadySubmitted):
        submit(lease, 1, 1, 1)


def test_a_key_of_another_task_is_refused(lease, campaign, annotator) -> None:
    key = uuid4()
    submit(lease, 1, 1, 1, key=key)
    make_task(campaign, make_solution(STEPS))
    other = claim_next(campaign, annotator)
    with pytest.raises(KeyReused):
        submit(other, 1, 1, 1, key=key)
    other.refresh_from_db()
    assert other.state == "leased"


def test_a_lost_lease_stores_nothing_and_keeps_the_draft(lease, campaign) -> None:
    services.save_draft(lease.pk, lease.annotator, str(lease.token), 0, {"ratings": {}})
    expire(lease)
    thief = make_user()
    make_member(campaign, thief)
    assert claim_next(campaign, thief).task == lease.task
    with pytest.raises(LeaseLost):
        submit(lease, 1, 1, 1)
    assert not Annotation.objects.exists()
    assert services.save_draft(lease.pk, lease.annotator, str(lease.token), 1, {"reason": "x"}) == (2, False)
    lease.refresh_from_db()
    assert lease.draft == {"reason": "x"}


def test_an_expired_lease_whose_place_is_still_free_is_accepted(lease) -> None:
    expire(lease)
    assert submit(lease, 1, 1, 1).pk
    lease.task.refresh_from_db()
    assert lease.task.remaining == 0


def test_another_device_that_took_the_task_up_again_owns_it(lease, campaign, annotator) -> None:
    expire(lease)
    again = claim_next(campaign, annotator)
    assert again.pk == lease.pk
    with pytest.raises(LeaseLost):
        submit(lease, 1, 1, 1)
    assert submit(again, 1, 1, 1).pk


def test_a_draft_that_another_device_changed_is_not_overwritten(lease, annotator) -> None:
    token = str(lease.token)
    assert services.save_draft(lease.pk, annotator, token, 0, {"elapsed": 1}) == (1, True)
    with pytest.raises(StaleDraft) as stale:
        services.save_draft(lease.pk, annotator, token, 0, {"elapsed": 2})
    assert (stale.value.draft, stale.value.version) == ({"elapsed": 1}, 1)


def test_somebody_elses_assignment_does_not_exist(lease) -> None:
    stranger = make_user()
    with pytest.raises(Assignment.DoesNotExist):
        services.save_draft(lease.pk, stranger, str(lease.token), 0, {})
    with pytest.raises(Assignment.DoesNotExist):
        services.submit(
            lease.pk, str(lease.token), uuid4(), judgement(lease.task, 1, 1, 1), annotator=stranger.pk
        )


def test_an_unlawful_judgement_leaves_the_lease_as_it_was(lease) -> None:
    with pytest.raises(Unlawful):
        submit(lease, 1, 1)
    lease.refresh_from_db()
    assert lease.state == "leased" and not Annotation.objects.exists()


def test_undo_opens_the_last_submission_and_a_revision_never_overwrites(lease) -> None:
    first = submit(lease, 1, -1, alternatives=(1, None))
    draft = services.undo(first)
    assert draft["first"] == 1 and len(draft["ratings"]) == 4
    second = services.revise(first, 1, uuid4(), judgement(lease.task, 1, 1, 1))
    first.refresh_from_db()
    assert (first.is_live, first.trajectory) == (False, [1, -1])
    assert (second.is_live, second.revision, second.trajectory) == (True, 2, [1, 1, 1])
    with pytest.raises(StaleDraft):
        services.revise(first, 1, uuid4(), judgement(lease.task, 1, 1, 1))


def test_a_repeated_revision_counts_once(lease) -> None:
    first, key = submit(lease, 1, 1, 1), uuid4()
    once = services.revise(first, 1, key, judgement(lease.task, 1, 0, 1))
    assert services.revise(first, 1, key, judgement(lease.task, 1, 0, 1)).pk == once.pk
    assert Annotation.objects.count() == 2


def test_undo_reaches_back_one_submission_and_no_further_where_editing_is_closed(campaign, annotator) -> None:
    campaign.allows_editing = False
    campaign.save()
    for _ in range(2):
        make_task(campaign, make_solution(STEPS))
    first = submit(claim_next(campaign, annotator), 1, 1, 1)
    second = submit(claim_next(campaign, annotator), 1, 1, 1)
    with pytest.raises(Closed):
        services.undo(first)
    assert services.undo(second)


def test_gold_closes_once_the_next_task_is_done(campaign, annotator) -> None:
    make_task(campaign, make_solution(STEPS), kind=TaskKind.GOLD, gold=[1], overlap=queue.EVERYBODY)
    make_task(campaign, make_solution(STEPS))
    campaign.gold_rate = 1.0
    campaign.save()
    gold = submit(claim_next(campaign, annotator), 1, 1, 1)
    assert gold.task.kind == TaskKind.GOLD and services.may_revise(gold)
    submit(claim_next(campaign, annotator), 1, 1, 1)
    assert not services.may_revise(gold)


def test_a_correction_makes_no_submission_the_last_one(campaign, annotator) -> None:
    campaign.allows_editing = True
    campaign.save()
    for _ in range(2):
        make_task(campaign, make_solution(STEPS))
    first = submit(claim_next(campaign, annotator), 1, 1, 1)
    last = submit(claim_next(campaign, annotator), 1, 1, 1)
    corrected = services.revise(first, 1, uuid4(), judgement(first.task, 1, 0, 1))
    services.set_task_kind(first.task, TaskKind.GOLD, [1])
    corrected.refresh_from_db()
    assert not services.may_revise(corrected)
    corrected = services.revise(last, 1, uuid4(), judgement(last.task, 1, 0, 1))
    campaign.allows_editing = False
    campaign.save()
    assert services.undo(corrected)


def test_a_second_look_is_noted_and_so_is_a_change_after_it(lease) -> None:
    first = submit(lease, 1, 1, 1)
    assert first.changed_after_reveal is None
    services.reveal(first)
    first.refresh_from_db()
    assert first.changed_after_reveal is False
    same = services.revise(first, 1, uuid4(), judgement(lease.task, 1, 1, 1))
    assert same.changed_after_reveal is False
    changed = services.revise(same, 2, uuid4(), judgement(lease.task, 1, -1, alternatives=(1, 1)))
    assert changed.changed_after_reveal is True


def test_screening_admits_whoever_stays_within_the_gold_sets(campaign) -> None:
    campaign.screening_size = 2
    campaign.save()
    newcomer = make_user()
    make_member(campaign, newcomer, state=MemberState.SCREENING)
    for gold in ([-1], [0, 1]):
        make_task(campaign, make_solution(STEPS), kind=TaskKind.SCREENING, gold=gold, overlap=queue.EVERYBODY)
    submit(claim_next(campaign, newcomer), 1, 1, 1)
    submit(claim_next(campaign, newcomer), 1, -1, alternatives=(1, 1))
    assert campaign.memberships.get(user=newcomer).state == MemberState.ADMITTED


def test_three_who_agree_finish_an_adaptive_task() -> None:
    people = [make_user() for _ in range(3)]
    campaign = make_campaign(members=people, adaptive_overlap=True)
    task = make_task(campaign, make_solution(STEPS), overlap=1)
    for person in people:
        task.refresh_from_db()
        assert task.state == "open"
        submit(claim_next(campaign, person), 1, 1, 1)
    task.refresh_from_db()
    assert (task.state, task.overlap) == ("done", 3)


def test_a_step_that_a_person_wrote_is_kept_beside_the_models_own(campaign, annotator) -> None:
    campaign.protocol = Protocol.EVERY_OPTION
    campaign.save()
    task = make_task(campaign, make_solution(STEPS))
    lease = claim_next(campaign, annotator)
    said = judgement(task, 1, -1, alternatives=(-1, -1)) | {
        "finish_reason": "solution",
        "written": ["It is four."],
    }
    annotation = services.submit(lease, str(lease.token), uuid4(), said)
    assert annotation.trajectory == [1, 1]
    own = Step.objects.get(source="human")
    assert (own.position, own.option, own.is_chosen, own.text) == (1, 3, False, "It is four.")
    assert annotation.ratings.get(step=own).rating is None
    assert services.draft_of(annotation)["written"] == ["It is four."]
