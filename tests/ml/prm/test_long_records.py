"""Solutions with a step that the context cannot hold: named all at once, or left out and counted."""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import replace

import pytest

from ml.errors import MisstepError
from ml.prm import long_records
from ml.prm.examples import ExampleSettings
from ml.targets import LabelRule
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.test_learning_rates import given_base
from tests.ml.prm.toys import examples_of, sums, tokenizer


def windy(count):
    return [replace(sums(1)[0], id=f"windy-{k}", steps=["1 + 1 = 2 " * 100, "b", "c"]) for k in range(count)]


@pytest.mark.parametrize("objective", ["classifier", "preference"])
def test_all_of_them_are_named_in_one_refusal(tmp_path, capsys, objective):
    snapshot = snapshot_of(tmp_path, [*sums(8), *windy(23)])
    given = ("--maximum-length", "120", "--objective", objective)
    with pytest.raises(MisstepError) as refusal:
        trained(tmp_path, capsys, *given, snapshot=snapshot)
    message = str(refusal.value)
    assert "23 records have a step that is too long" in message and "context of 120 tokens" in message
    named = ", ".join(f"windy-{k}" for k in range(20))
    assert f"({named} and 3 more)" in message and "--too-long drop" in message


@pytest.mark.parametrize("objective", ["classifier", "preference"])
def test_they_are_left_out_and_counted_where_that_is_asked_for(tmp_path, capsys, objective):
    # A given base: a tokenizer that is learned from the texts would know the long ones.
    base = given_base(tmp_path / "base")
    given = ("--base", base, "--maximum-length", "120", "--objective", objective)
    snapshot = snapshot_of(tmp_path, [*sums(8), *windy(3)])
    _, result = trained(tmp_path, capsys, *given, "--too-long", "drop", snapshot=snapshot)
    assert result["counts"].pop("too_long_solutions") == 3
    short = snapshot_of(tmp_path, sums(8), "short")
    _, without = trained(tmp_path, capsys, *given, snapshot=short, out="without")
    assert result["counts"] == without["counts"]
    assert result["metrics"]["train_loss"] == without["metrics"]["train_loss"]


@pytest.mark.parametrize("objective", ["classifier", "value", "outcome"])
def test_a_row_is_let_go_of_once_its_example_is_made(monkeypatch, objective):
    monkeypatch.setattr(long_records, "ROWS_AT_ONCE", 4)
    seen, most = [], 0

    def coming():
        nonlocal most
        for row in (replace(row) for row in sums(40)):
            seen.append(weakref.ref(row))
            yield row
            del row
            most = max(most, sum(one() is not None for one in seen))

    settings = ExampleSettings(objective=objective, outputs=1 if objective == "value" else 2)
    given = (tokenizer(), LabelRule("human"), settings, "refuse", Counter())
    examples, fitting = long_records.fitting_examples(coming(), *given)
    assert fitting == 40 and most <= 8
    assert examples == examples_of(objective, sums(40), tokenizer())
