"""New settings reach every task while people go on submitting, and whatever breaks that off, somebody finishes it."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

import pytest
from django.db import connection, transaction

from labelsite.campaigns import arranging, ordering, services, sweep
from labelsite.campaigns.models import Assignment, Campaign, Ordering
from labelsite.campaigns.ordering import reorder
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from tests.annotations.submissions import submit
from tests.campaigns.leases import claim_next, expire
from tests.factories import make_campaign, make_scores, make_solution, make_task, make_user
from tests.transactions import held, in_background
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = 6


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ordering, arranging):
        monkeypatch.setattr(module, "BATCH", 2)


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign(members=[make_user() for _ in range(2)])
    for _ in range(TASKS):
        make_task(campaign, make_solution())
    return campaign


def locked(campaign: Campaign) -> AbstractContextManager[threading.Event]:
    """Somebody else's lock on the campaign's last task."""
    return held(lambda: campaign.tasks.select_for_update().latest("pk"))


def ordered(campaign: Campaign) -> int:
    return campaign.tasks.exclude(priority_reason="").count()


def arrangements() -> list[str]:
    return list(Job.objects.filter(verb="arrange").values_list("state", flat=True))


def test_people_submit_while_a_queue_is_put_in_another_order(campaign) -> None:
    lease = claim_next(campaign, campaign.memberships.first().user)
    assert isinstance(lease, Assignment)
    with locked(campaign) as let_go:
        changing = in_background(lambda: services.update_campaign(campaign, {"ordering": Ordering.RANDOM}))
        # All but the last batch, for which somebody's lock stands in the way, are in their places.
        wait_until(lambda: ordered(campaign) == TASKS - 2)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '5s'")
            submit(lease, 1, 1)
            services.update_campaign(campaign, {"name": "Another name"})
            cursor.execute("RESET statement_timeout")
        let_go.set()
        changing.join()
    assert ordered(campaign) == TASKS


def test_people_submit_while_the_overlap_is_raised(campaign) -> None:
    lease = claim_next(campaign, campaign.memberships.first().user)
    assert isinstance(lease, Assignment)
    with locked(campaign) as let_go:
        changing = in_background(lambda: services.update_campaign(campaign, {"overlap": 3}))
        wait_until(lambda: campaign.tasks.filter(overlap=3).count() == TASKS - 2)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '5s'")
            submit(lease, 1, 1)
            cursor.execute("RESET statement_timeout")
        let_go.set()
        changing.join()
    assert campaign.tasks.filter(overlap=3).count() == TASKS


def test_settings_that_no_order_follows_from_move_no_task(campaign) -> None:
    scores = make_scores(campaign.tasks.first().solution, [0.5, 0.5])
    services.update_campaign(campaign, {"name": "X", "ordering": Ordering.IMPORT_ORDER, "score_run": scores})
    services.update_campaign(campaign, {"name": "Y", "estimate_run": None, "score_run": scores, "overlap": 1})
    assert arrangements() == []
    services.update_campaign(campaign, {"ordering": Ordering.UNCERTAINTY})
    services.update_campaign(campaign, {"ordering": Ordering.UNCERTAINTY, "score_run": scores})
    assert arrangements() == [JobState.DONE]
    services.update_campaign(campaign, {"score_run": None})
    assert arrangements() == [JobState.DONE] * 2
    assert set(campaign.tasks.values_list("priority_reason", flat=True)) == {"unscored"}


def test_a_task_that_more_people_are_to_look_at_gets_the_place_that_the_ordering_gives_it_now(
    campaign,
) -> None:
    services.update_campaign(campaign, {"ordering": Ordering.RANDOM})
    person = campaign.memberships.first().user
    while isinstance(lease := claim_next(campaign, person), Assignment):
        submit(lease, 1, 1)
    services.update_campaign(campaign, {"ordering": Ordering.IMPORT_ORDER})
    assert set(campaign.tasks.values_list("state", flat=True)) == {"done"} and ordered(campaign) == TASKS
    services.update_campaign(campaign, {"overlap": 2})
    assert set(campaign.tasks.values_list("state", "priority", "priority_reason")) == {("open", 0.0, "")}


def test_an_order_that_is_broken_off_is_finished_by_the_next_worker(campaign, monkeypatch) -> None:
    real, calls = ordering._reorder_batch, []

    def broken(*given: object) -> int:
        calls.append(given)
        if len(calls) == 2:
            raise SystemExit(143)
        return real(*given)

    monkeypatch.setattr(ordering, "_reorder_batch", broken)
    with pytest.raises(SystemExit):
        services.update_campaign(campaign, {"ordering": Ordering.RANDOM, "overlap": 2})
    assert ordered(campaign) == 2 and arrangements() == [JobState.QUEUED]
    run_here(Job.objects.get(verb="arrange"))
    assert ordered(campaign) == TASKS and arrangements() == [JobState.DONE]


def test_an_older_order_that_goes_on_beside_a_newer_one_undoes_none_of_it(campaign) -> None:
    """The older one was asked for with settings that no longer stand when it comes to its tasks."""
    services.update_campaign(campaign, {"ordering": Ordering.RANDOM})
    older = Campaign.objects.get(pk=campaign.pk)
    services.update_campaign(campaign, {"ordering": Ordering.IMPORT_ORDER})
    assert ordered(campaign) == 0
    assert reorder(older) == 0 and ordered(campaign) == 0


def test_leases_that_run_out_return_between_the_batches_and_never_lock_crosswise(campaign) -> None:
    for member in campaign.memberships.all():
        lease = claim_next(campaign, member.user)
        assert isinstance(lease, Assignment)
        expire(lease)
    released: list[int] = []

    def between() -> None:
        # Called between two batches, as another process would come.
        if len(released) == 1:
            in_background(lambda: released.append(sweep.release_expired_leases())).join()
        else:
            released.append(0)

    Campaign.objects.update(ordering=Ordering.RANDOM)
    assert reorder(campaign, between) == TASKS
    assert sum(released) == 2 and set(campaign.tasks.values_list("remaining", flat=True)) == {1}
    with transaction.atomic():
        sweep.hold_the_sweep()
        waiting = in_background(lambda: reorder(campaign))
        waiting.join(0.5)
        # Whoever sweeps is never met inside a batch.
        assert waiting.is_alive()
    waiting.join()
