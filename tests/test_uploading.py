"""A large upload passes through VAR alone, and says so where the disk there is full."""

from __future__ import annotations

import io
import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import IO, Any

import pytest
from django.test import Client

from labelsite.uploading import PREFIX
from tests.factories import make_token, make_user

pytestmark = pytest.mark.django_db

FULL = "large.jsonl: the disk is full, expected room for the upload in "


@pytest.fixture
def admin(settings: Any, own_folder: None) -> Client:
    """An admin's browser; what is uploaded counts as large."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000
    client = Client(raise_request_exception=False)
    client.force_login(make_user("admin"))
    return client


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda **_: open("/dev/full", "w+b"))  # noqa: SIM115


def large_file(size: int = 200_000) -> IO[bytes]:
    file = io.BytesIO(b"x" * size)
    file.name = "large.jsonl"
    return file


def test_a_large_upload_waits_beside_the_uploads_and_nowhere_else(
    admin: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "is-not-there"))
    assert admin.post("/import/", {"file": large_file()}).status_code == 302
    kept = Path(settings.MEDIA_ROOT)
    assert kept.stat().st_mode & 0o777 == 0o700
    assert sorted(path.suffix for path in kept.iterdir()) == [".data", ".json"]


# What is too little to be written at once fails when all of it has come.
@pytest.mark.parametrize("size", [200_000, 2_000])
def test_a_full_disk_is_told_on_the_page(admin: Client, full_disk: None, size: int) -> None:
    answer = admin.post("/import/", {"file": large_file(size)})
    assert answer.status_code == 400 and FULL in answer.content.decode()


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": str(uuid.uuid4())}])
def test_a_full_disk_is_told_by_the_api(admin: Client, full_disk: None, headers: dict[str, str]) -> None:
    with_token = {"Authorization": f"Token {make_token(make_user('admin'))}", **headers}
    said = {"file": large_file(), "campaign": "x", "format": "processbench"}
    answer = Client(raise_request_exception=False).post("/api/v1/imports/", said, headers=with_token)
    assert answer.status_code == 422 and FULL in answer.json()["detail"]


def test_a_full_disk_is_told_where_trees_are_opened(admin: Client, full_disk: None) -> None:
    answer = admin.post("/autolabels/trees/", {"file": large_file()}, follow=True)
    assert answer.status_code == 200 and FULL in answer.content.decode()


@pytest.mark.parametrize("size", [200_000, 500])
@pytest.mark.parametrize("address", ["/import/", "/autolabels/trees/"])
def test_a_folder_that_cannot_be_made_is_told_on_the_page(
    admin: Client, settings: Any, tmp_path: Path, address: str, size: int
) -> None:
    (tmp_path / "a file").touch()
    settings.MEDIA_ROOT = tmp_path / "a file" / "uploads"
    answer = admin.post(address, {"file": large_file(size)}, follow=True)
    assert "large.jsonl: Not a directory" in answer.content.decode()


@pytest.mark.parametrize(("seconds", "stays"), [(-3600, True), (3600, False)])
def test_what_a_killed_process_left_of_an_upload_goes_after_a_week_and_not_before(
    admin: Client, settings: Any, seconds: int, stays: bool
) -> None:
    left = Path(settings.MEDIA_ROOT, f"{PREFIX}x.jsonl.gz")
    left.parent.mkdir()
    left.touch()
    os.utime(left, (1, time.time() - 7 * 24 * 3600 - seconds))
    admin.post("/import/", {"file": large_file()})
    assert left.exists() == stays
