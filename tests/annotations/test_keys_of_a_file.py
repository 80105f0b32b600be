"""Nothing that a file says is dropped in silence: keys are told, kept or refused; labels come under people's names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign, Task
from labelsite.jobs.models import Job
from labelsite.jobs.tasks import run_here
from labelsite.problems.models import Solution
from labelsite.snapshots.services import folder_of, freeze
from ml.snapshot import read_snapshot
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_folder")]
LINE = {"id": "a-1", "problem": "What is 1 + 1?", "answer": "2", "steps": ["one", "two"]}


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(make_user("admin"))
    return client


def a_file(folder: Path, *records: dict[str, Any]) -> Path:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def imported(path: Path, format: str, capsys: pytest.CaptureFixture[str], campaign: str = "C") -> str:
    call_command("import_solutions", str(path), format=format, campaign=campaign, create_campaign=True)
    return capsys.readouterr().out


def upload(browser: Client, path: Path) -> tuple[str, str]:
    """The preview's address and its page."""
    response: Any = browser.post("/import/", {"file": SimpleUploadedFile("own.jsonl", path.read_bytes())})
    return response.url, browser.get(response.url).content.decode()


@pytest.mark.parametrize("key", ["labels", "rating", "first_mistake", "annotator"])
def test_labels_in_the_format_that_takes_none_are_refused_with_the_one_that_does(tmp_path: Path, key: str):
    path = a_file(tmp_path, {**LINE, key: [1, -1]})
    with pytest.raises(CommandError, match=f"`{key}`, which looks like labels.*`annotated`"):
        call_command("import_solutions", str(path), format="records", campaign="C", create_campaign=True)
    assert not Solution.objects.exists()


def test_other_keys_stay_with_their_solution_and_are_told(tmp_path: Path, capsys):
    path = a_file(tmp_path, {**LINE, "ticket": "T-1"}, {**LINE, "id": "a-2", "ticket": "T-2", "foo": 1})
    assert "kept as metadata: ticket (2), foo (1)" in imported(path, "records", capsys)
    kept = Solution.objects.get(external_id="a-2").extra
    assert kept["metadata"] == {"ticket": "T-2", "foo": 1}


def test_keys_that_a_format_does_not_read_are_told_by_the_command_the_preview_and_the_job(
    browser: Client, tmp_path: Path, capsys
):
    solution = {"steps": ["one"], "first_mistake": None, "annotator": "ann"}
    path = a_file(tmp_path, {"problem": "p", "solutions": [solution, solution], "foo": 1})
    url, page = upload(browser, path)
    assert "solutions[].annotator (2), foo (1)" in page and "not imported" in page
    browser.post(f"{url}start/", {"format": "misstep", "campaign": "D", "new_campaign": "D", "section": ""})
    job = Job.objects.get(verb="import")
    run_here(job)
    job.refresh_from_db()
    assert job.result["unread_keys"] == {"solutions[].annotator": 2, "foo": 1}
    assert "solutions[].annotator (2)" in browser.get(f"/jobs/{job.pk}/").content.decode()
    assert "not read, so not imported: solutions[].annotator (2), foo (1)" in imported(
        path, "misstep", capsys
    )


def test_a_key_named_like_a_method_of_a_mapping_breaks_no_page(browser: Client, tmp_path: Path):
    path = a_file(tmp_path, {"problem": "p", "solutions": [], "items": 1, "keys": 2})
    url, _ = upload(browser, path)
    browser.post(f"{url}start/", {"format": "misstep", "campaign": "D", "new_campaign": "D", "section": ""})
    job = Job.objects.get(verb="import")
    run_here(job)
    assert "items (1)" in browser.get(f"/jobs/{job.pk}/").content.decode()


def looks_at(*looks: dict[str, Any]) -> dict[str, Any]:
    return {**LINE, "annotations": list(looks)}


def test_peoples_labels_are_imported_under_their_names_and_are_no_gold(tmp_path: Path, capsys):
    looks = [
        {"annotator": "ann", "first_mistake": 1},
        {"annotator": "bo", "ratings": [1, -1], "reason": "2 is not two", "created_at": "2026-01-02"},
        {"annotator": "cy", "first_mistake": None},
    ]
    told = imported(a_file(tmp_path, looks_at(*looks)), "annotated", capsys)
    assert "read 1 solutions; added 1 solutions, 1 tasks and 3 annotations (0 break" in told
    found = Annotation.objects.order_by("annotator__username")
    assert [(one.annotator.username, one.trajectory) for one in found] == [
        ("imported:ann", [1, -1]), ("imported:bo", [1, -1]), ("imported:cy", [1, 1])
    ]  # fmt: skip
    assert found[1].reason == "2 is not two"
    assert not User.objects.filter(username__startswith="imported:", is_machine=False).exists()
    task = Task.objects.get()
    assert (task.kind, task.gold) == ("work", None)
    (row,) = read_snapshot(folder_of(freeze(Campaign.objects.get(), "human")))
    assert row.first_mistake == 1 and (row.human or {})["annotators"] == 3


def test_importing_the_same_labels_again_adds_nothing_and_new_ones_are_added(tmp_path: Path, capsys):
    ann, bo = ({"annotator": name, "first_mistake": 0} for name in ("ann", "bo"))
    imported(a_file(tmp_path, looks_at(ann)), "annotated", capsys)
    told = imported(a_file(tmp_path, looks_at(ann, bo)), "annotated", capsys)
    assert "added 0 solutions, 0 tasks and 1 annotations" in told


def test_the_preview_says_whose_look_it_shows(browser: Client, tmp_path: Path):
    _, page = upload(browser, a_file(tmp_path, looks_at({"annotator": "ann", "first_mistake": 0})))
    assert "looks like: your own labels" in page and "ann: found the first mistake" in page
