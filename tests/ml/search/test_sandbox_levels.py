"""Where code ran stands with each step and each estimate: what a weaker sandbox said can be told from the rest."""

import json

import pytest

from ml.commands import autolabel
from ml.execution import lowest_level
from ml.policies.protocol import Continuation
from ml.search.recipes import RECIPES
from tests.ml.search.chain_autolabel_inputs import label, lines, with_inputs

PROCESS = "process:landlock5+seccomp-x86_64"


@pytest.fixture
def files(tmp_path, monkeypatch):
    return with_inputs(monkeypatch, tmp_path, 6)


@pytest.mark.parametrize("method", RECIPES)
def test_each_node_whose_code_ran_says_at_which_level(files, method):
    label(files, "--problems", str(files / "problems.jsonl"), "--method", method)
    nodes = [node for tree in lines(files / "out" / "trees.jsonl") for node in tree["nodes"]]
    with_code = [node for node in nodes if node["code"] is not None]
    assert with_code and all(node["sandbox_level"] == "monty" for node in with_code)
    assert all(node["sandbox_level"] is None for node in nodes if node["code"] is None)
    assert {line["sandbox_level"] for line in lines(files / "out" / "estimates.jsonl")} == {"monty"}


def test_an_estimate_of_prose_ran_at_no_level(files):
    arguments = ["--solutions", str(files / "solutions.jsonl"), "--format", "misstep"]
    label(files, *arguments, "--method", "math-shepherd", "--continuation-style", "prose")
    assert {line["sandbox_level"] for line in lines(files / "out" / "estimates.jsonl")} == {None}


class FractionPolicy:
    """Completes every solution with code that Monty lacks."""

    name, lanes = "fractions", 1

    def complete(self, prefixes, count, temperature, seed):
        step = "```python\nfrom fractions import Fraction\nprint(Fraction(6, 2))\n```"
        return [[Continuation((step,), True, 10)] * count for _ in prefixes]


def test_a_step_that_left_monty_says_so_and_so_does_its_solution_s_estimate(tmp_path, monkeypatch):
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: FractionPolicy())
    problem = {"id": "p", "problem": "1 + 2", "answer": "3"}
    (tmp_path / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    label(tmp_path, "--problems", str(tmp_path / "problems.jsonl"), "--method", "math-shepherd")
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    (tree,), (estimate,) = (lines(tmp_path / "out" / f"{name}.jsonl") for name in ("trees", "estimates"))
    assert run["sandbox_level"] != "monty" or run["counts"]["infrastructure"]
    assert tree["nodes"][1]["sandbox_level"] == estimate["sandbox_level"] == run["sandbox_level"]


def test_the_lowest_level_is_the_one_that_confines_a_program_least():
    order = ["monty", f"bwrap+{PROCESS}", PROCESS, f"bwrap+{PROCESS} UNSAFE"]
    for place, level in enumerate(order):
        assert lowest_level(set(order[: place + 1])) == level
    assert lowest_level([]) is None
