"""A unit makes a right number a question for people, however it is written, and another unit another answer."""

import pytest

from ml.answers import judge


@pytest.mark.parametrize(
    "answer",
    [
        "12 km/h",
        "12 ft/s",
        "12 m/s",
        "12 cm^2",
        "12 units^2",
        r"12\,cm",
        "12 km",
        "$12/hour",
        r"\$12/hr",
        "12 m/s^{2}",
        "12cm^3",
        r"12\text{ in}^2",
        "12 meters^2",
        "12 km / hour",
        "12 mph",
        "12 in",
        "12 min",
    ],
)
def test_a_right_number_with_the_symbols_of_its_unit_is_right_and_disputed(answer):
    for one, other in ((answer, "12"), ("12", answer), (f"${answer}$", "12.0")):
        assert (judge(one, other).primary, judge(one, other).strict) == (True, False)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("12 km/h", "13"),
        ("12 km/h", "12 m/s"),
        ("12 km", "12 cm"),
        ("12 cm^2", "12 cm"),
        ("12 cm^2", "12 cm^3"),
        ("12 m/s", "12 m/s^2"),
        ("12/hour", "12"),
        ("12ab/c", "12"),
        ("12 x^2", "12"),
        ("12m/s", "12"),
        ("12 cd", "12"),
    ],
)
def test_another_unit_and_what_may_be_a_product_are_wrong(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert not judge(one, other).primary and not judge(one, other).strict


@pytest.mark.parametrize(
    "one,other",
    [
        ("12 inches", "12 inch"),
        ("12 boxes", "12 box"),
        ("12 feet", "12 foot"),
        ("12 hrs", "12 hours"),
        ("12 lbs", "12 pounds"),
        ("12 metres", "12 meters"),
        ("12 cherries", "12 cherry"),
        ("12 shoes", "12 shoe"),
        ("12 glasses", "12 glass"),
        ("12 people", "12 persons"),
        ("12 km/h", "12 kilometers per hour"),
        ("12 miles/hour", "12 mph"),
        ("12 miles an hour", "12 mph"),
        ("12 (square feet)", "12 square feet"),
        ("$12 a day", "12 dollars per day"),
        ("12 cm^2", "12 square centimetres"),
        ("12 sq ft", "12 square feet"),
        ("$12/hour", "12 dollars per hour"),
    ],
)
def test_two_names_of_one_unit_are_right_and_disputed(one, other):
    for answer, reference in ((one, other), (other, one)):
        assert (judge(answer, reference).primary, judge(answer, reference).strict) == (True, False)


@pytest.mark.parametrize(
    "one,other",
    [
        ("12 minutes", "12 seconds"),
        ("12 (cents)", "$12"),
        ("12 cubes", "12 cubs"),
        ("12 feet", "12 square feet"),
        ("12 lbs", "12 kg"),
    ],
)
def test_names_of_different_units_are_different(one, other):
    for answer, reference in ((one, other), (other, one)):
        assert not judge(answer, reference).primary and not judge(answer, reference).strict


@pytest.mark.parametrize(
    "one,other",
    [
        (r"12\text{ cm}", r"12\text{ m}"),
        (r"5 \text{ g}", r"5 \text{ kg}"),
        (r"3 \text{ h}", r"3 \text{ min}"),
        (r"12\,\mathrm{m}", r"12~\mathrm{km}"),
        (r"12\text{m}^2", r"12\text{ cm}^2"),
        (r"3\text{ L}", "3 ml"),
    ],
)
def test_a_short_unit_in_a_command_for_words_is_no_letter_of_a_product(one, other):
    for answer, reference in ((one, other), (other, one)):
        assert not judge(answer, reference).primary and not judge(answer, reference).strict
    assert (judge(one, "12").primary, judge(one, "12").strict) == (one.startswith("12"), False)


@pytest.mark.parametrize(
    "one,other", [(r"3 \text{ h}", "3 hours"), (r"3\text{s}", "3 seconds"), (r"3\text{ m}", "3 metres")]
)
def test_a_short_unit_in_a_command_for_words_is_that_unit(one, other):
    for answer, reference in ((one, other), (other, one), (one, "3"), ("3", one)):
        assert (judge(answer, reference).primary, judge(answer, reference).strict) == (True, False)


@pytest.mark.parametrize(
    "one,other",
    [
        (r"45\text{ m}", "45 minutes"),
        (r"3\text{ m}", "3 miles"),
        (r"100\text{ g}", "100 gms"),
    ],
)
def test_one_letter_that_may_stand_for_the_other_s_unit_is_asked_about(one, other):
    for answer, reference in ((one, other), (other, one)):
        assert (judge(answer, reference).primary, judge(answer, reference).strict) == (True, False)
    assert not judge(one.replace(one[:1], "8", 1), other).primary
