"""A runner on another host takes no job unless its VAR is the site's own, wherever that is mounted there."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labelsite.embedded.management.commands import doctor
from labelsite.jobs import services, shared_folder
from labelsite.jobs.models import JobState, SiteIdentity
from labelsite.jobs.shared_folder import identity_file, in_var, refusal, settle_identity
from tests.data import ROOT
from tests.jobs.conftest import fresh
from tests.jobs.work import make_job
from tests.transactions import in_background

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def site(settings, tmp_path: Path) -> Path:
    """A site that has its identity, with a VAR of its own."""
    settings.VAR = tmp_path / "var"
    settle_identity(plan=[])
    return Path(settings.VAR)


def test_a_migration_gives_the_site_an_identity_and_the_next_one_changes_nothing(site):
    written = identity_file().read_text()
    settle_identity(plan=[])
    assert written.strip() == SiteIdentity.objects.get().value == identity_file().read_text().strip()
    assert refusal() is None


def test_a_new_database_takes_the_identity_that_its_var_has(site):
    before = SiteIdentity.objects.get().value
    SiteIdentity.objects.all().delete()
    settle_identity(plan=[])
    assert SiteIdentity.objects.get().value == before


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_is_killed_before_the_file_is_written_is_completed_by_the_next(environment, site):
    SiteIdentity.objects.all().delete()
    identity_file().unlink()
    code = (
        "import django, os; django.setup();"
        "from labelsite.jobs import shared_folder;"
        "shared_folder.whole_file = lambda path: os.kill(os.getpid(), 9);"
        "shared_folder.settle_identity(plan=[])"
    )
    given = {**environment, "VAR": str(site), "DJANGO_SETTINGS_MODULE": "labelsite.settings"}
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=given, check=False, timeout=60)
    assert killed.returncode == -9
    settle_identity(plan=[])
    assert refusal() is None and identity_file().exists()


@pytest.mark.django_db(transaction=True)
def test_a_database_waits_for_another_that_settles_on_the_same_var_and_takes_its_identity(site):
    SiteIdentity.objects.all().delete()
    identity_file().unlink()
    with (site / "identity.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = in_background(lambda: settle_identity(plan=[]))
        time.sleep(0.5)
        identity_file().write_text("0" * 32)
    waiting.join()
    assert SiteIdentity.objects.get().value == identity_file().read_text() == "0" * 32


def test_without_locks_too_a_file_that_has_appeared_meanwhile_is_the_identity(site, monkeypatch):
    SiteIdentity.objects.all().delete()
    identity_file().unlink()

    def other_database_comes_first() -> uuid.UUID:
        identity_file().write_text("0" * 32)
        return uuid.UUID(int=1)

    monkeypatch.setattr(shared_folder.uuid, "uuid4", other_database_comes_first)
    settle_identity(plan=[])
    assert SiteIdentity.objects.get().value == identity_file().read_text() == "0" * 32


def test_a_var_that_cannot_be_written_leaves_no_half_of_an_identity(settings, tmp_path, caplog):
    SiteIdentity.objects.all().delete()
    (tmp_path / "file").write_text("")
    settings.VAR = tmp_path / "file" / "var"
    settle_identity(plan=[])
    assert not SiteIdentity.objects.exists() and "gets no identity yet" in caplog.text


def test_a_migration_from_a_host_with_another_var_does_not_make_that_one_the_site_s(settings, tmp_path):
    settings.VAR = tmp_path / "elsewhere"
    settle_identity(plan=[])
    assert not identity_file().exists() and "has no file `identity`" in (refusal() or "")


def test_a_job_waits_for_a_runner_with_the_right_folder(settings, site, tmp_path):
    job = make_job("print('{}')")
    settings.VAR = tmp_path / "elsewhere"
    services.perform(job.pk, job.task_name)
    assert (fresh(job).state, fresh(job).attempt) == (JobState.QUEUED, 0)
    with pytest.raises(CommandError, match="is not this site's"):
        call_command("run_job", str(job.pk))
    with pytest.raises(CommandError, match="is not this site's"):
        call_command("poll_jobs")
    settings.VAR = site
    services.perform(job.pk, job.task_name)
    assert fresh(job).state == JobState.DONE


def test_a_path_in_var_follows_var_to_the_host_that_runs_the_job(settings, site, tmp_path):
    (site / "snapshots").mkdir()
    (site / "snapshots" / "file").write_text("frozen")
    place = in_var(site / "snapshots" / "file")
    assert place == "{var}/snapshots/file" and in_var(Path("/elsewhere/file")) == "/elsewhere/file"
    job = make_job()
    code = "import json, sys; print(json.dumps({'read': open(sys.argv[1]).read()}))"
    job.spec = {"command": [sys.executable, "-c", code, place]}
    job.save()
    settings.VAR = shutil.move(site, tmp_path / "mounted elsewhere")
    services.perform(job.pk, job.task_name)
    assert fresh(job).result == {"read": "frozen"}


def test_the_doctor_names_the_folder_that_is_not_the_site_s(settings, tmp_path):
    (found,) = doctor.shared_folder()
    assert (found.name, found.state) == ("VAR", doctor.GOOD)
    settings.VAR = tmp_path
    (found,) = doctor.shared_folder()
    assert (found.name, found.state) == ("VAR", doctor.BAD) and "is not this site's" in found.found
    # tests/embedded/test_doctor.py has the doctor's whole round.
    assert doctor.shared_folder in doctor.LOOKS


@pytest.mark.django_db(transaction=True)
def test_a_worker_with_another_var_ends_at_once_and_says_why(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "labelsite", "worker", "-Q", "gpu", "-P", "solo"],
        cwd=ROOT,
        env={**environment, "VAR": str(tmp_path / "other"), "DJANGO_SETTINGS_MODULE": "labelsite.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0 and "is not this site's" in done.stderr
