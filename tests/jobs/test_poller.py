"""What the poller does about jobs that no worker was told of; the messages are only written down here."""

from __future__ import annotations

import pytest

from labelsite.jobs import poller as module
from labelsite.jobs import services
from labelsite.jobs.lease import claim
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.poller import Poller
from tests.jobs.work import make_job

pytestmark = pytest.mark.django_db


def overdue_jobs(count: int) -> list[Job]:
    jobs = [make_job("") for _ in range(count)]
    Job.objects.update(queued_at="2020-01-01T00:00:00Z")
    return jobs


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that were woken, in order."""
    messages: list[int] = []
    monkeypatch.setattr(services, "wake", lambda job: messages.append(job.pk) or True)
    return messages


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that the poller ran itself."""
    ran: list[int] = []
    monkeypatch.setattr(Poller, "_run", lambda _, job: ran.append(job.pk))
    return ran


def test_every_overdue_job_is_woken_once_while_another_runs_and_none_is_run_here(woken, run_here):
    running, *waiting = overdue_jobs(4)
    claim(running.pk)
    poller = Poller(patience=0)
    for _ in range(3):
        poller.round()
    assert woken == [job.pk for job in waiting]
    assert run_here == []


def test_a_job_that_its_wake_up_did_not_help_is_run_here_when_nothing_runs_in_its_queue(woken, run_here):
    first, second = overdue_jobs(2)
    patient, impatient = Poller(patience=60), Poller(patience=0)
    patient.round()
    assert (woken, run_here) == ([first.pk, second.pk], [])
    impatient.round()
    assert run_here == [first.pk]


def test_a_job_woken_long_ago_is_left_to_the_worker_that_has_just_ended_another(woken, run_here):
    running, waiting = overdue_jobs(2)
    claim(running.pk)
    poller = Poller(patience=5)
    poller.round()
    poller.woken["default"][waiting.pk] -= 60
    Job.objects.filter(pk=running.pk).update(state=JobState.DONE)
    poller.round()
    assert run_here == []
    poller.idle_since["default"] -= 60
    poller.round()
    assert run_here == [waiting.pk]


def test_tasks_that_a_web_request_arranges_are_no_sign_of_a_worker(woken, run_here):
    arranging, waiting = overdue_jobs(2)
    claim(arranging.pk)
    poller = Poller(patience=0)
    poller.round()
    assert run_here == []
    Job.objects.filter(pk=arranging.pk).update(verb="arrange")
    poller.round()
    assert run_here == [waiting.pk]


def test_only_so_many_jobs_are_woken_at_once_and_one_that_is_taken_makes_room(woken, run_here, monkeypatch):
    monkeypatch.setattr(module, "MOST_WOKEN", 2)
    jobs = overdue_jobs(4)
    poller = Poller(patience=60)
    poller.round()
    poller.round()
    assert woken == [job.pk for job in jobs[:2]]
    claim(jobs[0].pk)
    poller.round()
    assert woken == [job.pk for job in jobs[:3]]
    assert sorted(poller.woken["default"]) == [job.pk for job in jobs[1:3]]


def test_a_wake_up_that_may_be_lost_is_sent_again_after_a_while(woken, run_here, monkeypatch):
    running, waiting = overdue_jobs(2)
    claim(running.pk)
    monkeypatch.setattr(module, "WAKE_AGAIN_SECONDS", 0.0)
    poller = Poller()
    poller.round()
    poller.round()
    assert woken == [waiting.pk, waiting.pk]


def test_a_broker_that_cannot_be_reached_is_asked_once_and_the_oldest_job_is_run_here(run_here, monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(services, "wake", lambda job: bool(asked.append(job.pk)))
    first, *_ = overdue_jobs(3)
    poller = Poller(patience=60)
    poller.round()
    poller.round()
    assert asked == [first.pk]
    assert run_here == [first.pk, first.pk]


def test_a_job_that_is_handed_back_wakes_a_worker(woken, django_capture_on_commit_callbacks):
    job = make_job("")

    def stop(*_: object) -> None:
        raise SystemExit(143)

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(SystemExit):
        services.perform(job.pk, job.task_name, work=stop)
    assert woken == [job.pk]
