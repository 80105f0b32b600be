"""A long problem in a list: cut, but never inside a formula."""

from __future__ import annotations

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from labelsite.formulas import FORMULA, shortened
from tests.data import ROOT

PIECES = st.lists(
    st.sampled_from(
        [
            "so ",
            "x ",
            "$a_1 + b$",
            "\\(x^2\\)",
            "$$\\frac{1}{2}$$",
            "\\$5 ",
            "\\[y\\]",
            "\\begin{align*}x&=1\\end{align*}",
            "*",
            "end. ",
        ]
    ),
    max_size=30,
)


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("short", 10, "short"),
        ("What is seven times eight?", 10, "What is se…"),
        ("Find the value of $x^2 + y^2$ now", 22, "Find the value of…"),
        ("Let $x^2 + y^2 = 1$ hold, and more", 10, "Let $x^2 + y^2 = 1$…"),
        ("A pen costs \\$3 and a box", 13, "A pen costs…"),
        ("It costs $5 and then some more of it", 14, "It costs $5 an…"),
        ("$" + "x" * 400 + "$ is long", 20, "…"),
        ("Is $x$ it?", 6, "Is $x$…"),
        ("Hence $ x^2 = 5 $ holds", 10, "Hence…"),
        ("It costs 5 $ and 6 $ more", 14, "It costs 5 $ a…"),
        ("Hence \\begin{gather}x=1\\end{gather} holds", 10, "Hence…"),
        ("She made 2*5=$<<2*5=10>>10, not 2*6=$<<2*6=12>>12", 20, "She made 2*5=$<<2*5=…"),
        ("She made $2*5=$<<2*5=10>>10 in all", 12, "She made $2*…"),
    ],
)
def test_a_text_is_cut_beside_a_formula_and_never_inside(text: str, length: int, expected: str) -> None:
    assert shortened(text, length) == expected


@given(pieces=PIECES, length=st.integers(1, 80))
def test_every_formula_is_there_whole_or_not_at_all(pieces: list[str], length: int) -> None:
    text = "".join(pieces)
    cut = shortened(text, length)
    kept = cut.removesuffix("…")
    assert text.startswith(kept) and (cut == text or cut.endswith("…"))
    assert len(kept) <= 3 * length or cut == text
    spans = [found.span() for found in FORMULA.finditer(text)]
    assert not any(start < len(kept) < end for start, end in spans)


@given(text=st.text(alphabet="$\\[]() x{", max_size=3000))
def test_hostile_text_is_cut_too(text: str) -> None:
    assert len(shortened(text, 40)) <= 121


def test_the_filter_leaves_escaping_to_the_page() -> None:
    shown = Template("{% load problem_text %}{{ text|shortened:8 }}").render(
        Context({"text": "<b>$x$ and more"})
    )
    assert shown == "&lt;b&gt;$x$ a…"


def test_what_was_printed_is_cut_in_its_middle() -> None:
    page = Template("{% load problem_text %}{{ text|both_ends:8 }}")
    assert page.render(Context({"text": "<1>23456789"})) == "&lt;1&gt;2\n…\n6789"
    assert page.render(Context({"text": "12345678"})) == "12345678"


@pytest.mark.parametrize("area", ["annotations", "autolabels", "campaigns", "training"])
def test_no_list_cuts_a_problem_by_its_characters(area: str) -> None:
    pages = [path for path in (ROOT / "templates" / area).glob("*.html")]
    assert pages and not [path for path in pages if "problem.text|truncatechars" in path.read_text()]
