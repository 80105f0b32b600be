"""Quality on gold: an item counts as right within its set, and whoever drifts is shown."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.annotations.quality import LAST, standings
from labelsite.campaigns.models import Campaign, TaskKind
from labelsite.campaigns.queue import EVERYBODY
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


def test_standings_count_sets_bias_and_drift(client) -> None:
    careful, careless = make_user(username="careful"), make_user(username="careless")
    campaign = make_campaign(members=[careful, careless])
    for _ in range(8):
        solution = make_solution(["One.", "Two.", "Three.", "Four."])
        task = make_task(campaign, solution, kind=TaskKind.GOLD, gold=[0, 1], overlap=EVERYBODY)
        make_annotation(task, careful, trajectory=(1, -1))
        make_annotation(task, careless, trajectory=(1, 1, 1, -1))
    make_annotation(make_task(campaign), careful)
    worst, best = standings(campaign)
    assert (worst.user, worst.right, worst.items, worst.bias, worst.drifts) == (careless, 0, 8, 2.0, True)
    client.force_login(make_user("reviewer"))
    page = client.get(f"/annotate/{campaign.pk}/quality/").content.decode()
    labels = f'<a href="/annotate/{campaign.pk}/quality/{careless.pk}/">look at this person'
    assert labels in page and page.count("look at this person") == 1
    assert (best.user, best.right, best.items, best.bias, best.drifts) == (careful, 8, 8, 0.0, False)
    client.force_login(careful)
    assert client.get(f"/annotate/{campaign.pk}/quality/").status_code == 403
    client.force_login(make_user("reviewer"))
    page = client.get(f"/annotate/{campaign.pk}/quality/").content.decode()
    assert page.count("badge bad") == 1 and "careless" in page


def test_each_persons_last_items_count_however_many_others_came_after_them() -> None:
    campaign = make_campaign()
    tasks = [make_task(campaign, kind=TaskKind.GOLD, gold=[-1]) for _ in range(LAST + 1)]
    first = make_user(username="first")
    make_annotation(tasks[0], first, trajectory=(1, -1))
    for task in tasks[1:]:
        make_annotation(task, first)
    others = User.objects.bulk_create(User(username=f"later {number}") for number in range(250))
    Annotation.objects.bulk_create(
        Annotation(task=task, annotator=other, trajectory=[1, 1], finish_reason="solution")
        for task in tasks
        for other in others
    )
    found = standings(campaign)
    assert len(found) == 251
    assert {(row.items, row.right) for row in found} == {(LAST, LAST)}


def test_a_page_tells_a_reviewer_of_nothing_to_do_that_only_an_admin_may(client) -> None:
    client.force_login(make_user("reviewer"))
    assert "There is no campaign yet." in client.get("/campaigns/").content.decode()
    campaign = make_campaign(screening_size=1)
    make_annotation(make_task(campaign), make_user())
    address = f"/annotate/{campaign.pk}/quality/"
    page = client.get(address).content.decode()
    assert "An admin makes them in the queue" in page and "A decision in the comparison" in page
    assert "Make some tasks gold" not in page and "Make them in the queue" not in page
    client.force_login(make_user("admin"))
    page = client.get(address).content.decode()
    assert "Make some tasks gold in the queue" in page and "Make them in the queue" in page


def test_the_page_says_at_what_share_gold_comes_and_asks_for_no_gold_where_it_is_there(client) -> None:
    campaign = make_campaign()
    make_annotation(make_task(campaign), make_user())
    make_task(campaign, kind="gold", gold=[0])
    client.force_login(make_user("admin"))
    address = f"/annotate/{campaign.pk}/quality/"
    for share, words in [(0.0, "so nobody gets any"), (0.05, "Nobody has done a gold item yet.")]:
        Campaign.objects.update(gold_rate=share)
        page = client.get(address).content.decode()
        assert f"Share of gold items mixed in: {100 * share:.1f} %." in page
        assert words in page and "Make some tasks gold" not in page
