"""What of a text is a formula: money and calculator notes are none, and how a formula is marked off varies."""

from __future__ import annotations

from typing import Any

import pytest

from labelsite.accounts.models import User
from tests.browser.annotator_page import Watched
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)

FORMULAS = """async (texts) => {
  const { split } = await import('/static/math.js');
  return texts.map((text) => split(text).flatMap((piece) => piece.formula ?? []));
}"""
SET_TWICE = """async () => {
  const { Setter } = await import('/static/math-setter.js');
  const { katexScript } = document.body.dataset;
  const piece = { formula: 'x^2', display: false };
  const setter = new Setter();
  document.body.dataset.katexScript = '/no-such-file.js';
  const refused = await setter.set(piece);
  document.body.dataset.katexScript = katexScript;
  return [Boolean(refused.tree), Boolean((await setter.set(piece)).tree)];
}"""
DRAWN = """async (texts) => {
  const { renderAll } = await import('/static/math.js');
  const holders = texts.map(() => document.createElement('span'));
  holders.forEach((holder, at) => Object.assign(holder, { className: 'math answer', textContent: texts[at] }));
  document.querySelector('main').append(...holders);
  await renderAll(document.querySelector('main'));
  return holders.map((holder) => [...holder.querySelectorAll('[data-source]')].map((one) => one.dataset.source));
}"""
ANSWERS = {
    **{text: [text] for text in (
        "\\frac{3}{4}", "x^2 + xy + y^2", "a_1", "90^\\circ", "\\text{Evelyn}", "\\left[-5, \\infty\\right)", "50\\%",
        "\\mathbb{R}^+", "(-\\infty, 0^-)",
        "\\begin{pmatrix} 1 \\\\[2pt] 2 \\end{pmatrix}", "5\\sqrt{2}\\text{ cm}", "\\frac{1}{",
    )},
    "$\\frac{1}{2}$ of $x$": ["$\\frac{1}{2}$", "$x$"],
    "\\(x^2\\)": ["\\(x^2\\)"],
    **{text: [] for text in (
        "12", "x = 5", "snake_case", "\\$5", "2^3 apples", "x^2 or y^2", "\\sqrt{2} cm", "C:\\new file", "",
        "2^10", "10^-3", "x^(1/2)", "1_000",
    )},
}  # fmt: skip
MONEY = [
    "She made $0.25*5=$<<0.25*5=1.25>>1.25 for both tires",
    "Drinks cost 12*2=$<<12*2=24>>24\nPopcorns cost 2*3=$<<2*3=6>>6",
    "They pay $(2+3)*5=$<<(2+3)*5=25>>25, so each pays $<<25/5=5>>5.",
    "She has 12*2=<<12*2=24>>24 and pays $4+$6=$<<4+6=10>>10.",
    "It costs $12*2=<<12*2=24>>24$ in all",
]
SPACED = {
    "so $ x = 5 $ holds": [" x = 5 "],
    "so $ \\frac{1}{2} $, $ a^2 $ and $ b_1 $": [" \\frac{1}{2} ", " a^2 ", " b_1 "],
    "$ 12 \\text{ pens and } 3 $ of $12 \\text{ pens } + 3$": [
        " 12 \\text{ pens and } 3 ",
        "12 \\text{ pens } + 3",
    ],
    "5 $ and 6 $ more": [],
    "5 $ + 6 $ = 11 $": [],
    "5 $ x 3 = 15 $": [],
    "5 $ for all of x^2 and 6 $": [],
    "5 $ a^2\n\n6 $": [],
    "5 $ a^2$ and $b ^2 $": [],
    "5 $ a\\text{$x$} $": ["x"],
}


@pytest.fixture
def formulas(watched: Watched) -> Any:
    watched.go("/login/")
    return lambda texts: watched.page.evaluate(FORMULAS, texts)


def test_a_dollar_sign_beside_a_calculator_note_is_money(formulas: Any) -> None:
    assert dict(zip(MONEY, formulas(MONEY), strict=True)) == {text: [] for text in MONEY}
    assert formulas(["So $x \\ll 5$, and $\\frac{24}{2}$<<24/2=12>>"]) == [["x \\ll 5", "\\frac{24}{2}"]]


def test_between_spaced_dollars_only_what_is_written_as_tex_is_a_formula(formulas: Any) -> None:
    assert dict(zip(SPACED, formulas(list(SPACED)), strict=True)) == SPACED


def test_an_environment_that_makes_a_line_of_its_own_needs_no_dollars(
    watched: Watched, annotator: User
) -> None:
    environments = ["align", "align*", "equation", "equation*", "gather", "gather*"]
    steps = [f"Then\n\\begin{{{name}}}\nx ={name[0]}\n\\end{{{name}}}\nholds." for name in environments]
    campaign = make_campaign(members=[annotator])
    make_task(
        campaign, make_solution([*steps, "\\begin{align} x", "$$\\begin{align*} x &= 1 \\end{align*}$$"])
    )
    watched.annotate(campaign, annotator)
    watched.page.locator("#steps .katex-display").nth(6).wait_for()
    assert watched.page.locator("#steps .formula-error").count() == 0
    assert watched.page.locator("#steps > .step").nth(6).locator(".math").inner_text() == "\\begin{align} x"


def test_a_formula_is_tried_again_where_only_its_script_did_not_come(watched: Watched) -> None:
    watched.go("/login/")
    assert watched.page.evaluate(SET_TWICE) == [False, True]


def test_an_answer_that_is_a_formula_without_dollars_is_set_whole(watched: Watched) -> None:
    watched.go("/login/")
    assert dict(zip(ANSWERS, watched.page.evaluate(DRAWN, list(ANSWERS)), strict=True)) == ANSWERS


def test_answers_are_set_on_the_pages_of_annotator_and_reviewer(watched: Watched, annotator: User) -> None:
    campaign = make_campaign(members=[annotator])
    solution = make_solution(["Only step."], answer="\\frac{3}{4}", final_answer="\\sqrt{2}")
    task = make_task(campaign, solution)
    watched.annotate(campaign, annotator)
    assert watched.page.get_attribute("#answer [data-source]", "data-source") == "\\frac{3}{4}"
    # Of this campaign the page would take the next task into the annotator's hands.
    seen = make_task(make_campaign(members=[annotator]), make_solution(["One."], answer="y^2"))
    annotation = make_annotation(seen, annotator, (1,))
    watched.go(f"/annotate/annotation/{annotation.pk}/second-look/")
    assert watched.page.get_attribute(".answer-line [data-source]", "data-source") == "y^2"
    watched.log_in(make_user("reviewer").username)
    watched.go(f"/campaigns/{campaign.pk}/comparison/tasks/{task.pk}/")
    given = watched.page.locator(".facts [data-source]")
    given.nth(1).wait_for()
    assert [one.get_attribute("data-source") for one in given.all()] == ["\\frac{3}{4}", "\\sqrt{2}"]
