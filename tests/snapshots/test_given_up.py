"""Looks that were given up: what was rated before is labels, and no verdict on the solution."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from labelsite.annotations.importers import import_file
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.exports import prm800k_lines
from labelsite.snapshots.rows import first_mistakes
from labelsite.snapshots.services import freeze
from ml import formats
from ml.targets import LabelRule, has_verdict
from tests.data import real_data
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)
from tests.snapshots.test_freeze import rows_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign("Arithmetic")


def test_a_snapshot_of_a_real_file_trains_on_what_people_finished():
    path = real_data("prm800k/samples_raw.jsonl")
    call_command("import_solutions", str(path), format="prm800k", campaign="Real", create_campaign=True)
    snapshot = freeze(Campaign.objects.get(name="Real"), "human")
    # Six lines: one was given up, after steps that have labels, and one was for screening.
    assert snapshot.manifest["filters"] == {
        "annotations_for_quality_control": 1,
        "solutions_without_evidence": 1,
    }
    rows = rows_of(snapshot)
    assert [row.first_mistake for row in rows] == [None, 6, None, None, None]
    assert [has_verdict(row) for row in rows].count(False) == 1
    finished = freeze(Campaign.objects.get(name="Real"), "human", LabelRule(given_up="drop"))
    assert finished.manifest["filters"] == {
        "annotations_for_quality_control": 1,
        "annotations_unfinished": 1,
        "solutions_without_evidence": 2,
    }
    assert [row.first_mistake for row in rows_of(finished)] == [None, 6, None, None]


def test_what_was_rated_before_everybody_gave_up_is_labels_without_a_verdict(campaign: Campaign):
    person, other = make_user(), make_user()
    stuck = make_task(campaign, overlap=2)
    make_annotation(stuck, person, [1], finish_reason="give_up", reason="stuck")
    make_annotation(make_task(campaign), person, [], finish_reason="give_up", reason="nothing rated")
    judged = make_task(campaign, overlap=2)
    make_annotation(judged, person, [1], finish_reason="give_up", reason="stuck")
    make_annotation(judged, other, [1, -1])
    snapshot = freeze(campaign, "human")
    rows = {row.id: row for row in rows_of(snapshot)}
    open_row = rows[str(stuck.solution_id)]
    assert (open_row.labels, open_row.first_mistake) == ([1.0, None], None) and not has_verdict(open_row)
    assert rows[str(judged.solution_id)].first_mistake == 1
    # Nothing rated, and outdone by somebody's verdict: each give-up is labels or counted as left out.
    assert snapshot.manifest["filters"] == {"annotations_unfinished": 2, "solutions_without_evidence": 1}
    assert snapshot.manifest["counts"]["solutions_given_up"] == 1
    assert snapshot.manifest["lineage"]["labelers"] == {str(person.pk): 1, str(other.pk): 1}
    assert list(first_mistakes(campaign)) == [(judged.solution_id, 1)]


@pytest.mark.parametrize(
    ("neutral", "rated", "exported", "labels"),
    [
        ("positive", [1, 0, 1], [1, 1, 1], [1.0, 1.0, 1.0]),
        ("drop", [1, 0, 1], [1, 0, 1], [1.0, None, 1.0]),
        ("drop", [1, 0], [1, 0], [1.0, None, None]),
    ],
)
def test_a_give_up_is_exported_as_one_however_far_it_came_and_comes_back_as_one(
    campaign: Campaign,
    tmp_path: Path,
    neutral: str,
    rated: list[int],
    exported: list[int],
    labels: list[float | None],
):
    stuck = make_task(campaign, make_solution(["a", "b", "c"], problem="What is 1 + 2?"))
    make_annotation(stuck, make_user(), rated, finish_reason="give_up", reason="stuck")
    # Mixed labels need a search: of another solution, so that these labels are the person's alone.
    campaign.estimate_run = make_estimates(make_task(campaign).solution, [1.0, 1.0])
    campaign.save()
    snapshot = freeze(campaign, "mixed", LabelRule(neutral=neutral))
    path = tmp_path / "exported.jsonl"
    path.write_text(next(line for line in prm800k_lines(snapshot) if "1 + 2" in line))
    (labelled,) = formats.read(path, "prm800k")
    assert labelled.annotation is not None and labelled.annotation.finish_reason == "give_up"
    assert [rating.rating for rating in labelled.annotation.ratings] == exported
    assert "gave up" in labelled.annotation.reason and not labelled.broken_rule
    import_file(path, "prm800k", "Back")
    (row,) = rows_of(freeze(Campaign.objects.get(name="Back"), "human", LabelRule(neutral=neutral)))
    assert (row.labels, row.first_mistake) == (labels, None) and not has_verdict(row)
