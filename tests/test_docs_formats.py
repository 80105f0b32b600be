"""docs/formats.md describes every format, by a line that its reader takes and of which it passes nothing over."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ml import formats
from ml.snapshot import SnapshotRow

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "formats.md").read_text(encoding="utf-8")


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


def test_every_key_of_a_snapshots_row_is_described():
    table = TEXT.partition("A row of a snapshot's part:")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    keys = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert {field.name for field in fields(SnapshotRow)} == keys
