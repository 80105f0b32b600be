"""docs/formats.md describes every format, by a line that its reader takes and of which it passes nothing over."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ml import formats
from ml.records import Problem, SolutionEstimate, StepEstimate
from ml.search.item_lines import line_of
from ml.search.pairs import PairRules
from ml.search.rest_mcts import RestMcts
from ml.search.tree import Tree
from ml.snapshot import SnapshotRow

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXT = (DOCS / "formats.md").read_text(encoding="utf-8")


AUTOLABEL = (DOCS / "autolabel.md").read_text(encoding="utf-8")


def section(format: str) -> str:
    """What stands between a format's heading and the next one."""
    found = re.search(rf"^### {format}\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/formats.md has no section ### {format}"
    return found[1]


def examples(format: str) -> list[str]:
    return re.findall(r"^```json\n(.+?)\n```", section(format), re.MULTILINE)


@pytest.mark.parametrize("format", formats.FORMATS)
def test_every_format_has_a_line_that_is_read_whole_and_guessed(format: str, tmp_path: Path):
    (line,) = examples(format)
    path, keys = tmp_path / "example.jsonl", formats.KeyLog()
    path.write_text(line + "\n", encoding="utf-8")
    assert formats.guess(path) == format
    found = list(formats.read(path, format, keys=keys))
    assert found and all(one.solution.steps and not one.broken_rule for one in found)
    assert not keys.unread


@pytest.mark.parametrize("format", formats.FORMATS)
def test_every_section_says_what_becomes_an_annotation_and_by_whom(format: str, tmp_path: Path):
    text, path = section(format), tmp_path / "example.jsonl"
    path.write_text(examples(format)[0] + "\n", encoding="utf-8")
    labelers = {one.annotation.labeler for one in formats.read(path, format) if one.annotation}
    named = {labeler if labeler.startswith("imported:") else f"imported:{labeler}" for labeler in labelers}
    assert named == set(re.findall(r"`(imported:\w+)`", text))
    assert ("annotation by" in text or "annotations by" in text) == bool(named)
    assert "gold" in text


def keys_in(table: str) -> set[str]:
    """What the first column of a table names."""
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def names_of(record: type) -> Iterable[str]:
    return (field.name for field in fields(record))


def test_every_key_of_a_snapshots_row_is_described():
    assert set(names_of(SnapshotRow)) == keys_in(TEXT.partition("A row of a snapshot's part:")[2])


def a_trees_line() -> dict[str, Any]:
    """What a run keeps of a fresh problem."""
    tree = Tree(Problem("p", "1 + 2 =", "3"))
    tree.root.lost = 1
    return line_of(tree, "rest-mcts", RestMcts(), PairRules())


def test_every_key_of_a_trees_node_is_described():
    (node,) = a_trees_line()["tree"]["nodes"]
    assert set(node) == keys_in(section("Search trees"))


def test_every_key_of_a_line_of_estimates_is_described():
    of_steps = {*names_of(SolutionEstimate), *names_of(StepEstimate)}
    table = AUTOLABEL.partition("A line of `estimates.jsonl`:")[2].partition("A line of `trees.jsonl`")[0]
    assert {*of_steps, *a_trees_line()["estimate"]} == keys_in(table)
