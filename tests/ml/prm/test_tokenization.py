"""Steps as tokens: what is remembered of them is bounded."""

from __future__ import annotations

from ml.prm import tokenization
from tests.ml.prm.toys import tokenizer


def test_the_tokens_of_a_bounded_number_of_steps_are_remembered(monkeypatch):
    monkeypatch.setattr(tokenization, "STEPS_KEPT", 3)
    steps = tokenizer()
    first = [list(steps.step(f"{number} + 1")) for number in range(10)]
    assert list(steps._steps) == ["7 + 1", "8 + 1", "9 + 1"]
    assert [steps.step(f"{number} + 1") for number in range(10)] == first
