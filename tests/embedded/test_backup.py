"""What docs/deploying.md says of backups, done with the real programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from labelsite.embedded.postgres import binaries
from labelsite.embedded.supervisor import hold_servers
from tests.data import ROOT


def documented(command: str, url: str) -> list[str]:
    """The words of a command as the page on deploying gives them, for this address."""
    text = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    (line,) = [line.strip() for line in text.splitlines() if line.strip().startswith(f"{command} ")]
    return [part.replace("$DATABASE_URL", url).strip('"') for part in line.split()]


LABELLED = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", interactive=False, verbosity=0)
from tests.factories import make_annotation, make_campaign, make_estimates, make_task, make_user
person = make_user(username="labeller")
campaign = make_campaign("Kept", members=[person])
task = make_task(campaign)
make_estimates(task.solution, [1.0, 0.0])
make_annotation(task, person, [1, -1])
"""


def make_a_site(url: str, var: Path) -> None:
    """The site's own tables in the database at `url`, with a label in them."""
    known = {"DATABASE_URL": url, "VAR": str(var), "SECRET_KEY": "only-for-tests-" * 3}
    known |= {"BROKER_URL": "redis://localhost:1/0", "DJANGO_SETTINGS_MODULE": "labelsite.settings"}
    subprocess.run([sys.executable, "-c", LABELLED], cwd=ROOT, env=os.environ | known, check=True)


def rows_of(url: str) -> dict[str, int]:
    """How many rows each table has."""
    with psycopg.connect(url) as database:
        names = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        counted = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone() for (name,) in names}
    return {name: row[0] for name, row in counted.items() if row}


def test_a_dump_is_put_back_into_an_empty_database_by_the_documented_words(var: Path) -> None:
    """Every row of every table, and the rules that the tables keep."""
    hold = hold_servers(var, ["postgres"], durable=False)
    url = hold.urls["postgres"]
    empty = url.replace("/misstep?", "/put_back?")
    make_a_site(url, var / "site")
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("CREATE DATABASE put_back")
    for words in (documented("pg_dump", url), documented("pg_restore", empty)):
        subprocess.run(
            [binaries() / words[0], *words[1:]], cwd=var, check=True, env=os.environ | {"LC_ALL": "C"}
        )
    there = rows_of(empty)
    assert there == rows_of(url)
    assert (there["campaigns_campaign"], there["annotations_steprating"]) == (1, 2)
    question = "SELECT trajectory FROM annotations_annotation JOIN accounts_user u ON u.id = annotator_id"
    with psycopg.connect(empty) as database:
        assert database.execute(f"{question} WHERE username = 'labeller'").fetchall() == [([1, -1],)]
        with pytest.raises(psycopg.errors.CheckViolation, match="never overwritten"):
            database.execute("UPDATE annotations_annotation SET trajectory = '{-1}'")
    hold.release()


def test_a_stopped_folder_that_was_copied_starts_elsewhere_with_everything_in_it(var: Path) -> None:
    hold = hold_servers(var / "here", ["postgres"])
    with psycopg.connect(hold.urls["postgres"]) as database:
        database.execute("CREATE TABLE kept AS SELECT 'a label' AS said")
    hold.release()
    shutil.copytree(var / "here", var / "there", symlinks=True)
    shutil.rmtree(var / "here")
    hold = hold_servers(var / "there", ["postgres"])
    with psycopg.connect(hold.urls["postgres"]) as database:
        assert database.execute("SELECT said FROM kept").fetchall() == [("a label",)]
    hold.release()
