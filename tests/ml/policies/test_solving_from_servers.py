"""`python -m ml solve` over a server: a kill loses nothing that was paid for, and what cannot be asked is told."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from ml.commands import solve
from ml.errors import MisstepError
from ml.search.run_folder import PROGRESS
from tests.ml.policies.small_server import completions
from tests.ml.policies.test_sampling_from_servers import PROBLEMS, Outage, command, killed_after_six, seeded


def solve_command(folder: Path, server: Any, out: str = "out.jsonl", **options: Any) -> list[str]:
    """The command over the problems that `sample`'s tests write."""
    given = command(folder, server, out=out)
    kept = [
        part
        for name, value in zip(given[::2], given[1::2], strict=True)
        if name != "--n"
        for part in (name, value)
    ]
    chosen = {"method": "self-consistency", "trajectories": 4} | options
    return [*kept, *(part for name, value in chosen.items() for part in (f"--{name}", str(value)))]


def result_of(capsys: Any) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    del result["out"], result["cost"]["seconds"], result["cost_per_problem"]["seconds"]
    return result


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(serve, tmp_path, capsys) -> None:
    over, kept = threading.Event(), tmp_path / "out.jsonl.partial" / PROGRESS

    def hang() -> tuple[int, dict[str, str]]:
        over.wait(60)
        return 503, {"error": "too late"}

    outage = Outage(6, hang)
    server = serve(outage)
    given = solve_command(tmp_path, server)
    killed_after_six("solve", given, kept)
    over.set()
    with pytest.raises(
        MisstepError, match=r"out\.jsonl\.partial holds an unfinished run with other settings"
    ):
        solve.main(solve_command(tmp_path, server, seed=1))
    outage.end()
    server.requests.clear()
    solve.main(given)
    assert len(server.requests) == PROBLEMS - 6
    found = (tmp_path / "out.jsonl").read_text(), result_of(capsys)
    assert not list(tmp_path.glob("*.partial"))
    solve.main(solve_command(tmp_path, server, out="calm.jsonl"))
    assert found == ((tmp_path / "calm.jsonl").read_text(), result_of(capsys))
    assert found[1]["graded"] == PROBLEMS


def test_a_problem_that_the_server_refuses_is_told_and_stands_in_no_share(serve, tmp_path, capsys) -> None:
    def answer(body: dict[str, Any], number: int) -> tuple[int, dict[str, Any]]:
        refused = "What is 3 + 1?" in body["prompt"]
        return (400, {"error": "too long"}) if refused else seeded(body)

    with pytest.warns(UserWarning, match="no answer to 'p3'"):
        solve.main(solve_command(tmp_path, serve(answer)))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [f"p{n}" for n in range(PROBLEMS) if n != 3]
    result = result_of(capsys)
    assert (result["unanswered"], result["graded"], result["problems"]) == (1, PROBLEMS - 1, PROBLEMS)


def test_what_came_to_no_end_is_counted_as_an_empty_sample_and_chosen_by_nobody(
    serve, tmp_path, capsys
) -> None:
    def cut_off(body: dict[str, Any], number: int) -> tuple[int, dict[str, Any]]:
        status, answer = completions(body, number)
        for choice in answer["choices"]:
            choice |= {"text": "On and on", "finish_reason": "length"}
        return status, answer

    with pytest.warns(UserWarning, match="raise max_tokens"):
        solve.main(solve_command(tmp_path, serve(cut_off)))
    line = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert (line["solutions"], line["empty_samples"]) == ([], 4)
    assert (line["chosen_answer"], line["is_correct"]) == (None, False)
    result = result_of(capsys)
    assert (result["without_answer"], result["accuracy"]) == (PROBLEMS, 0.0)
    assert result["cut_off"] == 4 * PROBLEMS


def test_samples_that_are_no_draws_say_nothing_of_the_method(serve, tmp_path, capsys) -> None:
    def filtered(body: dict[str, Any], number: int) -> tuple[int, dict[str, Any]]:
        status, answer = seeded(body)
        everything = "What is 3 + 1?" in body["prompt"]
        for choice in answer["choices"] if everything else answer["choices"][:1]:
            choice["finish_reason"] = "content_filter"
        return status, answer

    with pytest.warns(UserWarning, match="no draws of the model"):
        solve.main(solve_command(tmp_path, serve(filtered)))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["ungraded_samples"] for line in lines] == [1, 1, 1, 4, *[1] * (PROBLEMS - 4)]
    assert not any("empty_samples" in line for line in lines)
    assert [line["id"] for line in lines if line["is_correct"] is None] == ["p3"]
    assert result_of(capsys)["graded"] == PROBLEMS - 1
