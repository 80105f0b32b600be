"""Sections: named parts of a campaign. Who may work in which, and which one a person chose."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign, Membership

# Jumps from section to section in the index of open tasks, so it reads one row a section, not one a task.
_OPEN_SECTIONS = """
WITH RECURSIVE found AS (
    (SELECT section FROM campaigns_task WHERE campaign_id = %(campaign)s AND section <> '' AND state = 'open'
        AND remaining > 0 ORDER BY section LIMIT 1)
    UNION ALL
    SELECT (SELECT section FROM campaigns_task WHERE campaign_id = %(campaign)s AND section <> '' AND state = 'open'
                AND remaining > 0 AND section > found.section ORDER BY section LIMIT 1)
    FROM found WHERE found.section IS NOT NULL
)
SELECT section FROM found WHERE section IS NOT NULL
"""

# Only leases in which nothing was rated yet; a draft keeps its task, whatever its section.
_GIVE_BACK = """
WITH given AS (
    UPDATE campaigns_assignment AS lease SET state = 'lapsed' FROM campaigns_task AS task
    WHERE task.id = lease.task_id AND task.campaign_id = %(campaign)s AND lease.annotator_id = %(annotator)s
      AND lease.state = 'leased' AND task.kind = 'work' AND task.section <> %(section)s
      AND COALESCE(lease.draft -> 'ratings', '{}') = '{}'
    RETURNING lease.task_id
)
UPDATE campaigns_task AS task SET remaining = remaining + 1 FROM given WHERE task.id = given.task_id
"""


def open_sections(campaign: Campaign) -> list[str]:
    """The sections in which tasks wait, by name."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_SECTIONS, {"campaign": campaign.pk})
        return [section for (section,) in cursor.fetchall()]


def choices_for(campaign: Campaign, membership: Membership | None) -> list[str]:
    """The sections among which this member may choose; none where there is no choice."""
    if membership is None:
        return []
    sections = membership.sections or open_sections(campaign)
    return sections if len(sections) > 1 else []


def restrict(campaign: Campaign, user: int, sections: Sequence[str]) -> None:
    """Gives a member exactly these sections (none: all); a choice outside of them is forgotten."""
    members = Membership.objects.filter(campaign=campaign, user=user)
    members.update(sections=list(sections))
    if sections:
        members.exclude(chosen_section__in=sections).update(chosen_section="")


@transaction.atomic
def choose(campaign: Campaign, annotator: User, section: str) -> bool:
    """The person's own choice of a section ("": whatever comes); False where they may not work there.

    Tasks of other sections that they hold and have not begun go back to the queue.
    """
    membership = Membership.objects.select_for_update().filter(campaign=campaign, user=annotator).first()
    if membership is None or (section and membership.sections and section not in membership.sections):
        return False
    membership.chosen_section = section
    membership.save(update_fields=["chosen_section"])
    if section:
        with connection.cursor() as cursor:
            cursor.execute(
                _GIVE_BACK, {"campaign": campaign.pk, "annotator": annotator.pk, "section": section}
            )
    return True
