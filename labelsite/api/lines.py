"""Annotations as JSON Lines, for scripts that pull everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from labelsite.annotations.models import Annotation
from labelsite.snapshots.annotation_lines import labelled_rows
from labelsite.snapshots.downloads import JSON_LINES
from ml.formats import prm800k
from ml.formats.records import METADATA
from ml.json_lines import as_line
from ml.records import LabelledSolution

SHAPES = ("misstep", "prm800k")


def response(annotations: QuerySet[Annotation], shape: str, name: str) -> StreamingHttpResponse:
    """The annotations in one of SHAPES, as a download."""
    streamed = StreamingHttpResponse(_lines(annotations, shape), content_type=JSON_LINES)
    streamed["Content-Disposition"] = f'attachment; filename="{name}"'
    return streamed


def _lines(annotations: QuerySet[Annotation], shape: str) -> Iterator[str]:
    for row, labelled in labelled_rows(annotations):
        record = prm800k.write_record(labelled) if shape == "prm800k" else _own_shape(row, labelled)
        yield as_line(record)


def _own_shape(row: Annotation, labelled: LabelledSolution) -> dict[str, Any]:
    solution, said = labelled.solution, labelled.annotation
    assert said is not None
    return {
        "id": row.pk,
        "task": row.task_id,
        "kind": row.task.kind,
        "annotator": row.annotator.username,
        "excluded": row.annotator.labels_excluded,
        "origin": row.origin,
        "revision": row.revision,
        "finish_reason": row.finish_reason,
        "reason": row.reason,
        "first_mistake": row.first_mistake,
        "trajectory": row.trajectory,
        "ratings": [
            {
                "position": rating.position,
                "option": rating.option,
                "rating": rating.rating,
                "flagged": rating.flagged,
                "milliseconds": rating.milliseconds,
                "note": rating.note,
            }
            for rating in said.ratings
        ],
        "broken_rule": row.broken_rule,
        "total_time_ms": row.total_time_ms,
        "exposure": row.exposure,
        "changed_after_reveal": row.changed_after_reveal,
        "guideline_version": row.guideline_version,
        # Of an imported look the file's own word on when it was; `created_at` is when the row was made.
        "labelled_at": said.created_at,
        "created_at": row.created_at.isoformat(),
        "solution": {
            "id": row.task.solution_id,
            "external_id": solution.id,
            "problem": solution.problem.text,
            "answer": solution.problem.answer,
            "positions": [
                {
                    "options": [option.text for option in position.options],
                    "sources": [option.source for option in position.options],
                    "chosen": position.chosen,
                }
                for position in solution.positions
            ],
            "final_answer": solution.final_answer,
            "is_correct": solution.is_correct,
            "generator": solution.generator,
            "metadata": solution.extra.get(METADATA, {}),
        },
    }
