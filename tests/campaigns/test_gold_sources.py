"""Whose word a task's gold is, told in the reader's language on the pages that show it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.annotations.known_answers import CHECKER
from labelsite.annotations.services import set_task_kind
from labelsite.campaigns.gold_sources import source_in_words
from labelsite.campaigns.models import Task, TaskKind
from labelsite.comparison.services import adjudicate
from tests.factories import make_task, make_user

pytestmark = pytest.mark.django_db


def decided() -> Task:
    task = make_task()
    adjudicate(task, make_user("reviewer", username="ruth"), [0], make_gold=True)
    return task


def marked() -> Task:
    task = make_task()
    set_task_kind(task, TaskKind.GOLD, [0])
    return task


def imported() -> Task:
    return make_task(kind=TaskKind.GOLD, gold=[0], gold_source=CHECKER)


def of_a_script() -> Task:
    return make_task(kind=TaskKind.GOLD, gold=[0], gold_source="traces")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (decided, {"en": "decided by ruth", "ko": "ruth 님이 결정함"}),
        (marked, {"en": "reviewer", "ko": "검토자"}),
        (imported, {"en": "checker", "ko": "검사기"}),
        (of_a_script, {"en": "traces", "ko": "traces"}),
    ],
)
def test_whose_word_gold_is_stands_in_words_in_the_queue_and_beside_the_opinions(client, make, words) -> None:
    client.force_login(make_user("admin"))
    campaign, task = (made := make()).campaign_id, made.pk
    pages = (
        reverse("campaigns:tasks", args=[campaign]) + "?kind=gold",
        reverse("comparison:task", args=[campaign, task]),
    )
    for page in pages:
        for language, told in words.items():
            text = client.get(page, headers={"accept-language": language}).content.decode()
            assert told in text and "adjudicated" not in text


def test_gold_of_nobody_has_no_words() -> None:
    assert source_in_words("") == ""
