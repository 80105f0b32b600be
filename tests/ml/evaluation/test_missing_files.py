"""`python -m ml evaluate` with a file that is not there: one line that says which, and what was expected."""

from __future__ import annotations

import json

import pytest

from ml.commands.evaluate import main
from ml.errors import MisstepError


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("first-mistake", "--scores"),
        ("first-mistake", "--solutions"),
        ("critiques", "--critiques"),
        ("critiques", "--solutions"),
        ("best-of-n", "--pool"),
        ("best-of-n", "--scores"),
    ],
)
def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path, kind, missing):
    candidate = {"steps": ["x"], "final_answer": "1", "is_correct": True}
    lines = {
        "--scores": {"id": "a/0", "scores": [0.5]},
        "--critiques": {"id": "a/0", "critiques": [0]},
        "--solutions": {"id": "a", "problem": "?", "answer": "1", "solutions": [candidate]},
        "--pool": {"id": "a", "solutions": [candidate]},
    }
    wanted = {
        "first-mistake": ["--scores", "--solutions"],
        "critiques": ["--critiques", "--solutions"],
        "best-of-n": ["--pool", "--scores"],
    }[kind]
    given = [kind]
    for name in wanted:
        path = tmp_path / f"{name.strip('-')}.jsonl"
        if name != missing:
            path.write_text(json.dumps(lines[name]) + "\n")
        given += [name, str(path)]
    more = ["--format", "misstep"] if "--solutions" in wanted else []
    with pytest.raises(MisstepError, match=rf"{missing.strip('-')}\.jsonl:.* no .*file.*, expected"):
        main([*given, *more])
