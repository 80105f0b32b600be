"""Answers in words: a unit makes a right number a question for people, and other words are another text."""

import json

import pytest

from ml.answers import judge
from tests.data import real_data

UNITS = ("dollars", "people", "eggs", "miles per hour")


@pytest.mark.parametrize("unit", UNITS)
def test_a_right_number_with_a_unit_is_right_and_disputed(unit):
    for answer, reference in (
        (f"18 {unit}", "18"),
        ("18.0", f"18 {unit}"),
        (f"18 \\text{{ {unit}}}.", "$18$"),
    ):
        assert (judge(answer, reference).primary, judge(answer, reference).agree) == (True, False)
    assert judge(f"18.0 {unit}", f"18 {unit}").primary


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("1,200 calories", "1200"),
        ("120,000 dollars", "120000"),
        ("-5 degrees", "-5"),
        ("1 1/2 cups", "1.5"),
        (r"1\frac{1}{2} cups", "1.5"),
        (r"-\frac{1}{2} degrees", "-1/2"),
        ("10 times", "10"),
        ("9 more apples", "9"),
        ("5 months", "5"),
        ("1 point", "1"),
        ("3 depths", "3"),
        ("18 dollars", "$18"),
        ("18 dollars per hour", "$18"),
        ("$18", "18 USD"),
    ],
)
def test_a_number_of_any_form_may_have_a_unit(answer, reference):
    assert judge(answer, reference).primary and not judge(answer, reference).agree


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("$18 a day", "18"),
        ("18 an hour", "18"),
        ("18 in total", "18"),
        ("18 of them", "18"),
        ("18 on Monday", "18"),
        ("18 by noon", "18"),
        ("$18 at the market", "18"),
        ("$1,800 in interest", "1800"),
        ("1/2 of the cake", "1/2"),
        ("2/3 of a cup", r"\frac{2}{3}"),
        (r"\(\frac{1}{2}\) of the cake", "0.5"),
        ("20% of the students", "20"),
        (r"$20\%$ of the students.", "20%"),
        ("20% of the students", "0.2"),
        ("Total: 18 in all", "18"),
        ("18 in", "18 inches"),
    ],
)
def test_what_follows_a_number_may_begin_with_a_short_word(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        if ":" not in other:
            assert (judge(one, other).primary, judge(one, other).agree) == (True, False)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("18 dollars", "19"),
        ("18 of them", "19"),
        ("18 in total", "18 in"),
        ("18 an hour", "18 hours"),
        ("0.5% of the students", "0.5"),
        ("20% of the students", "21"),
        ("1/2 of a dozen", "1/2"),
        ("1 in four", "1"),
        ("5 in base seven", "5"),
        ("3 by x", "3"),
        ("2 a sin x", "2"),
        (r"\frac{1}{2} million", "1/2"),
        (r"\frac{1}{2} cups", "1/3"),
        ("18 dollars", "18 euros"),
        ("5 million", "5"),
        ("2 thirds", "2"),
        ("2 dozen", "2"),
        ("4 out of 5", "4"),
        ("10 times x", "10"),
        ("3 plus x", "3"),
        ("2 sin x", "2"),
        ("2xyz", "2"),
        ("3 quarters", "3"),
        ("7 twelfths", "7"),
        ("3 sixteenths", "3"),
        ("5 twentieths", "5"),
        ("5 hundredths", "5"),
        ("5 quadrillion", "5"),
        ("5 lakh", "5"),
        ("5 crores", "5"),
        ("3 factorial", "3"),
        ("5 choose two", "5"),
        ("3 point five", "3"),
        ("5 below zero", "5"),
        ("5 cents", "$5"),
        ("$5", "5 cents"),
        (r"\$5", "5 cents"),
        ("2 feet 6 inches", "2"),
    ],
)
def test_what_follows_a_number_and_changes_it_is_no_unit(answer, reference):
    assert not judge(answer, reference).primary


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("cat", "act"),
        ("Paris", "Parsi"),
        ("on", "No"),
        ("dog cat", "cat dog"),
        (r"\text{Parsi}", "Paris"),
        ("\uc6b8\uc11c", "\uc11c\uc6b8"),
    ],
)
def test_the_same_letters_in_another_order_are_another_text(answer, reference):
    assert not judge(answer, reference).primary and judge(answer, reference).agree


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("30 east", "east"),
        ("-even", "even"),
        ("yes, 12", "yes"),
        ("no 5", "no"),
        ("2 red, 3 green", "red, green"),
    ],
)
def test_digits_and_signs_beside_the_words_make_another_answer(answer, reference):
    assert not judge(answer, reference).primary and not judge(answer, reference).strict


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("evelyn", "Evelyn"),
        ("True", "true"),
        ("st petersburg", "St. Petersburg"),
        (r"\text{Tuesday}", "tuesday"),
        ("red,  green", "Red green"),
        ("twenty-one", "twenty one"),
        ("['red', 'green']", "red, green"),
    ],
)
def test_case_spacing_and_punctuation_make_no_other_text(answer, reference):
    assert judge(answer, reference).primary and judge(answer, reference).agree


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("AB-CD", "AB/CD"),
        ("AC/BD", "AC,BD"),
        ("AB & CD", "AB-CD"),
        ("mass/volume", "mass-volume"),
        ("mass/volume", "mass, volume"),
        ("AaBb", "aabb"),
        ("AaBb", "AABB"),
        ("AABB", "aabb"),
        ("AaBbCc", "AabbCc"),
        ("NaCl", "NACL"),
    ],
)
def test_another_sign_between_names_and_another_case_in_a_formula_are_right_to_both_opinions_never(
    answer, reference
):
    # To the primary one some are products of variables, which have no case.
    for one, other in ((answer, reference), (reference, answer)):
        assert not judge(one, other).strict
        assert not judge(one, other).primary or answer.casefold() == reference.casefold()


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("x-axis", "x axis"),
        ("red & green", "red, green"),
        ("MASS/volume", "mass/Volume"),
        ("mcdonald", "McDonald"),
        ("PARIS", "paris"),
        ("AaBb", "AaBb."),
    ],
)
def test_what_joins_words_and_a_capital_in_one_make_no_other_text(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert judge(one, other).primary and judge(one, other).agree


@pytest.mark.parametrize("choice", ["option B", "Choice (B)", r"\text{option B}.", "(B)"])
def test_the_name_of_a_choice_is_right_and_disputed_beside_its_letter(choice):
    for answer, reference in ((choice, "B"), ("B", choice), (choice, r"\text{(B)}")):
        assert judge(answer, reference).primary
    assert not judge(choice, "B").strict
    assert not judge(choice, "A").primary and not judge("option b", "B").primary


@pytest.mark.parametrize(
    "choice",
    [
        "(B) 12",
        "(B)12",
        r"\textbf{(B)}~12",
        r"\textbf{(B)}\ \frac{1}{2}",
        "B) 12",
        "B. 12",
        "B: 12",
        "B)",
        r"$\text{B) }12$",
    ],
)
def test_a_choice_with_what_it_says_is_right_and_disputed_beside_its_letter(choice):
    for one, other in ((choice, "B"), ("B", choice), (choice, "option B")):
        assert (judge(one, other).primary, judge(one, other).strict) == (True, False)
    assert not judge(choice, "C").primary and not judge("C", choice).primary
    assert not judge(choice, "(B) 13").primary


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("yx", "xy"),
        ("cba", "abc"),
        ("CBA", "ABC"),
        ("1+xy", "yx+1"),
        ("inf", "infinity"),
        ("theta", r"\theta"),
    ],
)
def test_variables_and_functions_stay_an_expression(answer, reference):
    assert judge(answer, reference).primary


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("m*g*h", "mgh"),
        ("mhg", "mgh"),
        ("m g h", "mgh"),
        ("n*R*T", "nRT"),
        ("RTn", "nRT"),
        ("a*m*t", "amt"),
    ],
)
def test_a_product_of_variables_that_looks_like_a_word_is_compared_as_a_product(answer, reference):
    assert judge(answer, reference).primary


@pytest.mark.parametrize(
    "answer,reference",
    [("m+g+h", "mgh"), ("m*g", "mgh"), ("mg", "mgh"), ("cat + dog", "cat"), ("-even", "even")],
)
def test_another_expression_than_the_product_is_wrong(answer, reference):
    assert not judge(answer, reference).primary


def test_no_wrongly_sorted_list_of_words_is_right():
    lines = real_data("big_bench_mistake/word_sorting.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    wrong = [one for one in records if one["answer"].replace(",", "").split() != one["target"].split()]
    assert len(wrong) > 100
    assert not any(judge(one["answer"], one["target"]).primary for one in wrong)
