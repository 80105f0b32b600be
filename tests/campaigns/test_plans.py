"""What a page tells of a campaign is read from an index or kept for a while, whatever else the campaign holds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelsite.campaigns import progress, sections
from labelsite.campaigns.models import Assignment, Campaign, Task, TaskKind
from tests.factories import make_campaign, make_member, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign("Arithmetic")
    for number in range(60):
        make_task(campaign, make_solution(["One step."]), priority=number % 7, section="unit 1")
    make_task(campaign, kind=TaskKind.GOLD, gold=[-1], section="unit 2")
    Task.objects.filter(priority=3).update(remaining=0)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_task")
    return campaign


def plans(queries: CaptureQueriesContext) -> list[str]:
    """How PostgreSQL would read tasks for these if it had more of them than it likes to read or to sort."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_hashjoin = off")
        # Neither table is sorted by what the other is looked for by, where both are large.
        cursor.execute("SET LOCAL enable_mergejoin = off")
        found = []
        for query in queries.captured_queries:
            if "campaigns_task" in query["sql"]:
                cursor.execute("EXPLAIN " + query["sql"])
                found.append("\n".join(row for (row,) in cursor.fetchall()))
    return found


def test_the_queue_page_walks_the_indexes_of_what_waits_and_of_what_is_in_hand(
    client: Client, campaign: Campaign
) -> None:
    client.force_login(make_user("reviewer"))
    with CaptureQueriesContext(connection) as queries:
        page = client.get(f"/campaigns/{campaign.pk}/tasks/?after=5.0_0")
    wanted = campaign.tasks.filter(kind="work", priority__lte=5).order_by("-priority", "pk")
    assert page.context["rows"] == list(wanted[: len(page.context["rows"])])
    assert {task.remaining for task in page.context["rows"]} == {0, 1}
    listed = [plan for plan in plans(queries) if "Limit" in plan and "CTE" not in plan and "gold" not in plan]
    assert len(listed) == 2 and not any("Sort" in plan for plan in listed), listed
    assert "task_queue" in listed[0] and "task_in_hand" in listed[1], listed


def test_the_queue_page_jumps_from_section_to_section(campaign: Campaign) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert sections.all_sections(campaign) == ["unit 1", "unit 2"]
    (plan,) = plans(queries)
    assert "Limit" in plan and "task_section " in plan and "Sort" not in plan, plan


def test_a_newcomer_s_start_page_reads_screening_items_alone(campaign: Campaign) -> None:
    Campaign.objects.update(screening_size=2)
    newcomer = make_user()
    make_member(campaign, newcomer, state="screening")
    make_task(campaign, kind=TaskKind.SCREENING, gold=[-1])
    with CaptureQueriesContext(connection) as queries:
        (shown,) = progress.for_person(newcomer, [campaign])
    assert shown["screening"] == 1
    assert any("task_testing_people" in plan for plan in plans(queries)), plans(queries)


def test_the_plot_of_the_last_days_reads_no_work_of_before(campaign: Campaign) -> None:
    person, before = make_user(), timezone.now() - timedelta(days=60)
    done = {"annotator": person, "state": "submitted", "leased_until": before, "heartbeat_at": before}
    Assignment.objects.bulk_create(Assignment(task=task, **done) for task in campaign.tasks.all())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_assignment")
    with CaptureQueriesContext(connection) as queries:
        progress.plot(campaign)
    (plan,) = plans(queries)
    assert "assignment_submitted" in plan, plan


@pytest.mark.parametrize(("large", "counted"), [(60, 1), (61, 2)])
def test_the_page_of_a_large_campaign_counts_its_tasks_once_in_a_while(
    client: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, large: int, counted: int
) -> None:
    monkeypatch.setattr(progress, "LARGE", large)
    client.force_login(make_user("reviewer"))
    with CaptureQueriesContext(connection) as queries:
        pages = [client.get(f"/campaigns/{campaign.pk}/") for _ in range(2)]
    assert [page.context["counts"]["tasks"] for page in pages] == [60, 60]
    assert sum('AS "set_aside"' in query["sql"] for query in queries) == counted
