"""A database that was away makes every lease late at once, and takes no job from a runner that lives."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from labelsite.jobs import lateness
from labelsite.jobs import poller as module
from labelsite.jobs.lease import claim
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.poller import Poller
from tests.jobs.conftest import fresh
from tests.jobs.work import make_job

pytestmark = pytest.mark.django_db


class Stop(Exception):
    """Ends a poller that would run for ever."""


@pytest.fixture
def late() -> Job:
    """A running job of another machine whose lease has run out."""
    job = make_job("")
    claim(job.pk)
    Job.objects.filter(pk=job.pk).update(holder="another-machine/ 1 abc", expires_at="2020-01-01T00:00:00Z")
    return job


@pytest.fixture
def poll(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets a poller look once a second, for so many seconds of its clock; `before` is called before each look."""

    def poll_for(poller: Poller, seconds: int, before: Callable[[int], object] = lambda second: None) -> None:
        clock = [1000.0]
        look = poller.round

        def round_at() -> None:
            before(int(clock[0] - 1000))
            look()

        def sleep(_: float) -> None:
            clock[0] += 1
            if clock[0] > 1000 + seconds:
                raise Stop

        for timed in (module, lateness):
            monkeypatch.setattr(timed, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
        monkeypatch.setattr(poller, "round", round_at)
        monkeypatch.setattr(poller, "stop", lambda: None)
        monkeypatch.setattr(poller, "_run", lambda job: None)
        monkeypatch.setattr(module, "connection", SimpleNamespace(close=lambda: None))
        with pytest.raises(Stop):
            poller.run_forever()
        monkeypatch.undo()

    return poll_for


def test_a_late_job_is_taken_only_after_its_runner_had_a_heartbeat_to_renew_its_lease(late, poll) -> None:
    poll(Poller(), 17)
    assert fresh(late).state == JobState.RUNNING
    poll(Poller(), 20)
    assert (fresh(late).state, fresh(late).attempt) == (JobState.QUEUED, 1)


def test_a_runner_that_renews_its_lease_once_the_database_is_back_keeps_its_job(late, poll) -> None:
    def renew(second: int) -> None:
        if second == 15:
            Job.objects.filter(pk=late.pk).update(expires_at=Now())

    poll(Poller(), 30, before=renew)
    assert fresh(late).state == JobState.RUNNING


def test_seconds_before_an_error_of_the_database_do_not_count(late, poll) -> None:
    def fail_once(second: int) -> None:
        if second == 15:
            raise OperationalError("the server restarts")

    poll(Poller(), 30, before=fail_once)
    assert fresh(late).state == JobState.RUNNING
