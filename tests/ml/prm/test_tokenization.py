"""Steps as tokens: what is remembered of them is bounded, and texts read together are read as each alone."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ml.errors import MisstepError
from ml.prm import tokenization
from ml.prm.given_layout import GivenLayout, GivenTokenizer
from ml.prm.tokenization import Layout, StepTokenizer, pocket_layout, pocket_tokenizer
from tests.ml.prm.toys import sums, tokenizer

TEXTS = ["", " ", "1 + 1 = 2", "<pad> is no token here", "안녕 ∑ é", "a\n\nb", "1 + 1 = 2", "x" * 500]


def test_the_tokens_of_a_bounded_number_of_steps_are_remembered(monkeypatch):
    monkeypatch.setattr(tokenization, "STEPS_KEPT", 3)
    steps = tokenizer()
    first = [steps.step(f"{number} + 1") for number in range(10)]
    assert list(steps._steps) == ["7 + 1", "8 + 1", "9 + 1"]
    assert [steps.step(f"{number} + 1") for number in range(10)] == first


def test_texts_read_ahead_have_the_tokens_that_each_has_alone(monkeypatch):
    monkeypatch.setattr(tokenization, "TEXTS_AT_ONCE", 3)
    given = GivenLayout(" ;", problem_start="Problem:", step_start="Step:")
    plain, pocket = tokenizer().tokenizer, pocket_tokenizer()
    kinds = (
        lambda: StepTokenizer(plain, Layout()),
        lambda: StepTokenizer(pocket, pocket_layout(256)),
        lambda: GivenTokenizer(plain, Layout(" ;"), given),
    )
    for kind in kinds:
        alone, together = kind(), kind()
        together.read_ahead(TEXTS, TEXTS)
        assert together._problems == {text: alone.problem(text) for text in TEXTS}
        assert together._steps == {text: alone.step(text) for text in TEXTS}


def test_a_problem_is_tokenised_once_for_all_of_its_solutions(monkeypatch):
    steps, row = tokenizer(), sums(1)[0]
    asked = []
    plain = StepTokenizer._text
    monkeypatch.setattr(StepTokenizer, "_text", lambda self, text: asked.append(text) or plain(self, text))
    for _ in range(3):
        steps.solution(row.id, row.problem, row.steps)
    assert asked.count(row.problem) == 1


def test_a_token_takes_four_bytes():
    tokens = tokenizer().step("1 + 1 = 2")
    assert tokens.itemsize == 4 and tokens.tolist() == list(tokens)


def test_an_unknown_token_that_is_a_token_of_its_own_may_end_steps_and_be_a_target():
    """As GPT-2 has it, where one token is begin, end and unknown."""
    end = "<|endoftext|>"
    words = Tokenizer(models.BPE(vocab={end: 0, "a": 1, "-": 2}, merges=[], unk_token=end))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    plain = PreTrainedTokenizerFast(tokenizer_object=words, unk_token=end, eos_token=end)
    steps = StepTokenizer(plain, Layout("-", "", target_tokens=("a", end)))
    assert steps.laid_out(end, end).separator == [0] and steps.target_ids == [1, 0]
    with pytest.raises(MisstepError, match="--separator '7' is unknown to the base's tokenizer"):
        steps.laid_out("7", None)
    with pytest.raises(MisstepError, match=r"the target '7' has tokens \[0\]"):
        _ = StepTokenizer(plain, Layout("-", "", target_tokens=("a", "7"))).target_ids
