"""Opens published MATH-APS trees beside our own: each becomes a search tree that can be walked and saved again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from labelsite.autolabels.models import EstimateRun, SearchTree
from labelsite.problems.services import store, store_problems
from ml import formats
from ml.errors import BadRecord, MisstepError
from ml.formats.lines import Limits, read_objects
from ml.formats.math_aps import problem_of

SOURCE = METHOD = "math_aps"


def import_trees(path: Path, name: str) -> list[EstimateRun]:
    """Store the trees of a `.jsonl` (or gzipped) file, whole or not at all; each time as new runs.

    A run holds one tree a problem, so a problem's second tree goes into a second run. Raises BadRecord for a
    bad line, MisstepError when the file holds no tree (the flat form is imported as solutions).
    """
    runs: dict[int, EstimateRun] = {}
    seen: Counter[int] = Counter()
    with transaction.atomic():
        problems = {
            labelled.line: solution.problem_id
            for solution, labelled in store(formats.read(path, "math_aps", name=name), SOURCE)
        }
        for line, record in _tree_records(path, name):
            problem = problems.get(line)
            if problem is None:
                # A bare root: its problem has no path, and so no solution, but was searched all the same.
                (problem,) = store_problems([problem_of(record, line)], SOURCE)
            seen[problem] += 1
            number = seen[problem]
            if number not in runs:
                runs[number] = _new_run(name, number)
            nodes = tree_nodes(record["reasoning_steps"])
            data = {
                "id": str(record.get("question_id", line)),
                # As the file has it, a number or a text, so that it is saved again unchanged.
                "question_id": record.get("question_id", line),
                "problem": record["question"],
                "answer": record.get("final_answer"),
                "method": METHOD,
                "nodes": nodes,
            }
            SearchTree.objects.create(run=runs[number], problem_id=problem, node_count=len(nodes), data=data)
        if not runs:
            message = _("%(file)s holds no tree, expected reasoning_steps with children")
            raise MisstepError(message % {"file": name})
    return list(runs.values())


def tree_nodes(root: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The nodes of one MATH-APS tree, parents before children.

    The files tell a share of right rollouts and not their number: `visits` is 1, "at least one". A leaf whose
    rollouts were all right is a right end, one whose were all wrong a wrong end.
    """
    nodes: list[dict[str, Any]] = []
    waiting: list[tuple[Mapping[str, Any], int | None]] = [(root, None)]
    while waiting:
        given, parent = waiting.pop()
        children = given.get("children") or []
        told = given.get("mc_value")
        # Only a root may be without.
        value = None if told is None else float(told)
        is_sure_end = value in (0.0, 1.0) and not children and parent is not None
        nodes.append(
            {
                "id": len(nodes),
                "parent": parent,
                "depth": 0 if parent is None else nodes[parent]["depth"] + 1,
                # The root's text is the question, which the tree has already.
                "text": "" if parent is None else str(given["text"]),
                "visits": int(value is not None),
                "q_value": value,
                "soft": value,
                "terminal": ("correct" if value else "wrong") if is_sure_end else None,
            }
        )
        waiting += [(child, nodes[-1]["id"]) for child in reversed(children)]
    return nodes


def _new_run(name: str, number: int) -> EstimateRun:
    title = name if number == 1 else f"{name} ({number})"
    return EstimateRun.objects.create(
        name=title[:120], method=METHOD, policy="imported", loaded_at=timezone.now()
    )


def _tree_records(path: Path, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines that hold trees; that they are well formed was checked when their problems were stored."""
    for number, record in read_objects(path, name, Limits(), _raise):
        if isinstance(record.get("reasoning_steps"), dict):
            yield number, record


def _raise(error: BadRecord) -> NoReturn:
    raise error
