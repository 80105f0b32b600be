"""`python -m ml autolabel` as a command: files, messages, and a run that is killed twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml.commands import autolabel
from ml.errors import MisstepError, NotAvailable
from ml.policies.protocol import Continuation
from ml.search.recipes import RECIPES
from tests.ml.search.chain_autolabel_inputs import label, lines, with_inputs, write_inputs
from tests.ml.search.toy import ChainPolicy, ShortSightedPolicy

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Twelve problems, and one solution of each with its truth."""
    return with_inputs(monkeypatch, tmp_path, 12)


@pytest.mark.parametrize("method", RECIPES)
def test_given_solutions_get_one_line_each_in_their_order(files, method, capsys):
    label(files, "--solutions", str(files / "solutions.jsonl"), "--format", "misstep", "--method", method)
    found = lines(files / "out" / "estimates.jsonl")
    assert [line["id"] for line in found] == [f"p{index}/0" for index in range(12)]
    truth = [index % 6 if index % 6 <= 4 else None for index in range(12)]
    agreed = sum(line["first_mistake"] == first for line, first in zip(found, truth, strict=True))
    assert agreed >= 11
    assert set(found[0]["steps"][0]) == {"visits", "correct", "q_value", "hard", "soft", "quality_value"}
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["counts"]["items"] == 12
    assert not (files / "out" / "trees.jsonl").exists()


@pytest.mark.parametrize("method", RECIPES)
def test_fresh_problems_get_trees_and_a_trajectory(files, method):
    problems = str(files / "problems.jsonl")
    label(files, "--problems", problems, "--method", method, "--rollouts", "24")
    trees = lines(files / "out" / "trees.jsonl")
    assert [tree["id"] for tree in trees] == [f"p{index}" for index in range(12)]
    root, first = trees[0]["nodes"][:2]
    assert (root["id"], root["parent"], root["text"]) == (0, None, "")
    assert first["parent"] == 0 and first["code"] and first["depth"] == 1
    estimate = lines(files / "out" / "estimates.jsonl")[0]
    assert len(estimate["solution"]) == len(estimate["steps"]) > 0
    pairs = lines(files / "out" / "pairs.jsonl")
    # MCTS* follows what already ends well, and may never visit a wrong end.
    assert pairs or method == "rest-mcts"
    assert {pair["id"] for pair in pairs} <= {tree["id"] for tree in trees}
    keys = {"id", "prompt", "pos", "neg", "margin", "pos_count", "neg_count"}
    assert all(set(pair) == keys for pair in pairs)
    assert all(pair["margin"] > 0 and pair["pos"] != pair["neg"] for pair in pairs)


def test_the_run_records_everything_that_made_it_and_tells_its_cost_while_no_tree_is_done(
    files, monkeypatch, capsys
):
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    monkeypatch.setattr("ml.progress.Progress._interval", lambda *_: 0.0)
    label(files, "--problems", str(files / "problems.jsonl"), "--method", "rstar", "--seed", "7")
    told = [json.loads(line)["progress"] for line in capsys.readouterr().out.splitlines()[:-1]]
    spent = [report["metrics"]["tokens"] for report in told]
    assert 0 in [report["done"] for report in told if report["metrics"]["tokens"]] and spent == sorted(spent)
    assert [report["done"] for report in told].count(12) == 1
    run = json.loads((files / "out" / "run.json").read_text())
    assert run["method"] == "rstar" and run["seed"] == 7 and run["policy"] == "chain-0.2"
    assert run["parameters"]["c"] == 2.0 and run["parameters"]["rollouts"] == 16
    assert run["sandbox_level"] and run["code_version"]
    assert set(run["cost"]) == {"tokens", "model_calls", "executions", "seconds"}
    assert run["cost"]["tokens"] > 0 and run["cost"]["executions"] > 0


def test_a_run_counts_what_its_own_sandbox_verdicts_were_and_nobody_else_s(files):
    arguments = ["--problems", str(files / "problems.jsonl"), "--method", "rstar"]
    label(files, *arguments, out="one")
    label(files, *arguments, out="two")
    one, two = (json.loads((files / out / "run.json").read_text()) for out in ("one", "two"))
    assert one["sandbox_executions"] == two["sandbox_executions"]
    assert sum(one["sandbox_executions"].values()) > 0
    assert one["sandbox_level"] == ", ".join(one["sandbox_executions"])


def test_what_fresh_problems_cannot_be_graded_against_is_refused(files):
    with pytest.raises(MisstepError, match="--reference self-consistency with --problems, expected --sol"):
        label(files, "--problems", str(files / "problems.jsonl"), "--reference", "self-consistency")


def test_the_same_seed_gives_the_same_bytes(files):
    arguments = ["--problems", str(files / "problems.jsonl"), "--method", "rstar"]
    label(files, *arguments, out="one")
    label(files, *arguments, "--parallel-trees", "2", out="two")
    for name in ("trees.jsonl", "estimates.jsonl"):
        assert (files / "one" / name).read_bytes() == (files / "two" / name).read_bytes()


def test_a_finished_run_is_not_run_again(files, capsys):
    arguments = ["--problems", str(files / "problems.jsonl"), "--method", "rstar"]
    label(files, *arguments)
    before = (files / "out" / "run.json").stat().st_mtime_ns
    label(files, *arguments)
    first, again = (line for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
    assert first == again
    assert (files / "out" / "run.json").stat().st_mtime_ns == before


def test_the_pocket_policy_s_rollouts_are_written_in_code_unless_told_otherwise(files):
    arguments = ["--solutions", str(files / "solutions.jsonl"), "--format", "misstep", "--limit", "1"]
    styles = []
    for more in (["--policy", "pocket"], ["--policy", "pocket", "--continuation-style", "as-given"], []):
        label(files, *arguments, *more, out=f"style{len(styles)}")
        run = json.loads((files / f"style{len(styles)}" / "run.json").read_text())
        styles.append(run["parameters"]["style"])
    assert styles == ["code", None, None]


def test_half_a_surrogate_pair_from_a_model_does_not_end_the_run(files, monkeypatch):
    class Odd(ChainPolicy):
        def _code_step(self, numbers, before, slip):
            text, done = super()._code_step(numbers, before, slip)
            return "\ud83d " + text, done

    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: Odd(0.2))
    label(files, "--problems", str(files / "problems.jsonl"), "--limit", "2", "--method", "rstar")
    assert lines(files / "out" / "trees.jsonl")[0]["nodes"][1]["text"].startswith("\ud83d ")


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("source", ["--problems", "--solutions"])
def test_an_item_that_the_policy_cannot_read_has_no_estimate_and_ends_no_run(
    files, monkeypatch, method, source
):
    name = f"{source.removeprefix('--')}.jsonl"
    every = (files / name).read_text()
    given = [source, str(files / name), "--method", method, "--limit", "3"]
    label(files, *given, out="whole")
    numbers = [1] * 7
    long = {"id": "long", "problem": " + ".join(map(str, numbers)), "answer": "7"}
    solved = {"steps": ["Adding 1 gives 2.", "The answer is 6."], "final_answer": "6", "is_correct": False}
    long |= {"solutions": [solved]} if source == "--solutions" else {}
    (files / name).write_text(json.dumps(long) + "\n" + every)
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: ShortSightedPolicy(0.2))
    given[-1] = "4"
    with pytest.warns(UserWarning, match="no estimate of 'long.*: problem 'long' is too long"):
        label(files, *given)
    counts = json.loads((files / "out" / "run.json").read_text())["counts"]
    assert (counts["items"], counts["unanswered"]) == (4, 1)
    (told,) = lines(files / "out" / "unanswered.jsonl")
    assert told["id"].startswith("long") and told["why"] == "problem 'long' is too long"
    estimates = lines(files / "out" / "estimates.jsonl")
    assert estimates[0]["first_mistake"] is None
    assert all(step["visits"] == 0 and step["hard"] is None for step in estimates[0]["steps"])
    assert estimates[1:] == lines(files / "whole" / "estimates.jsonl")
    assert not (files / "whole" / "unanswered.jsonl").exists()


def test_limit_takes_the_first_ones(files):
    label(files, "--problems", str(files / "problems.jsonl"), "--limit", "3")
    assert len(lines(files / "out" / "trees.jsonl")) == 3


def test_an_unknown_method_is_not_available(files):
    with pytest.raises(NotAvailable, match="tarot"):
        label(files, "--problems", "pocket:1", "--method", "tarot")


def test_solutions_without_a_reference_answer_are_refused_by_line(files):
    record = {"id": "x", "problem": "1 + 1", "steps": ["2"], "generator": "m", "final_answer_correct": True}
    (files / "bench.jsonl").write_text(json.dumps(record | {"label": -1}) + "\n")
    with pytest.raises(MisstepError, match=r"bench.jsonl:1: a problem without a reference answer"):
        label(files, "--solutions", str(files / "bench.jsonl"), "--format", "processbench")
    assert not (files / "out").exists()


@pytest.mark.parametrize(
    "line,message",
    [
        ("{", "broken JSON"),
        ("[1]", "a JSON array"),
        ('{"answer": "2"}', "no key `problem`"),
        ('{"question": "1 + 1", "answer": " "}', "a problem without an answer"),
        ('{"id": 1, "problem": "1 + 1", "answer": 2}', r"id '1' again \(first on line 1\)"),
        ('{"problem": "1 + 1", "answer": true}', "`answer` = true"),
        ("\udcff", "invalid UTF-8"),
    ],
)
def test_a_bad_problem_is_refused_by_line(files, line, message):
    path = files / "bad.jsonl"
    path.write_bytes(b'{"problem": "1 + 1", "answer": 2}\n' + line.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(MisstepError, match=rf"bad.jsonl:2: {message}.*, expected "):
        label(files, "--problems", str(path))
    assert not (files / "out").exists()


def start(folder, out):
    arguments = ["--solutions", str(folder / "solutions.jsonl"), "--format", "misstep", "--policy", "slow"]
    command = [sys.executable, "-m", "tests.ml.search.chain_autolabel", *arguments, "--parallel-trees", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MISSTEP_PROGRESS": "json"}
    return subprocess.Popen(
        [*command, "--out", str(out)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )


def kill_after(folder, out, count):
    child = start(folder, out)
    progress = out / "progress.jsonl.partial"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (
        not progress.exists() or progress.read_bytes().count(b"\n") < count
    ):
        assert child.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    return progress.read_bytes().count(b"\n")


def test_a_run_killed_twice_loses_nothing_and_counts_nothing_twice(tmp_path):
    write_inputs(tmp_path, 100)
    out = tmp_path / "killed"
    first = kill_after(tmp_path, out, 15)
    assert 15 <= first < 100
    with (out / "progress.jsonl.partial").open("ab") as file:
        file.write(b'{"position": 99, "estim')  # What a machine that loses power leaves behind.
    second = kill_after(tmp_path, out, first + 20)
    assert first + 20 <= second < 100
    last = start(tmp_path, out)
    text, _ = last.communicate(timeout=60)
    assert last.returncode == 0
    assert json.loads(text.splitlines()[-1])["counts"]["items"] == 100
    first_report = json.loads(text.splitlines()[0])["progress"]
    assert first_report["done"] == first_report["begun_at"] >= second
    whole = start(tmp_path, tmp_path / "whole")
    whole.communicate(timeout=60)
    for name in ("estimates.jsonl",):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    killed, straight = (
        json.loads((tmp_path / name / "run.json").read_text()) for name in ("killed", "whole")
    )
    assert killed["mean_q"] == straight["mean_q"] and killed["counts"] == straight["counts"]
    assert sorted(path.name for path in out.iterdir()) == ["estimates.jsonl", "run.json"]


def test_another_run_s_unfinished_work_is_not_overwritten(tmp_path):
    write_inputs(tmp_path, 100)
    kill_after(tmp_path, tmp_path / "out", 3)
    write_inputs(tmp_path, 99)
    child = start(tmp_path, tmp_path / "out")
    child.communicate(timeout=60)
    assert child.returncode == 1


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    write_inputs(tmp_path, 100)
    first = start(tmp_path, tmp_path / "out")
    progress = tmp_path / "out" / "progress.jsonl.partial"
    while not progress.exists() or not progress.read_bytes():
        time.sleep(0.01)
    second = start(tmp_path, tmp_path / "out")
    second.communicate(timeout=60)
    assert second.returncode == 1
    first.kill()
    first.communicate()


def test_answers_on_which_the_two_opinions_differ_are_kept_for_people(files, monkeypatch):
    class Unreduced:
        name = "unreduced"

        def complete(self, prefixes, count, temperature, seed):
            return [[Continuation(("The answer is 2/4.",), True, 5)] * count for _ in prefixes]

    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: Unreduced())
    problems = [
        {"id": f"p{index}", "problem": "Half?", "answer": answer}
        for index, answer in ((0, "1/2"), (1, "2/4"))
    ]
    solution = {"steps": ["Half.", "The answer is 2/4."], "final_answer": "2/4", "is_correct": True}
    (files / "halves.jsonl").write_text(
        "".join(json.dumps(p | {"solutions": [solution]}) + "\n" for p in problems)
    )
    label(files, "--solutions", str(files / "halves.jsonl"), "--format", "misstep", "--rollouts", "2")
    assert lines(files / "out" / "disputed_answers.jsonl") == [
        {"id": "p0/0", "reference": "1/2", "answers": [{"answer": "2/4", "is_correct": True}]}
    ]
    assert json.loads((files / "out" / "run.json").read_text())["counts"]["disputed_answers"] == 1
