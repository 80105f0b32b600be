"""How far a run is, and when it should end: from what its shards' running attempts did themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from labelsite.autolabels.models import EstimateRun, Shard, StepEstimate
from labelsite.autolabels.progress import loaded_histogram, progress_of
from tests.factories import PASSWORD, make_estimate_run, make_estimates, make_job, make_solution, make_user

pytestmark = pytest.mark.django_db


def make_run(**fields) -> EstimateRun:
    return make_estimate_run(**{"loaded_at": None, **fields})


def make_shard(run, state, size=500, is_loaded=False, metrics=None, **report) -> Shard:
    """A part of the run whose job was first started two days ago, and last reported this."""
    now = timezone.now()
    progress = {**report, "metrics": metrics or {}} if report or metrics else {}
    job = make_job(state=state, progress=progress, started_at=now - timedelta(days=2))
    number = run.shards.count()
    return Shard.objects.create(
        run=run, number=number, job=job, size=size, loaded_at=now if is_loaded else None
    )


def seconds_left(run):
    return progress_of(run, run.shards.select_related("job")).seconds_left


def test_what_was_found_before_a_resume_says_nothing_of_the_pace():
    run = make_run()
    make_shard(run, "running", size=1000, done=810, begun_at=800, seconds=100.0)
    assert seconds_left(run) == pytest.approx(190 / (10 / 100))


def test_the_rates_of_running_shards_add_up_and_waiting_ones_are_work_to_do():
    """One and three a second; 400 and 200 missing where it runs, 500 where it waits, none where it stopped."""
    run = make_run()
    make_shard(run, "done", is_loaded=True, done=500, begun_at=0, seconds=1.0)
    make_shard(run, "running", done=100, begun_at=0, seconds=100.0)
    make_shard(run, "running", done=300, begun_at=0, seconds=100.0)
    make_shard(run, "queued")
    make_shard(run, "failed", done=1, begun_at=0, seconds=1.0)
    assert seconds_left(run) == pytest.approx(1100 / 4)


@pytest.mark.parametrize("state", ["queued", "failed", "cancelled", "done"])
def test_a_run_that_is_not_running_has_no_time_left(state):
    run = make_run()
    make_shard(run, state, done=100, begun_at=0, seconds=100.0)
    assert seconds_left(run) is None


def test_a_run_that_has_just_gone_on_has_no_pace_yet():
    run = make_run()
    make_shard(run, "running", done=100, begun_at=100, seconds=2.0)
    assert seconds_left(run) is None


def spent(tokens, executions, seconds):
    return {"tokens": tokens, "model_calls": 1, "executions": executions, "seconds": seconds}


def test_the_cost_of_a_loaded_shard_stands_beside_what_the_others_report():
    run = make_run(cost={**spent(1000, 10, 20.0), "solutions": 500})
    make_shard(run, "done", is_loaded=True, done=500, metrics=spent(990, 9, 19.0))
    make_shard(run, "running", done=100, metrics=spent(300, 3, 6.5))
    make_shard(run, "running", done=300, metrics=spent(4000, 40, 80.0))
    make_shard(run, "queued")
    cost = progress_of(run, run.shards.select_related("job")).cost
    assert {name: cost[name] for name in spent(0, 0, 0)} == {
        "tokens": 5300, "model_calls": 3, "executions": 53, "seconds": 106.5,
    }  # fmt: skip


def test_a_run_that_is_loaded_whole_cost_what_its_files_tell():
    run = make_run(loaded_at=timezone.now(), cost=spent(1000, 10, 20.0))
    make_shard(run, "done", done=500, metrics=spent(990, 9, 19.0))
    assert progress_of(run, run.shards.select_related("job")).cost == spent(1000, 10, 20.0)


def test_pages_show_the_cost_of_all_shards_once_the_first_is_loaded(client):
    user = make_user("reviewer")
    client.login(username=user.username, password=PASSWORD)
    run = make_run(cost=spent(1_000_000, 10, 20.0))
    make_shard(run, "done", is_loaded=True, done=500)
    make_shard(run, "running", done=100, metrics=spent(7_000_000, 70, 120.0))
    for address in (reverse("autolabels:list"), reverse("autolabels:run", args=[run.pk])):
        page = client.get(address).content.decode()
        assert (
            'class="number" data-label="Tokens">8,000,000</td>' in page
            or '<dd class="number">8,000,000</dd>' in page
        )


def test_the_list_reads_neither_inputs_nor_results_of_jobs_and_all_jobs_in_one_query(client):
    user = make_user("reviewer")
    client.login(username=user.username, password=PASSWORD)
    for _ in range(4):
        run = make_run()
        make_shard(run, "running", done=100, begun_at=0, seconds=10.0, metrics=spent(1, 1, 1.0))
        make_shard(run, "failed", done=100)
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("autolabels:list"))
    statements = [query["sql"] for query in queries]
    assert sum('"jobs_job"' in sql for sql in statements) == 1
    assert not any('"jobs_job"."spec"' in sql or '"jobs_job"."result"' in sql for sql in statements)


def test_the_run_s_page_says_what_keeps_its_jobs_waiting_and_until_when(client):
    user = make_user("reviewer")
    client.login(username=user.username, password=PASSWORD)
    run, silent = make_run(), "policy server http://host:8000/v1 does not answer"
    for state in ("running", "running", "failed"):
        make_shard(run, state, done=1, message=silent)
    paused = make_shard(run, "queued", done=1, message=silent).job
    type(paused).objects.filter(pk=paused.pk).update(queued_at=timezone.now() + timedelta(minutes=2))
    progress = progress_of(run, run.shards.select_related("job"))
    assert progress.messages == [silent] and progress.waits_until is not None
    page = client.get(reverse("autolabels:run", args=[run.pk])).content.decode()
    assert page.count(silent) == 1 and "Next attempt" in page


def test_the_run_s_page_says_how_many_ends_nothing_could_grade(client):
    user = make_user("reviewer")
    client.login(username=user.username, password=PASSWORD)
    for ungraded, is_told in ((7, True), (0, False)):
        run = make_run(loaded_at=timezone.now(), cost=spent(1000, 10, 20.0) | {"ungraded": ungraded})
        make_shard(run, "done", is_loaded=True)
        page = client.get(reverse("autolabels:run", args=[run.pk])).content.decode()
        assert ("Ends that nothing could grade" in page) is is_told


def test_an_error_that_several_parts_share_is_shown_once(client):
    client.force_login(make_user("reviewer"))
    run = make_run()
    for error in ("policy '/nowhere' is not there", "policy '/nowhere' is not there", "out of memory"):
        shard = make_shard(run, "failed", done=1)
        type(shard.job).objects.filter(pk=shard.job.pk).update(error=error)
    page = client.get(reverse("autolabels:run", args=[run.pk])).content.decode()
    assert page.count("/nowhere") == 1 and "(2 parts)" in page and page.count("out of memory") == 1


def test_a_run_that_was_asked_to_end_says_so_and_asks_no_second_time(client):
    client.login(username=make_user("admin").username, password=PASSWORD)
    run = make_run()
    make_shard(run, "done", is_loaded=True)
    working = make_shard(run, "running").job
    address = reverse("autolabels:run", args=[run.pk])
    cancel = reverse("autolabels:cancel", args=[run.pk])
    assert cancel in client.get(address).text
    working.cancel_requested = True
    working.save()
    page = client.get(address).text
    assert "asked to end" in page and cancel not in page


def test_the_list_reads_the_jobs_only_of_runs_that_are_not_loaded(client):
    """It is asked for every two seconds while one of them works, and a loaded run may have had hundreds."""
    client.force_login(make_user("reviewer"))
    over, working = make_run(loaded_at=timezone.now(), cost={"tokens": 7}), make_run()
    for size in (300, 200):
        make_shard(over, "done", size=size, is_loaded=True)
    ours = make_shard(working, "running", done=10, begun_at=0, seconds=1.0)
    with CaptureQueriesContext(connection) as queries:
        rows = dict(client.get(reverse("autolabels:list")).context["rows"])
    told = [(one.state, one.done, one.total) for one in (rows[over], rows[working])]
    assert told == [("done", 500, 500), ("running", 10, 500)]
    assert rows[over].cost["tokens"] == 7
    assert rows[working].jobs == [ours.job]
    (jobs,) = [query["sql"] for query in queries if '"jobs_job"' in query["sql"] and "shard" in query["sql"]]
    assert f"IN ({working.pk})" in jobs


def test_the_values_of_a_loaded_run_are_counted_once_until_it_is_loaded_anew():
    run = make_estimates(make_solution(["One.", "Two."]), [1.0, 0.0])
    with CaptureQueriesContext(connection) as queries:
        assert loaded_histogram(run, 0.0) == loaded_histogram(run, 0.0) == [1, *[0] * 8, 1]
    assert len(queries) == 1
    StepEstimate.objects.filter(run=run, q_value=0.0).update(q_value=1.0)
    run.loaded_at = timezone.now()
    assert loaded_histogram(run, 0.0) == [*[0] * 9, 2]


@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_each_loaded_value_is_counted_in_the_bin_whose_lower_end_it_is(low):
    ends = [round(low + (1 - low) * place / 10, 1) for place in range(10)]
    run = make_estimates(make_solution(["A step."] * 10), [1.0] * 10)
    for row, end in zip(StepEstimate.objects.filter(run=run).order_by("step__position"), ends, strict=True):
        StepEstimate.objects.filter(pk=row.pk).update(q_value=end)
    assert loaded_histogram(run, low) == [1] * 10
