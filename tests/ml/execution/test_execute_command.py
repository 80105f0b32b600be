"""`python -m ml execute`: each code step's output and verdict, as a file."""

from __future__ import annotations

import json
from pathlib import Path

from ml.__main__ import main


def test_the_code_of_a_solution_runs_step_by_step_in_one_namespace(tmp_path: Path, capsys) -> None:
    steps = [
        "Prose.",
        "```python\na = 3\nprint(a)\n```",
        "```python\nprint(a ** 2)\n```",
        "```python\nprint(c)\n```",
    ]
    given, out = tmp_path / "in.jsonl", tmp_path / "out" / "executions.jsonl"
    given.write_text(
        json.dumps({"id": "one", "problem": "?", "steps": steps})
        + "\n"
        + json.dumps({"id": "two", "problem": "?", "steps": ["Only prose."]})
        + "\n"
    )
    assert main(["execute", "--solutions", str(given), "--format", "records", "--out", str(out)]) == 0
    (line,) = [json.loads(text) for text in out.read_text().splitlines()]
    assert line["id"] == "one" and line["steps"][0] is None
    assert [step["verdict"] for step in line["steps"][1:]] == ["ok", "ok", "program_error"]
    assert [step["output"] for step in line["steps"][1:3]] == ["3", "9"]
    assert "NameError" in line["steps"][3]["output"]
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["solutions"] == 2 and result["verdicts"]["ok"] == 2
    assert not list(out.parent.glob("*.partial"))
