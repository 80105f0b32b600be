"""Text from people, files and models is text on every page that the site has, and never a part of the page."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client

from labelsite.accounts.models import ApiToken
from labelsite.annotations.models import Annotation, StepRating
from labelsite.autolabels.models import DisputedAnswer, EstimateRun, ScoreRun, SearchTree, UnansweredProblem
from labelsite.campaigns.models import Campaign, Task
from labelsite.jobs.models import Job
from labelsite.problems.models import Problem, Solution, Step
from labelsite.snapshots.models import Snapshot
from labelsite.training.models import TrainingRun
from tests.browser.test_every_page import filled_site, pages_for
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_folder")]
# Of each table, the columns whose text comes from outside and stands on some page.
FREE_TEXT: dict[type[Model], str] = {
    Problem: "text answer reference_solution",
    Solution: "generator final_answer",
    Step: "text output",
    EstimateRun: "name policy",
    SearchTree: "data",
    DisputedAnswer: "reference answer",
    UnansweredProblem: "reason",
    ScoreRun: "name",
    Campaign: "name guideline",
    Task: "gold_source section",
    Annotation: "reason",
    StepRating: "note",
    Snapshot: "name",
    TrainingRun: "name",
    Job: "title error",
    ApiToken: "name",
}


PLACES = [(table, column) for table, columns in FREE_TEXT.items() for column in columns.split()]


def make_all_text_hostile() -> None:
    """Each text ends whatever it might stand in, and gives the number of the place that it came from."""
    with connection.cursor() as cursor:
        # What a person said of a solution is never written over otherwise.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE annotations_annotation DISABLE TRIGGER annotation_is_final")
    for number, (table, column) in enumerate(PLACES):
        text = f"\"'><script>alert({number})</script>"
        if table is SearchTree:
            tree = SearchTree.objects.get()
            tree.data["nodes"][1]["text"] = text
            tree.save()
        else:
            table._default_manager.update(**{column: text})


def test_no_text_of_people_files_and_models_is_taken_for_a_part_of_any_page() -> None:
    reader = make_user("admin")
    samples = filled_site(reader)
    Campaign.objects.update(shows_reference_solution=True)
    make_all_text_hostile()
    client = Client()
    client.force_login(reader)
    shown = set()
    for name, address in pages_for(reader, samples).items():
        page = client.get(address).content.decode()
        assert "<script>alert" not in page and "\"'>" not in page, name
        shown |= {int(number) for number in re.findall(r"alert\((\d+)\)", page)}
    missing = [
        f"{table.__name__}.{column}" for number, (table, column) in enumerate(PLACES) if number not in shown
    ]
    assert not missing, f"no page shows {missing}, so none can have escaped it"
