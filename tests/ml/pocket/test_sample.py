"""`python -m ml sample`, run as people run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ml.formats import read

ROOT = Path(__file__).resolve().parents[3]

pytest.importorskip("torch")


def sample(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ml", "sample", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_sampling_writes_graded_solutions_that_the_misstep_format_reads(tmp_path: Path) -> None:
    out = tmp_path / "sampled.jsonl"
    done = sample("--problems", "pocket:3", "--n", "4", "--style", "code", "--seed", "1", "--out", str(out))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["problems"] == 3 and result["solutions"] == 12
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [len(line["solutions"]) for line in lines] == [4, 4, 4]
    for line in lines:
        for solution in line["solutions"]:
            assert solution["is_correct"] == (solution["final_answer"] == line["answer"])
            # In this family a wrong answer always has a false step before it.
            assert solution["is_correct"] or solution["first_mistake"] is not None
            assert solution["style"] == "code" and "```python" in solution["steps"][0]
    assert len(list(read(out, "misstep"))) == 12
    assert not list(tmp_path.glob("*.partial"))


def test_prose_to_problems_of_a_file(tmp_path: Path) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"id": "one", "problem": "((1 + 2 + 3 + 4) + (2 - 1 - 1 - 1)) =", "answer": "9"}\n')
    out = tmp_path / "out.jsonl"
    done = sample("--problems", str(problems), "--n", "2", "--style", "prose", "--out", str(out))
    assert done.returncode == 0, done.stderr
    line = json.loads(out.read_text())
    assert line["id"] == "one" and all("```" not in "".join(s["steps"]) for s in line["solutions"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--problems", "pocket:x"), "expected pocket:N"),
        (("--problems", "pocket:2", "--n", "0"), "--n 0"),
        (("--problems", "pocket:2", "--policy", "/nowhere"), "/nowhere"),
        (("--problems", "absent.jsonl"), "absent.jsonl"),
    ],
)
def test_bad_requests_get_one_line_and_leave_no_file(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    done = sample(*arguments, "--out", str(out))
    assert done.returncode == 1
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
