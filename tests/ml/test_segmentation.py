"""Traces are cut where a reader would cut them, and code steps come apart and together again."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ml.segmentation import RULES, ends_in_fence, segment, split_code
from tests.data import real_data

FENCE = "```python\nx = 1\n\nprint(x)\n```"


def test_each_line_is_a_step_and_blank_lines_are_none():
    assert segment("one\n\n  two \nthree\n", "newline") == ["one", "two", "three"]


def test_paragraphs_keep_their_lines():
    assert segment("one\ntwo\n\n\n \nthree", "paragraph") == ["one\ntwo", "three"]


def test_step_markers_open_steps_in_all_their_dresses():
    trace = "Let us see.\nStep 1: one\nmore of one\n**Step 2:** two\n### Step 3\nthree\n- step 4. four"
    assert segment(trace, "step_marker") == [
        "Let us see.",
        "Step 1: one\nmore of one",
        "**Step 2:** two",
        "### Step 3\nthree",
        "- step 4. four",
    ]


def test_a_word_that_only_begins_like_a_marker_opens_nothing():
    trace = "Step 1: walk\nSteps 2 and 3 follow\nstepping 4 times\nStep by step"
    assert segment(trace, "step_marker") == [trace]


@pytest.mark.parametrize("rule", RULES)
def test_a_trace_without_text_has_no_steps(rule):
    assert segment(" \n\n", rule) == []


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="expected one of newline, paragraph, step_marker"):
        segment("one", "sentence")


def test_code_stays_whole_and_with_its_sentence():
    trace = f"First.\nSet x.\n{FENCE}\nDone."
    assert segment(trace, "newline") == ["First.", f"Set x.\n{FENCE}", "Done."]
    assert segment(f"Set x.\n\n{FENCE}\n\nDone.", "paragraph") == ["Set x.", FENCE, "Done."]


def test_two_code_blocks_in_a_row_are_two_steps():
    assert segment(f"Set x.\n\n{FENCE}\n{FENCE}", "newline") == [f"Set x.\n\n{FENCE}", FENCE]


def test_a_marker_inside_code_opens_nothing():
    trace = "Step 1: run\n```python\nStep 2 = 3\n```\nStep 2: read"
    assert segment(trace, "step_marker") == ["Step 1: run\n```python\nStep 2 = 3\n```", "Step 2: read"]


def test_a_fence_that_is_never_closed_goes_to_the_end():
    assert segment("a\n```python\nx = 1\ny = 2", "newline") == ["a\n```python\nx = 1\ny = 2"]


@pytest.mark.parametrize("indent", [0, 2, 3, 6])
@pytest.mark.parametrize("closed", [True, False])
def test_code_is_taken_out_of_its_fence_without_the_fence_s_indentation(indent, closed):
    lines = ["```python", "if True:", "", "    print(1)", "```"][: 5 if closed else 4]
    fence = "\n".join(" " * indent + line if line else "" for line in lines)
    assert split_code(f"10. Run it.\n\n{fence}")[1] == "if True:\n\n    print(1)"
    (alone,) = segment(f"{fence}\n", "newline")
    assert split_code(alone)[1] == "if True:\n\n    print(1)"


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("```python\n    # set up\nfor i in x:\n    print(i)\n```", "    # set up\nfor i in x:\n    print(i)"),
        ("Do:\n  ```python\nfor i in x:\n  print(i)\n  ```", "for i in x:\n  print(i)"),
        ("   ```python\n  x = 1\n    y\n   ```", "x = 1\n  y"),
    ],
)  # fmt: skip
def test_lines_lose_what_all_of_them_share_and_a_block_stays_a_block(step, code):
    assert split_code(step)[1] == code


def test_a_fence_indented_as_under_a_number_holds_a_trace_together():
    fence = "    ```python\n    x = 1\n\n    print(x)\n    ```"
    assert segment(f"1. Set x.\n\n{fence}\n\nDone.", "newline") == [f"1. Set x.\n\n{fence}", "Done."]
    assert ends_in_fence(fence.rpartition("\n")[0]) and not ends_in_fence(fence)


def test_deep_backticks_without_python_open_nothing_and_in_plain_code_close_nothing():
    assert segment("a\n    ```\nb", "newline") == ["a", "```", "b"]
    assert split_code("a\n```python\ns = '''\n    ```\n'''\n```")[1] == "s = '''\n    ```\n'''"


@pytest.mark.parametrize(
    "latex",
    [
        "\\[\nx = 1\n\n+ 2\n\\]",
        "$$\nx\n$$",
        "\\begin{align*}\nx &= 1 \\\\\n\n&= 2\n\\end{align*}",
        "so \\begin{cases}\n1 \\\\\n\\begin{matrix}\n2\n\\end{matrix}\n\\end{cases} follows",
        "first \\[ x \\] then \\[\ny\n\\] end",
    ],
)
@pytest.mark.parametrize("rule", ["newline", "paragraph"])
def test_displayed_latex_stays_whole(latex, rule):
    assert segment(f"before\n\n{latex}\n\nafter", rule) == ["before", latex, "after"]


@pytest.mark.parametrize(
    "trace", ["a \\[ b\nc\nd", "a $$ b\nc\nd", "\\begin{align}\nc\nd", "costs \\$\\$\nc\nd"]
)
def test_latex_that_is_never_closed_holds_nothing_together(trace):
    assert segment(trace, "newline") == trace.split("\n")


def test_an_open_bracket_does_not_swallow_the_code_after_it():
    assert segment(f"a \\[ b\nSet x.\n{FENCE}\n\\] c", "newline") == ["a \\[ b", f"Set x.\n{FENCE}", "\\] c"]


@pytest.mark.parametrize("line", ["\\[", "$$ \\[", "```python", "\\begin{a}", "Step 1", "``` ```"])
def test_hostile_traces_take_linear_time(line):
    start = time.perf_counter()
    for rule in RULES:
        segment("\n".join([line] * 10_000), rule)
    assert time.perf_counter() - start < 4


@pytest.mark.parametrize(
    "line", ["\\[ " * 300_000, "```" + " " * 300_000 + "`", "\\[ \\] " * 100_000, " " * 300_000]
)
def test_one_hostile_line_takes_linear_time(line):
    start = time.perf_counter()
    for rule in RULES:
        segment(line, rule)
    names = ("".join(chr(97 + int(digit)) for digit in str(number)) for number in range(30_000))
    segment(" ".join(f"\\begin{{{name}}}" for name in names), "newline")
    assert time.perf_counter() - start < 4


pieces = st.sampled_from(
    ["a", "b c", "", " ", "```python", "```", "\\[", "\\]", "$$", "Step 1: x", "\\begin{a}", "\\end{a}"]
)


@settings(deadline=None)
@given(st.lists(pieces, max_size=14), st.sampled_from(RULES))
def test_cutting_loses_nothing_but_white_space(lines, rule):
    trace = "\n".join(lines)
    steps = segment(trace, rule)
    assert "".join("".join(steps).split()) == "".join(trace.split())
    assert all(step == step.strip() != "" for step in steps)


def join_code(sentence: str, code: str | None) -> str:
    """The step that `split_code` takes apart again; the fence is longer than any fence inside the code."""
    if code is None:
        return sentence
    longest = max((len(ticks) for ticks in re.findall(r"^ {0,3}(`{3,})", code, re.MULTILINE)), default=2)
    fence = "`" * max(3, longest + 1)
    block = f"{fence}python\n{code}\n{fence}"
    return f"{sentence}\n{block}" if sentence else block


def test_a_code_step_comes_apart():
    assert split_code(f"Set x.\n{FENCE}") == ("Set x.", "x = 1\n\nprint(x)")


def test_a_prose_step_has_no_code():
    for step in ("Let x = `1`.", "", "a\n```\nplain\n```", "a\n```text\nplain\n```", "say ```python inline"):
        assert split_code(step) == (step, None)


def test_an_empty_code_block_is_code_all_the_same():
    assert split_code("a\n```python\n```") == ("a", "")
    assert split_code(join_code("a", "")) == ("a", "")


def test_several_blocks_are_one_program_and_the_words_around_them_one_sentence():
    step = "a\n```python\nx = 1\n```\nb\n```py\nprint(x)\n```\nc"
    assert split_code(step) == ("a\nb\nc", "x = 1\nprint(x)")


def test_code_that_was_cut_off_is_still_code():
    assert split_code("a\n```python\nx = 1\ny =") == ("a", "x = 1\ny =")


code_lines = st.lists(
    st.sampled_from(["x = 1", "", "    y", "```", "````", "'''```'''", "# ```python"]), max_size=6
)
sentences = st.text("ab .`\\[é\n", max_size=12).filter(lambda text: "```" not in text)


@settings(deadline=None)
@given(sentences, st.none() | code_lines.map("\n".join))
def test_what_was_joined_comes_apart_the_same(sentence, code):
    # Code that begins indented is no Python by itself: its fence was.
    assume(sentence or not (code or "").lstrip("\n").startswith(" "))
    assert split_code(join_code(sentence, code)) == (sentence, code)


@settings(deadline=None)
@given(sentences.filter(lambda text: text == text.strip() != ""), code_lines.map("\n".join))
def test_a_joined_code_step_is_one_step_of_its_paragraph(sentence, code):
    step = join_code(sentence.replace("\n", " ").replace("\\[", ""), code).strip()
    assert segment(step, "paragraph") == [step]


def test_real_solutions_are_cut_at_their_lines():
    path = real_data("gsm8k/example_model_solutions.jsonl")
    with path.open(encoding="utf-8") as file:
        trace = json.loads(next(file))["175b_verification"]["solution"]
    assert segment(trace, "newline") == trace.split("\n")
    assert segment(trace, "paragraph") == [trace]
