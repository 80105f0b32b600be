"""Prints as rStar-Math's public program shows them, for comparisons with it."""

import json

import pytest

from ml.commands import autolabel
from ml.errors import MisstepError
from ml.execution import Verdict, sandbox
from ml.execution.rstar_output import RStarOutput, shown
from ml.policies.protocol import Continuation
from tests.ml.search.chain_autolabel_inputs import label, lines


@pytest.mark.parametrize(
    "printed,expected",
    [
        ("0.30000000000000004\n", "0.3\n"),
        ("3.14159 -2.71828", "3.1416 -2.7183"),
        ("1e-05", "0.0"),
        ("1e+16", "1e+16"),
        ("12345678901234567890", "12345678901234567890"),
        ("[0.123456, 2]", "[0.1235, 2]"),
        ("x0.123456 1.2.34567", "x0.123456 1.2.34567"),
    ],
)
def test_floats_are_rounded_to_four_decimals_and_nothing_else(printed, expected):
    assert shown(printed) == expected


def test_a_long_output_is_cut_at_1024_characters():
    assert shown("a" * 5000) == "a" * 1024


def test_the_verdict_is_the_sandbox_s_own():
    box = RStarOutput(sandbox())
    assert box.execute(["print(1 / 3)"]).output == "0.3333\n"
    assert box.execute(["1 / 0"]).verdict is Verdict.PROGRAM_ERROR
    assert box.execute(["print('no error here')"]).ok
    assert box.level == sandbox().level


class Thirds:
    name, lanes = "thirds", 1

    def complete(self, prefixes, count, temperature, seed):
        return [[Continuation(("```python\nprint(1 / 3)\n```",), True, 5)] * count for _ in prefixes]


def test_the_option_changes_what_an_answer_is_and_the_run_records_it(tmp_path, monkeypatch):
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: Thirds())
    (tmp_path / "problems.jsonl").write_text(
        json.dumps({"id": "p", "problem": "A third?", "answer": "1/3"}) + "\n"
    )
    arguments = ["--problems", str(tmp_path / "problems.jsonl"), "--method", "math-shepherd"]
    label(tmp_path, *arguments, out="plain")
    label(tmp_path, *arguments, "--rstar-output-format", out="rstar")
    found = {}
    for out in ("plain", "rstar"):
        (tree,) = lines(tmp_path / out / "trees.jsonl")
        found[out] = tree["nodes"][1]["final_answer"], tree["nodes"][1]["terminal"]
    assert found == {"plain": ("0.3333333333333333", "correct"), "rstar": ("0.3333", "wrong")}
    settings = {out: json.loads((tmp_path / out / "run.json").read_text())["settings"] for out in found}
    assert settings["rstar"]["rstar_output_format"] and not settings["plain"]["rstar_output_format"]
    with pytest.raises(MisstepError, match="other settings"):
        label(tmp_path, *arguments, out="rstar")
