"""A script pulls a campaign's annotations bit by bit, and misses none, whatever is committed in between."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from labelsite.accounts.models import Role, User
from labelsite.annotations import pulling
from labelsite.annotations.importers import import_file
from labelsite.annotations.models import Annotation, PullPlace
from labelsite.campaigns.models import Campaign
from tests.api.conftest import script_of
from tests.factories import make_annotation, make_campaign, make_task, make_user
from tests.transactions import held, in_background


@pytest.fixture
def admin(transactional_db: None) -> APIClient:
    return script_of(make_user(Role.ADMIN))


@pytest.fixture
def ann(transactional_db: None) -> User:
    return make_user(username="ann")


def pull(admin: APIClient, campaign: Campaign, after: int = 0, query: str = "") -> list[dict[str, Any]]:
    answer: Any = admin.get(f"/api/v1/campaigns/{campaign.pk}/annotations/?after={after}{query}")
    assert answer.status_code == 200, answer.content
    # The lines hold strangers' text, which no browser may take for anything else.
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return [json.loads(line) for line in b"".join(answer.streaming_content).decode().splitlines()]


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


def every_id() -> list[int]:
    return list(Annotation.objects.order_by("pk").values_list("pk", flat=True))


def test_a_label_committed_late_under_a_lower_id_is_pulled_next(admin, ann, campaign) -> None:
    slow, quick = make_task(campaign), make_task(campaign)
    with held(lambda: make_annotation(slow, ann)):
        make_annotation(quick, ann)
        first = ids(pull(admin, campaign))
    second = ids(pull(admin, campaign, first[-1]))
    assert sorted(first + second) == every_id() and len(first) == len(second) == 1
    assert pull(admin, campaign, second[-1]) == []


def test_nor_is_a_label_missed_whose_transaction_began_after_that_of_a_higher_id(
    admin, ann, campaign
) -> None:
    early, late = make_task(campaign), make_task(campaign)
    with ExitStack() as others:
        with transaction.atomic():
            connection.cursor().execute("SELECT pg_current_xact_id()")
            others.enter_context(held(lambda: make_annotation(late, ann)))
            make_annotation(early, ann)
        first = ids(pull(admin, campaign))
    second = ids(pull(admin, campaign, first[-1]))
    assert first > second and sorted(first + second) == every_id()


def test_an_import_that_commits_after_a_pull_is_pulled_whole(admin, ann, campaign, tmp_path: Path) -> None:
    file = tmp_path / "solutions.jsonl"
    rows = [
        {"id": str(number), "generator": "m", "problem": f"p{number}", "steps": ["a", "b"],
         "final_answer_correct": False, "label": 1}
        for number in range(20)
    ]  # fmt: skip
    file.write_text("\n".join(map(json.dumps, rows)))
    task = make_task(campaign)
    with held(lambda: import_file(file, "processbench", "C")):
        make_annotation(task, ann)
        first = ids(pull(admin, campaign))
    second = ids(pull(admin, campaign, max(first)))
    assert len(first) == 1 and len(second) == 20 and max(first) > max(second)


def test_a_pull_goes_on_behind_an_annotation_that_was_corrected_since(admin, ann, campaign) -> None:
    first = make_annotation(make_task(campaign), ann)
    last = pull(admin, campaign)[-1]["id"]
    Annotation.objects.filter(pk=first.pk).update(is_live=False)
    corrected = Annotation.objects.create(
        task=first.task, annotator=ann, trajectory=[1, -1], finish_reason="found_error", revision=2
    )
    assert ids(pull(admin, campaign, last)) == [corrected.pk]


def test_a_pull_without_cursors_in_the_server_gives_the_same(admin, ann, campaign, monkeypatch) -> None:
    monkeypatch.setattr("labelsite.snapshots.annotation_lines.CHUNK", 2)
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    made = [make_annotation(make_task(campaign), ann).pk for _ in range(5)]
    assert ids(pull(admin, campaign)) == made
    assert ids(pull(admin, campaign, made[0])) == made[1:]


def test_labels_of_excluded_people_are_left_out_unless_asked_for(admin, ann, campaign) -> None:
    kept = make_annotation(make_task(campaign), ann)
    gone = make_annotation(make_task(campaign), make_user(labels_excluded=True))
    later = make_annotation(make_task(campaign), ann)
    assert ids(pull(admin, campaign)) == [kept.pk, later.pk]
    assert [row["excluded"] for row in pull(admin, campaign, query="&excluded=include")] == [
        False,
        True,
        False,
    ]
    assert len(pull(admin, campaign, query="&shape=prm800k")) == 2
    assert len(pull(admin, campaign, query="&shape=prm800k&excluded=include")) == 3
    assert ids(pull(admin, campaign, gone.pk)) == [later.pk]
    url = f"/api/v1/campaigns/{campaign.pk}/annotations/?excluded=yes"
    assert admin.get(url).status_code == 400


def test_a_pull_waits_for_no_other_where_nothing_is_new_and_gives_places_in_its_campaign_alone(
    admin, ann, campaign
) -> None:
    made = make_annotation(make_task(campaign), ann)
    assert ids(pull(admin, campaign)) == [made.pk]
    other = make_campaign("D", members=[ann])
    elsewhere = make_annotation(make_task(other), ann)
    pulled: list[list[int]] = []
    with held(lambda: connection.cursor().execute(pulling._ONE_AT_A_TIME)):
        pulling_here = in_background(lambda: pulled.append(ids(pull(admin, campaign))))
        pulling_here.join(10)
        assert pulled == [[made.pk]]
    assert not PullPlace.objects.filter(annotation=elsewhere).exists()
    assert ids(pull(admin, other)) == [elsewhere.pk]


@pytest.mark.parametrize("after", [10**6, 10**25])
def test_an_id_of_no_annotation_is_refused(admin, campaign, after: int) -> None:
    answer = admin.get(f"/api/v1/campaigns/{campaign.pk}/annotations/?after={after}")
    assert answer.status_code == 400 and "after=" in answer.json()["detail"]


def test_a_pull_behind_an_annotation_of_another_campaign_is_refused(admin, ann, campaign) -> None:
    make_annotation(make_task(campaign), ann)
    other = make_campaign("D", members=[ann])
    make_annotation(make_task(other), ann)
    (elsewhere,) = ids(pull(admin, other))
    answer = admin.get(f"/api/v1/campaigns/{campaign.pk}/annotations/?after={elsewhere}")
    assert answer.status_code == 400
    assert (
        answer.json()["detail"] == f"after='{elsewhere}', expected the id of an annotation of this campaign"
    )


def test_a_line_says_when_its_file_says_it_was_labelled_and_who_wrote_each_step(
    admin, campaign, tmp_path: Path
) -> None:
    step = {
        "completions": [{"text": "2 + 2 = 5", "rating": -1}],
        "human_completion": {"text": "2 + 2 = 4", "rating": None},
        "chosen_completion": None,
    }
    label = {"steps": [step], "total_time": 1, "finish_reason": "found_error"}
    row = {"timestamp": "2022-07-30T14:38:50", "question": {"problem": "2 + 2?"}, "label": label}
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(row))
    import_file(path, "prm800k", campaign.name)
    (line,) = pull(admin, campaign)
    assert line["labelled_at"] == "2022-07-30T14:38:50"
    (position,) = line["solution"]["positions"]
    assert position["options"] == ["2 + 2 = 5", "2 + 2 = 4"]
    assert position["sources"] == ["model", "human"]
