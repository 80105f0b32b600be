"""Measuring what a run will cost on a few of its items first, as a run of its own that keeps nothing but the cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from labelsite.autolabels.importers import read_object
from labelsite.autolabels.models import EstimateRun, Shard
from labelsite.autolabels.requests import Request
from labelsite.autolabels.workload import costly
from labelsite.problems.models import Problem, Solution
from ml.errors import MisstepError

PILOT_TASK = "labelsite.autolabels.tasks.run_pilot"
PILOT_ITEMS = 8


def solutions_for_pilot(judged: QuerySet[Solution], request: Request) -> list[int]:
    """A few that stand for all: spread over sources, writers and lengths.

    What costs nothing is measured only where nothing else is there; the law counts both.
    """
    ordered = judged.order_by("problem__source", "generator", "position_count", "pk")
    return _spread(list(ordered.filter(costly(request)).values_list("pk", flat=True))) or _spread(
        list(ordered.values_list("pk", flat=True))
    )


def problems_for_pilot(searched: QuerySet[Problem]) -> list[int]:
    """A few that stand for all: spread over sources, and over the length of the question."""
    found = searched.order_by("source", "pk").values_list("pk", "source", "text")
    return _spread([pk for pk, _, _ in sorted(found, key=lambda row: (row[1], len(row[2]), row[0]))])


def load_pilot(shard: Shard, folder: Path, check: Callable[[], None]) -> dict[str, Any]:
    """Keep the measured cost; the few estimates are made again by the whole run, with the same seed."""
    described = read_object(folder / "run.json")
    found = described.get("counts", {}).get("items")
    if found != shard.size:
        raise MisstepError(f"{folder} holds results of {found} items, expected {shard.size}")
    check()
    with transaction.atomic():
        run = EstimateRun.objects.select_for_update().get(pk=shard.run_id)
        run.cost = described.get("cost", {})
        run.code_version = str(described.get("code_version", ""))[:80]
        run.sandbox_level = str(described.get("sandbox_level") or "")
        run.parameters = {**described.get("parameters", {}), **run.parameters}
        run.loaded_at = timezone.now()
        run.save(update_fields=["cost", "code_version", "sandbox_level", "parameters", "loaded_at"])
        Shard.objects.filter(pk=shard.pk).update(loaded_at=run.loaded_at)
    return {"measured": shard.size}


def _spread(ids: Sequence[int]) -> list[int]:
    """The middle one of each of `PILOT_ITEMS` equal parts."""
    if len(ids) <= PILOT_ITEMS:
        return list(ids)
    part = len(ids) / PILOT_ITEMS
    return [ids[int((number + 0.5) * part)] for number in range(PILOT_ITEMS)]
