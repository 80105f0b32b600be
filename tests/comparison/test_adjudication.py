"""A reviewer's decision on a task that has gold already: the gold does not contradict it."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from labelsite.campaigns.models import Campaign
from labelsite.comparison.services import adjudicate
from labelsite.training.evidence import first_mistakes
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewer():
    return make_user("reviewer", username="ruth")


def task_with(gold=None, **fields):
    source = "checker" if gold else ""
    return make_task(make_campaign(), make_solution(["a step"] * 4), gold=gold, gold_source=source, **fields)


@pytest.mark.parametrize("kind", ["gold", "screening", "work"])
def test_another_decision_replaces_the_gold_and_leaves_the_task_what_it_is(reviewer, kind) -> None:
    task = task_with([1, 2], kind=kind, overlap=7, remaining=5)
    adjudicate(task, reviewer, [3, 0], make_gold=False)
    task.refresh_from_db()
    assert (task.gold, task.gold_source) == ([0, 3], "adjudicated by ruth")
    assert (task.kind, task.overlap, task.remaining, task.state) == (kind, 7, 5, "open")


def test_a_screening_item_stays_one_and_its_page_offers_no_gold(reviewer, client) -> None:
    task = task_with([1], kind="screening", overlap=7, remaining=5)
    decision = adjudicate(task, reviewer, [3], make_gold=True)
    task.refresh_from_db()
    assert (task.kind, task.gold, task.gold_source) == ("screening", [3], "adjudicated by ruth")
    assert (task.overlap, task.remaining, decision.made_gold) == (7, 5, False)
    client.force_login(reviewer)
    page = client.get(reverse("comparison:task", args=[task.campaign_id, task.pk])).content.decode()
    assert 'name="positions"' in page and "make_gold" not in page


def test_beside_the_offer_of_gold_stands_that_without_a_share_nobody_gets_it(reviewer, client) -> None:
    task, words = task_with(), "The share of gold items is 0, so nobody gets any."
    address = reverse("comparison:task", args=[task.campaign_id, task.pk])
    client.force_login(reviewer)
    assert words in client.get(address).content.decode()
    Campaign.objects.update(gold_rate=0.05)
    assert words not in client.get(address).content.decode()


def test_no_mistake_replaces_the_gold_too(reviewer) -> None:
    task = task_with([1])
    adjudicate(task, reviewer, [-1])
    task.refresh_from_db()
    assert task.gold == [-1]


def test_a_task_without_gold_gets_none(reviewer) -> None:
    task = task_with()
    adjudicate(task, reviewer, [1])
    task.refresh_from_db()
    assert (task.gold, task.gold_source) == (None, "")


def test_a_decision_that_is_refused_leaves_the_gold(reviewer) -> None:
    task = task_with([1])
    for positions in ([], [4]):
        with pytest.raises(ValidationError):
            adjudicate(task, reviewer, positions)
    task.refresh_from_db()
    assert (task.gold, task.gold_source) == ([1], "checker")


def test_a_step_behind_the_last_one_that_was_chosen_is_no_mistake_that_a_reviewer_can_name(
    reviewer, client
) -> None:
    task = make_task(make_campaign(), make_solution(["one", "two", ["three", "three again"]]))
    task.solution.step_rows.filter(position=2).update(is_chosen=False)
    make_annotation(task, make_user(), [1, -1])
    with pytest.raises(ValidationError, match="steps 1 to 2"):
        adjudicate(task, reviewer, [2])
    client.force_login(reviewer)
    page = client.get(reverse("comparison:task", args=[task.campaign_id, task.pk])).content.decode()
    offered = re.findall(r'name="positions" value="(-?\d+)"', page)
    assert offered == ["0", "1", "-1"]


def test_the_page_keeps_the_earlier_decisions_of_a_task_in_a_fold_and_escapes_them(reviewer, client) -> None:
    task = task_with()
    address = reverse("comparison:task", args=[task.campaign_id, task.pk])
    client.force_login(reviewer)
    adjudicate(task, reviewer, [0], note="<b>first</b> thought")
    assert "earlier decision" not in client.get(address).text
    adjudicate(task, make_user("reviewer", username="sam"), [1, 2], note="second thought")
    adjudicate(task, reviewer, [-1])
    page = client.get(address)
    assert [decision.positions for decision in page.context["opinions"].earlier] == [[1, 2], [0]]
    (fold,) = re.findall(
        r"<details><summary>2 earlier decisions</summary>.*?</details>", page.text, re.DOTALL
    )
    assert "<strong>sam</strong> 2, 3" in fold and "second thought" in fold
    assert "<strong>ruth</strong> 1 " in fold and "&lt;b&gt;first&lt;/b&gt; thought" in fold


def test_a_model_is_measured_by_the_newest_decision(reviewer) -> None:
    task = task_with()
    make_annotation(task, make_user(), [1, -1])
    adjudicate(task, reviewer, [1], make_gold=True)
    assert first_mistakes(task.campaign) == {task.solution_id: 1}
    adjudicate(task, reviewer, [2])
    assert first_mistakes(task.campaign) == {task.solution_id: 2}
