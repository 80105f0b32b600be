"""Runs `python -m ml train` and `score` in this process, on the sums of `toys`."""

from __future__ import annotations

import json
from dataclasses import replace

from ml.commands import score as score_command
from ml.commands import train as train_command
from ml.snapshot import write_snapshot
from tests.ml.prm.toys import sums

QUICK = ["--base", "small", "--steps", "3", "--batch-size", "8"]


def snapshot_of(tmp_path, rows=None, name="snapshot", **manifest):
    rows = rows or [*sums(20), *sums(6, seed=1, split="validation")]
    write_snapshot(tmp_path / name, rows, **{"name": "sums", "labels": "human", **manifest})
    return tmp_path / name


def automatic_snapshot(tmp_path):
    """The sums with their labels as the search's own word."""
    rows = []
    for r in sums(20):
        first = 3 if r.first_mistake is None else r.first_mistake
        soft = [0.0 if k >= first else 0.75 for k in range(3)]
        rows.append(replace(r, automatic={"visits": [4] * 3, "soft": soft}, human=None))
    return snapshot_of(tmp_path, rows, name="automatic")


def trained(tmp_path, capsys, *arguments, snapshot=None, out="checkpoint"):
    folder = snapshot or snapshot_of(tmp_path)
    given = ["--snapshot", str(folder), "--out", str(tmp_path / out), *QUICK, *arguments]
    assert train_command.main(given) == 0
    return tmp_path / out, json.loads(capsys.readouterr().out.splitlines()[-1])


def processbench_file(tmp_path, rows):
    path = tmp_path / "solutions.jsonl"
    lines = [
        {
            "id": row.id, "generator": "toy", "problem": row.problem, "steps": row.steps,
            "final_answer_correct": row.is_correct,
            "label": -1 if row.first_mistake is None else row.first_mistake,
        }
        for row in rows
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def scored(tmp_path, capsys, checkpoint, rows):
    out = tmp_path / "scores.jsonl"
    # Another's scores would not be written over.
    out.unlink(missing_ok=True)
    arguments = ["--checkpoint", str(checkpoint), "--solutions", str(processbench_file(tmp_path, rows))]
    assert score_command.main([*arguments, "--format", "processbench", "--out", str(out)]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    return [json.loads(line) for line in out.read_text().splitlines()], summary
