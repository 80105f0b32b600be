"""How far a person has worked through a queue, so that no claim walks past all that they have done.

With several people per task, what a person has finished waits on for others, in front of everything that is still to
come. So a process remembers where a claim found the first task for the person, and the next one looks from there on.
What has come into the queue since, before that place, is found by `Task.moved`: no transaction below the oldest that
was still under way then can have been missed. That makes it exact, and not a guess; a process that remembers nothing
walks once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from labelsite.statements import Statement

# Enough that somebody else's claims of the same moment leave one.
NEAR = 16
# Where more has moved since, as when the whole queue was ordered anew, a claim looks from the start: to walk past what
# the person has done is less than to look through all of it.
MOST_MOVED = 2000
_MOST_REMEMBERED = 20_000
# No transaction has this number.
_NEVER = 2**63 - 1
# What a claim may give to the person. Whose it is, is asked task by task: as a join it would read all that they did.
_OPEN = (
    "task.campaign_id = %(campaign)s AND task.kind = %(kind)s AND task.state = 'open' AND task.remaining > 0"
)
_NOT_MINE = """COALESCE((SELECT mine.state FROM campaigns_assignment AS mine
                    WHERE mine.task_id = task.id AND mine.annotator_id = %(annotator)s), 'lapsed') = 'lapsed'"""
WAITS = f"{_OPEN}\n      AND {_NOT_MINE}"
_FROM = "(SELECT priority FROM start)"
_ORDERED = f"ORDER BY task.priority DESC, task.id LIMIT {NEAR}"
# What came back before the frontier, and two ranges of the queue's index behind it. Both bounds of `moved` are said,
# so that the plan for any value expects few rows; and in a database restored from a backup, numbers of the old server
# that the new one has not reached yet are no moves.
NEAR_SQL = f"""moved AS MATERIALIZED (
    SELECT task.id, task.priority FROM campaigns_task AS task
    WHERE {_OPEN} AND task.moved BETWEEN %(since)s
      AND pg_snapshot_xmax(pg_current_snapshot())::text::bigint
    LIMIT %(most_moved)s
), start AS MATERIALIZED (
    SELECT CASE WHEN count(*) < %(most_moved)s THEN %(priority)s::float8 ELSE 'infinity' END AS priority FROM moved
), near AS MATERIALIZED (
    (SELECT task.id, task.priority, true AS is_back FROM moved AS task
     WHERE (task.priority > {_FROM} OR (task.priority = {_FROM} AND task.id < %(first)s))
      AND {_NOT_MINE} {_ORDERED})
    UNION ALL
    (SELECT task.id, task.priority, false FROM campaigns_task AS task
     WHERE {WAITS} AND task.priority = {_FROM} AND task.id >= %(first)s {_ORDERED})
    UNION ALL
    (SELECT task.id, task.priority, false FROM campaigns_task AS task
     WHERE {WAITS} AND task.priority < {_FROM} {_ORDERED})
)"""
# What the next claim begins with, from the same view of the tables as `near`.
REMEMBERED_SQL = """pg_snapshot_xmin(pg_current_snapshot())::text::bigint, (SELECT count(*) FROM near WHERE is_back),
    (SELECT ARRAY[priority, id] FROM near WHERE NOT is_back ORDER BY priority DESC, id LIMIT 1),
    EXISTS (SELECT FROM near)"""


def in_both(sql: str) -> dict[bool, Statement]:
    """The statement, and the same (True) inside one section, which has an index of its own."""
    everywhere = "task.campaign_id = %(campaign)s AND task.kind"
    section = (
        "task.campaign_id = %(campaign)s AND task.section = %(section)s AND task.section <> '' AND task.kind"
    )
    return {False: Statement(sql), True: Statement(sql.replace(everywhere, section))}


# The person, the campaign, the kind of task and the section ("": all of them).
Queue = tuple[int, int, str, str]


@dataclass(frozen=True)
class Frontier:
    """What stands before (priority, first) in the queue is not for the person, unless it moved in or after `since`."""

    priority: float = inf
    first: int = 0
    since: int = _NEVER


_START = Frontier()
_frontiers: dict[Queue, Frontier] = {}


def frontier_of(queue: Queue) -> Frontier:
    return _frontiers.get(queue, _START)


def is_of_another_server(before: Frontier, oldest: int) -> bool:
    """Whether the frontier was found in a database that was replaced since: on one server these numbers only grow."""
    return oldest < before.since < _NEVER


def forget_all() -> None:
    _frontiers.clear()


def remember(queue: Queue, before: Frontier, oldest: int, back: int, first: list[float] | None) -> None:
    """Keeps where a claim found its first task; only after its commit, because what it saw may be undone until then.

    What came back and was not taken is looked for again, so its time stands. Where that is much, as when the whole
    queue was ordered anew, one walk from the start is less than looking through all of it at every claim.
    """
    if back == NEAR:
        _frontiers.pop(queue, None)
        return
    if len(_frontiers) >= _MOST_REMEMBERED:
        forget_all()
    priority, task = first or (-inf, 0)
    _frontiers[queue] = Frontier(priority, int(task), before.since if back else oldest)
