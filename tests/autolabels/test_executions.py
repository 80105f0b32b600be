"""The code of imported solutions is run in the sandbox, and each step keeps what it printed and how it ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from labelsite.annotations.importers import import_file
from labelsite.autolabels.executions import load_executions, without_outcome
from labelsite.jobs.models import Job
from labelsite.problems.models import Solution, Step
from ml.errors import BadRecord, MisstepError
from tests.autolabels.files import write_lines
from tests.factories import make_campaign, make_solution, make_task

pytestmark = pytest.mark.django_db


def code(text: str) -> str:
    return f"We compute it.\n```python\n{text}\n```"


def outcomes(**of: object) -> list[tuple[str, str | None, str | None]]:
    rows = Step.objects.filter(**of).order_by("position", "option")
    return [(row.text.split("\n")[0], row.verdict, row.output) for row in rows]


@pytest.mark.django_db(transaction=True)
def test_an_import_with_code_queues_its_execution_and_the_steps_show_it(tmp_path: Path) -> None:
    steps = [code("a = 6\nprint(a * 7)"), "So it is 42.", code("print(a / 0)"), code("print('never')")]
    file = write_lines(
        tmp_path / "in.jsonl",
        [{"id": 1, "problem": "?", "steps": steps}, {"id": 2, "problem": "?", "steps": ["No code."]}],
    )
    import_file(file, "records", "With code")
    job = Job.objects.get(verb="execute")
    assert len(job.spec["solutions"]) == 1
    import_file(file, "records", "The same again")
    assert Job.objects.count() == 1
    call_command("run_job", str(job.pk))
    job.refresh_from_db()
    assert job.result["verdicts"] == {"ok": 1, "program_error": 1, "infrastructure": 0}
    found = outcomes(solution__external_id="1")
    assert [(verdict, output) for _, verdict, output in found[:2]] == [("ok", "42"), (None, None)]
    assert found[2][1] == "program_error" and "ZeroDivisionError" in found[2][2]
    assert found[3][1:] == (None, None)


@pytest.mark.django_db(transaction=True)
def test_the_command_runs_what_nobody_ran_alternatives_too(capsys) -> None:
    solution = make_solution([code("a = 2\nprint(a)"), ["Prose.", code("print(a + 1)"), code("print(b)")]])
    campaign = make_campaign("Here")
    make_task(campaign, solution)
    assert without_outcome("Here") == [solution.pk]
    call_command("execute_steps", campaign="Here")
    assert "3 steps of Here were run" in capsys.readouterr().out
    found = [(verdict, output) for _, verdict, output in outcomes(solution=solution)]
    assert found[:3] == [("ok", "2"), (None, None), ("ok", "3")]
    assert found[3][0] == "program_error" and "NameError" in found[3][1]
    assert without_outcome("Here") == []


def in_campaign(*steps: str | list[str]) -> Solution:
    solution = make_solution(list(steps))
    make_task(make_campaign("Here"), solution)
    return solution


def judge(solution: Solution, *verdicts: str | None) -> None:
    rows = solution.step_rows.order_by("position", "option")
    for step, verdict in zip(rows, verdicts, strict=True):
        Step.objects.filter(pk=step.pk).update(verdict=verdict)


@pytest.mark.django_db(transaction=True)
def test_what_stands_behind_a_failed_step_or_is_no_python_is_not_run_again_and_again(capsys) -> None:
    table = "A table.\n```text\n1 | 2\n```"
    solution = in_campaign(table, code("print(1 / 0)"), [code("print('never')"), code("print('nor this')")])
    assert without_outcome("Here") == [solution.pk]
    call_command("execute_steps", campaign="Here")
    assert [row[1] for row in outcomes(solution=solution)] == [None, "program_error", None, None]
    assert without_outcome("Here") == []
    call_command("execute_steps", campaign="Here")
    assert "0 steps of Here were run" in capsys.readouterr().out


def test_what_the_sandbox_failed_is_run_again_wherever_it_stands() -> None:
    solution = in_campaign(code("a = 1"), [code("print(a)"), code("print(-a)")], code("print(a + 1)"))
    judge(solution, "ok", "ok", "ok", "infrastructure")
    assert without_outcome("Here") == [solution.pk]
    judge(solution, "ok", "ok", "infrastructure", "ok")
    assert without_outcome("Here") == [solution.pk]
    judge(solution, "ok", "ok", None, "ok")
    assert without_outcome("Here") == [solution.pk]
    judge(solution, "ok", "ok", "program_error", "ok")
    assert without_outcome("Here") == []
    # The alternative beside the failed step has a path of its own, the code behind it has not.
    judge(solution, "ok", "program_error", None, None)
    assert without_outcome("Here") == [solution.pk]
    judge(solution, "ok", "program_error", "ok", None)
    assert without_outcome("Here") == []


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([None], MisstepError),
        ([None, {"verdict": "fine", "output": ""}], BadRecord),
        ([None, "ok"], BadRecord),
    ],
)
def test_an_execution_file_that_does_not_fit_is_refused(tmp_path: Path, steps, error) -> None:
    solution = make_solution(["Prose.", code("print(1)")])
    last = solution.step_rows.get(position=1)
    file = write_lines(tmp_path / "executions.jsonl", [{"id": str(last.pk), "steps": steps}])
    with pytest.raises(error):
        load_executions(file)
    assert Step.objects.filter(verdict=None).count() == 2


def test_hostile_output_is_kept_as_text(tmp_path: Path) -> None:
    solution = make_solution([code("print(1)")])
    step = solution.step_rows.get()
    told = {"verdict": "ok", "output": "a\0b\ud83d <script>"}
    load_executions(write_lines(tmp_path / "x.jsonl", [{"id": str(step.pk), "steps": [told]}]))
    step.refresh_from_db()
    assert step.output == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER} <script>"
    assert json.dumps(step.output)
