"""A job finds its own files, and never those of another job that had its id."""

from __future__ import annotations

import pytest

from labelsite.jobs.models import Job
from tests.factories import make_job
from tests.jobs.conftest import fresh

pytestmark = pytest.mark.django_db


def test_a_job_of_an_id_that_comes_again_has_a_folder_of_its_own(settings, tmp_path) -> None:
    settings.VAR = tmp_path
    first = make_job()
    first.outputs.mkdir(parents=True)
    assert fresh(first).outputs == first.outputs
    # An older database is put back, and goes on counting where it was.
    Job.objects.all().delete()
    second = make_job(id=first.pk)
    assert second.pk == first.pk and not second.folder.exists()
