"""The demo's build: it goes on where it stopped, looks after its own work only, and keeps what people have set."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelsite.jobs.models import Job, JobState
from labelsite.training import demo
from ml.errors import MisstepError
from tests.factories import make_campaign, make_job, make_task, make_user
from tests.jobs import work

pytestmark = pytest.mark.django_db(transaction=True)


def quiet(line: str) -> None:
    pass


@pytest.fixture
def seen_through(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that the build would see through; none of them is run."""
    jobs: list[Job] = []
    monkeypatch.setattr(demo, "_finish", lambda given, *_: jobs.extend(given))
    return jobs


@pytest.mark.parametrize("ended", [JobState.FAILED, JobState.CANCELLED])
def test_what_failed_or_was_cancelled_is_tried_again_once_at_the_next_start(tmp_path: Path, ended: JobState):
    room = tmp_path / "room"
    job = work.make_job(f"import os, sys; sys.exit(None if os.path.exists('{room}') else 'no room')")
    Job.objects.filter(pk=job.pk).update(state=ended, error="No space left on device")
    with pytest.raises(MisstepError, match="no room"):
        demo._finish([Job.objects.get(pk=job.pk)], quiet, "the work")
    assert Job.objects.get(pk=job.pk).attempt == 1
    room.touch()
    demo._finish([Job.objects.get(pk=job.pk)], quiet, "the work")
    assert Job.objects.get(pk=job.pk).state == JobState.DONE


def test_only_the_demo_s_own_code_is_run_and_waited_for(seen_through: list[Job]):
    solution = make_task(make_campaign(demo.BLIND)).solution_id
    other = make_task().solution_id
    own = make_job(verb="execute", spec={"solutions": [solution]})
    for spec, by in (
        ([other], None),
        ([other], make_user()),
        ([solution], make_user()),
        ([solution, other], None),
    ):
        make_job(verb="execute", spec={"solutions": spec}, created_by=by, state=JobState.FAILED)
    demo._execute(quiet)
    assert seen_through == [own]
