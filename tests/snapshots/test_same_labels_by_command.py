"""A human snapshot's PRM800K lines, read by the command, have the labels that the site froze."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelsite.annotations.importers import import_file
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.exports import prm800k_lines
from labelsite.snapshots.services import folder_of, freeze
from ml.commands.snapshot import main
from ml.snapshot import read_snapshot
from tests.factories import make_annotation, make_user

pytestmark = pytest.mark.django_db
# What the checker says of four solutions of three steps, and what people do.
CHECKER = [0, 1, None, 2]
PEOPLE = [[[1, 1, -1]], [[1, 1, 1], [1, -1]], [[1, -1]], []]


def labelled_here(folder: Path) -> Campaign:
    solutions = [
        {
            "steps": [f"one of {number}", "two", "three"],
            "final_answer": "3",
            "is_correct": False,
            "first_mistake": mistake,
        }
        for number, mistake in enumerate(CHECKER)
    ]
    path = folder / "samples.jsonl"
    path.write_text(
        json.dumps({"id": "p", "problem": "What is 1 + 2?", "answer": "3", "solutions": solutions}) + "\n"
    )
    import_file(path, "misstep", "Sums")
    campaign = Campaign.objects.get(name="Sums")
    for task, looks in zip(campaign.tasks.order_by("solution_id"), PEOPLE, strict=True):
        for ratings in looks:
            make_annotation(task, make_user(), ratings)
    return campaign


def test_the_command_reads_a_site_s_prm800k_lines_with_the_labels_that_the_site_froze(tmp_path: Path):
    snapshot = freeze(labelled_here(tmp_path), "human")
    path = tmp_path / "prm800k.jsonl"
    path.write_text("".join(prm800k_lines(snapshot)))
    assert main(["--solutions", str(path), "--out", str(tmp_path / "snapshot")]) == 0
    frozen = {row.steps[0]: row for row in read_snapshot(folder_of(snapshot))}
    found = {row.steps[0]: row for row in read_snapshot(tmp_path / "snapshot")}
    for name, row in frozen.items():
        assert (found[name].steps, found[name].labels) == (row.steps, row.labels)
        assert found[name].first_mistake == row.first_mistake
    assert len(found) == len(frozen) == 4
