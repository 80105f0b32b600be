"""A file that is put right after what it brought was taken out again: no campaign has its old facts any more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelsite.annotations.import_refusals import Differs
from labelsite.annotations.import_summary import ImportSummary
from labelsite.annotations.importers import import_file
from labelsite.campaigns import removal
from labelsite.campaigns.imports import imports_of
from labelsite.campaigns.models import Campaign, Task
from labelsite.problems.models import Solution

pytestmark = pytest.mark.django_db


@pytest.fixture
def bring(tmp_path: Path):
    def imported(campaign: str = "C", **more: Any) -> ImportSummary:
        path = tmp_path / "file.jsonl"
        line = {"id": "s", "problem": "p", "steps": ["a"], "generator": "m", "is_correct": True, **more}
        path.write_text(json.dumps(line) + "\n")
        return import_file(path, "records", campaign)

    return imported


def undo() -> None:
    campaign = Campaign.objects.get(name="C")
    removal.undo(campaign, imports_of(campaign)[0])


def test_other_facts_than_those_of_what_was_taken_out_are_taken_over(bring) -> None:
    bring()
    undo()
    told = bring(generator="n", is_correct=False)
    assert Solution.objects.values_list("generator", "is_correct").get() == ("n", False)
    assert (told.new_solutions, told.new_tasks, told.revised) == (0, 1, 1)


@pytest.mark.parametrize("more", [{"generator": "n"}, {"is_correct": False}])
def test_what_another_campaign_has_still_is_refused_as_ever(bring, more: dict[str, Any]) -> None:
    bring()
    bring("D")
    undo()
    with pytest.raises(Differs):
        bring(**more)
    assert Solution.objects.values_list("generator", "is_correct").get() == ("m", True)
    assert Task.objects.get().campaign.name == "D"
