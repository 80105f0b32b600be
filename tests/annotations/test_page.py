from __future__ import annotations

import pytest

from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


def test_the_page_opens_with_the_first_task_in_it(client) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(problem="What is 1 + 1?"))
    client.force_login(annotator)
    response = client.get(f"/annotate/{campaign.pk}/")
    assert response.status_code == 200
    assert "What is 1 + 1?" in response.content.decode()
