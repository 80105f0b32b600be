"""`python -m ml sample`, run as people run it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ml.commands import sample as sample_command
from ml.errors import MisstepError
from ml.evaluation.pools import read_pools
from ml.execution import Execution, Verdict
from ml.formats import read
from ml.policies.protocol import Continuation, PartlyAnswered, Prefix, Unanswerable
from tests.ml.prm.warm_process import WarmProcess

pytest.importorskip("torch")


def sample(*arguments: str) -> subprocess.CompletedProcess[str]:
    process = WarmProcess("ml", "sample", *arguments)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


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


class Scripted:
    """A policy that writes what it is told, problem by problem; nothing is an empty completion."""

    name = "scripted"

    def __init__(self, written: list[list[tuple[str, ...]]]) -> None:
        self.written = written

    def complete(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        return [[Continuation(steps, True, 7) for steps in self.written.pop(0)] for _ in prefixes]


def sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: list[list[tuple[str, ...]]]
) -> tuple[Path, list[str]]:
    problems, out = tmp_path / "problems.jsonl", tmp_path / "out.jsonl"
    lines = [{"id": str(k), "problem": f"({k}) 1 + 1 =", "answer": "2"} for k in range(len(written))]
    problems.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = ["--problems", str(problems), "--n", str(len(written[0])), "--style", "prose", "--out", str(out)]
    monkeypatch.setattr(sample_command, "load_policy", lambda name, engines, **_: Scripted(written))
    return out, given


def test_an_empty_sample_is_counted_and_keeps_no_reader_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = ("So the answer is 2",)
    out, given = sampled(tmp_path, monkeypatch, [[right, ()], [(), ()], [right, right]])
    assert sample_command.main(given) == 0
    told = capsys.readouterr()
    result = json.loads(told.out.splitlines()[-1])
    assert (result["problems"], result["solutions"], result["empty_samples"]) == (3, 3, 3)
    # Of the six that were asked for.
    assert result["pass_at_1"] == round(sum(p.right.sum() for p in read_pools(out)) / 6, 4)
    assert result["tokens"] == 42
    assert "3 of 6 samples hold no step" in told.err
    ids = [labelled.solution.id for labelled in read(out, "misstep")]
    assert ids == ["0/0", "2/0", "2/1"]
    # Every problem has as many candidates as were asked for, and those that are empty lose by every rule.
    pools = list(read_pools(out, {"scores": {name: [0.5] for name in ids}}))
    assert [len(pool.right) for pool in pools] == [2, 2, 2]
    assert [list(pool.groups) for pool in pools] == [[0, -1], [-1, -1], [0, 0]]
    assert [pool.scores["scores"] for pool in pools] == [[[0.5], []], [[], []], [[0.5], [0.5]]]
    assert not pools[0].right[1] and not pools[1].right.any()


class Failing:
    """A sandbox that cannot run some code."""

    level = "none"

    def execute(self, codes: Sequence[str], keep_states: bool = True) -> Execution:
        if "fail" in codes[0]:
            return Execution(Verdict.INFRASTRUCTURE, "", "none", 0, "no server")
        return Execution(Verdict.OK, codes[0].partition("print ")[2], "none", len(codes))


def code(line: str) -> tuple[str, ...]:
    return (f"So it is:\n```python\n{line}\n```",)


def test_a_sample_that_could_not_be_run_here_is_counted_and_is_no_wrong_solution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong, failing = code("print 2"), code("print 3"), code("fail")
    out, given = sampled(
        tmp_path, monkeypatch, [[right, failing, wrong], [failing, failing, failing], [(), failing, wrong]]
    )
    monkeypatch.setattr(sample_command, "sandbox", Failing)
    assert sample_command.main(given) == 0
    told = capsys.readouterr()
    result = json.loads(told.out.splitlines()[-1])
    assert (result["solutions"], result["empty_samples"], result["ungraded_samples"]) == (3, 1, 5)
    # One of the four samples of which something is known, and one of the two problems.
    assert (result["pass_at_1"], result["solved"], result["unanswered"]) == (0.25, 0.5, 1)
    assert "5 of 9 samples could not be run or graded here" in told.err
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["id"], line["ungraded_samples"]) for line in lines] == [("0", 1), ("2", 1)]
    assert [list(pool.right) for pool in read_pools(out)] == [[True, False], [False, False]]


def test_samples_none_of_which_could_be_graded_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, given = sampled(tmp_path, monkeypatch, [[code("fail")]])
    monkeypatch.setattr(sample_command, "sandbox", Failing)
    with pytest.raises(MisstepError, match="none of 1 solutions could be graded"):
        sample_command.main(given)
    assert not out.exists()


@pytest.mark.parametrize("odd", ["\0", "\ud83d", "\ude00"])
def test_what_the_readers_refuse_in_a_sample_is_replaced_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    out, given = sampled(tmp_path, monkeypatch, [[(f"Half {odd} of it. So the answer is 2",)]])
    assert sample_command.main(given) == 0
    (labelled,) = read(out, "misstep")
    assert labelled.solution.steps == ("Half \N{REPLACEMENT CHARACTER} of it. So the answer is 2",)


def test_a_policy_that_writes_nothing_at_all_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, given = sampled(tmp_path, monkeypatch, [[()]])
    with pytest.raises(MisstepError, match="scripted wrote no step at all, expected solutions"):
        sample_command.main(given)
    assert not out.exists() and not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--problems", "pocket:x"), "expected pocket:N"),
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


def test_a_problem_that_the_policy_cannot_read_is_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class ShortSighted(Scripted):
        def complete(self, prefixes, count, temperature, seed):  # type: ignore[no-untyped-def]
            written = super().complete(prefixes, count, temperature, seed)
            raise PartlyAnswered([written[0], Unanswerable("problem '1' is too long"), *written[2:]])

    right = ("So the answer is 2",)
    written = [[right], [right], [right]]
    out, given = sampled(tmp_path, monkeypatch, written)
    monkeypatch.setattr(sample_command, "load_policy", lambda name, engines, **_: ShortSighted(written))
    with pytest.warns(UserWarning, match="no solution to '1': problem '1' is too long"):
        assert sample_command.main(given) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["unanswered"], result["solved"], result["pass_at_1"]) == (1, 1.0, 1.0)
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["0", "2"]
