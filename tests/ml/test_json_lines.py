"""Lines that hold what a model wrote, whatever that was."""

from __future__ import annotations

import json

import pytest

from ml.json_lines import as_line, storable


def test_a_line_is_readable_as_it_is_written() -> None:
    assert as_line({"text": "é\N{GRINNING FACE}\n"}) == '{"text": "é\N{GRINNING FACE}\\n"}\n'


@pytest.mark.parametrize("half", ["\ud83d", "\ude00"])
def test_half_a_surrogate_pair_is_kept_in_a_line_that_utf_8_can_hold(half: str) -> None:
    line = as_line(["é", half])
    assert json.loads(line.encode()) == ["é", half]


def test_figures_without_an_end_and_odd_keys_become_storable() -> None:
    found = storable({"loss": [float("nan"), float("inf"), 0.5], "a\0": (1, "b")})
    assert found == {"loss": [None, None, 0.5], "a\N{REPLACEMENT CHARACTER}": [1, "b"]}


def test_what_cannot_be_stored_is_replaced_at_every_depth_and_nothing_else_is() -> None:
    value = {"a": ["\0x", {"b": "\ud83d"}], "c": 1, "d": None, "e": "\N{GRINNING FACE}"}
    mended = {"a": ["\N{REPLACEMENT CHARACTER}x", {"b": "\N{REPLACEMENT CHARACTER}"}], "c": 1, "d": None}
    assert storable(value) == {**mended, "e": "\N{GRINNING FACE}"}
