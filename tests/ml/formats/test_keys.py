"""Which keys are told that a format passes over, also within what it reads key by key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ml import formats

LEAF = {"text": "The sum is 3.", "mc_value": 1.0, "children": [], "visits": 4}
TREE = {"text": "What is 1 + 2?", "mc_value": 0.5, "children": [{**LEAF, "children": [LEAF]}]}
FLAT = {"solution_prefix": "What is 1 + 2? We add.", "mc_value": 0.5, "visits": 4}
GSM8K = {"question": "What is 1 + 2?", "ground_truth": "#### 3"}


@pytest.mark.parametrize(
    ("format", "record", "unread"),
    [
        ("math_aps", {"question": "What is 1 + 2?", "reasoning_steps": TREE}, {"reasoning_steps.visits": 2}),
        (
            "math_aps",
            {"question": "What is 1 + 2?", "reasoning_steps": [FLAT]},
            {"reasoning_steps[].visits": 1},
        ),
        (
            "gsm8k_solutions",
            {
                **GSM8K,
                "a": {"is_correct": True, "solution": "A: 3", "tokens": 5},
                "b": {"is_correct": True, "solution": "3"},
            },
            {"MODEL.tokens": 1},
        ),
    ],
)
def test_keys_within_an_entry_that_the_format_does_not_read_are_counted(
    tmp_path: Path, format: str, record: dict[str, Any], unread: dict[str, int]
) -> None:
    path, keys = tmp_path / "file.jsonl", formats.KeyLog()
    path.write_text(json.dumps(record))
    assert list(formats.read(path, format, keys=keys))
    assert (keys.unread, keys.kept) == (unread, {})
