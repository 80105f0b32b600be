"""Signs of an answer that the opinions do not read: those that display its mathematics, and Unicode's for LaTeX's."""

from __future__ import annotations

import re
import unicodedata

_DISPLAYS = (("\\[", "\\]"), ("\\(", "\\)"), ("$$", "$$"))
# The second of two backslashes begins no sign: \\[2pt] and \\(1) follow the end of a matrix's row.
_INLINE = re.compile(r"(?<!\\)\\[()]")

_COMMANDS = {
    "\u221e": r"\infty",
    "\u2208": r"\in",
    "\u2264": r"\leq",
    "\u2265": r"\geq",
    "\u2260": r"\neq",
    "\u222a": r"\cup",
    "\u2229": r"\cap",
    "\u2205": r"\emptyset",
    "\u00b1": r"\pm",
    "\u00f7": r"\div",
    "\u00d7": r"\times",
    "\u03c0": r"\pi",
    "\u03b8": r"\theta",
}
# Between letters a sign may join words, and a Greek letter be part of one.
_SIGN = re.compile(
    "[\u221e\u2208\u2264\u2265\u2260\u222a\u2229\u2205\u00b1\u00f7]"
    r"|(?<=[\d)}\]])\s*\u00d7\s*(?=[\d(\\])"
    "|(?<![\u0370-\u03ff])[\u03c0\u03b8](?![\u0370-\u03ff])"
)
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")
# A small digit before a root may be a power or the root's degree.
_SMALL = "\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207a\u207b\u207f"
_ROOT = re.compile(
    rf"(?<![{_SMALL}])\u221a\s*(?:\((?P<inside>[^()\u221a]*)\)|(?P<token>\d+(?:\.\d+)?(?!,?\d)|[A-Za-z]))"
)
_SUPERSCRIPT = re.compile(f"[{_SMALL}]+(?![{_SMALL}\u221a])")
_SUBSCRIPT = re.compile("[\u2080-\u2089]+")
# Between two numbers it may say "to".
_LEADING_DASH = re.compile(
    r"(?:^|(?<=[(\[{,=$<>]))\s*[\u2012-\u2015](?=\s*[\d.\\$A-Za-z(\u221a\u221e\u00bc-\u00be])"
)

_PLUS_MINUS = re.compile(r"\\pm(?![A-Za-z])")


def without_display(answer: str) -> str:
    r"""`answer` without the one pair of \[...\], \(...\) or $$...$$ that stands round all of it."""
    text = answer.strip()
    for opening, closing in _DISPLAYS:
        inside = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening + closing):
            return answer if opening in inside or closing in inside else inside.strip()
    return answer


def plainly_written(answer: str) -> str:
    """`answer` as the opinions compare it, without the signs that display it and with those of LaTeX."""
    text = answer.strip()
    if not text.isascii():
        text = _in_latex(text)
    if "\\" not in text and "$$" not in text:
        return text
    bare = without_display(text.rstrip("."))
    return _INLINE.sub("", text if bare == text.rstrip(".") else bare)


def with_both_signs(answer: str, reference: str) -> tuple[str, str]:
    r"""Both as lists of two where one has a \pm in braces, which math-verify does not read there."""
    if not any(_is_inside_braces(text) for text in (answer, reference)):
        return answer, reference
    given, expected = (
        ",".join(_PLUS_MINUS.sub(sign, text) for sign in "+-") if _has_two_values(text) else text
        for text in (answer, reference)
    )
    return given, expected


def _has_two_values(text: str) -> bool:
    # Of two such signs it is not told whether they go together; and a list would be twice as long.
    return len(_PLUS_MINUS.findall(text)) == 1 and "\\mp" not in text and "," not in text


def _is_inside_braces(text: str) -> bool:
    before = text[: match.start()] if (match := _PLUS_MINUS.search(text)) is not None else ""
    return before.count("{") > before.count("}") and _has_two_values(text)


def _in_latex(text: str) -> str:
    text = _LEADING_DASH.sub("-", text)
    text = _VULGAR.sub(_fraction, text)
    text = _ROOT.sub(lambda match: rf"\sqrt{{{match['inside'] or match['token']}}}", text)
    text = _SUPERSCRIPT.sub(lambda match: _script("^", match), text)
    text = _SUBSCRIPT.sub(lambda match: _script("_", match), text)
    return _SIGN.sub(lambda match: f"{_COMMANDS[match[0].strip()]}{_blank_behind(match)}", text)


def _fraction(match: re.Match[str]) -> str:
    top, bottom = unicodedata.normalize("NFKC", match[0]).split("\u2044")
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    if (before == "" or before in " ([{,=-+<>$" or before.isdecimal()) and (
        after == "" or after in " )]},$."
    ):
        # A whole number beside it makes a mixed one.
        return f"{' ' if before.isdecimal() else ''}{top}/{bottom}"
    return rf"\frac{{{top}}}{{{bottom}}}"


def _script(mark: str, match: re.Match[str]) -> str:
    script = unicodedata.normalize("NFKC", match[0]).replace("\u2212", "-")
    is_bare = len(script) == 1 and not match.string[match.end() :][:1].isalnum()
    return f"{mark}{script}" if is_bare else f"{mark}{{{script}}}"


def _blank_behind(match: re.Match[str]) -> str:
    return " " if match.string[match.end() :][:1].isalpha() else ""
