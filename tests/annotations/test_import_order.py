"""Where imported tasks stand in the queue: where the campaign's ordering puts them, and nobody else moves."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labelsite.annotations.importers import import_file
from labelsite.campaigns.models import Campaign, Ordering, Task
from labelsite.campaigns.ordering import reorder
from labelsite.training.services import top_of_queue
from tests.annotations.test_import import processbench_line
from tests.factories import make_campaign, make_scores, make_solution, make_task

pytestmark = pytest.mark.django_db

PLACES = ("pk", "priority", "priority_reason")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file.jsonl"
    file.write_text("".join(processbench_line(index) + "\n" for index in range(12)))
    return file


def places(campaign: Campaign) -> list[tuple[int, float, str]]:
    return sorted(Task.objects.filter(campaign=campaign).values_list(*PLACES))


def test_a_campaign_of_random_order_serves_what_is_imported_at_random(path: Path) -> None:
    campaign = make_campaign("Shuffled", ordering=Ordering.RANDOM)
    import_file(path, "processbench", "Shuffled")
    queue = top_of_queue(campaign, 12)
    assert len(queue) == 12 and queue != sorted(queue)
    assert reorder(campaign) == 0


def test_what_nobody_scored_comes_behind_what_is_scored_also_when_it_is_imported_later(path: Path) -> None:
    campaign = make_campaign("Scored", ordering=Ordering.UNCERTAINTY)
    sure = make_task(campaign, make_solution())
    campaign.score_run = make_scores(sure.solution, [1.0, 1.0])
    campaign.save()
    reorder(campaign)
    import_file(path, "processbench", "Scored")
    assert top_of_queue(campaign, 1) == [sure.pk]
    assert set(Task.objects.exclude(pk=sure.pk).values_list("priority", "priority_reason")) == {
        (-1.0, "unscored")
    }


def test_solutions_that_the_campaigns_run_has_scored_stand_by_their_scores_at_once(
    path: Path,
) -> None:
    import_file(path, "processbench", "Elsewhere")
    campaign = make_campaign("Here", ordering=Ordering.UNCERTAINTY)
    for number, task in enumerate(Task.objects.select_related("solution").order_by("pk")):
        campaign.score_run = make_scores(task.solution, [1.0, 0.95 - number / 25], campaign.score_run)
    campaign.save()
    import_file(path, "processbench", "Here")
    assert top_of_queue(campaign, 12) == sorted(
        Task.objects.filter(campaign=campaign).values_list("pk", flat=True), reverse=True
    )


def test_an_import_reads_and_moves_only_the_tasks_that_it_makes(path: Path, tmp_path: Path) -> None:
    campaign = make_campaign("Grows", ordering=Ordering.RANDOM)
    import_file(path, "processbench", "Grows")
    Task.objects.update(priority=0.5, priority_reason="moved by hand")
    before = places(campaign)
    more = tmp_path / "more.jsonl"
    more.write_text(processbench_line(99))
    import_file(more, "processbench", "Grows")
    after = places(campaign)
    assert after[:-1] == before and after[-1][2] == "random"


def test_an_import_into_a_campaign_of_import_order_costs_no_ordering(path: Path) -> None:
    make_campaign("Plain")
    with CaptureQueriesContext(connection) as statements:
        import_file(path, "processbench", "Plain")
    assert not [query for query in statements if "SET priority" in query["sql"]]
    assert set(Task.objects.values_list("priority", "priority_reason")) == {(0.0, "")}
