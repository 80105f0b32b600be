"""What a job is called: words in the reader's language, names as they were given."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy

from labelsite.annotations.uploads import Upload, start_import
from labelsite.jobs.models import Job
from labelsite.jobs.services import enqueue
from labelsite.jobs.titles import worded
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("maker", ["en", "ko"])
def test_each_reader_meets_a_job_in_their_own_language_whoever_started_it(client: Client, maker: str) -> None:
    admin = make_user("admin")
    client.force_login(admin)
    with translation.override(maker):
        job = start_import(Upload("1", "50%(x)s.jsonl", 3), "misstep", "C", admin)
    for language, words in (("en", "Import 50%(x)s.jsonl"), ("ko", "50%(x)s.jsonl 가져오기")):
        said = {"accept-language": language}
        for page in (reverse("jobs:list"), reverse("jobs:detail", args=[job.pk])):
            assert words in client.get(page, headers=said).content.decode()
        assert client.get(f"/api/v1/jobs/{job.pk}/", headers=said).json()["title"] == words


def test_words_may_stand_in_words_and_what_has_no_translation_stays() -> None:
    inner = worded(gettext_lazy("failed"))
    enqueue("django", "test", title=worded("%(run)s · %(number)s/%(count)s", run=inner, number=1, count=2))
    with translation.override("ko"):
        assert Job.objects.get().said == f"{translation.gettext('failed')} · 1/2"
    with translation.override("en"):
        assert Job.objects.get().said == "failed · 1/2"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_name_is_the_same_to_everybody(language: str) -> None:
    enqueue("django", "test", title="100% of %(mine)s")
    with translation.override(language):
        assert Job.objects.get().said == "100% of %(mine)s"
