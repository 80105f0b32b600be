"""The script of docs/reference.md fetches a snapshot from a running site, verifies it, and one trains on it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labelsite.accounts.models import Role
from labelsite.snapshots import services
from labelsite.snapshots.models import Snapshot
from ml.snapshot import read_snapshot
from tests.api.conftest import script_of
from tests.factories import make_annotation, make_campaign, make_task, make_token, make_user
from tests.ml.prm.warm_process import WarmProcess

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = (Path(__file__).resolve().parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.fixture
def snapshot(monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    """Four solutions in two parts."""
    written = services.write_snapshot
    monkeypatch.setattr(
        services, "write_snapshot", lambda *given, **more: written(*given, rows_per_part=2, **more)
    )
    campaign, person = make_campaign(), make_user()
    for _ in range(4):
        make_annotation(make_task(campaign), person, [1, -1])
    frozen = services.freeze(campaign, "human")
    assert len(frozen.manifest["parts"]) == 2
    return frozen


def fetch(site: str, snapshot: Snapshot, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script as it stands in the documentation, as a reviewer."""
    (script,) = re.findall(r"### Fetching a snapshot\n.*?```python\n(.*?)```", TEXT, re.DOTALL)
    path = folder.with_name("fetch.py")
    path.write_text(script, encoding="utf-8")
    asked = [site, make_token(make_user(Role.REVIEWER)), str(snapshot.pk), str(folder)]
    return subprocess.run(
        [sys.executable, str(path), *asked], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_documented_script_leaves_a_folder_to_train_on(
    live_server: Any, snapshot: Snapshot, tmp_path: Path
):
    folder = tmp_path / "snap"
    done = fetch(live_server.url, snapshot, folder)
    assert done.returncode == 0, done.stderr
    found = read_snapshot(folder)
    assert (found.sha256, len(list(found))) == (snapshot.sha256, 4)
    again = fetch(live_server.url, snapshot, folder)
    assert (again.returncode, again.stdout) == (0, f"{folder} is finished already\n"), again.stderr
    command = ["train", "--snapshot", str(folder), "--steps", "1", "--out", str(tmp_path / "ckpt")]
    training = WarmProcess("ml", *command)
    _, words = training.communicate(timeout=120)
    assert training.returncode == 0, words
    card = json.loads((tmp_path / "ckpt" / "card.json").read_text())
    assert card["snapshot"]["sha256"] == snapshot.sha256


def test_the_documented_script_leaves_nothing_where_a_part_is_not_what_the_manifest_says(
    live_server: Any, snapshot: Snapshot, tmp_path: Path
):
    first, second = snapshot.manifest["parts"]
    snapshot.manifest["parts"] = [second, first]
    snapshot.save()
    done = fetch(live_server.url, snapshot, tmp_path / "snap")
    assert done.returncode != 0 and "expected " + snapshot.sha256 in done.stderr
    assert not (tmp_path / "snap").exists()
    (tmp_path / "snap").mkdir()
    assert fetch(live_server.url, snapshot, tmp_path / "snap").stderr.endswith("expected a new folder\n")


def test_the_documented_script_goes_on_behind_the_parts_that_it_has(
    own_folder: None, live_server: Any, snapshot: Snapshot, tmp_path: Path, settings: Any
):
    kept, torn = (part["file"] for part in snapshot.manifest["parts"])
    partial = tmp_path / "snap.partial"
    shutil.copytree(settings.VAR / "snapshots" / snapshot.folder, partial)
    (partial / torn).write_bytes(b"{")
    (settings.VAR / "snapshots" / snapshot.folder / kept).unlink()
    done = fetch(live_server.url, snapshot, tmp_path / "snap")
    assert done.returncode == 0, done.stderr
    assert read_snapshot(tmp_path / "snap").sha256 == snapshot.sha256


def test_the_documented_script_says_why_the_site_refused_and_that_it_is_away(
    live_server: Any, snapshot: Snapshot, tmp_path: Path
):
    snapshot.pk += 1
    refused = fetch(live_server.url, snapshot, tmp_path / "snap")
    assert refused.returncode != 0 and refused.stderr.startswith("manifest/: 404 There is no such")
    away = fetch("http://127.0.0.1:1", snapshot, tmp_path / "snap")
    assert away.returncode != 0 and "refused" in away.stderr and "start this again" in away.stderr
    assert "Traceback" not in refused.stderr + away.stderr


def test_the_annotations_of_a_human_snapshot_are_sent_with_the_hash_that_the_manifest_names(
    snapshot: Snapshot,
):
    reviewer = script_of(make_user(Role.REVIEWER))
    sent = reviewer.get(f"/api/v1/snapshots/{snapshot.pk}/prm800k/")
    (entry,) = reviewer.get(f"/api/v1/snapshots/{snapshot.pk}/manifest/").json()["files"]
    assert hashlib.sha256(b"".join(sent.streaming_content)).hexdigest() == entry["sha256"]  # type: ignore[attr-defined]


def test_a_request_keeps_solutions_without_labels_where_it_says_so():
    campaign = make_campaign()
    make_task(campaign)
    client, wanted = script_of(make_user(Role.ADMIN)), {"campaign": campaign.pk, "labels": "human"}
    assert client.post("/api/v1/snapshots/", wanted, format="json").status_code == 422
    made = client.post("/api/v1/snapshots/", {**wanted, "keep_unlabelled": True}, format="json")
    assert made.status_code == 201
    counts = Snapshot.objects.get().manifest["counts"]
    assert (counts["rows"], counts["labelled_steps"]) == (1, 0)
