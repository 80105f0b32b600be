"""New scores or estimates of a campaign put its queue in order, in one go over its tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from labelsite.autolabels.models import ScoreRun
from labelsite.campaigns import arranging
from labelsite.campaigns.models import Campaign, Ordering
from labelsite.campaigns.ordering import top_of_queue
from labelsite.campaigns.services import update_campaign
from labelsite.comparison.services import use_run
from labelsite.jobs.models import Job, JobState
from labelsite.training.services import load_campaign_scores
from tests.factories import (
    make_campaign,
    make_estimates,
    make_job,
    make_scores,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db(transaction=True)


def scores_for(campaign: Campaign, folder: Path, last: list[float]) -> ScoreRun:
    """A run that has written one line for each solution, whose last step has the score of `last`."""
    job = make_job(verb="score", spec={"campaign": campaign.pk})
    solutions = campaign.tasks.order_by("pk").values_list("solution_id", flat=True)
    lines = [
        json.dumps({"id": str(pk), "scores": [1.0, score]}) for pk, score in zip(solutions, last, strict=True)
    ]
    folder.mkdir(exist_ok=True)
    (folder / "scores.jsonl").write_text("\n".join(lines) + "\n")
    return ScoreRun.objects.create(name="scores", job=job)


@transaction.atomic
def loaded(run: ScoreRun, folder: Path) -> dict[str, Any]:
    """As a job does it: in one transaction."""
    return load_campaign_scores(run.job, folder, lambda: None)


def test_loaded_scores_order_the_queue_once_also_where_they_change_nothing_else(tmp_path: Path) -> None:
    campaign = make_campaign()
    tasks = [make_task(campaign, make_solution(is_correct=False)) for _ in range(3)]
    for last, best in (([0.1, 0.5, 0.9], 2), ([0.8, 0.5, 0.2], 0)):
        run = scores_for(campaign, tmp_path, last)
        with CaptureQueriesContext(connection) as statements:
            loaded(run, tmp_path)
        assert len([query for query in statements if "SET priority" in query["sql"]]) == 1
        assert top_of_queue(campaign)[0] == tasks[best].pk
        # The same run again, with other scores in its file.
        scores_for(campaign, tmp_path, [0.1, 0.9, 0.2])
        loaded(run, tmp_path)
        assert top_of_queue(campaign)[0] == tasks[1].pk


def test_of_two_scorings_the_one_that_was_asked_for_later_stands_whichever_ends_last(tmp_path: Path) -> None:
    campaign = make_campaign()
    task = make_task(campaign, make_solution(is_correct=False))
    older, newer = (scores_for(campaign, tmp_path / str(last), [last]) for last in (0.2, 0.8))
    assert "before" in loaded(newer, tmp_path / "0.8")
    assert "before" not in loaded(older, tmp_path / "0.2")
    older.refresh_from_db()
    campaign.refresh_from_db()
    assert older.loaded_at and campaign.score_run_id == newer.pk
    assert older.step_scores.count() == newer.step_scores.count() == task.solution.position_count


def test_a_run_of_rollouts_that_a_campaign_takes_orders_its_queue(tmp_path: Path) -> None:
    campaign = make_campaign(ordering=Ordering.DISAGREEMENT)
    agreed, disputed = (make_task(campaign, make_solution()) for _ in range(2))
    for task in (agreed, disputed):
        campaign.score_run = make_scores(task.solution, [1.0, 1.0], campaign.score_run)
    campaign.save()
    run = make_estimates(agreed.solution, [1.0, 1.0])
    make_estimates(disputed.solution, [1.0, 0.0], run, first_mistake=1)
    use_run(campaign, run)
    agreed.refresh_from_db()
    disputed.refresh_from_db()
    assert disputed.priority > agreed.priority >= 0
    assert disputed.priority_reason.startswith("mistake_for_rollouts_only")


def test_the_page_of_scores_asks_again_only_while_their_tasks_are_being_arranged(
    tmp_path: Path, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign()
    make_task(campaign, make_solution(is_correct=False))
    run = scores_for(campaign, tmp_path, [0.5])
    monkeypatch.setattr(arranging, "work_off", lambda _: None)
    loaded(run, tmp_path)
    Job.objects.filter(pk=run.job_id).update(state=JobState.DONE, result={"before": []})
    client.force_login(make_user("admin"))
    page = f"/training/scores/{run.pk}/"
    assert "every 1500ms" in client.get(page).content.decode()
    arrangement = Job.objects.filter(verb="arrange")
    arrangement.update(state=JobState.FAILED, error="the disk is full")
    text = client.get(page).content.decode()
    assert "every 1500ms" not in text and "the disk is full" in text
    monkeypatch.undo()
    # Whatever arranges the tasks after all tells the scores' page too.
    update_campaign(campaign, {})
    run.job.refresh_from_db()
    assert len(run.job.result["after"]) == 1
