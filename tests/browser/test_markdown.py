"""Markdown in what models wrote: formatted where it is Markdown, left alone where it is mathematics, and never run."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from labelsite.accounts.models import User
from labelsite.problems.models import Step
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)

HTML = """async (texts) => {
  const { markdownNodes } = await import('/static/markdown.js');
  return texts.map((text) => {
    const holder = document.createElement('div');
    holder.append(...markdownNodes(text));
    holder.querySelectorAll('[data-source]').forEach((one) => { one.replaceWith(`$${one.dataset.source}$`); });
    const all = [...holder.querySelectorAll('*')];
    return { html: holder.innerHTML, text: holder.textContent, tags: all.map((one) => one.tagName.toLowerCase()),
      attributes: all.flatMap((one) => one.getAttributeNames()) };
  });
}"""
ALLOWED = {
    "p", "strong", "em", "ul", "ol", "li", "blockquote", "hr", "code", "pre", "span", "div", "table", "thead", "tbody",
    "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {"class", "value", "tabindex", "role", "aria-label"}
UNCHANGED = [
    "2*3*4", "a_1", "a_1 + a_2 = b_3", "5 < 6 and 7 > 3", "x ** 2 ** y", "2**3**4", "3 *4 + 5* 6", "f(x)*g(x)*h",
    "snake_case_name and __init__", "- 5", "x = 4\n- 5\n----\n-1", "+ 5 apples", "> 5", "$5 and $6", "2 * 3 * 4", "*",
    "**", "a * b\nc * d", "n! * (n-1)! * 2", "[a](https://example.org/x)", "![a](https://example.org/x.png)",
    "<b>bold</b> &lt; <https://example.org>", "https://example.org/a_b_c", "# 4 is a comment\nx = 5", "1986 was so",
    "``quoted'' and ``again''", "a | b", "|x| + |y| = 3", "3.5 * 2", "p_{k+1} * q_{k-1}", "~~no~~",
    "\ta\\b", "(2) * (3) *4*", "20\n- 5\n- 3\n= 12", "x + 2\n> 5 apples", "2\n* 3\n* 4", "- 3 + 4 = 7\n- 7 * 2 = 14",
    "x\n> -5 apples", "20 apples\n- 5\n- 3 apples",
    "길이*폭*높이", "长*宽*高", "あ_い_う",
]  # fmt: skip
FORMATTED = [
    ("so **this** is", "<p>so <strong>this</strong> is</p>"),
    ("*Hence* it is", "<p><em>Hence</em> it is</p>"),
    ("***both***", "<p><strong><em>both</em></strong></p>"),
    ("the answer is **42**.", "<p>the answer is <strong>42</strong>.</p>"),
    ("답은 **42**입니다.", "<p>답은 <strong>42</strong>입니다.</p>"),
    ("因此**答案**是 3，***对***的", "<p>因此<strong>答案</strong>是 3，<strong><em>对</em></strong>的</p>"),
    ("カード**答え**です", "<p>カード<strong>答え</strong>です</p>"),
    ("## Step 1: look", '<p class="markdown-heading"><strong>Step 1: look</strong></p>'),
    ("- one\n- two **b**", "<ul><li>one</li><li>two <strong>b</strong></li></ul>"),
    ("- so 3 + 4 = 7\n- so 7 * 2 = 14", "<ul><li>so 3 + 4 = 7</li><li>so 7 * 2 = 14</li></ul>"),
    ("3. So it is\n4. Or not", '<ol><li value="3">So it is</li><li value="4">Or not</li></ol>'),
    ("- one\n  - inner one\n- two", "<ul><li>one<ul><li>inner one</li></ul></li><li>two</li></ul>"),
    ("> they say so", "<blockquote><p>they say so</p></blockquote>"),
    ("so `x_1*y_1*z` it is", "<p>so <code>x_1*y_1*z</code> it is</p>"),
    ("`a$b` and `c$d`", "<p><code>a$b</code> and <code>c$d</code></p>"),
    ("**so $a*b*c$ it is**", "<p><strong>so $$a*b*c$$ it is</strong></p>"),
    ("$x_1*y$ and $z_1*w$", "<p>$$x_1*y$$ and $$z_1*w$$</p>"),
    ("one\ntwo\n\nthree", "<p>one\ntwo</p><p>three</p>"),
    (
        "| a | b |\n|---|:-:|\n| 1 | $\\|x\\|$ |",
        '<div class="markdown-table" tabindex="0"><table><thead><tr><th>a</th><th>b</th></tr></thead>'
        "<tbody><tr><td>1</td><td>$$\\|x\\|$$</td></tr></tbody></table></div>",
    ),
    ("so $x$ is\n- one $y$\n- two $z$", "<p>so $$x$$ is</p><ul><li>one $$y$$</li><li>two $$z$$</li></ul>"),
    (
        "| | $n$ | a |\n|---|---|---|\n| 1 | 2 | 3 |",
        '<div class="markdown-table" tabindex="0"><table><thead><tr><td></td><td>$$n$$</td><th>a</th></tr></thead>'
        "<tbody><tr><td>1</td><td>2</td><td>3</td></tr></tbody></table></div>",
    ),
    ("a \\* b \\_ c", "<p>a * b _ c</p>"),
]
ALPHABET = [
    "*", "**", "***", "_", "`", "```\n", "~~~\n", "\n```7\n", "\n", "\n\n", "- ", "1. ", "> ", "# ", "### ", "|",
    "|---|---|", "---", "\\", "$", "$$", "\\(", "\\)", "\\[", "\\]", "{", "}", "a", "word ", "x_1", "2*3", " ", "    ",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "![a](http://x/y.png)",
    "&lt;", "\ue000", "\ue001", "é", "😀", "\u202e",
]  # fmt: skip


@pytest.fixture
def formatted(watched: Watched) -> Any:
    watched.go("/login/")
    return lambda texts: watched.page.evaluate(HTML, texts)


def test_arithmetic_names_links_and_html_stay_as_they_were_written(formatted: Any) -> None:
    found = formatted(UNCHANGED)
    assert [one["text"] for one in found] == UNCHANGED
    assert {tag for one in found for tag in one["tags"]} == {"p"}


def test_what_is_markdown_is_formatted(formatted: Any) -> None:
    found = formatted([text for text, _ in FORMATTED])
    assert [one["html"] for one in found] == [html for _, html in FORMATTED]


def test_fenced_code_is_shown_as_code_character_by_character(formatted: Any) -> None:
    code = "x = 2**3  # **no**\n\n- 1\n| a |\n$y_1$"
    (found,) = formatted([f"So:\n```latex\n{code}\n```\nand **on**"])
    assert "<p>So:</p><pre" in found["html"] and "<p>and <strong>on</strong></p>" in found["html"]
    assert found["text"] == f"So:{code}and on"


def test_every_sign_of_arithmetic_stays_on_the_page(formatted: Any) -> None:
    draw = random.Random(11)
    numbers = ["5", "12", "3.5", "x", "(2 + y)", "$n$"]
    signs = [f" {sign} " for sign in "+-*/=<>"] + [
        "-",
        "*",
        "\n- ",
        "\n> ",
        "\n* ",
        "\n= ",
        "\n  - ",
        "\n\n- ",
    ]
    pairs = [
        [draw.choice(numbers) + draw.choice(signs) for _ in range(draw.randint(1, 12))] for _ in range(1500)
    ]
    texts = [draw.choice(["", "-", "- ", "> "]) + "".join(pair) + draw.choice(numbers) for pair in pairs]
    for text, found in zip(texts, formatted(texts), strict=True):
        assert re.findall(r"[-+*/=<>]", found["text"]) == re.findall(r"[-+*/=<>]", text), text


def letters(text: str) -> str:
    return "".join(re.findall(r"[^\W\d_]", text))


def test_hostile_text_loses_no_letter_and_makes_no_node_but_those_of_the_subset(formatted: Any) -> None:
    draw = random.Random(7)
    texts = ["".join(draw.choices(ALPHABET, k=draw.randint(1, 60))) for _ in range(1500)]
    for text, found in zip(texts, formatted(texts), strict=True):
        assert set(found["tags"]) <= ALLOWED, text
        assert set(found["attributes"]) <= ATTRIBUTES, text
        assert letters(found["text"]) == letters(text), text


def test_no_text_takes_long(formatted: Any, watched: Watched) -> None:
    marks = (
        "**a ", "*a", "> ", "- ", "  - a\n", "    - a\n", "| a ", "|\n|-|\n", "`a", "```\n", "```a\n", "$a", "_a ",
        "\\[", "***", "- 5\n", "- so\n- 5\n", "- 5\n  - so\n",
    )  # fmt: skip
    texts = [mark * 9000 for mark in marks]
    devtools = watched.page.context.new_cdp_session(watched.page)
    # The page's own seconds: a machine that is busy with something else does not count.
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    watched.page.evaluate(f"async (texts) => {{ await ({HTML})(texts); }}", texts)
    took = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
    assert 0.1 < took["TaskDuration"] < 8


def labelled_page(watched: Watched, step: str) -> User:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(
        campaign, make_solution([step, "T\u200bwo\u202e."], problem="Find **all** of $x_1*y$:\n- one\n- two")
    )
    watched.annotate(campaign, annotator)
    return annotator


def test_steps_and_problem_are_formatted_and_the_switch_shows_them_as_written_also_after_a_reload(
    watched: Watched,
) -> None:
    step = "So **this** is $a*b*c$:\n\n| n | n^2 |\n|---|---|\n| 2 | 4 |"
    labelled_page(watched, step)
    page = watched.page
    first = page.locator("#steps > .step").first
    assert first.locator("strong").inner_text() == "this" and first.locator("td").count() == 2
    page.wait_for_selector("#problem .katex")
    assert page.locator("#problem strong").inner_text() == "all" and page.locator("#problem li").count() == 2
    page.click("text=As written")
    assert page.get_attribute("#as-written", "aria-pressed") == "true"
    assert first.locator(".as-written").text_content() == step
    assert page.locator("#problem .as-written").text_content() == "Find **all** of $x_1*y$:\n- one\n- two"
    # What has no width, and what turns the direction of the rest, can be seen here.
    assert page.locator("#steps > .step .as-written").last.text_content() == "T⟨U+200B⟩wo⟨U+202E⟩."
    page.reload()
    watched.ready()
    assert first.locator(".as-written").text_content() == step
    page.click("text=As written")
    assert first.locator("strong").inner_text() == "this"
    watched.press("3 3 Enter")
    watched.submitted(1)
    assert Step.objects.get(position=0).text == step


def test_the_switch_keeps_ratings_and_what_is_being_typed_and_code_keeps_its_output(watched: Watched) -> None:
    labelled_page(watched, "We run it.\n```python\nprint(2*3*4)\n```")
    page = watched.page
    Step.objects.filter(position=0).update(output="24", verdict="ok")
    page.reload()
    watched.ready()
    watched.press("3")
    for _ in range(2):
        page.click("text=As written")
        assert watched.ratings()[0] == "1"
        assert page.locator("#steps samp").inner_text() == "24"
    assert page.locator("#steps pre").inner_text() == "print(2*3*4)"


def test_a_formula_among_words_that_run_from_right_to_left_keeps_its_order(watched: Watched) -> None:
    labelled_page(watched, "إذن $x^2 = 9$ و $2y = 6$.")
    watched.page.wait_for_selector("#steps .katex")
    formula = watched.page.locator("#steps > .step").first.locator(".katex-html").first
    letter, sign, number = (formula.locator(name) for name in (".mord >> nth=0", ".mrel", ".mord >> nth=-1"))
    assert number.inner_text() == "9"
    places = [part.evaluate("drawn => drawn.getBoundingClientRect().x") for part in (letter, sign, number)]
    assert places == sorted(places)
