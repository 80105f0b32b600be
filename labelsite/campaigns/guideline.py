"""A campaign's guideline as a page shows it: a small part of Markdown, and formulas left as they were written.

Headings, bold, italics, lists, quotes, code and links; no HTML, no pictures, no tables. Whatever else stands in the
text is shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from labelsite.formulas import FORMULA

RULES = [
    "heading", "lheading", "list", "blockquote", "hr", "fence",
    "emphasis", "balance_pairs", "backticks", "link", "autolink", "escape", "newline", "entity",
]  # fmt: skip
SAFE_LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
# The guideline stands under a heading of the second level.
TOP_HEADING = 3


@lru_cache(maxsize=64)
def as_html(text: str) -> SafeString:
    """The guideline as HTML in which everything that its author wrote is escaped."""
    tokens = _markdown().parse(text)
    _fit_headings(tokens)
    return mark_safe(_markdown().renderer.render(tokens, _markdown().options, {}))


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    # "zero" knows nothing but paragraphs, so only what is named above is ever on.
    markdown = MarkdownIt("zero", {"breaks": True, "html": False}).enable(RULES)
    markdown.inline.ruler.before("text", "formula", _formula)
    markdown.validateLink = lambda url: bool(SAFE_LINK.match(url))  # type: ignore[method-assign]
    markdown.add_render_rule("link_open", _link_in_a_new_tab)
    return markdown


def _formula(state: StateInline, silent: bool) -> bool:
    """Takes a formula as it is: to Markdown its underscores and backslashes would mean something else."""
    found = FORMULA.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        state.pending += found[0]
    state.pos = found.end()
    return True


def _link_in_a_new_tab(renderer: object, tokens: list[Token], index: int, *_: object) -> str:
    """A click must not take the task away from the person who is in the middle of it."""
    href = tokens[index].attrGet("href")
    return format_html('<a href="{}" target="_blank" rel="noopener noreferrer nofollow">', href)


def _fit_headings(tokens: Iterable[Token]) -> None:
    """Puts headings below the page's own, and lets none skip a level, which screen readers stumble over."""
    depth = 0
    for token in tokens:
        if token.type == "heading_open":
            depth = min(int(token.tag[1]), depth + 1)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, TOP_HEADING - 1 + depth)}"
