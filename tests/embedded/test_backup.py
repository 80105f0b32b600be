"""What docs/deploying.md says of backups, done with the real programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psycopg

from labelsite.embedded.postgres import binaries
from labelsite.embedded.supervisor import hold_servers
from tests.data import ROOT


def documented(command: str, url: str) -> list[str]:
    """The words of a command as the page on deploying gives them, for this address."""
    text = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    (line,) = [line.strip() for line in text.splitlines() if line.strip().startswith(f"{command} ")]
    return [part.replace("$DATABASE_URL", url).strip('"') for part in line.split()]


def test_a_dump_is_put_back_into_an_empty_database_by_the_documented_words(var: Path) -> None:
    hold = hold_servers(var, ["postgres"], durable=False)
    url = hold.urls["postgres"]
    empty = url.replace("/misstep?", "/put_back?")
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("CREATE TABLE kept (said text)")
        database.execute("INSERT INTO kept VALUES ('a label')")
        database.execute("CREATE DATABASE put_back")
    for words in (documented("pg_dump", url), documented("pg_restore", empty)):
        subprocess.run(
            [binaries() / words[0], *words[1:]], cwd=var, check=True, env=os.environ | {"LC_ALL": "C"}
        )
    with psycopg.connect(empty) as database:
        assert database.execute("SELECT said FROM kept").fetchall() == [("a label",)]
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
