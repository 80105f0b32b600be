"""A rename that a dead process left half done."""

from __future__ import annotations

import pytest

from labelsite.campaigns import sections
from labelsite.campaigns.models import Campaign
from tests.factories import make_campaign, make_member, make_task, make_user

pytestmark = pytest.mark.django_db


class Died(BaseException):
    pass


@pytest.fixture
def half_renamed(monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """Of four tasks of “algebra” two are in “number theory” already, and the member is still kept to the old name."""
    campaign = make_campaign()
    for _ in range(4):
        make_task(campaign, section="algebra")
    make_member(campaign, make_user(), sections=["algebra"])
    monkeypatch.setattr(sections, "BATCH", 2)
    real, calls = sections._move, []

    def dies(*given: object) -> list[int]:
        calls.append(given)
        if len(calls) == 2:
            raise Died
        return real(*given)

    with monkeypatch.context() as context:
        context.setattr(sections, "_move", dies)
        with pytest.raises(Died):
            sections.rename(campaign, "algebra", "number theory")
    assert campaign.tasks.filter(section="algebra").count() == 2
    return campaign


def test_it_is_finished_by_doing_it_again(half_renamed) -> None:
    sections.rename(half_renamed, "algebra", "number theory")
    assert set(half_renamed.tasks.values_list("section", flat=True)) == {"number theory"}
    assert half_renamed.memberships.get().sections == ["number theory"]
    half_renamed.refresh_from_db()
    assert half_renamed.renames == {}


def test_until_then_neither_name_can_become_another(half_renamed) -> None:
    with pytest.raises(sections.RenameUnderWay, match="'number theory'"):
        sections.rename(half_renamed, "algebra", "topology")
    make_task(half_renamed, section="geometry")
    for target in ("algebra", "number theory"):
        with pytest.raises(sections.SectionTaken):
            sections.rename(half_renamed, "geometry", target)


@pytest.mark.parametrize("old", ["algebra", "number theory"])
@pytest.mark.parametrize("new", ["topology", ""])
def test_until_then_neither_part_gets_a_third_name_or_none(half_renamed, old, new) -> None:
    half_renamed.memberships.all().delete()
    with pytest.raises(sections.RenameUnderWay, match="'algebra' is on its way to 'number theory'"):
        sections.rename(half_renamed, old, new)


def test_one_whose_tasks_all_went_elsewhere_stands_in_nobody_s_way(half_renamed) -> None:
    half_renamed.memberships.all().delete()
    sections.assign(half_renamed, half_renamed.tasks.all(), "topology")
    make_task(half_renamed, section="geometry")
    sections.rename(half_renamed, "geometry", "number theory")
    assert set(half_renamed.tasks.values_list("section", flat=True)) == {"topology", "number theory"}
    half_renamed.refresh_from_db()
    assert half_renamed.renames == {}


def test_the_page_says_which_name_comes_first(half_renamed, client) -> None:
    client.force_login(make_user("admin"))
    data = {"old": "algebra", "section": "topology"}
    page = client.post(f"/campaigns/{half_renamed.pk}/sections/rename/", data, follow=True)
    assert "on its way to the name “number theory”" in page.content.decode()
