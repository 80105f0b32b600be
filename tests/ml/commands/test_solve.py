"""`python -m ml solve`: every method with the shipped policy and a small trained reward model, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ml.__main__ import main
from ml.aggregation import AGGREGATIONS
from ml.agreement import wilson_interval
from ml.answers import is_equivalent
from ml.formats import read
from ml.search.solving import METHODS
from ml.snapshot import write_snapshot

pytest.importorskip("torch")

from ml.prm.checkpoint import seal

PROBLEMS = "pocket:2:seed=5"
# Small sizes; the methods' own are the papers'.
SMALL = {
    "mcts-star": ("--rollouts", "4", "--candidates", "2"),
    "rstar": ("--rollouts", "3", "--candidates", "2"),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.ml.prm.toys import sums

    folder = tmp_path_factory.mktemp("guide")
    write_snapshot(folder / "snapshot", sums(20), name="sums", labels="human")
    given = ["--snapshot", str(folder / "snapshot"), "--base", "small", "--steps", "3", "--batch-size", "8"]
    assert main(["train", *given, "--out", str(folder / "checkpoint")]) == 0
    return folder / "checkpoint"


def given_for(method: str, checkpoint: Path) -> list[str]:
    guided = ["--value-model", str(checkpoint)] if METHODS[method].needs_values else []
    return ["--method", method, *guided, *SMALL.get(method, ())]


def solved(
    out: Path, capsys: Any, *given: str, problems: str = PROBLEMS
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The lines and the result of one run."""
    capsys.readouterr()
    command = ["solve", "--problems", problems, "--style", "prose", "--trajectories", "4", "--out", str(out)]
    assert main([*command, *given]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return lines, json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_says_what_that_cost_and_writes_the_same_pool_by_seed(
    method: str, checkpoint: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    told = list[str]()
    monkeypatch.setattr("ml.progress.Progress._interval", lambda *_: 0.0)
    monkeypatch.setattr("ml.progress._say", lambda line, _: told.append(line))
    lines, result = solved(tmp_path / "one.jsonl", capsys, *given_for(method, checkpoint))
    # Also before any problem is done.
    assert any(re.match(r"0/2 problems .*tokens [1-9]", line) for line in told)
    assert [line["id"] for line in lines] == [f"pocket-5-0000{number}" for number in range(2)]
    for line in lines:
        answers = [solution["final_answer"] for solution in line["solutions"]]
        assert line["chosen_answer"] in [*answers, None]
        assert line["is_correct"] == is_equivalent(line["chosen_answer"], line["answer"])
        for solution in line["solutions"]:
            assert solution["is_correct"] == is_equivalent(solution["final_answer"], line["answer"])
            scores = solution.get("step_scores", {}).get(result["value_model"], [])
            assert bool(scores) == METHODS[method].needs_values
            assert all(0.0 <= score <= 1.0 for score in scores)
            joined = AGGREGATIONS[line.get("aggregation", "last")]
            assert solution.get("score") == (joined(scores) if scores else None)
        assert line.get("aggregation") == result.get("aggregation")
    right = sum(line["is_correct"] for line in lines)
    assert (result["correct"], result["graded"], result["problems"]) == (right, 2, 2)
    assert result["interval"] == pytest.approx(wilson_interval(right, 2), abs=1e-4)
    assert result["cost"]["tokens"] == sum(line["cost"]["tokens"] for line in lines) > 0
    assert result["cost"]["model_calls"] == sum(line["cost"]["model_calls"] for line in lines) > 0
    assert result["cost"]["seconds"] > 0
    assert result["cost_per_problem"]["tokens"] == pytest.approx(result["cost"]["tokens"] / 2, abs=1e-3)
    assert {path.name for path in tmp_path.iterdir()} == {"one.jsonl", "one.jsonl.run.json"}
    is_the_same_by_seed(tmp_path, capsys, given_for(method, checkpoint))
    is_a_pool(tmp_path / "one.jsonl", capsys, lines)


def is_the_same_by_seed(tmp_path: Path, capsys: Any, given: list[str]) -> None:
    # Alone, a problem is solved as it is among others.
    solved(tmp_path / "alone.jsonl", capsys, *given, "--limit", "1")
    solved(tmp_path / "other.jsonl", capsys, *given, "--limit", "1", "--seed", "1")
    one, alone, other = ((tmp_path / f"{n}.jsonl").read_bytes() for n in ("one", "alone", "other"))
    assert one.splitlines()[:1] == alone.splitlines() != other.splitlines()


def is_a_pool(path: Path, capsys: Any, lines: list[dict[str, Any]]) -> None:
    capsys.readouterr()
    assert main(["evaluate", "best-of-n", "--pool", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == 2
    read_back = [labelled.solution for labelled in read(path, "misstep")]
    assert [one.final_answer for one in read_back] == [
        solution["final_answer"] for line in lines for solution in line["solutions"]
    ]


def test_scores_are_read_as_the_labels_that_taught_them_ask(
    checkpoint: Path, tmp_path: Path, capsys: Any
) -> None:
    given = given_for("best-of-n", checkpoint)
    # People's labels say whether each step is right, and all have to be.
    lines, result = solved(tmp_path / "people.jsonl", capsys, *given, "--limit", "1")
    assert result["aggregation"] == "product" and {line["aggregation"] for line in lines} == {"product"}
    _, asked = solved(tmp_path / "asked.jsonl", capsys, *given, "--limit", "1", "--aggregation", "last")
    assert asked["aggregation"] == "last"
    # Rollouts' labels say what becomes of all steps so far.
    searched = tmp_path / "searched"
    shutil.copytree(checkpoint, searched)
    card = json.loads((searched / "card.json").read_text())
    card["label_rule"]["labels"] = "automatic"
    (searched / "card.json").write_text(json.dumps(card))
    (searched / "manifest.json").unlink()
    seal(searched)
    _, found = solved(tmp_path / "rollouts.jsonl", capsys, *given_for("best-of-n", searched), "--limit", "1")
    assert found["aggregation"] == "last"
    _, plain = solved(
        tmp_path / "plain.jsonl", capsys, *given_for("self-consistency", checkpoint), "--limit", "1"
    )
    assert "aggregation" not in plain


def test_a_reference_is_never_looked_at_and_needs_not_be_there(
    checkpoint: Path, tmp_path: Path, capsys: Any
) -> None:
    known, _ = solved(
        tmp_path / "known.jsonl", capsys, *given_for("dvts", checkpoint), problems="pocket:2:seed=5"
    )
    for name, answer in (("unknown", {}), ("false", {"answer": "123456"})):
        problems = tmp_path / f"{name}_problems.jsonl"
        problems.write_text(
            "".join(json.dumps({"id": p["id"], "problem": p["problem"]} | answer) + "\n" for p in known)
        )
        lines, result = solved(
            tmp_path / f"{name}.jsonl", capsys, *given_for("dvts", checkpoint), problems=str(problems)
        )
        assert [line["chosen_answer"] for line in lines] == [line["chosen_answer"] for line in known]
        assert [line["cost"] for line in lines] == [line["cost"] for line in known]
        assert {line["is_correct"] for line in lines} == ({False} if answer else {None})
        assert result["accuracy"] == (0.0 if answer else None)
        assert result["graded"] == (2 if answer else 0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--method", "beam"), "--method beam without --value-model, expected --value-model CHECKPOINT"),
        (("--method", "rstar"), "--method rstar without --value-model"),
        (
            ("--method", "self-consistency", "--value-model", "x"),
            "--value-model with --method self-consistency",
        ),
        (
            ("--method", "self-consistency", "--aggregation", "last"),
            "--aggregation with --method self-consist",
        ),
        (
            ("--method", "rstar", "--aggregation", "mean"),
            "--aggregation with --method rstar, expected --method",
        ),
        (
            ("--method", "best-of-n", "--depth", "3"),
            "--depth with --method best-of-n, expected --method beam or",
        ),
        (("--method", "dvts", "--candidates", "3"), "expected --method mcts-star or rstar"),
        (("--method", "tree-of-thought", "--width", "2"), "--width with --method tree-of-thought"),
        (("--method", "beam", "--rollouts", "2"), "--rollouts with --method beam"),
        (
            ("--method", "beam", "--value-model", "x", "--trajectories", "6"),
            "expected a multiple of the width",
        ),
        (
            ("--method", "dvts", "--value-model", "x", "--trajectories", "2"),
            "expected a multiple of the width",
        ),
        (("--method", "beam", "--value-model", "nowhere"), "nowhere"),
    ],
)
def test_what_a_method_could_not_act_on_is_refused_before_anything_is_written(
    given: tuple[str, ...], told: str, tmp_path: Path, capsys: Any
) -> None:
    assert main(["solve", "--problems", "pocket:1", *given, "--out", str(tmp_path / "out.jsonl")]) == 1
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", [("solve", "--method", "self-consistency"), ("sample",), ("autolabel",)])
def test_a_file_without_problems_is_refused(verb: tuple[str, ...], tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "none.jsonl").write_text("\n")
    given = ["--problems", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "out.jsonl")]
    assert main([*verb, *given]) == 1
    assert "none.jsonl:1: an empty file, expected one JSON object a line" in capsys.readouterr().err


def test_a_variant_is_set_by_its_name_and_told_with_the_result(
    checkpoint: Path, tmp_path: Path, capsys: Any
) -> None:
    given = [*given_for("rstar", checkpoint), "--limit", "1", "--set", "unvisited=zero", "--set", "c=1"]
    _, result = solved(tmp_path / "code.jsonl", capsys, *given)
    assert (result["parameters"]["unvisited"], result["parameters"]["c"]) == ("zero", 1.0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            ("--method", "rstar", "--set", "threshold=0.5"),
            "rstar takes rollouts (a whole number above 0; default 16)",
        ),
        (("--method", "beam", "--set", "weighted=maybe"), "expected true or false: beam takes"),
        (("--method", "dvts", "--width", "2", "--set", "width=2"), "width is set twice, expected one value"),
        (("--method", "beam", "--value-model", "x", "--set", "width=3"), "expected a multiple of the width"),
    ],
)
def test_a_setting_that_the_method_does_not_have_is_refused(
    given: tuple[str, ...], told: str, tmp_path: Path, capsys: Any
) -> None:
    assert main(["solve", "--problems", "pocket:1", *given, "--out", str(tmp_path / "out.jsonl")]) == 1
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
