"""A second search with which the campaign's own has to agree, where nobody judged a solution."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from labelsite.autolabels.models import EstimateRun, SolutionEstimate, StepEstimate
from labelsite.snapshots.evidence import CHUNK
from labelsite.snapshots.lineage import told_of
from labelsite.snapshots.models import LabelSource
from ml.errors import MisstepError
from ml.evaluation.first_mistake import MISSING
from ml.evaluation.second_verdicts import place_in
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule
from ml.targets.series import SERIES, series_from


def second_runs() -> QuerySet[EstimateRun]:
    """The searches that can be asked second: those that hold first mistakes of solutions. A measured cost holds none,
    and nor does a search of fresh problems."""
    named = SolutionEstimate.objects.filter(run=OuterRef("pk"))
    return EstimateRun.objects.filter(Exists(named), loaded_at__isnull=False).order_by("-pk")


def require_second(second: EstimateRun | None, run: EstimateRun | None, rule: LabelRule) -> None:
    """Raises MisstepError for a second search that could say nothing of its own, and where labels await one."""
    if second is None:
        if rule.labels == LabelSource.AUTOMATIC and rule.mixture == "consensus":
            raise MisstepError(
                _(
                    "automatic labels alone have nothing to agree with: choose a second search, or another rule"
                )
            )
        return
    if rule.labels == LabelSource.HUMAN or rule.mixture != "consensus":
        raise MisstepError(
            _("a second search is asked only for labels that have to agree: choose “only what they agree on”")
        )
    if not second_runs().filter(pk=second.pk).exists():
        raise MisstepError(
            _("“%(name)s” holds no first mistakes of solutions, expected a search that does")
            % {"name": second.name}
        )
    if second == run:
        raise MisstepError(
            _("“%(name)s” is the search whose labels these are, expected another one") % {"name": second.name}
        )


def with_second(rows: Iterable[SnapshotRow], second: EstimateRun, rule: LabelRule) -> Iterator[SnapshotRow]:
    """The rows of rollouts with the place that a second search names; one query for each chunk."""
    rest = iter(rows)
    while chunk := list(islice(rest, CHUNK)):
        estimates = _estimates(second, [int(row.id) for row in chunk])
        for row in chunk:
            if row.automatic is None:
                yield row
                continue
            found = estimates.get(int(row.id), {})
            series = series_from([found.get(k, {}) for k in range(len(row.steps))])
            place = place_in(series, len(row.steps), rule)
            said = None if place == MISSING else {"first_mistake": place}
            yield replace(row, automatic={**row.automatic, "second": said})


def described(second: EstimateRun) -> dict[str, Any]:
    """A second search as a manifest keeps it."""
    return {"kind": "estimates", **told_of(second)}


def _estimates(run: EstimateRun, solutions: list[int]) -> dict[int, dict[int, dict[str, Any]]]:
    found: dict[int, dict[int, dict[str, Any]]] = defaultdict(dict)
    chosen = StepEstimate.objects.filter(run=run, step__solution__in=solutions, step__is_chosen=True)
    for solution, position, *values in chosen.values_list("step__solution_id", "step__position", *SERIES):
        found[solution][position] = dict(zip(SERIES, values, strict=True))
    return found
