"""Records that an import stored anew beside those of the same id: the problem, its answer or the format is another."""

from __future__ import annotations

from django.db import connection

from labelsite.campaigns.models import Campaign
from labelsite.problems.identity import BY_CONTENT


def doubled_ids(campaign: Campaign, after: int) -> int:
    """How many ids of the campaign's tasks up to `after` stand for another problem in the tasks behind it, too.

    What is known by its content has a line's number for an id, which says nothing.
    """
    with connection.cursor() as cursor:
        # Groups and no join of old with new: the planner knows nothing of rows that this transaction wrote.
        cursor.execute(
            "SELECT count(*) FROM ("
            " SELECT 1 FROM campaigns_task AS task JOIN problems_solution AS solution ON solution.id = solution_id"
            " WHERE campaign_id = %s AND NOT starts_with(digest, %s) GROUP BY solution.external_id"
            " HAVING min(task.id) <= %s AND max(task.id) > %s AND count(DISTINCT problem_id) > 1) AS doubled",
            [campaign.pk, BY_CONTENT, after, after],
        )
        return int(cursor.fetchone()[0])
