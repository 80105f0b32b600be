"""A script divides a campaign into sections and keeps people to them."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from labelsite.accounts.models import User
from labelsite.api.sections import FilterSerializer
from labelsite.campaigns import sections
from labelsite.campaigns.models import Campaign, TaskKind
from labelsite.campaigns.section_forms import SectionFilter
from tests.factories import make_campaign, make_problem, make_solution, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(ann: User) -> Campaign:
    """Three tasks on geometry, two on algebra, and one of screening."""
    campaign = make_campaign(members=[ann])
    for index in range(5):
        words = "a triangle" if index < 3 else "an equation"
        problem = make_problem(f"Find {words} number {index}.", source="book")
        make_task(campaign, make_solution(problem=problem))
    make_task(campaign, make_solution(), kind=TaskKind.SCREENING)
    return campaign


def address(campaign: Campaign, rest: str = "sections/") -> str:
    return f"/api/v1/campaigns/{campaign.pk}/{rest}"


def post(client: APIClient, campaign: Campaign, **body: Any) -> Any:
    return client.post(address(campaign), body, format="json")


def test_a_section_is_made_by_a_filter_or_by_ids_and_seen(
    admin: APIClient, reviewer: APIClient, campaign: Campaign
):
    made = post(admin, campaign, name="geometry", filter={"words": "triangle"})
    assert (made.status_code, made.json()) == (200, {"name": "geometry", "moved": 3})
    ids = [task.pk for task in campaign.tasks.filter(section="").exclude(kind=TaskKind.SCREENING)]
    assert post(admin, campaign, name="algebra", tasks=ids).json()["moved"] == 2
    assert post(admin, campaign, name="algebra", tasks=ids).json()["moved"] == 0
    rows = reviewer.get(address(campaign)).json()
    assert [(row["name"], row["tasks"], row["open"], row["people"]) for row in rows] == [
        ("algebra", 2, 2, []),
        ("geometry", 3, 3, []),
    ]
    assert post(admin, campaign, name="", tasks=ids).json()["moved"] == 2
    assert [row["name"] for row in admin.get(address(campaign)).json()] == ["geometry"]


def test_a_section_is_renamed_and_dissolved_and_its_people_go_along(admin: APIClient, campaign: Campaign):
    post(admin, campaign, name="geometry", filter={"words": "triangle"})
    post(admin, campaign, name="algebra", filter={"outside": True})
    url = address(campaign, "members/ann/sections/")
    assert admin.put(url, {"sections": ["geometri"]}, format="json").status_code == 400
    kept = admin.put(url, {"sections": ["geometry"]}, format="json")
    assert (kept.status_code, kept.json()) == (200, {"sections": ["geometry"]})
    renamed = admin.patch(address(campaign), {"name": "geometry", "new_name": "shapes"}, format="json")
    assert [(row["name"], row["people"]) for row in renamed.json()] == [("algebra", []), ("shapes", ["ann"])]
    taken = admin.patch(address(campaign), {"name": "shapes", "new_name": "algebra"}, format="json")
    assert taken.status_code == 422 and "choose another name" in taken.json()["detail"]
    # Without the section its only member could suddenly label everywhere.
    refused = admin.patch(address(campaign), {"name": "shapes", "new_name": ""}, format="json")
    assert refused.status_code == 422 and "ann may label only there" in refused.json()["detail"]
    sections.restrict(campaign, campaign.memberships.get().user_id, [])
    gone = admin.patch(address(campaign), {"name": "shapes", "new_name": ""}, format="json")
    assert [row["name"] for row in gone.json()] == ["algebra"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "non_field_errors"),
        ({"name": "x", "tasks": [], "filter": {"outside": True}}, "non_field_errors"),
        ({"name": "x" * 61, "filter": {"outside": True}}, "name"),
        ({"name": "  ", "filter": {"outside": True}}, "name"),
        ({"name": "x", "filter": {}}, "filter"),
        ({"name": "x", "filter": {"outside": False}}, "filter"),
        ({"name": "x", "filter": {"sorce": "book"}}, "filter"),
        ({"name": "x", "filter": {"first": 10**19}}, "filter"),
        ({"name": "x", "tasks": [0]}, "tasks"),
        ({"name": "x", "filter": {"outcome": "maybe"}}, "filter"),
        ({"name": "x", "filter": {"first": 3, "last": 1}}, "filter"),
    ],
)
def test_a_wrong_request_names_its_field_and_moves_nothing(
    admin: APIClient, campaign: Campaign, body: dict[str, Any], field: str
):
    response = post(admin, campaign, **body)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not campaign.tasks.exclude(section="").exists()


def test_screening_and_tasks_of_elsewhere_are_refused_by_their_ids(admin: APIClient, campaign: Campaign):
    screening = campaign.tasks.get(kind=TaskKind.SCREENING)
    elsewhere = make_task(make_campaign("Elsewhere"), make_solution())
    for task in (screening, elsewhere):
        response = post(admin, campaign, name="x", tasks=[task.pk])
        assert response.status_code == 400 and str(task.pk) in str(response.json()["errors"]["tasks"])


def test_spaces_dissolve_nothing(admin: APIClient, campaign: Campaign):
    post(admin, campaign, name="geometry", filter={"words": "triangle"})
    response = admin.patch(address(campaign), {"name": "geometry", "new_name": "  "}, format="json")
    assert response.status_code == 400 and list(response.json()["errors"]) == ["new_name"]
    assert campaign.tasks.filter(section="geometry").count() == 3


def test_a_name_that_people_wait_for_is_taken(admin: APIClient, campaign: Campaign):
    post(admin, campaign, name="geometry", filter={"words": "triangle"})
    sections.restrict(campaign, campaign.memberships.get().user_id, ["algebra"])
    response = admin.patch(address(campaign), {"name": "geometry", "new_name": "algebra"}, format="json")
    assert response.status_code == 422


def test_an_unknown_section_or_member_is_told(admin: APIClient, campaign: Campaign):
    response = admin.patch(address(campaign), {"name": "nowhere", "new_name": "x"}, format="json")
    assert response.status_code == 400 and "no sections of this campaign" in str(
        response.json()["errors"]["name"]
    )
    response = admin.put(address(campaign, "members/bob/sections/"), {"sections": []}, format="json")
    assert response.status_code == 404


def test_only_admins_change_sections_and_annotators_do_not_see_them(
    reviewer: APIClient, annotator: APIClient, campaign: Campaign
):
    member = address(campaign, "members/ann/sections/")
    for client in (reviewer, annotator):
        assert post(client, campaign, name="x", filter={"outside": True}).status_code == 403
        renaming = client.patch(address(campaign), {"name": "x", "new_name": ""}, format="json")
        assert renaming.status_code == 403
        assert client.put(member, {"sections": []}, format="json").status_code == 403
    assert annotator.get(address(campaign)).status_code == 403


def test_the_filter_asks_for_what_the_page_s_filter_asks():
    assert set(FilterSerializer().fields) == set(SectionFilter.base_fields)
