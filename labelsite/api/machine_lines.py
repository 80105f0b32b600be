"""What machines said of a campaign's steps as JSON Lines, for scripts that pull everything.

The rows of one run become visible in the order of their ids: its parts are loaded one at a time. So a pull of one run
can go on behind the last id that it has seen, also while the run still works.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import F, QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from labelsite.api.base import Endpoint, IsReviewer
from labelsite.api.problems import BadRequest
from labelsite.asked import whole
from labelsite.autolabels.models import EstimateRun, ScoreRun, StepEstimate, StepScore
from labelsite.campaigns.access import campaign_or_404
from labelsite.campaigns.models import Campaign
from labelsite.problems.streaming import in_chunks
from labelsite.snapshots.downloads import JSON_LINES
from ml.json_lines import as_line
from ml.targets.series import SERIES

CHUNK = 1_000
# Where a line belongs; what was said of the step comes behind it.
PLACE = ("step__position", "step__option", "step__solution__external_id")
SCHEMA = extend_schema(
    parameters=[
        OpenApiParameter("run", int, description="the campaign's own if left out"),
        OpenApiParameter(
            "after", int, description="the id in the last line of the pull before, of the same run"
        ),
    ],
    responses={(200, JSON_LINES): OpenApiTypes.STR},
)


def asked_run(asked: str, runs: type[EstimateRun] | type[ScoreRun]) -> int:
    """The id of the run that an address names; raises BadRequest where there is none of it."""
    run = whole(asked)
    if run is None or not runs.objects.filter(pk=run).exists():
        raise BadRequest(f"run={asked!r}, expected the id of a run")
    return run


class StepLines(Endpoint):
    """What one run says of the campaign's steps, a line for each, in the order in which they were loaded."""

    needs = (IsReviewer,)
    asks = {"run": (), "after": ()}
    rows: ClassVar[type[StepEstimate] | type[StepScore]]
    runs: ClassVar[type[EstimateRun] | type[ScoreRun]]
    # The campaign's field with its own run, what a line says, and what a download is called.
    own: ClassVar[str]
    said: ClassVar[Sequence[str]]
    name: ClassVar[str]

    def lines(self, asked: Mapping[str, str], pk: int) -> StreamingHttpResponse:
        campaign = campaign_or_404(self.person, pk)
        run = self._run(campaign, asked.get("run"))
        rows = self._rows_of(campaign, run, asked.get("after", "0")) if run else self.rows.objects.none()
        streamed = StreamingHttpResponse(self._written(rows), content_type=JSON_LINES)
        streamed["Content-Disposition"] = f'attachment; filename="campaign-{pk}-{self.name}.jsonl"'
        return streamed

    def _run(self, campaign: Campaign, asked: str | None) -> int | None:
        own: int | None = getattr(campaign, self.own)
        return own if asked is None else asked_run(asked, self.runs)

    def _rows_of(self, campaign: Campaign, run: int, asked: str) -> QuerySet[Any]:
        """The rows behind `asked`. Those of a run that was loaded anew have other ids, and are pulled from 0 again."""
        after = whole(asked)
        if after is None or (after and not self.rows.objects.filter(run=run, pk=after).exists()):
            raise BadRequest(f"after={asked!r}, expected the id in a line of run {run}, or 0")
        rows = self.rows.objects.filter(run=run, pk__gt=after, step__solution__tasks__campaign=campaign)
        rows = rows.select_related("step__solution").only("run", *self.said, *PLACE)
        return rows.annotate(task=F("step__solution__tasks")).order_by("pk")

    def _written(self, rows: QuerySet[Any]) -> Iterator[str]:
        for chunk in in_chunks(rows, CHUNK):
            for row in chunk:
                step = row.step
                place = {
                    "id": row.pk,
                    "run": row.run_id,
                    "task": row.task,
                    "solution": step.solution_id,
                    "external_id": step.solution.external_id,
                    "step": step.pk,
                    "position": step.position,
                    "option": step.option,
                }
                yield as_line({**place, **{name: getattr(row, name) for name in self.said}})


class StepEstimates(StepLines):
    """The stored estimates of a campaign's steps as JSON Lines, streamed: what rollouts of one run said of each.

    `after` continues behind the estimate of that id, so that a pull can go on where it stopped: name the id of the
    last line, and the `run` that it names. Estimates of a run that still works come as its parts are loaded.
    """

    rows, runs, own, said, name = StepEstimate, EstimateRun, "estimate_run_id", SERIES, "step-estimates"

    @SCHEMA
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        return self.lines(request.query_params, pk)


class StepScores(StepLines):
    """The stored scores of a campaign's steps as JSON Lines, streamed: what one run's checkpoint gave each.

    `after` continues behind the score of that id: name the id of the last line, and the `run` that it names.
    """

    rows, runs, own, said, name = StepScore, ScoreRun, "score_run_id", ("score",), "step-scores"

    @SCHEMA
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        return self.lines(request.query_params, pk)
