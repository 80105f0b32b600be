"""What each import brought into a campaign.

An import is one transaction, and the moment in which that began is when all of its tasks came: so it is known of every
import, by whatever door it came, also of those from before this was asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection
from django.db.models import Count, QuerySet
from django.utils.dateparse import parse_datetime

from labelsite.campaigns.models import Campaign, Task
from labelsite.jobs.models import Job

# The newest of a campaign's.
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Import:
    """When it came, what is there of it still, and its file's name, which is known of what the site has imported."""

    imported_at: datetime
    tasks: int
    file: str

    @property
    def key(self) -> str:
        return as_key(self.imported_at)


def as_key(moment: datetime) -> str:
    """The moment of an import, as addresses and the results of jobs name it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def key_of_this_import() -> str:
    """Of the tasks that the transaction makes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return as_key(cursor.fetchone()[0])


def imports_of(campaign: Campaign) -> list[Import]:
    """The imports of which something is there still, the newest first."""
    rows = campaign.tasks.order_by().values_list("created_at").annotate(tasks=Count("pk"))
    found = list(rows.order_by("-created_at")[:MOST_LISTED])
    files = _files(campaign, [moment for moment, _ in found])
    return [Import(moment, tasks, files.get(as_key(moment), "")) for moment, tasks in found]


def import_at(campaign: Campaign, key: str) -> Import | None:
    """The import of that moment; None where nothing of one is there."""
    moment = _moment(key)
    if moment is None or not (tasks := brought_in(campaign, moment).count()):
        return None
    return Import(moment, tasks, _files(campaign, [moment]).get(as_key(moment), ""))


def is_there(campaign: Campaign, key: str) -> bool:
    """Whether something of the import of that moment is in the campaign still."""
    moment = _moment(key)
    return moment is not None and brought_in(campaign, moment).exists()


def brought_in(campaign: Campaign, moment: datetime) -> QuerySet[Task]:
    """What is there still of an import's tasks."""
    return campaign.tasks.filter(created_at=moment)


def recorded_name(found: Import, campaign: Campaign) -> str:
    """An import as the record of changes names one."""
    return f"{found.imported_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC · {campaign.name}"


def _moment(key: str) -> datetime | None:
    try:
        moment = parse_datetime(key)
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def _files(campaign: Campaign, moments: list[datetime]) -> dict[str, str]:
    jobs = Job.objects.filter(
        verb="import",
        result__imported_at__in=[as_key(moment) for moment in moments],
        result__campaign_id=campaign.pk,
    )
    return dict(jobs.values_list("result__imported_at", "spec__name"))
