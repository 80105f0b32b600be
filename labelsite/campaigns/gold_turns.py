"""Where a known answer may be mixed in: only where work waits for the person, too. Coming alone, it would be known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from labelsite.campaigns import frontier
from labelsite.campaigns.models import Campaign, TaskKind

_WORK_WAITS = frontier.in_both(f"WITH {frontier.NEAR_SQL} SELECT EXISTS (SELECT FROM near)")


def missing(campaign: Campaign) -> str:
    """What is missing for gold to be mixed in: the "share" where there are items, the "items" where there is a share;
    "" where there are both, or neither is wanted.
    """
    has_items = campaign.tasks.filter(kind=TaskKind.GOLD).exists()
    if has_items == bool(campaign.gold_rate):
        return ""
    return "share" if has_items else "items"


def among_work(campaign: int, annotator: int, sections: Sequence[str]) -> list[str]:
    """The first of the sections ("" is the whole campaign) in which work waits for the person, as a list; else none.

    Of a later one, or of one whose work is done, its subject alone could tell a task.
    """
    return next(([section] for section in sections if _work_waits(campaign, annotator, section)), [])


def _work_waits(campaign: int, annotator: int, section: str) -> bool:
    queue = (annotator, campaign, TaskKind.WORK.value, section)
    asked = {"annotator": annotator, "campaign": campaign, "kind": TaskKind.WORK.value, "section": section}
    before = asdict(frontier.frontier_of(queue))
    found: bool = _WORK_WAITS[bool(section)].rows(**asked, **before, most_moved=frontier.MOST_MOVED)[0][0]
    return found
