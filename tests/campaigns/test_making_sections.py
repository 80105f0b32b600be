"""Sections are made, renamed and dissolved on the campaign's pages, by admins alone."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from labelsite.campaigns import sections
from labelsite.campaigns.models import Assignment, Campaign, Task, TaskKind
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_member, make_problem, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    """Four tasks in the order of import: two sources, two policies, one wrong answer."""
    campaign = make_campaign()
    for source, generator, is_correct in (
        ("gsm8k", "small", True),
        ("gsm8k", "large", False),
        ("math", "small", True),
        ("math", "large", None),
    ):
        solution = make_solution(
            problem=make_problem(source=source), generator=generator, is_correct=is_correct
        )
        make_task(campaign, solution)
    return campaign


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(make_user("admin"))
    return client


def numbers_in(campaign: Campaign, section: str) -> list[int]:
    """The tasks of a section, numbered from 1 in the order of import."""
    rows = campaign.tasks.order_by("pk").values_list("section", flat=True)
    return [number for number, name in enumerate(rows, 1) if name == section]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"source": "gsm8k"}, [1, 2]),
        ({"generator": "large"}, [2, 4]),
        ({"source": "math", "generator": "small"}, [3]),
        ({"outcome": "wrong"}, [2]),
        ({"outcome": "unknown"}, [4]),
        ({"first": 2, "last": 3}, [2, 3]),
        ({"last": 90}, [1, 2, 3, 4]),
        ({"first": 90}, []),
        ({}, [1, 2, 3, 4]),
    ],
)
def test_a_filter_names_the_tasks_of_a_new_section(admin, campaign, wanted, numbers) -> None:
    url = f"/campaigns/{campaign.pk}/sections/"
    assert admin.get(url, {**wanted, "count": 1}).context["count"] == len(numbers)
    admin.post(url, {**wanted, "section": " hard ones "})
    assert numbers_in(campaign, "hard ones") == numbers


def test_words_of_the_problem_name_tasks_too(admin, campaign) -> None:
    make_task(campaign, make_solution(problem="A train leaves at noon."))
    admin.post(f"/campaigns/{campaign.pk}/sections/", {"words": "TRAIN", "section": "trains"})
    assert numbers_in(campaign, "trains") == [5]


def test_a_task_in_a_section_moves_only_where_that_is_wanted(admin, campaign) -> None:
    sections.assign(campaign, campaign.tasks.filter(solution__generator="small"), "easy")
    url = f"/campaigns/{campaign.pk}/sections/"
    counted = admin.get(url, {"source": "gsm8k", "count": 1})
    assert counted.context["elsewhere"] == 1
    admin.post(url, {"source": "gsm8k", "outside": "on", "section": "school"})
    assert (numbers_in(campaign, "easy"), numbers_in(campaign, "school")) == ([1, 3], [2])
    admin.post(url, {"source": "gsm8k", "section": "school"})
    assert (numbers_in(campaign, "easy"), numbers_in(campaign, "school")) == ([3], [1, 2])


def test_screening_belongs_to_no_section(admin, campaign) -> None:
    item = make_task(campaign, kind=TaskKind.SCREENING, gold=[-1])
    admin.post(f"/campaigns/{campaign.pk}/sections/", {"section": "all"})
    admin.post(f"/campaigns/{campaign.pk}/sections/pick/", {"section": "all", "task": [item.pk]})
    assert numbers_in(campaign, "all") == [1, 2, 3, 4]


def test_tasks_ticked_in_the_queue_go_into_a_section_and_those_of_other_campaigns_do_not(
    admin, campaign
) -> None:
    mine, other = campaign.tasks.first(), make_task()
    page = admin.get(f"/campaigns/{campaign.pk}/tasks/").content.decode()
    assert f'name="task" value="{mine.pk}"' in page
    admin.post(
        f"/campaigns/{campaign.pk}/sections/pick/", {"section": "picked", "task": [mine.pk, other.pk, "x"]}
    )
    assert list(Task.objects.filter(section="picked")) == [mine]


def test_the_queue_offers_every_section_and_the_one_that_it_is_narrowed_to(admin, campaign) -> None:
    done, waiting, *_ = campaign.tasks.exclude(kind="screening")
    Task.objects.filter(pk=done.pk).update(section="algebra", state="done")
    Task.objects.filter(pk=waiting.pk).update(section="geometry")
    sections_page = admin.get(f"/campaigns/{campaign.pk}/sections/").content.decode()
    link = re.search(r'href="([^"]+section=algebra[^"]*)"', sections_page)
    assert link
    shown = admin.get(unescape(link[1]))
    assert list(shown.context["rows"]) == [done]
    for query in ("?section=algebra", "?section=algebra&state=done", "?kind=gold&section=algebra"):
        page = admin.get(f"/campaigns/{campaign.pk}/tasks/{query}").content.decode()
        assert "<option selected>algebra</option><option>geometry</option>" in page
    page = admin.get(f"/campaigns/{campaign.pk}/tasks/?section=gone").content.decode()
    assert "<option selected>gone</option>" in page


def test_after_a_pick_the_queue_is_narrowed_as_before(admin, campaign) -> None:
    Task.objects.filter(kind="work").update(state="done", section="a & b")
    address = f"/campaigns/{campaign.pk}/tasks/?state=done&section=a+%26+b"
    action = re.search(r'id="pick" method="post" action="([^"]+)"', admin.get(address).content.decode())
    assert action
    first = campaign.tasks.filter(kind="work").first()
    after = admin.post(unescape(action[1]), {"section": "c", "task": [first.pk]}, follow=True)
    assert (after.context["state"], after.context["section"]) == ("done", "a & b")
    assert first not in after.context["rows"]


def test_a_nameless_or_endless_name_is_refused(admin, campaign) -> None:
    url = f"/campaigns/{campaign.pk}/sections/"
    for name in ("  ", "n" * 61):
        assert admin.post(url, {"section": name}, follow=True).status_code == 200
    assert numbers_in(campaign, "") == [1, 2, 3, 4]


def test_a_refused_name_keeps_the_filter_that_was_counted(admin, campaign) -> None:
    wanted = {"source": "gsm8k", "outcome": "wrong", "outside": "on"}
    url = f"/campaigns/{campaign.pk}/sections/"
    page = admin.post(url, {**wanted, "section": " "}, follow=True)
    assert page.context["count"] == 1 and page.context["filter"].cleaned_data["source"] == "gsm8k"
    assert "This field is required" in page.content.decode()


def test_who_picked_no_task_is_told_so(admin, campaign) -> None:
    page = admin.post(f"/campaigns/{campaign.pk}/sections/pick/", {"section": "picked"}, follow=True)
    told = page.content.decode()
    assert "tick the tasks that are to go there first" in told and "0 tasks" not in told


def test_a_renamed_section_keeps_its_tasks_and_its_people(admin, campaign) -> None:
    sections.assign(campaign, campaign.tasks.filter(solution__generator="small"), "easy")
    member = make_member(campaign, make_user(), sections=["easy", "hard"], chosen_section="easy")
    admin.post(f"/campaigns/{campaign.pk}/sections/rename/", {"old": "easy", "section": "simple"})
    member.refresh_from_db()
    assert (member.sections, member.chosen_section) == (["simple", "hard"], "simple")
    assert numbers_in(campaign, "simple") == [1, 3]
    lease = claim_next(campaign, member.user)
    assert isinstance(lease, Assignment) and lease.task.section == "simple"


def test_two_sections_never_become_one_by_a_name(admin, campaign) -> None:
    sections.assign(campaign, campaign.tasks.filter(solution__generator="small"), "easy")
    sections.assign(campaign, campaign.tasks.filter(solution__generator="large"), "hard")
    page = admin.post(
        f"/campaigns/{campaign.pk}/sections/rename/", {"old": "easy", "section": "hard"}, follow=True
    )
    assert "There is a section of that name already." in page.content.decode()
    assert numbers_in(campaign, "hard") == [2, 4]


def test_a_dissolved_section_opens_its_tasks_to_everybody(admin, campaign) -> None:
    sections.assign(campaign, campaign.tasks.filter(solution__generator="small"), "easy")
    member = make_member(campaign, make_user(), sections=["easy", "hard"], chosen_section="easy")
    admin.post(f"/campaigns/{campaign.pk}/sections/rename/", {"old": "easy", "section": "x", "dissolve": "1"})
    member.refresh_from_db()
    assert (member.sections, member.chosen_section) == (["hard"], "")
    assert numbers_in(campaign, "") == [1, 2, 3, 4]


def test_to_dissolve_a_section_takes_a_second_step_that_says_what_becomes_of_its_tasks(
    admin, campaign
) -> None:
    sections.assign(campaign, campaign.tasks.all(), "easy")
    page = admin.get(f"/campaigns/{campaign.pk}/sections/").content.decode()
    (before, fold) = re.split(r"<details><summary[^>]*>Dissolve<", page)
    assert "Its tasks stay in the campaign" in fold and 'name="dissolve"' in fold
    assert 'name="dissolve"' not in before


def test_a_section_stays_while_somebody_may_label_nowhere_else(admin, campaign) -> None:
    """No section at all means every section, so dissolving it would give that person more than they had."""
    sections.assign(campaign, campaign.tasks.all(), "easy")
    member = make_member(campaign, make_user(username="kept"), sections=["easy"])
    page = admin.post(
        f"/campaigns/{campaign.pk}/sections/rename/", {"old": "easy", "dissolve": "1"}, follow=True
    )
    assert "kept may label only there" in page.content.decode()
    member.refresh_from_db()
    assert member.sections == ["easy"] and numbers_in(campaign, "easy") == [1, 2, 3, 4]


def test_large_sections_move_in_batches_and_each_task_once(campaign, monkeypatch) -> None:
    monkeypatch.setattr(sections, "BATCH", 2)
    assert sections.assign(campaign, campaign.tasks.all(), "easy") == 4
    assert sections.assign(campaign, campaign.tasks.all(), "easy") == 0
    sections.rename(campaign, "easy", "simple")
    assert numbers_in(campaign, "simple") == [1, 2, 3, 4]


def test_reviewers_see_the_sections_and_change_nothing(client, campaign) -> None:
    sections.assign(campaign, campaign.tasks.filter(solution__generator="small"), "easy")
    make_member(campaign, make_user(username="kept"), sections=["easy"])
    url = f"/campaigns/{campaign.pk}/sections/"
    client.force_login(make_user("reviewer"))
    page = client.get(url)
    [row] = page.context["rows"]
    assert (row.name, row.tasks, row.open, row.done, row.people) == ("easy", 2, 2, 0, ["kept"])
    assert "Make a section" not in page.content.decode()
    client.post(url, {"section": "mine"})
    assert client.post(f"{url}rename/", {"old": "easy", "section": "mine"}).status_code == 403
    assert client.post(f"{url}pick/", {"task": [1], "section": "mine"}).status_code == 403
    assert numbers_in(campaign, "easy") == [1, 3] and numbers_in(campaign, "mine") == []
    client.force_login(make_user())
    assert client.get(url).status_code in (403, 404)
