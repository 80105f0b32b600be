"""An import into a campaign that is not there makes it only where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from labelsite.accounts.models import Role
from labelsite.accounts.services import create_person
from labelsite.annotations import uploads
from labelsite.annotations.importers import import_file
from labelsite.campaigns.archive import delete, set_archived
from labelsite.campaigns.models import Campaign, Task
from labelsite.campaigns.services import update_campaign
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from labelsite.problems.services import wait_for_other_imports
from ml.errors import MisstepError
from tests.annotations.test_import import processbench_line
from tests.factories import make_campaign
from tests.transactions import held, in_background
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.jsonl"
    path.write_text(processbench_line(1) + "\n")
    return path


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_misspelt_campaign_is_refused_and_the_nearest_one_named(path: Path, dry_run: bool):
    make_campaign("gsm8k-train")
    with pytest.raises(CommandError, match=r"no campaign 'gsm8k-trian'.*'gsm8k-train'.*--create-campaign"):
        call_command(
            "import_solutions", str(path), format="processbench", campaign="gsm8k-trian", dry_run=dry_run
        )
    assert Campaign.objects.count() == 1 and not Task.objects.exists()


def test_a_campaign_is_made_where_that_is_asked_for_and_said_to_be_new(path: Path, capsys):
    for told in ("to the new campaign New", "to New"):
        call_command(
            "import_solutions", str(path), format="processbench", campaign="New", create_campaign=True
        )
        assert capsys.readouterr().out.strip().endswith(told)
    assert Campaign.objects.get().tasks.count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_arrives_while_a_long_import_makes_a_campaign_waits_for_nothing_and_may_label_in_it(
    path: Path,
) -> None:
    def somebody_arrives(line: int) -> None:
        arriving = in_background(lambda: create_person("late", Role.ANNOTATOR))
        arriving.join(20)
        assert not arriving.is_alive()

    import_file(path, "processbench", "New", report=somebody_arrives)
    campaign = Campaign.objects.get()
    assert campaign.is_for_everyone
    assert list(campaign.memberships.values_list("user__username", flat=True)) == ["late"]


def queued_import(path: Path, campaign: str) -> Job:
    upload = uploads.keep(path.name, [path.read_bytes()])
    return uploads.start_import(upload, "processbench", campaign, None)


@pytest.mark.usefixtures("own_folder")
def test_a_queued_import_goes_to_its_campaign_also_when_that_was_renamed(path: Path) -> None:
    campaign = make_campaign("Before")
    job = queued_import(path, "Before")
    Campaign.objects.update(name="After")
    run_here(job)
    assert (campaign.tasks.count(), Campaign.objects.count()) == (1, 1)


@pytest.mark.usefixtures("own_folder")
def test_an_import_whose_campaign_was_deleted_makes_no_other_in_its_place(path: Path) -> None:
    make_campaign("Gone")
    job = queued_import(path, "Gone")
    Campaign.objects.all().delete()
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.FAILED and "campaign Gone was deleted" in job.error
    assert not Campaign.objects.exists()


def an_import_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_folder")
def test_an_import_that_waited_for_another_goes_by_the_settings_and_the_name_of_today(path: Path) -> None:
    campaign = make_campaign("Before", overlap=1)
    job = queued_import(path, "Before")
    with held(lambda: wait_for_other_imports("processbench")):
        importing = in_background(lambda: run_here(job))
        wait_until(an_import_waits, what="the import's wait for another one")
        update_campaign(campaign, {"overlap": 3, "name": "After"})
    importing.join(30)
    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.DONE, "")
    assert (job.result["campaign"], job.result["campaign_id"]) == ("After", campaign.pk)
    task = campaign.tasks.get()
    assert (task.overlap, task.remaining) == (3, 3)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("meanwhile", [lambda campaign: set_archived(campaign, True), delete])
def test_an_import_that_waited_goes_to_no_campaign_that_was_archived_or_deleted_meanwhile(
    path: Path, meanwhile: Callable[[Campaign], object]
) -> None:
    campaign, refused = make_campaign("Before"), []

    def import_it() -> None:
        try:
            import_file(path, "processbench", "Before")
        except MisstepError as error:
            refused.append(str(error))

    with held(lambda: wait_for_other_imports("processbench")):
        importing = in_background(import_it)
        wait_until(an_import_waits, what="the import's wait for another one")
        meanwhile(campaign)
    importing.join(30)
    assert len(refused) == 1 and "campaign Before" in refused[0]
    assert not Task.objects.exists()
