"""A snapshot whose files are no longer what was frozen is handed out by no door."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from labelsite.snapshots import verifying
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import export, folder_of, freeze
from labelsite.snapshots.verifying import Damaged
from tests.api.conftest import script_of
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db
PART, ANNOTATIONS = "parts/part-00000.jsonl", "annotations.jsonl"


@pytest.fixture
def snapshot() -> Snapshot:
    campaign = make_campaign()
    make_annotation(make_task(campaign, make_solution(["a first step", "b"])), make_user())
    return freeze(campaign, "human", name="Frozen")


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(make_user("reviewer"))
    return client


def falsify(path: Path) -> None:
    """Another text of the same length, at the same time."""
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"a first step", b"X first step"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("file", "address"),
    [
        (PART, "parts/0/"),
        (ANNOTATIONS, "annotations.jsonl"),
        (ANNOTATIONS, "prm800k.jsonl"),
        (PART, "stepwise.jsonl"),
    ],
)
def test_a_download_of_a_changed_file_is_refused_with_its_name(
    reader: Client, snapshot: Snapshot, file: str, address: str
) -> None:
    whole = reader.get(f"/snapshots/{snapshot.pk}/{address}")
    assert whole.status_code == 200 and b"a first step" in b"".join(whole.streaming_content)
    falsify(folder_of(snapshot) / file)
    page = reader.get(f"/snapshots/{snapshot.pk}/{address}")
    assert page.status_code == 500
    assert f"{Path(file).name} is damaged" in page.content.decode() and "ETag" not in page.headers


def test_the_api_refuses_it_too(snapshot: Snapshot) -> None:
    falsify(folder_of(snapshot) / PART)
    reader = script_of(make_user("reviewer"))
    for address in ("parts/0/", "stepwise/"):
        answer = reader.get(f"/api/v1/snapshots/{snapshot.pk}/{address}")
        assert (answer.status_code, answer.json()["code"]) == (500, "damaged")


@pytest.mark.parametrize("file", [PART, ANNOTATIONS])
def test_an_export_of_a_changed_snapshot_leaves_nothing(
    tmp_path: Path, snapshot: Snapshot, file: str
) -> None:
    falsify(folder_of(snapshot) / file)
    with pytest.raises(Damaged, match="is damaged"):
        export(snapshot, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()


def test_a_file_that_was_whole_is_hashed_once_for_many_downloads(
    reader: Client, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed, real = [], verifying.hashlib.file_digest
    monkeypatch.setattr(verifying.hashlib, "file_digest", lambda *given: hashed.append(given) or real(*given))
    for _ in range(3):
        page = reader.get(f"/snapshots/{snapshot.pk}/parts/0/")
        assert b"a first step" in b"".join(page.streaming_content)
    assert len(hashed) == 1


@pytest.mark.parametrize("file", [PART, ANNOTATIONS, "manifest.json"])
def test_the_command_names_what_is_damaged_and_fails(snapshot: Snapshot, file: str) -> None:
    told = StringIO()
    call_command("verify_snapshots", stdout=told)
    assert told.getvalue() == "as they were frozen: 1 of 1 snapshots\n"
    (folder_of(snapshot) / file).write_bytes(b"{}\n")
    told = StringIO()
    with pytest.raises(CommandError, match="damaged: 1 of 1 snapshots"):
        call_command("verify_snapshots", stdout=told)
    assert told.getvalue().startswith("Frozen: ") and Path(file).name in told.getvalue()
