"""The demo's build: it goes on where it stopped, looks after its own work only, and keeps what people have set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from labelsite.campaigns import archive, membership
from labelsite.campaigns.models import Campaign
from labelsite.campaigns.services import update_campaign
from labelsite.jobs.models import Job, JobState
from labelsite.snapshots.models import Snapshot
from labelsite.training import demo
from labelsite.training.models import Checkpoint, TrainingRun
from ml.errors import MisstepError
from tests.factories import make_campaign, make_estimate_run, make_job, make_task, make_user
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
    solution = make_task(make_campaign()).solution_id
    campaign = Campaign.objects.get()
    other = make_task().solution_id
    own = make_job(verb="execute", spec={"solutions": [solution]})
    for spec, by in (
        ([other], None),
        ([other], make_user()),
        ([solution], make_user()),
        ([solution, other], None),
    ):
        make_job(verb="execute", spec={"solutions": spec}, created_by=by, state=JobState.FAILED)
    demo._execute(campaign, quiet)
    assert seen_through == [own]


@pytest.fixture
def built(seen_through: list[Job], monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> list[Job]:
    """The demo as its first start leaves it, but for what the jobs would have loaded."""
    folder = Path(settings.VAR) / "demo"
    folder.mkdir(parents=True)
    fence = "```python\nprint(2 + 2)\n```"
    solutions = [{"steps": ["2 + 2 = 4.", f"So:\n{fence}"], "final_answer": "4", "is_correct": True}]
    lines = [
        {"id": str(n), "problem": f"{n}) 2 + 2 =", "answer": "4", "solutions": solutions} for n in range(2)
    ]
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def freeze(campaign: Campaign, labels: str, name: str) -> Snapshot:
        row = {"folder": "0" * 64, "sha256": "0" * 64, "manifest": {}}
        return Snapshot.objects.create(campaign=campaign, labels=labels, name=name, **row)

    def finish(jobs: list[Job], *_: Any) -> None:
        seen_through.extend(jobs)
        for run in TrainingRun.objects.filter(job__in=jobs):
            Checkpoint.objects.get_or_create(run=run, folder="1" * 64, sha256="1" * 64, card={})

    monkeypatch.setattr(demo, "freeze", freeze)
    monkeypatch.setattr(demo, "_finish", finish)
    demo.build(quiet)
    return seen_through


def test_a_second_start_makes_nothing_again(built: list[Job]):
    first = {job.pk for job in built}
    assert {job.verb for job in built} == {"execute", "autolabel", "train", "score"}
    assert set(Campaign.objects.values_list("name", "exposure")) == set(demo.EXPOSURES.items())
    demo.build(quiet)
    assert {job.pk for job in built} == first == set(Job.objects.values_list("pk", flat=True))


def test_a_second_start_keeps_what_people_have_set(built: list[Job]):
    ann = make_user()
    blind = Campaign.objects.get(name=demo.BLIND)
    membership.set_members(blind, set())
    other = make_estimate_run()
    update_campaign(blind, {"name": "Mine", "estimate_run": None, "guideline": "Look twice."})
    assisted = Campaign.objects.get(name=demo.ASSISTED)
    update_campaign(assisted, {"estimate_run": other})
    demo.build(quiet)
    kept = Campaign.objects.get(pk=blind.pk)
    assert (kept.name, kept.estimate_run, kept.guideline) == ("Mine", None, "Look twice.")
    assert not kept.memberships.filter(user=ann).exists()
    assert Campaign.objects.get(pk=assisted.pk).estimate_run == other
    assert Campaign.objects.count() == 2


def test_a_campaign_that_was_deleted_is_not_built_again(built: list[Job]):
    archive.delete(Campaign.objects.get(name=demo.ASSISTED))
    demo.build(quiet)
    assert list(Campaign.objects.values_list("name", flat=True)) == [demo.BLIND]
