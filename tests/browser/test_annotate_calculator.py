"""What is selected on the page goes to the calculator as something to work out, formulas included."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task

pytestmark = pytest.mark.django_db(transaction=True)
# Each formula, what the calculator takes for it, and what that comes to.
FORMULAS = [
    (r"12 \cdot 12 = 124", "12 * 12", "144"),
    (r"x = \dfrac{1}{2} + \frac34", "(1/2) + (3/4)", "1.25"),
    (r"3\frac12 \times 2", "(3 + (1/2)) * 2", "7"),
    (r"\sqrt{2^{10}} - \sqrt[3]{27}", "sqrt(2^10) - 27^(1/3)", "29"),
    (r"1{,}000 \div 4\text{ pens}", "1000 / 4", "250"),
    (r"\left(\frac{3+1}{2}\right)^2", "(((3+1)/2))^2", "4"),
    (r"2\pi", "2 pi", "≈ 6.28318530718"),
    (r"\binom{5}{2}", "(5!/(2!*(5 - 2)!))", "10"),
    (r"\log_{10} 1000 + \log_2(8)", "log_10 1000 + log_2 (8)", "6"),
    (r"2\left|3 - 5\right| + ||{-2}|-|5||", "2|3 - 5| + ||(-2)|-|5||", "7"),
    (r"x^2 - 4", "x^2 - 4", "…"),
]
# Doubles and their twelve digits said other whole numbers of the first of these, as if they were exact.
EXACT = {
    "2^100 % 7": "2", "3^40 % 7": "4", "7^20 % 13": "3", "2^64 % 10": "6", "17^13 % 10": "7", "7^2023 % 10": "3",
    "1234567^2": "1524155677489", "99999^3": "999970000299999", "123456789*987654321": "121932631112635269",
    "1000!/998!": "999000", "10 % (-3)": "-2", "10% - 3": "-2.9", "-7 % 3": "2", "1/7*7": "1", "(1/4)^0.5": "0.5",
    "8^(-2/3)": "0.25", "sqrt(0)": "0", "log 1000": "3", "floor(-7/2)": "-4", "1,234,567.5": "1234567.5",
}  # fmt: skip
ROUNDED = {
    "1/3": "≈ 0.333333333333", "sqrt(2)^2": "≈ 2", "sin(30)": "≈ -0.988031624093",
    "2^200": "≈ 1.60693804426e+60", "7^2023": "≈ 4.29867833747e+1709", "1.000001^100000": "≈ 1.10517086281",
}  # fmt: skip
# What can be read in more than one way, and what the page says of it.
UNCLEAR = {
    "0,5+1": "Write a decimal with a point", "1,5*2": "Write a decimal with a point", "1,2345": "parts thousands",
    "3.5.2": "one has two points", "1.000.000*2": "one has two points", "2 1/2": "stand side by side",
    "10 % -3": "read in two ways",
}  # fmt: skip
SELECT_ALL = """number => { const range = new Range();
    range.selectNodeContents(document.querySelectorAll('#steps .step-text p')[number]);
    getSelection().removeAllRanges(); getSelection().addRange(range); }"""
# From the first glyph to the last one, as a mouse does it, and never into what screen readers are told.
SELECT_GLYPHS = """([formula, first, last]) => {
    const root = document.querySelectorAll('#steps .katex-html')[formula], nodes = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (/[^\\s\\u200b]/.test(walker.currentNode.data)) nodes.push(walker.currentNode);
    const range = new Range();
    range.setStart(nodes.at(first), 0); range.setEnd(nodes.at(last), nodes.at(last).length);
    getSelection().removeAllRanges(); getSelection().addRange(range); }"""


def taken(watched: Watched) -> tuple[str, str]:
    """What the calculator begins with, and shows for it."""
    watched.press("q")
    found = watched.page.input_value("#calculator-input"), watched.page.inner_text("#calculator-output")
    watched.page.keyboard.press("Escape")
    return found


def test_a_selected_formula_comes_to_the_calculator_as_what_it_computes(
    watched: Watched, annotator: User
) -> None:
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution([f"${tex}$" for tex, _, _ in FORMULAS]))
    watched.annotate(campaign, annotator)
    for number, (tex, typed, value) in enumerate(FORMULAS):
        watched.page.evaluate(SELECT_ALL, number)
        assert taken(watched) == (typed, value), tex
        watched.page.evaluate(SELECT_GLYPHS, [number, 0, -1])
        assert taken(watched)[1] == value, tex


def test_of_one_line_the_selected_part_alone_is_taken_and_prose_leads_to_its_formula(
    watched: Watched, annotator: User
) -> None:
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution([r"They cost $5 + 12 \cdot 7$ dollars.", "So 3 * 4 = 12."]))
    watched.annotate(campaign, annotator)
    watched.page.evaluate(SELECT_ALL, 0)
    assert taken(watched) == ("5 + 12 * 7", "89")
    watched.page.evaluate(SELECT_GLYPHS, [0, 2, 4])
    assert taken(watched)[1] == "84"
    watched.page.evaluate("getSelection().removeAllRanges()")
    # Nothing selected, and plain prose, leave the last sum where it is.
    assert taken(watched)[1] == "84"
    watched.page.evaluate(SELECT_ALL, 1)
    assert taken(watched)[1] == "84"


def test_every_digit_is_true_unless_a_sign_says_that_it_is_rounded(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate(campaign, annotator)
    watched.press("q")
    for text, expected in (EXACT | ROUNDED).items():
        watched.page.fill("#calculator-input", text)
        assert watched.page.inner_text("#calculator-output") == expected, text
    watched.press("Enter")
    assert watched.page.inner_text("#calculator-history").startswith("1.000001^100000 ≈ 1.1")


def test_what_can_be_read_in_two_ways_is_told_and_not_guessed(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate(campaign, annotator)
    watched.press("q")
    for text, words in UNCLEAR.items():
        watched.page.fill("#calculator-input", text)
        assert watched.page.inner_text("#calculator-output") == "…", text
        watched.page.keyboard.press("Enter")
        assert words in watched.page.inner_text("#calculator-output"), text
    assert watched.page.inner_text("#calculator-history") == ""
