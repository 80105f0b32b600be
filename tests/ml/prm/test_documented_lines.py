"""The docs' lines of Python and formulas give the scores that `python -m ml score` gives."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from torch.distributed.run import get_args_parser

from ml.prm.given_layout import GivenLayout, GivenTokenizer
from ml.prm.score import load_scorer
from ml.prm.tokenization import Layout
from tests.data import ROOT
from tests.ml.prm.commands import trained
from tests.ml.prm.toys import tokenizer

# What tells the docs' lines for each head apart.
PASSAGES = {"linear": "TokenClassification", "tokens": "target_tokens", "likelihood": "tolerance"}


def said_of(card: dict) -> str:
    """How the docs' table names what a card says."""
    output = card["config"]["preference_output"]
    named = {
        "classifier": f"`classifier`, {card['outputs']} outputs",
        "preference": f"`preference`, `preference_output` `{output}`",
    }
    return named.get(card["objective"], f"`{card['objective']}`")


@pytest.mark.parametrize(
    "options",
    [
        ("--classes", "3"),
        ("--head", "tokens", "--classes", "3"),
        ("--objective", "outcome"),
        ("--objective", "value"),
        ("--objective", "preference"),
        ("--objective", "preference", "--preference-output", "raw_then_tanh5"),
    ],
)
def test_the_docs_have_the_formula_of_each_objective(tmp_path, capsys, monkeypatch, options):
    trained(tmp_path, capsys, *options, out="CHECKPOINT")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "checkpoints.md").read_text()
    card = json.loads((tmp_path / "CHECKPOINT" / "card.json").read_text())
    [formula] = [
        row.split("|")[2].strip(" `")
        for row in text.splitlines()
        if row.startswith("| ") and said_of(card) in row
    ]
    blocks, names = re.findall(r"```python\n(.*?)```", text, re.DOTALL), dict[str, Any]()
    [block] = [one for one in blocks if PASSAGES["tokens" if "tokens" in options else "linear"] in one]
    exec(compile(block.rpartition("\nprobability")[0], "docs/checkpoints.md", "exec"), names)
    (ours,) = load_scorer("CHECKPOINT").score("What is 2 + 3 * 4 =", ["3 * 4 = 12"])
    assert float(eval(formula, {"output": names["output"].detach()})) == pytest.approx(ours, abs=1e-6)


@pytest.mark.parametrize(
    ("head", "options"),
    # In a vocabulary of bytes the blank is spelled otherwise than the text.
    [*((head, ()) for head in PASSAGES), ("tokens", ("--target-tokens", " ", "+"))],
)
def test_the_lines_of_python_in_the_docs_run(tmp_path, capsys, monkeypatch, head, options):
    trained(tmp_path, capsys, "--head", head, *options, out="CHECKPOINT")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "checkpoints.md").read_text(), re.DOTALL)
    wanted = [block for block in blocks if PASSAGES[head] in block or "load_scorer" in block]
    assert len(wanted) == 2 and len(blocks) == 4
    for block in wanted:
        names: dict = {}
        exec(compile(block, "docs/checkpoints.md", "exec"), names)
        if "probability" in names:
            (ours,) = load_scorer("CHECKPOINT").score("What is 2 + 3 * 4 =", ["3 * 4 = 12"])
            assert float(names["probability"].detach()) == pytest.approx(ours, abs=1e-6)


def test_the_docs_line_for_several_processes_gives_them_time_to_save():
    (line,) = re.findall(r"`torchrun (.+) \.\.\.`", (ROOT / "docs" / "training.md").read_text())
    found = get_args_parser().parse_args(line.split())
    assert (found.nproc_per_node, found.shutdown_timeout, found.training_script) == ("2", 600, "ml")


def test_the_documented_layout_for_math_shepherds_models_has_each_step_on_a_line_of_its_own():
    page = (ROOT / "docs" / "checkpoints.md").read_text()
    (line,) = re.findall(r"^\| like Math-Shepherd's.+\| `(.+)` \|$", page, re.MULTILINE)
    said = GivenLayout(**json.loads(line))
    words = tokenizer().tokenizer
    reads = GivenTokenizer(words, Layout(said.separator, said.problem_end), said)
    problem, steps = "What is 1 + 2 + 3?", ["Step 1: 1 + 2 = 3", "Step 2: 3 + 3 = 6"]
    nodes = [reads.problem(problem), *map(reads.step, steps)]
    read = words.decode([token for node in nodes for token in node])
    # As its training file has it, but for the space before the first step.
    assert read == f"{problem}\n{steps[0]} ки\n{steps[1]} ки"
    assert list(said.target_tokens) == ["-", "+"]
