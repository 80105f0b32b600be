"""A task as the annotation page receives it holds what the campaign's switches show, and nothing besides."""

from __future__ import annotations

import pytest

from labelsite.problems.models import Problem
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("is_shown", [True, False])
def test_the_reference_solution_reaches_the_page_only_where_the_campaign_shows_it(client, is_shown) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], shows_reference_solution=is_shown)
    make_task(campaign, make_solution())
    Problem.objects.update(reference_solution="Count on your fingers.")
    client.force_login(annotator)
    page = client.get(f"/annotate/{campaign.pk}/")
    assert page.context["payload"]["reference"] == ("Count on your fingers." if is_shown else None)
    assert ("Count on your fingers." in page.content.decode()) is is_shown


def test_a_new_campaign_shows_no_reference_solution() -> None:
    assert make_campaign().shows_reference_solution is False
