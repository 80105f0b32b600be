"""How far a run is, summed over its shards: from the job rows while they work, from the run once loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Sum, prefetch_related_objects

from labelsite.autolabels.models import EstimateRun, Shard, shards_with_jobs
from labelsite.jobs.failures import Failure
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.outages import end_of_pause
from labelsite.jobs.wording import message
from ml.progress import pace
from ml.search.totals import AT_THE_END
from ml.search.totals import Q_BINS as BINS

KEPT_SECONDS = 24 * 3600
# What a search reports of its cost while it works, by the names that its run.json has too.
REPORTED_COSTS = ("tokens", "model_calls", "executions", "seconds")


@dataclass(frozen=True, slots=True)
class RunProgress:
    """done, total: items. cost: what has been spent so far, by name. histogram: counts of Q in ten bins over the
    method's range, low first. errors: each with the number of parts that ended with it. messages: what the jobs that
    run now say of themselves. waits_until: when the next one is tried again that pauses, since a server it needs is
    away.
    """

    state: str
    done: int
    total: int
    jobs: Sequence[Job] = ()
    cost: Mapping[str, float] = field(default_factory=dict)
    seconds_left: float | None = None
    histogram: Sequence[int] = field(default_factory=lambda: [0] * BINS)
    errors: Sequence[tuple[Failure, int]] = ()
    messages: Sequence[str] = ()
    waits_until: datetime | None = None

    @property
    def is_moving(self) -> bool:
        return self.state in (JobState.QUEUED, JobState.RUNNING)

    @property
    def can_resume(self) -> bool:
        return self.state in (JobState.FAILED, JobState.CANCELLED)

    @property
    def cancel_requested(self) -> bool:
        """Whether all that still works was asked to end; named as a job's own."""
        working = [job for job in self.jobs if not job.is_finished]
        return bool(working) and all(job.cancel_requested for job in working)

    def get_state_display(self) -> str:
        """In words; named as a job's own, so that one template shows both."""
        return str(JobState(self.state).label)


def progress_of(run: EstimateRun, shards: Iterable[Shard]) -> RunProgress:
    """The state of all shards as one. `shards` come with their jobs."""
    shards = list(shards)
    jobs = [shard.job for shard in shards]
    histogram = [0] * BINS
    for shard in shards:
        histogram = _added(histogram, _metrics(shard).get("q_histogram"))
    return RunProgress(
        state=_state(run, jobs),
        done=sum(map(_done, shards)),
        total=sum(shard.size for shard in shards),
        jobs=jobs,
        cost=_cost(run, shards),
        seconds_left=_seconds_left(shards),
        histogram=histogram,
        errors=Counter(job.failure for job in jobs if job.error).most_common(),
        messages=list(dict.fromkeys(told for job in jobs if (told := _message(job)))),
        waits_until=min(filter(None, map(end_of_pause, jobs)), default=None),
    )


def progress_of_each(runs: Sequence[EstimateRun]) -> list[RunProgress]:
    """For a list: a loaded run may have had hundreds of jobs, and none of them tells anything new of it."""
    loaded = [run for run in runs if run.loaded_at]
    shards = Shard.objects.filter(run__in=loaded).order_by().values_list("run")
    sizes = dict(shards.annotate(total=Sum("size")))
    prefetch_related_objects([run for run in runs if not run.loaded_at], shards_with_jobs())
    return [
        _loaded(run, sizes.get(run.pk, 0)) if run.loaded_at else progress_of(run, run.shards.all())
        for run in runs
    ]


def loaded_histogram(run: EstimateRun, low: float) -> list[int]:
    """Counts of the run's step estimates in ten bins from `low` to 1: of millions, which only another load changes."""
    key = f"autolabels:histogram:{run.pk}:{run.loaded_at and run.loaded_at.timestamp()}:{low}"
    found: list[int] | None = cache.get(key)
    if found is None:
        found = _histogram(run, low)
        cache.set(key, found, KEPT_SECONDS)
    return found


def _histogram(run: EstimateRun, low: float) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT LEAST(%(last)s, floor((q_value - %(low)s) / (1 - %(low)s) * %(bins)s + %(end)s)::int) AS bin,"
            " count(*) FROM autolabels_stepestimate"
            " WHERE run_id = %(run)s AND q_value IS NOT NULL GROUP BY bin",
            {"run": run.pk, "low": low, "bins": BINS, "end": AT_THE_END, "last": BINS - 1},
        )
        counts = dict(cursor.fetchall())
    return [counts.get(place, 0) for place in range(BINS)]


def bin_names(low: float) -> list[str]:
    """The ten bins by their lower ends."""
    return [f"{low + (1 - low) * place / BINS:.1f}".replace("-", "−") for place in range(BINS)]


def _loaded(run: EstimateRun, size: int) -> RunProgress:
    return RunProgress(JobState.DONE, size, size, cost=_cost(run, ()))


def _state(run: EstimateRun, jobs: Sequence[Job]) -> str:
    """The worst of the jobs' states, unless all is loaded."""
    states = {job.state for job in jobs}
    if run.loaded_at or not states:
        return JobState.DONE
    for state in (JobState.RUNNING, JobState.QUEUED, JobState.FAILED, JobState.CANCELLED):
        if state in states:
            return state
    return JobState.DONE


def _message(job: Job) -> str:
    return message(job.progress or {}) if job.state == JobState.RUNNING else ""


def _reported(shard: Shard) -> Mapping[str, Any]:
    return shard.job.progress or {}


def _metrics(shard: Shard) -> Mapping[str, Any]:
    return _reported(shard).get("metrics") or {}


def _done(shard: Shard) -> int:
    return shard.size if shard.loaded_at else min(_whole(_reported(shard).get("done")), shard.size)


def _cost(run: EstimateRun, shards: Sequence[Shard]) -> dict[str, float]:
    """Of the loaded parts as their files told it, of the others as their jobs last reported it."""
    cost: dict[str, float] = {"tokens": 0, "executions": 0, **run.cost}
    waiting = [] if run.loaded_at else [shard for shard in shards if not shard.loaded_at]
    for metrics in map(_metrics, waiting):
        for name in REPORTED_COSTS:
            cost[name] = cost.get(name, 0) + _number(metrics.get(name))
    return cost


def _seconds_left(shards: Sequence[Shard]) -> float | None:
    """Until all that runs or waits is done, at the pace of the attempts that run now; None while there is none."""
    speed = sum(pace(_reported(shard)) or 0.0 for shard in shards if shard.job.state == JobState.RUNNING)
    missing = sum(shard.size - _done(shard) for shard in shards if not shard.job.is_finished)
    return missing / speed if speed and missing else None


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _whole(value: Any) -> int:
    return int(_number(value))


def _added(before: list[int], more: Any) -> list[int]:
    if not isinstance(more, list) or len(more) != len(before):
        return before
    return [old + _whole(new) for old, new in zip(before, more, strict=True)]
