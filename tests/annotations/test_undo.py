"""A submission that is opened again says what it said: submitted again unchanged, it is stored the same."""

from __future__ import annotations

import pytest

from labelsite.annotations import services
from labelsite.campaigns.models import Protocol
from tests.annotations.submissions import go_on_alone, judgement, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def every_option(lease, campaign):
    campaign.protocol = Protocol.EVERY_OPTION
    campaign.save()
    return lease


def test_steps_of_ones_own_that_reached_the_answer_still_reach_it(every_option) -> None:
    draft = services.undo(go_on_alone(every_option))
    assert (draft["written"], draft["reached"]) == (["It is four."], True)


def test_steps_of_ones_own_that_ended_at_the_mistake_still_end_there(every_option) -> None:
    said = judgement(every_option.task, 1, -1, alternatives=(-1, -1), written=["It is four."])
    stored = services.submit(every_option, str(every_option.token), "0" * 32, said)
    assert (stored.finish_reason, services.undo(stored)["reached"]) == ("found_error", False)


@pytest.mark.parametrize("exit", ["give_up", "bad_problem"])
def test_why_a_task_was_left_is_not_told_of_a_step_afterwards(lease, exit) -> None:
    assert services.undo(submit(lease, 1, finish_reason=exit, reason="too long"))["reason"] == ""


def test_what_is_wrong_with_the_step_is_opened_again(lease) -> None:
    said = submit(lease, 1, -1, alternatives=(1, 1), reason="two and two is four")
    assert services.undo(said)["reason"] == "two and two is four"
    assert services.undo(said)["reached"] is False
