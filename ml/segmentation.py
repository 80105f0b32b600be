"""Cuts traces into steps, and steps into a sentence and its code.

A step is one string. A code step is a sentence, a newline, and a fenced block of Python. Cutting never goes
through a code fence or through displayed LaTeX: half of either is unreadable, for people and for programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

RULES = ("newline", "paragraph", "step_marker")

# Deeper than in plain Markdown: below "10. " code is indented further.
PLAIN_INDENT, DEEPEST_INDENT = 3, 6
FENCE = re.compile(rf"^( {{0,{DEEPEST_INDENT}}})(`{{3,}})([^`\n]*)$")
PYTHON_WORDS = frozenset({"python", "py", "python3"})
STEP_MARKER = re.compile(r"^[ \t]*(?:#{1,6}[ \t]*|\*{1,2}|[-+][ \t]+)?step[ \t]*\d{1,4}\b", re.IGNORECASE)
# What opens displayed LaTeX, and what closes it. `\begin{x}` is closed by its own `\end{x}` only.
LATEX_OPENING = re.compile(r"(?<!\\)(?:\\\[|\$\$|\\begin\{([A-Za-z]+\*?)\})")

# Displayed LaTeX of more lines than this was never closed; looking on would take quadratic time.
LONGEST_LATEX = 60
# A line that opens more kinds of LaTeX than this without closing them was not written to be read.
MOST_OPEN = 8


def segment(trace: str, rule: str) -> list[str]:
    """The steps of a trace, without surrounding white space and without empty ones.

    rule: "newline" (each line is a step), "paragraph" (blank lines part steps) or "step_marker" (a line that
    begins with "Step 3" opens a step; what stands before the first marker is a step of its own).
    Raises ValueError for another rule.
    """
    if rule not in RULES:
        raise ValueError(f"segmentation rule {rule!r}, expected one of {', '.join(RULES)}")
    steps: list[list[str]] = [[]]
    for block in _whole_blocks(trace):
        if _opens_step(block, rule, steps[-1]):
            steps.append([])
        steps[-1].append(block)
    joined = ("\n".join(step).strip() for step in steps)
    return [step for step in joined if step]


def _opens_step(block: str, rule: str, current: list[str]) -> bool:
    """Whether this block begins a new step."""
    first = block.split("\n", 1)[0]
    if rule == "step_marker":
        return bool(STEP_MARKER.match(first))
    if rule == "paragraph":
        return not block.strip()
    if _opening_fence(first):
        # A fence goes with the sentence that leads to it: together they are one code step.
        return any(_opening_fence(line.split("\n", 1)[0]) for line in current)
    return bool(block.strip())


def _whole_blocks(trace: str) -> Iterator[str]:
    """The trace's lines, where a code fence or displayed LaTeX counts as one long line."""
    lines = trace.split("\n")
    index = 0
    while index < len(lines):
        length = _fence_length(lines, index) or _latex_length(lines, index)
        yield "\n".join(lines[index : index + length])
        index += length


def _opening_fence(line: str) -> re.Match[str] | None:
    """The fence that opens on this line. One indented as under a list's number has to say that it holds Python."""
    fence = FENCE.match(line)
    if fence is not None and len(fence[1]) > PLAIN_INDENT and not _holds_python(fence):
        return None
    return fence


def _holds_python(fence: re.Match[str]) -> bool:
    return fence[3].strip().lower() in PYTHON_WORDS


def _fence_length(lines: list[str], start: int) -> int:
    """How many lines the fence that opens on this line takes; 0 if none opens. Unclosed: to the end."""
    opening = _opening_fence(lines[start])
    if not opening:
        return 0
    for index in range(start + 1, len(lines)):
        if _closes(lines[index], opening):
            return index - start + 1
    return len(lines) - start


def _closes(line: str, opening: re.Match[str]) -> bool:
    """Whether a line ends a block that this fence opened: as many backticks or more, and nothing else."""
    closing = FENCE.match(line)
    if closing is None or closing[3].strip() or len(closing[2]) < len(opening[2]):
        return False
    return len(closing[1]) <= max(PLAIN_INDENT, len(opening[1]))


def ends_in_fence(text: str) -> bool:
    """Whether a code fence that opens in the text is still open at its end."""
    lines, index = text.split("\n"), 0
    while index < len(lines):
        length = _fence_length(lines, index)
        opening = _opening_fence(lines[index])
        if opening and index + length == len(lines):
            return length == 1 or not _closes(lines[-1], opening)
        index += length or 1
    return False


def _latex_length(lines: list[str], start: int) -> int:
    """How many lines from here on displayed LaTeX holds together; 1 if it is closed at once or never."""
    end, column = start, 0
    hopeless: set[str] = set()  # What the lines from `end` on do not hold; asking again would cost time.
    while (opening := LATEX_OPENING.search(lines[end], column)) and len(hopeless) < MOST_OPEN:
        closing = _closing(opening)
        column = opening.end()
        if closing in hopeless:
            continue
        hopeless.add(closing)
        for index in range(end, min(len(lines), end + LONGEST_LATEX)):
            found = lines[index].find(closing, column if index == end else 0)
            if found >= 0:
                end, column = index, found + len(closing)
                hopeless.clear()
                break
            if index > end and _opening_fence(lines[index]):
                break  # An opening that would swallow a code block was a slip of the writer, not LaTeX.
    return end - start + 1


def _closing(opening: re.Match[str]) -> str:
    if opening[1]:
        return f"\\end{{{opening[1]}}}"
    return "\\]" if opening[0] == "\\[" else "$$"


def split_code(step: str) -> tuple[str, str | None]:
    """The step's sentence and its Python, None where it has none.

    Only fences marked as Python count; other fences stay in the sentence. The code of several fences is
    joined by a newline, without the indentation of its fence. An unclosed fence goes to the end: the model was cut off
    there.
    """
    sentence: list[str] = []
    code: list[str] = []
    lines, index, found = _as_indented(step.split("\n")), 0, False
    while index < len(lines):
        length = _fence_length(lines, index)
        opening = _opening_fence(lines[index])
        if not opening:
            sentence.append(lines[index])
            index += 1
            continue
        body = lines[index : index + length]
        if _holds_python(opening):
            found = True
            closed = len(body) > 1 and _closes(body[-1], opening)
            code.extend(_outdented(body[1:-1] if closed else body[1:], len(opening[1])))
        else:
            sentence.extend(body)
        index += length
    return "\n".join(sentence), "\n".join(code) if found else None


def _as_indented(lines: list[str]) -> list[str]:
    """A step's lines, the first with its indentation: a step has no white space before it, so that of a fence that
    begins one is known from the line after it.
    """
    fence = FENCE.match(lines[0])
    if fence is None or not _holds_python(fence):
        return lines
    indent = next((_indent(line) for line in lines[1:] if line.strip()), 0)
    return [" " * min(indent, DEEPEST_INDENT) + lines[0].lstrip(" "), *lines[1:]]


def _outdented(lines: list[str], most: int) -> list[str]:
    """The lines without the indentation that all of them share, up to `most`: less of one would change the program."""
    cut = min((_indent(line) for line in lines if line.strip()), default=0)
    return [line[min(cut, most) :] for line in lines]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
