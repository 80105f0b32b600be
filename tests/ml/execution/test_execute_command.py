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


def test_the_progress_knows_its_total_from_the_start_and_ends_with_all_that_was_done(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    given, out = tmp_path / "in.jsonl", tmp_path / "executions.jsonl"
    lines = [json.dumps({"id": str(n), "problem": "?", "steps": ["Prose."]}) for n in range(240)]
    given.write_text("\n".join(lines))
    assert main(["execute", "--solutions", str(given), "--format", "records", "--out", str(out)]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    reports = [line["progress"] for line in told if "progress" in line]
    assert {report["total"] for report in reports} == {240} and reports[-1]["done"] == 240


def test_half_a_surrogate_pair_in_a_program_s_error_does_not_end_the_run(tmp_path: Path) -> None:
    given, out = tmp_path / "in.jsonl", tmp_path / "executions.jsonl"
    # The file holds the escape of Python, not the character, which no reader of files would take.
    steps = ["```python\nraise ValueError('\\ud83d')\n```"]
    given.write_text(json.dumps({"id": "one", "problem": "?", "steps": steps}) + "\n")
    assert main(["execute", "--solutions", str(given), "--format", "records", "--out", str(out)]) == 0
    (step,) = json.loads(out.read_text())["steps"]
    assert step == {"verdict": "program_error", "output": "ValueError: \ud83d"}
