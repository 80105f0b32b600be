"""The search tree as SVG: one box a step, left to right, the way to the answer drawn strong.

Every box is a link, so the tree can be read without script; `tree.js` adds the arrow keys.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from urllib.parse import urlencode

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelsite.autolabels.plots import svg
from labelsite.autolabels.trees import TreeNode, TreeView, with_toggled

COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 222, 50, 178, 42, 12
SIGNS = {"correct": "✓", "wrong": "✗", "invalid": "⊘"}
# Control and format characters (some turn the text around them), line ends, what no font has.
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def tree_svg(
    view: TreeView, address: str, node_address: str, toggled: Sequence[int], selected: int | None
) -> SafeString:
    """The drawing. `address` is the page's own path, `node_address` a path with 0 in the node's place."""
    width = MARGIN * 2 + (view.columns - 1) * COLUMN + WIDTH + 30
    height = MARGIN * 2 + (view.rows - 1) * ROW + HEIGHT
    links = [_link(view.nodes[node.parent], node) for node in view.shown if node.parent is not None]
    boxes = [
        _box(node, view.lowest_q, address, node_address, toggled, node.id == selected) for node in view.shown
    ]
    summary = _("Search tree: %(shown)s of %(nodes)s steps are shown.") % {
        "shown": len(view.shown),
        "nodes": len(view.nodes),
    }
    return format_html(
        '<svg class="tree" width="{}" height="{}" viewBox="0 0 {} {}" role="group" aria-label="{}">'
        "{}{}</svg>",
        round(width), round(height), round(width), round(height), summary,
        svg.together(links), svg.together(boxes),
    )  # fmt: skip


def _place(node: TreeNode) -> tuple[float, float]:
    return MARGIN + node.column * COLUMN, MARGIN + node.row * ROW


def _link(parent: TreeNode, child: TreeNode) -> SafeString:
    x1, y1 = _place(parent)
    x2, y2 = _place(child)
    start, middle = x1 + WIDTH + (24 if parent.children else 0), HEIGHT / 2
    css = "tree-link"
    if child.on_best_path:
        css += " tree-link-best"
    elif child.leads_to_answer:
        css += " tree-link-answer"
    bend = (x2 - start) / 2
    return format_html(
        '<path class="{}" d="M{} {}C{} {} {} {} {} {}"/>',
        css, start, y1 + middle, start + bend, y1 + middle, x2 - bend, y2 + middle, x2, y2 + middle,
    )  # fmt: skip


def _box(
    node: TreeNode,
    lowest_q: float,
    address: str,
    node_address: str,
    toggled: Sequence[int],
    is_selected: bool,
) -> SafeString:
    x, y = _place(node)
    state = {"node": node.id, **({"toggled": ",".join(map(str, toggled))} if toggled else {})}
    box = format_html(
        '<a id="node-{id}" class="{css}" href="{href}" data-parent="{parent}" data-children="{children}"'
        ' hx-get="{detail}" hx-target="#node-detail" hx-trigger="click, focus delay:150ms"'
        # Steps walked past quickly answer in any order; only the last one asked for may be shown.
        ' hx-sync="#node-detail:replace"'
        ' aria-label="{label}">'
        '<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>{bar}'
        '<text x="{tx}" y="{ty}">{words}</text>'
        '<text x="{tx}" y="{ny}" class="tree-number">{number}</text></a>',
        id=node.id,
        css=_css(node, is_selected),
        href=f"{address}?{urlencode(state)}#node-{node.id}",
        parent="" if node.parent is None else node.parent,
        children=",".join(map(str, node.children)) if node.is_open else "",
        detail=node_address.replace("/0/", f"/{node.id}/"),
        label=spoken(node),
        x=x, y=y, width=WIDTH, height=HEIGHT, bar=_bar(node, lowest_q, x, y), tx=x + 14, ty=y + 17, ny=y + 34,
        words=_one_line(_title(node), 22),
        number=_drawn_numbers(node),
    )  # fmt: skip
    return svg.together([box, _toggle(node, address, toggled, x, y)]) if node.children else box


def _toggle(node: TreeNode, address: str, toggled: Sequence[int], x: float, y: float) -> SafeString:
    """The handle that folds a node's children away; a folded one says how many steps it hides."""
    state = urlencode({"toggled": with_toggled(toggled, node.id)})
    count = node.size - 1
    label = (
        _("Fold step %(number)s") % {"number": node.id}
        if node.is_open
        else ngettext("Unfold %(count)s step", "Unfold %(count)s steps", count) % {"count": count}
    )
    sign = "−" if node.is_open else f"+{count}"
    # A hidden number needs room; the link to the next column starts behind the round handle of an open one.
    wide = 22 if node.is_open else 14 + 7 * len(sign)
    # Without a delay to settle: what is pressed in it would be a link like any other, and one more page to go back.
    return format_html(
        '<a id="fold-{id}" class="tree-fold" href="{href}#node-{id}" hx-get="{href}" hx-target="#tree-pane"'
        ' hx-swap="outerHTML settle:0ms" hx-replace-url="true" tabindex="-1" aria-label="{label}">'
        '<rect x="{left}" y="{top}" width="{wide}" height="22" rx="11"/>'
        '<text x="{x}" y="{ty}">{sign}</text></a>',
        id=node.id, href=f"{address}?{state}", label=label, x=x + WIDTH + 1 + wide / 2,
        left=x + WIDTH + 1, top=y + HEIGHT / 2 - 11, wide=wide, ty=y + HEIGHT / 2 + 4, sign=sign,
    )  # fmt: skip


def _css(node: TreeNode, is_selected: bool) -> str:
    parts = ["tree-node"]
    if node.facts.get("pruned"):
        parts.append("tree-pruned")
    if node.facts.get("terminal"):
        parts.append(f"tree-{node.facts['terminal']}")
    if node.on_best_path:
        parts.append("tree-best")
    if is_selected:
        parts.append("tree-selected")
    return " ".join(parts)


def _bar(node: TreeNode, lowest_q: float, x: float, y: float) -> SafeString:
    """Q as the height of a bar at the box's left edge, from the lowest value that the method gives."""
    q = node.facts.get("q_value")
    if q is None:
        return SafeString("")
    share = max(0.05, min(1.0, (q - lowest_q) / (1 - lowest_q)))
    tall = (HEIGHT - 10) * share
    # About as many right as wrong says neither.
    css = "tree-q" if share > 0.6 else "tree-q tree-q-even" if share >= 0.4 else "tree-q tree-q-bad"
    return svg.rectangle(x + 5, y + 5 + (HEIGHT - 10) - tall, 4, tall, css)


def _title(node: TreeNode) -> str:
    return _("the problem") if node.parent is None else node.title


def _drawn_numbers(node: TreeNode) -> SafeString:
    """What a box has room for. Nothing in a model's answer may turn or hide what stands beside it."""
    answer = _answer(node, most=6)
    isolated = format_html('<tspan unicode-bidi="isolate">{}</tspan>', answer) if answer else SafeString("")
    figures = [format_html("{}", figure) for figure in _figures(node)]
    parts = [_ending(_sign(node), isolated), *figures]
    return SafeString(" · ".join(part for part in parts if part))


def _ending(sign: str, answer: SafeString) -> SafeString:
    return format_html("{} {}", sign, answer) if sign and answer else format_html("{}", sign or answer)


def _answer(node: TreeNode, most: int) -> str:
    return _one_line(str(node.facts.get("final_answer") or ""), most)


def _one_line(text: str, most: int) -> str:
    """The text in `most` code points. Counted as signs, marks piled up on one of them would have no end."""
    # However long it is, only its beginning is read.
    words = " ".join(text[: 20 * most].split())
    seen = "".join("\ufffd" if unicodedata.category(sign) in UNSEEN else sign for sign in words)
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"


def _sign(node: TreeNode) -> str:
    return SIGNS.get(node.facts.get("terminal") or "", "")


def _figures(node: TreeNode) -> list[str]:
    q = node.facts.get("q_value")
    return [
        *([_("pruned")] if node.facts.get("pruned") else []),
        f"Q {q:.2f}".replace("-", "−") if q is not None else "Q –",
        f"n {node.facts.get('visits') or 0}",
    ]


def spoken(node: TreeNode) -> str:
    """The box in words, for those who hear it."""
    ending = f"{_sign(node)} {_answer(node, most=60)}".strip()
    parts = [_title(node), " · ".join(part for part in (ending, *_figures(node)) if part)]
    if node.on_best_path:
        parts.append(_("on the way to the answer"))
    if node.facts.get("pruned"):
        parts.append(node.why_pruned)
    if node.hidden:
        parts.append(
            ngettext("%(count)s step folded", "%(count)s steps folded", node.hidden) % {"count": node.hidden}
        )
    return ". ".join(parts)
