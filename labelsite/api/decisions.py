"""What reviewers decided of a campaign's solutions as JSON Lines, for scripts that pull everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from labelsite.api.base import Endpoint, IsReviewer
from labelsite.api.problems import BadRequest
from labelsite.asked import whole
from labelsite.campaigns.access import campaign_or_404
from labelsite.comparison.decisions import UnknownDecision, pulled
from labelsite.comparison.models import Adjudication
from labelsite.problems.streaming import in_chunks
from labelsite.snapshots.downloads import JSON_LINES
from ml.json_lines import as_line

CHUNK = 1_000


class DecisionLines(Endpoint):
    """Every decision of reviewers on a campaign's solutions as JSON Lines, streamed; also those that were replaced.

    `positions` are the acceptable first mistakes, counted from 0; -1 stands for "no mistake". `after` continues behind
    the decision of that id: name the id of the last line. A decision replaces the earlier ones on its task, also where
    a pull before it gave these as live.
    """

    needs = (IsReviewer,)
    asks = {"after": ()}

    @extend_schema(
        parameters=[OpenApiParameter("after", int, description="the id in the last line of the pull before")],
        responses={(200, JSON_LINES): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        campaign = campaign_or_404(self.person, pk)
        asked = request.query_params.get("after", "0")
        try:
            if (after := whole(asked)) is None:
                raise UnknownDecision
            rows = pulled(campaign, after)
        except UnknownDecision as error:
            raise BadRequest(
                f"after={asked!r}, expected the id of a decision in this campaign, or 0"
            ) from error
        streamed = StreamingHttpResponse(_lines(rows), content_type=JSON_LINES)
        streamed["Content-Disposition"] = f'attachment; filename="campaign-{pk}-decisions.jsonl"'
        return streamed


def _lines(rows: QuerySet[Adjudication]) -> Iterator[str]:
    for chunk in in_chunks(rows, CHUNK):
        for row in chunk:
            yield as_line(_said(row))


def _said(row: Adjudication) -> dict[str, Any]:
    return {
        "id": row.pk,
        "task": row.task_id,
        "solution": row.task.solution_id,
        "external_id": row.task.solution.external_id,
        "positions": row.positions,
        "note": row.note,
        "reviewer": row.reviewer.username,
        "made_gold": row.made_gold,
        "is_live": row.is_live,
        "created_at": row.created_at.isoformat(),
    }
