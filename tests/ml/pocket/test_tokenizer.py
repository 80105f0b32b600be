"""The tokenizer: every text of the family comes back as it went in."""

from __future__ import annotations

import json
import random

from ml.pocket import writer
from ml.pocket.lessons import lessons, prompt_text
from ml.pocket.problems import draw_expression, question
from ml.pocket.tokenizer import BEGIN, END, PROSE, UNKNOWN, VOCABULARY, build_tokenizer
from tests.data import real_data


def test_the_vocabulary_names_each_token_once() -> None:
    assert len(set(VOCABULARY)) == len(VOCABULARY) == build_tokenizer().get_vocab_size()


def test_written_solutions_survive_the_round_trip() -> None:
    tokenizer, rng = build_tokenizer(), random.Random(1)
    for _ in range(50):
        expression = draw_expression(rng)
        texts = [question(expression)]
        for write in (writer.write_prose, writer.write_code, writer.continue_in_code):
            texts += write(expression, rng).steps
        for text in texts:
            encoded = tokenizer.encode(text)
            assert UNKNOWN not in encoded.tokens
            assert tokenizer.decode(encoded.ids) == text


def test_every_real_trace_survives_the_round_trip_without_an_unknown_token() -> None:
    tokenizer = build_tokenizer()
    for line in real_data("big_bench_mistake/multistep_arithmetic.jsonl").read_text().splitlines():
        row = json.loads(line)
        for text in (row["input"], *row["steps"]):
            encoded = tokenizer.encode(text)
            assert UNKNOWN not in encoded.tokens
            assert tokenizer.decode(encoded.ids) == text


def test_a_minus_sign_before_a_digit_is_part_of_the_number_and_a_subtraction_is_not() -> None:
    tokens = build_tokenizer().encode("-10 - 3 - -4 = -(9)").tokens
    assert tokens == ["-1", "0", " - ", "3", " - ", "-4", " = ", "-", "(", "9", ")"]


def test_unknown_words_become_one_unknown_token_each() -> None:
    assert build_tokenizer().encode("apples, pears").tokens == [UNKNOWN, ", ", UNKNOWN]


def test_a_text_cannot_smuggle_in_a_control_token_once_that_is_switched_off() -> None:
    tokenizer = build_tokenizer()
    tokenizer.encode_special_tokens = True
    assert tokenizer.token_to_id(END) not in tokenizer.encode(f"1 + 1{END}").ids


def test_lessons_are_the_same_for_the_same_seed_and_learn_only_what_the_solver_writes() -> None:
    tokenizer = build_tokenizer()
    first, again = lessons(tokenizer, 3), lessons(tokenizer, 3)
    for _ in range(60):
        lesson = next(first)
        assert lesson == next(again)
        assert len(lesson.tokens) == len(lesson.learned)
        assert lesson.tokens[0] == tokenizer.token_to_id(BEGIN) and not lesson.learned[0]
        assert any(lesson.learned)
    assert tokenizer.encode(prompt_text("1 + 1 =", "prose")).tokens[-1] == PROSE
