"""The first commands on a machine where nothing has run yet, as the README gives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from labelsite.embedded.management.commands import doctor
from labelsite.embedded.tables import why_in_a_line
from labelsite.environment import whole_number
from labelsite.settings import database_from
from tests.data import ROOT

SECRET = "only-for-tests-" * 3


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    dropped = ("DATABASE_URL", "BROKER_URL", "DJANGO_SETTINGS_MODULE", "SECRET_KEY")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_an_import_on_a_new_machine_makes_the_tables_first(var: Path, tmp_path: Path):
    file = tmp_path / "solutions.jsonl"
    solution = {
        "id": "1",
        "problem": "1 + 1 =",
        "steps": ["It is 2"],
        "label": -1,
        "final_answer_correct": True,
    }
    file.write_text(json.dumps(solution) + "\n")
    arguments = ("import_solutions", str(file), "--format", "processbench", "--campaign", "first")
    done = manage(*arguments, "--create-campaign", VAR=str(var))
    assert done.returncode == 0, done.stderr
    assert "making its tables" in done.stderr and "1" in done.stdout
    # A second command finds them.
    assert "making its tables" not in manage(*arguments, VAR=str(var)).stderr


@pytest.mark.django_db(transaction=True)
def test_a_database_of_one_s_own_without_tables_is_one_line_that_says_what_to_do(var: Path, tmp_path: Path):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS without_tables")
        cursor.execute("CREATE DATABASE without_tables")
    address = os.environ["DATABASE_URL"].replace("/misstep?", "/without_tables?")
    done = manage(
        "execute_steps", "--campaign", "first",
        VAR=str(var), DATABASE_URL=address, BROKER_URL="memory://", SECRET_KEY=SECRET,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE without_tables WITH (FORCE)")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("the database lacks tables; run python manage.py migrate")
    assert "Traceback" not in done.stderr


def test_a_bad_setting_and_a_database_that_does_not_answer_are_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LEASE_SECONDS", "soon")
    with pytest.raises(ImproperlyConfigured) as bad:
        whole_number("LEASE_SECONDS", 1)
    assert why_in_a_line(bad.value) == "LEASE_SECONDS is 'soon', expected a whole number of at least 0"
    nowhere = ConnectionHandler({"default": database_from("postgresql://nobody@127.0.0.1:1/x")})["default"]
    with pytest.raises(OperationalError) as gone, nowhere.wrap_database_errors:
        nowhere.connect()
    line = why_in_a_line(gone.value)
    assert line and "port 1 failed" in line and "doctor" in line and "\n" not in line


def test_the_doctor_looks_at_a_host_where_var_is_not_there_yet_and_no_server_answers(tmp_path: Path):
    variables = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "BROKER_URL": "redis://127.0.0.1:1/0",
    }
    done = manage("doctor", "--json", VAR=str(tmp_path / "new" / "var"), SECRET_KEY=SECRET, **variables)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert "is not there yet" in findings["disk"]["found"]
    assert findings["database"]["state"] == "bad" and "refused" in findings["database"]["found"]
    assert findings["broker"]["state"] == "weak"


def test_a_look_that_fails_is_a_finding_and_the_others_are_still_made(monkeypatch, capsys):
    def torn() -> None:
        raise FileNotFoundError("no such thing")

    monkeypatch.setattr(doctor, "LOOKS", (torn, doctor.versions))
    with pytest.raises(SystemExit):
        doctor.Command().execute(json=True, no_color=True, force_color=False, skip_checks=True)
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [(finding["name"], finding["state"]) for finding in findings] == [
        ("torn", "bad"),
        ("versions", "good"),
    ]
    assert "no such thing" in findings[0]["found"]
