from __future__ import annotations

import gzip
import re

import pytest

from labelsite.campaigns.models import Protocol
from labelsite.problems.models import Step
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


def test_the_page_opens_with_the_first_task_in_it_and_says_that_it_loads(client) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(problem="What is 1 + 1?"))
    client.force_login(annotator)
    # It comes compressed: on a slow line most of the wait is for this one answer.
    response = client.get(f"/annotate/{campaign.pk}/", headers={"accept-encoding": "gzip"})
    assert response.status_code == 200
    page = gzip.decompress(response.content).decode()
    assert "What is 1 + 1?" in page and ">Loading…<" in page and ">Saved<" not in page


@pytest.mark.parametrize(
    ("protocol", "has", "lacks"),
    [
        (Protocol.FIRST_MISTAKE, {"bad", "unsure"}, {"mark", "no_mistake", "write"}),
        (Protocol.INDEX_ONLY, {"mark", "no_mistake"}, {"bad", "neutral", "good", "unsure", "write"}),
        (Protocol.EVERY_OPTION, {"bad", "write"}, {"unsure", "mark", "no_mistake"}),
    ],
)
def test_the_list_of_keys_names_only_what_the_protocol_has(client, protocol, has, lacks) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], protocol=protocol)
    client.force_login(annotator)
    configuration = client.get(f"/annotate/{campaign.pk}/").context["configuration"]
    named = {action["name"] for action in configuration["actions"]}
    assert has | {"next", "undo", "submit", "help"} <= named and not named & lacks


def test_the_chart_of_ratings_stands_beside_a_task_only_where_steps_are_rated(client) -> None:
    annotator = make_user()
    client.force_login(annotator)
    for protocol in Protocol.values:
        campaign = make_campaign(members=[annotator], name=protocol, protocol=protocol)
        page = client.get(f"/annotate/{campaign.pk}/").content.decode()
        assert ("Ask in this order" in page) is (protocol != Protocol.INDEX_ONLY)
        assert ("Mark the first step that is wrong" in page) is (protocol == Protocol.INDEX_ONLY)


def test_the_second_look_shows_the_end_of_long_output(client) -> None:
    annotator = make_user()
    solution = make_solution()
    campaign = make_campaign(members=[annotator], estimate_run=make_estimates(solution, [1.0, 1.0]))
    annotation = make_annotation(make_task(campaign, solution), annotator)
    Step.objects.filter(position=0).update(output="1 " * 3000 + "So it is 42.", verdict="ok")
    client.force_login(annotator)
    page = client.post(f"/annotate/annotation/{annotation.pk}/second-look/").content.decode()
    assert re.search(r"<samp>1 1 [1 ]+\n…\n[1 ]+So it is 42\.</samp>", page)
