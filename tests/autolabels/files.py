"""Files as `python -m ml autolabel` and `score` write them, for tests that do not run the command itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RUN = {
    "method": "math-shepherd",
    "parameters": {"rollouts": 4, "temperature": 0.8},
    "policy": "pocket",
    "seed": 0,
    "code_version": "1+abc",
    "sandbox_level": "monty",
    "cost": {"tokens": 100, "model_calls": 4, "executions": 8, "seconds": 1.5},
    "counts": {"items": 1},
}


def step_line(correct: int, visits: int = 4) -> dict[str, Any]:
    share = correct / visits if visits else None
    return {
        "visits": visits,
        "correct": correct,
        "q_value": share,
        "hard": None if share is None else int(correct > 0),
        "soft": share,
        "quality_value": None,
    }


def estimate_line(identity: object, corrects: Sequence[int], visits: int = 4) -> dict[str, Any]:
    """A solution of which `corrects[i]` of the rollouts after step i were right."""
    first = next((place for place, correct in enumerate(corrects) if correct == 0), None)
    return {
        "id": str(identity),
        "first_mistake": first,
        "steps": [step_line(correct, visits) for correct in corrects],
    }


def write_run(folder: Path, estimates: Sequence[dict[str, Any]], **run: Any) -> Path:
    """A folder as the command leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "estimates.jsonl", estimates)
    (folder / "run.json").write_text(json.dumps({**RUN, **run}))
    return folder


def write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def node(identity: int, parent: int | None, text: str = "a step", **fields: Any) -> dict[str, Any]:
    """One node of a tree."""
    defaults = {
        "id": identity, "parent": parent, "depth": 0, "text": text, "code": None, "output": None,
        "verdict": None, "visits": 1, "value_sum": 0.0, "q_value": 0.0, "prior": None, "terminal": None,
        "final_answer": None, "pruned": None, "quality_value": None,
    }  # fmt: skip
    return {**defaults, **fields}


def tree_line(identity: object, nodes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"id": str(identity), "problem": "2 + 2 =", "answer": "4", "method": "rstar", "nodes": list(nodes)}


def small_tree(identity: object = "1") -> dict[str, Any]:
    """A root with a right branch, a wrong branch and a pruned one."""
    return tree_line(
        identity,
        [
            node(0, None, "", depth=0, visits=3, value_sum=1.0, q_value=1 / 3),
            node(1, 0, "Add 2 and 2.", depth=1, visits=2, value_sum=2.0, q_value=1.0),
            node(2, 1, "The answer is 4.", depth=2, terminal="correct", final_answer="4", visits=2,
                 value_sum=2.0, q_value=1.0),
            node(3, 0, "Guess 5.", depth=1, terminal="wrong", final_answer="5", visits=1, value_sum=-1.0,
                 q_value=-1.0),
            node(4, 0, "Divide by zero.\n```python\n1/0\n```", depth=1, code="1/0", verdict="program_error",
                 output="ZeroDivisionError", visits=0, q_value=None, pruned="its code failed"),
        ],
    )  # fmt: skip
