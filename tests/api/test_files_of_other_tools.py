"""A script that sends another tool's file is told whose it is, and nothing of it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from labelsite.jobs.models import Job

STUDIO = {"id": 7, "data": {"text": "What is 1 + 2?"}, "annotations": [{"result": []}]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (json.dumps([STUDIO]), "one JSON array over the whole file, as Label Studio exports it"),
        (json.dumps(STUDIO) + "\n", "a record of Label Studio"),
    ],
)
def test_an_export_of_another_tool_is_refused_by_its_name(
    admin: APIClient, tmp_path: Path, content: str, told: str
):
    file = SimpleUploadedFile("export.json", content.encode())
    answer = admin.post("/api/v1/imports/", {"file": file, "campaign": "C"}, format="multipart")
    assert answer.status_code == 422, answer.content
    assert f"export.json:1: {told}" in answer.content.decode() and not Job.objects.exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
