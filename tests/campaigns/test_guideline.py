"""A guideline's Markdown: what is rendered, what stays text, and that nothing of its author reaches the page raw."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelsite.campaigns.guideline import as_html

ALLOWED = {
    "p", "br", "h3", "h4", "h5", "h6", "strong", "em", "ul", "ol", "li", "code", "pre", "a", "blockquote", "hr",
}  # fmt: skip


class Page(HTMLParser):
    """Collects what a browser would make of the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("be **fair** and *calm*", "<p>be <strong>fair</strong> and <em>calm</em></p>"),
        ("- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>"),
        ("3. three\n4. four", '<ol start="3">\n<li>three</li>\n<li>four</li>\n</ol>'),
        ("use `x_1`", "<p>use <code>x_1</code></p>"),
        ("```\na < b\n```", "<pre><code>a &lt; b\n</code></pre>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("> so be it", "<blockquote>\n<p>so be it</p>\n</blockquote>"),
        (
            "[rules](https://example.org/?a=1&b=2)",
            '<p><a href="https://example.org/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer nofollow">'
            "rules</a></p>",
        ),
        ("", ""),
    ],
)
def test_the_small_part_of_markdown_is_rendered(text: str, html: str) -> None:
    assert as_html(text).strip() == html


def test_headings_stand_below_the_pages_own_and_skip_no_level() -> None:
    tags = [
        tag for tag, _ in Page(as_html("## a\n\n#### b\n\n# c\n\n## d\n\n### e\n\n#### f\n\n##### g")).tags
    ]
    assert tags == ["h3", "h4", "h3", "h4", "h5", "h6", "h6"]


@pytest.mark.parametrize(
    "formula",
    [
        "$a_1 * b_1 * c_2$",
        r"\(x_{1} \le y_{2}\)",
        "$$\nx^2_3 *y* \\\\ z\n$$",
        r"\[ \frac{1}{2} _a_ \]",
        "$a<b$",
        r"$\{1, 2\}$",
        r"costs \$5 and \$6",
    ],
)
def test_formulas_reach_the_typesetter_as_they_were_written(formula: str) -> None:
    page = Page(as_html(f"before {formula} after"))
    assert page.text.strip() == f"before {formula} after"
    assert [tag for tag, _ in page.tags] == ["p"]


def test_prices_are_no_formulas_so_their_text_may_be_bold() -> None:
    assert "<strong>now</strong>" in as_html("It was $5 and is **now** 6 $.")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "**<b onclick=x>**",
        "[click](javascript:alert(1))",
        "[click](JaVaScRiPt:alert(1))",
        "[click](data:text/html,hello)",
        "[click](//example.org)",
        "<javascript:alert(1)>",
        "![picture](https://example.org/x.png)",
        '[a](https://example.org "title" onclick=x)',
        "$<script>alert(1)</script>$",
        "```<script>\nx\n```",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ],
)
def test_hostile_text_stays_text(text: str) -> None:
    _assert_safe(as_html(text))


@given(st.text(alphabet="<>&\"'[]()!*_`#-$\\ \n:/axjs=1.", max_size=80))
def test_no_text_at_all_makes_anything_but_the_allowed_elements(text: str) -> None:
    _assert_safe(as_html(text))


def _assert_safe(html: str) -> None:
    for tag, attributes in Page(html).tags:
        assert tag in ALLOWED, html
        allowed = {"a": {"href", "target", "rel"}, "ol": {"start"}, "code": {"class"}}.get(tag, set())
        assert set(attributes) <= allowed, html
        assert (
            (attributes.get("href") or "https://").lower().startswith(("https://", "http://", "mailto:"))
        ), html
