from __future__ import annotations

import json
import shutil
from importlib.metadata import PackageNotFoundError

import pytest
from django.core.management import call_command
from django.db import connection

from labelsite.embedded.management.commands import doctor
from labelsite.jobs.workers import say_alive
from labelsite.snapshots.services import freeze
from tests.factories import make_annotation, make_campaign, make_task, make_user


def examine(capsys) -> tuple[bool, dict[str, dict[str, str]]]:
    try:
        call_command("doctor", "--json")
    except SystemExit as end:
        assert end.code == 1
    body = json.loads(capsys.readouterr().out)
    return body["ok"], {finding["name"]: finding for finding in body["findings"]}


@pytest.mark.django_db
def test_it_says_what_works_and_calls_a_forgetful_database_bad(capsys, var_folder):
    # The tests' own server does not wait for the disk: exactly what the doctor must not let pass.
    is_well, findings = examine(capsys)
    assert not is_well
    assert findings["durability"]["state"] == "bad" and "fsync off" in findings["durability"]["found"]
    assert "set fsync" in findings["durability"]["mend"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        assert cursor.fetchone()[0] in findings["database"]["found"]
    assert findings["sandbox"]["state"] == "good" and findings["sandbox"]["found"].endswith("trial run ok")
    assert "process:" in findings["sandbox"]["found"]
    for finding in findings.values():
        assert finding["state"] == "good" or finding["mend"]
    # The other tests ask for one thing each: the whole round, with torch and the sandbox, takes seconds.
    assert len(findings) >= len(doctor.LOOKS) and {"workers", "files", "VAR"} <= {*findings}


def test_a_sandbox_that_is_monty_alone_is_weak_and_says_so(monkeypatch):
    alone = doctor.ASK_SANDBOX.replace("import sandbox;", "import Sandbox;")
    monkeypatch.setattr(doctor, "ASK_SANDBOX", alone.replace("sandbox()", "Sandbox(use_processes=False)"))
    (finding,) = doctor.sandbox()
    assert finding.state == "weak" and "is switched off" in finding.found and finding.mend


def test_a_host_that_would_grade_answers_by_their_text_alone_is_bad(monkeypatch):
    (finding,) = doctor.grader()
    assert finding.state == "good" and finding.found.startswith("math-verify ")
    monkeypatch.setattr(doctor, "version", lambda _: (_ for _ in ()).throw(PackageNotFoundError))
    (finding,) = doctor.grader()
    assert finding.state == "bad" and "no math-verify" in finding.found and "pip install" in finding.mend


@pytest.mark.django_db
def test_a_queue_that_nobody_serves_is_named():
    say_alive("here", ["default"])
    finding = next(doctor.workers())
    assert finding.name == "workers" and (finding.state, finding.found) == ("weak", "here (default)")
    assert "worker -Q gpu -c 1" in finding.mend
    say_alive("there", ["gpu"])
    assert next(doctor.workers()).state == "good"


@pytest.mark.django_db
def test_a_snapshot_whose_files_were_not_put_back_is_named(settings, tmp_path):
    settings.VAR = tmp_path
    campaign = make_campaign()
    make_annotation(make_task(campaign), make_user())
    snapshot = freeze(campaign, "human")
    (finding,) = doctor.files()
    assert finding.found == "1 snapshots, 0 checkpoints"
    shutil.rmtree(tmp_path / "snapshots")
    (finding,) = doctor.files()
    assert finding.state == "bad" and f"snapshots/{snapshot.folder}" in finding.found
