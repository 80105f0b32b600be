"""Solutions without labels are kept where that is asked for, and their known answers alone teach."""

from __future__ import annotations

import pytest

from labelsite.campaigns.models import Campaign
from labelsite.snapshots.exports import prm800k_lines
from labelsite.snapshots.services import freeze
from ml.errors import MisstepError
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)
from tests.snapshots.test_exports import STEPS, stepwise, two_solutions
from tests.snapshots.test_freeze import rows_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign("Sums")


@pytest.mark.parametrize("labels", ["human", "mixed"])
def test_solutions_without_labels_stay_where_asked_for_their_known_answer(campaign: Campaign, labels: str):
    make_annotation(make_task(campaign), make_user(), [1, -1])
    known = make_task(campaign, make_solution(["a", "b"], is_correct=False))
    make_task(campaign, make_solution(["a", "b", "c"], is_correct=None))
    reported = make_task(campaign, make_solution(["a"], is_correct=True))
    make_annotation(reported, make_user(), [], finish_reason="bad_problem", reason="no question")
    searched = make_task(campaign, make_solution(["a", "b"], is_correct=None))
    campaign.estimate_run = make_estimates(searched.solution, [1.0, 0.0])
    campaign.save()
    plain, kept = freeze(campaign, labels), freeze(campaign, labels, keep_unlabelled=True)
    (bare,) = [row for row in rows_of(kept) if row.labels == [None] * len(row.steps)]
    assert (bare.id, bare.is_correct, bare.human) == (str(known.solution_id), False, None)
    assert kept.manifest["counts"]["rows"] == plain.manifest["counts"]["rows"] + 1
    assert kept.manifest["counts"]["solutions_kept_without_labels"] == 1
    lost = [each.manifest["filters"]["solutions_without_evidence"] for each in (plain, kept)]
    assert lost[1] == lost[0] - 1


def test_answers_alone_are_a_snapshot_where_asked(campaign: Campaign):
    make_task(campaign, make_solution(["a", "b"], is_correct=False))
    with pytest.raises(MisstepError, match="nothing to freeze"):
        freeze(campaign, "human")
    assert freeze(campaign, "human", keep_unlabelled=True).manifest["counts"]["labelled_steps"] == 0


def test_what_was_frozen_without_labels_is_in_no_export(campaign: Campaign):
    two_solutions(campaign)
    make_task(campaign, make_solution(STEPS, problem="What is 3 + 2?", is_correct=True))
    plain, kept = freeze(campaign, "mixed"), freeze(campaign, "mixed", keep_unlabelled=True)
    assert plain.manifest["counts"]["rows"] + 1 == kept.manifest["counts"]["rows"]
    assert len(list(prm800k_lines(plain))) == len(list(prm800k_lines(kept)))
    assert stepwise(plain) == stepwise(kept)
