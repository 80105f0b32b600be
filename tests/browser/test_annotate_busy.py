"""Where the next task is locked for a moment, the page says so and goes on by itself."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from labelsite.campaigns.models import Task
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_task_that_is_locked_for_a_moment_comes_without_a_reload(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(["One.", "Two."], problem="The only problem?"))
    taken, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(Task.objects.select_for_update())
                taken.set()
                let_go.wait(30)
        finally:
            connection.close()

    holding = threading.Thread(target=hold)
    holding.start()
    assert taken.wait(20)
    try:
        watched.log_in(annotator.username)
        watched.go(f"/annotate/{campaign.pk}/")
        watched.page.wait_for_selector("#nothing-text:has-text('at this very moment')")
    finally:
        let_go.set()
        holding.join()
    watched.page.wait_for_selector("#problem:has-text('The only problem?')")
    assert not watched.page.is_visible("#nothing")
