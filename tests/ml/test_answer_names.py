"""A value that is right stays so behind the words that name it, and is a question for people."""

import pytest

from ml.answer_grading import NoVerdict
from ml.answers import judge


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("Total cost: 18", "18"),
        ("Total cost: $18.00", "18"),
        ("Total cost : 18 dollars", "$18$"),
        ("total_cost: 18.0", "18"),
        ("Eggs left after 3 days (in all): 18", "18"),
        ("Bob's age: 18", "18"),
        ("x: 1,200", "1200"),
        ("Share: 1/2", "0.5"),
        ("\\text{Total cost}: 18", "18"),
        ("Area: 9*pi", r"9\pi"),
        (r"Area: $9\pi$", r"9\pi"),
        ("Area = 9*pi", r"9\pi"),
        ("Solutions: [2, 3]", "2,3"),
        ("Point: (3, 4)", "(3,4)"),
        ("f: x**2 + 1", "x^2+1"),
        ("Parity: even", r"\text{even}"),
        ("Winner: Bob", "Bob"),
        ("The total is 18", "18"),
        ("There are 18 eggs left", "18"),
        ("The radius is sqrt(2)", r"\sqrt{2}"),
        ("Bob's number is odd", "odd"),
    ],
)
def test_a_right_value_behind_words_that_name_it_is_right_and_disputed(answer, reference):
    assert judge(answer, reference).primary and not judge(answer, reference).agree


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("Total cost: 19", "18"),
        ("Total cost: 5 million", "5"),
        ("Ratio: 1:18", "18"),
        ("Ratio 1:18", "18"),
        ("at 7:30", "30"),
        ("x = 2:3", "3"),
        ("Jane 18, Bob: 3", "3"),
        ("1: 18", "18"),
        ("Jane: 18, Bob: 3", "18"),
        ("Jane: 18\nBob: 3", "18"),
        ("Total cost: 18 + x", "18"),
        ("Winner: Bob", "18"),
        ("Total cost: 18", "x"),
        ("Area: 9*pi", r"8\pi"),
        ("Parity: odd", "even"),
        ("Solutions: [2, 3]", "2,4"),
        ("None of them is 18", "18"),
        ("It is not 18", "18"),
        ("The sum is 3 and the product is 5", "5"),
        ("The ratio is 1:18", "18"),
        ("There are 5 million", "5"),
    ],
)
def test_another_value_behind_words_or_more_than_one_is_wrong(answer, reference):
    assert not judge(answer, reference).primary


def test_a_named_number_that_no_computer_holds_is_not_asked_for_behind_its_name_either():
    with pytest.raises(NoVerdict, match="not asked"):
        judge("Number of ways: 3**100000000000", "5")
