"""What the system refuses is one line and a status, not a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

from ml.__main__ import warn_plainly
from tests.data import ROOT


def run(*arguments: str, largest: int | None = None) -> subprocess.CompletedProcess[str]:
    """The real command; `largest`: no file that it writes may pass so many blocks of 1 KiB, as on a full disk."""
    # Python itself does not notice that its own cached code was cut off by the limit, and every later process would
    # stumble over it.
    command = [sys.executable, "-B", "-m", "ml", *arguments]
    if largest is not None:
        command = ["bash", "-c", f'ulimit -f {largest}; trap "" XFSZ; exec "$@"', "bash", *command]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    solutions, out = tmp_path / "in.jsonl", tmp_path / "in.jsonl" / "out"
    solutions.write_text(
        json.dumps({"id": "one", "problem": "1 + 1 =", "answer": "2", "steps": ["2"]}) + "\n"
    )
    done = run("autolabel", "--solutions", str(solutions), "--format", "records", "--out", str(out))
    assert done.returncode == 2
    assert done.stderr == f"python -m ml autolabel: {out}: Not a directory\n"


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    solutions, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    line = {"id": "one", "problem": "?", "steps": ["```python\nprint('x' * 3000)\n```"]}
    solutions.write_text(json.dumps(line) + "\n")
    done = run("execute", "--format", "records", "--solutions", str(solutions), "--out", str(out), largest=1)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"python -m ml execute: {out}: File too large"
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [solutions]


def test_a_warning_is_one_line_that_says_whose_it_is(monkeypatch) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    warn_plainly("sample")
    told = warnings.formatwarning("3 texts are lost", UserWarning, "some/file.py", 7)
    assert told == "python -m ml sample: 3 texts are lost\n"
    assert "some/file.py:7" in warnings.formatwarning("old", DeprecationWarning, "some/file.py", 7)
