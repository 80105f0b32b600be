"""Looks of `annotated` files that were given up, as earlier versions stored them."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from labelsite.annotations.import_refusals import Differs
from labelsite.annotations.importers import import_file
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.services import folder_of, freeze
from ml.snapshot import read_snapshot

pytestmark = pytest.mark.django_db
EVERY_STEP = {"ratings": [1, 1]}
NO_MISTAKE = {"first_mistake": None}


def looked_at(problem: str, look: dict[str, Any], ending: str = "give_up") -> dict[str, Any]:
    asked = {"annotator": "kim", "finish_reason": ending, "reason": "stuck", **look}
    return {"problem": problem, "steps": ["one", "two"], "annotations": [asked]}


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def migrate() -> None:
    import_module("labelsite.annotations.migrations.0007_give_ups_rated_nothing").rate_nothing(apps, None)


def live() -> dict[str, tuple[list[int], int]]:
    rows = Annotation.objects.filter(is_live=True)
    return {
        problem: (trajectory, revision)
        for problem, trajectory, revision in rows.values_list(
            "task__solution__problem__text", "trajectory", "revision"
        )
    }


def test_a_give_up_without_a_mistake_was_stored_as_right_steps_and_rates_nothing_after_the_migration(
    tmp_path: Path,
):
    # Every step +1 is what earlier versions made of `first_mistake: null`.
    stored = [looked_at("given up", EVERY_STEP), looked_at("reported", EVERY_STEP, "bad_problem")]
    others = [looked_at("came to one step", {"ratings": [1]}), looked_at("finished", EVERY_STEP, "solution")]
    import_file(written(tmp_path / "old.jsonl", *stored, *others), "annotated", "C")
    migrate()
    assert live() == {
        "given up": ([], 2),
        "reported": ([], 2),
        "came to one step": ([1], 1),
        "finished": ([1, 1], 1),
    }
    assert list(Annotation.objects.filter(is_live=False).values_list("trajectory", flat=True)) == [[1, 1]] * 2
    rows = read_snapshot(folder_of(freeze(Campaign.objects.get(), "human")))
    assert {row.problem: row.labels for row in rows} == {
        "came to one step": [1.0, None],
        "finished": [1.0, 1.0],
    }
    # As the format is read now, the file says the same.
    read_now = [looked_at("given up", NO_MISTAKE), looked_at("reported", NO_MISTAKE, "bad_problem"), *others]
    assert import_file(written(tmp_path / "now.jsonl", *read_now), "annotated", "C").new_annotations == 0


def test_somebody_who_did_rate_every_step_before_giving_up_is_heard_again_with_their_file(tmp_path: Path):
    path = written(tmp_path / "old.jsonl", looked_at("given up", EVERY_STEP))
    import_file(path, "annotated", "C")
    migrate()
    with pytest.raises(Differs):
        import_file(path, "annotated", "C")
    assert import_file(path, "annotated", "C", revises=True).revised == 1
    assert live() == {"given up": ([1, 1], 3)}


def test_what_was_rated_before_a_give_up_in_prm800k_stays(tmp_path: Path):
    steps = [{"completions": [{"text": text, "rating": 1}], "chosen_completion": 0} for text in ("a", "b")]
    label = {"steps": steps, "total_time": 1, "finish_reason": "give_up"}
    path = written(tmp_path / "file.jsonl", {"question": {"problem": "p"}, "label": label})
    import_file(path, "prm800k", "C")
    migrate()
    assert live() == {"p": ([1, 1], 1)}
