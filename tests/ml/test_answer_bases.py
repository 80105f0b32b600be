"""The base that a number says is a part of it, and may be left out."""

import pytest

from ml.answers import judge


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("121_3", "121_4"),
        ("121_3", "121_{4}"),
        (r"$121_{3}$", r"121_{\text{4}}"),
        ("4343_6", "4343_{5}"),
        ("0.1_2", "0.1_3"),
        ("(121)_3", "121_4"),
        ("-11_2", "-11_3"),
        ("1A_{11}", "1A_{16}"),
        ("110_{12}", "110_{13}"),
    ],
)
def test_the_same_digits_in_two_bases_are_two_numbers(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert not judge(one, other).primary and judge(one, other).agree


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("121_3", "121_{3}"),
        ("121", "121_3"),
        ("121_3", "16_{10}"),
        ("0.1_2", "0.2_4"),
        ("1a_{16}", "1A_{16}"),
    ],
)
def test_the_same_number_in_its_base_or_another_is_right_and_so_is_one_that_drops_it(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert judge(one, other).primary


@pytest.mark.parametrize("text", ["x_1", "121_1", "1_000", "129_3"])
def test_an_index_and_what_the_base_cannot_have_are_compared_as_before(text):
    assert judge(text, text).primary
