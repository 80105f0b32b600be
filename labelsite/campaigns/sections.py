"""Sections: named parts of a campaign. What is in one, who may work in which, and which one a person chose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from labelsite.accounts.models import User
from labelsite.accounts.records import record
from labelsite.campaigns import arranging
from labelsite.campaigns.drafts import IS_BEGUN
from labelsite.campaigns.membership import locked_member, recorded_name
from labelsite.campaigns.models import Campaign, Membership, Ordering, Task
from labelsite.campaigns.ordering import no_check
from labelsite.campaigns.sweep import hold_the_sweep
from labelsite.deadlocks import again_after_deadlock
from ml.errors import MisstepError

# Tasks that change their section in one transaction: a claim passes over them for as long as it lasts.
BATCH = 1000
_DIGITS = re.compile(r"([0-9]+)")

# Jumps from section to section in an index, so it reads one row a section, not one a task.
_SECTIONS = """
WITH RECURSIVE found AS (
    (SELECT section FROM campaigns_task WHERE campaign_id = %(campaign)s AND section <> '' {where}
        ORDER BY section LIMIT 1)
    UNION ALL
    SELECT (SELECT section FROM campaigns_task WHERE campaign_id = %(campaign)s AND section <> '' {where}
                AND section > found.section ORDER BY section LIMIT 1)
    FROM found WHERE found.section IS NOT NULL
)
SELECT section FROM found WHERE section IS NOT NULL
"""
# Only work: gold stays open whoever has seen it, and a section that stayed for its sake would tell where gold lies.
_OPEN_SECTIONS = _SECTIONS.format(where="AND kind = 'work' AND state = 'open' AND remaining > 0")
_ALL_SECTIONS = _SECTIONS.format(where="")

# Only leases in whose drafts nothing is said yet, be it a rating, a mark or half a reason: what is begun stays,
# whatever its section. Gold goes back as work does, or it would be known by staying. Two people may hold the same two
# tasks, so these are locked in the order of ids.
_GIVE_BACK = f"""
WITH found AS (
    SELECT lease.id FROM campaigns_assignment AS lease JOIN campaigns_task AS task ON task.id = lease.task_id
    WHERE task.campaign_id = %(campaign)s AND lease.annotator_id = %(annotator)s
      AND lease.state = 'leased' AND task.kind <> 'screening' AND task.section <> %(section)s
      AND NOT {IS_BEGUN}
    ORDER BY task.id FOR NO KEY UPDATE OF lease, task
), given AS (
    UPDATE campaigns_assignment AS lease SET state = 'lapsed' FROM found WHERE lease.id = found.id
    RETURNING lease.task_id
)
UPDATE campaigns_task AS task SET remaining = remaining + 1 FROM given WHERE task.id = given.task_id
"""


class SectionTaken(MisstepError):
    """There is a section of that name already; two would become one, which nobody could take back."""


class RenameUnderWay(MisstepError):
    """Some of its tasks have another new name already: with a third one nobody could put them together again."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new
        super().__init__(f"the section {old!r} is on its way to {new!r}: finish that first")


class MembersWithoutSection(MisstepError):
    """Some people may label only in this section; without it they could suddenly label everywhere."""

    def __init__(self, people: Sequence[str]) -> None:
        self.people = ", ".join(people)
        super().__init__(f"{self.people} may label only there: give them another section first")


def in_order(names: Iterable[str]) -> list[str]:
    """By name as people count: "unit 2" stands before "unit 10"."""
    return sorted(names, key=lambda name: (_counted(name), name))


def _counted(name: str) -> list[str | int]:
    """Text and numbers by turns, so that one is never compared with the other."""
    parts = _DIGITS.split(name)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def open_sections(campaign: Campaign) -> list[str]:
    """The sections in which work waits, by name."""
    return _named(_OPEN_SECTIONS, campaign)


def all_sections(campaign: Campaign) -> list[str]:
    """Every section that holds tasks, by name, whatever their state."""
    return _named(_ALL_SECTIONS, campaign)


def _named(query: str, campaign: Campaign) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"campaign": campaign.pk})
        return in_order(section for (section,) in cursor.fetchall())


def choices_for(campaign: Campaign, membership: Membership | None) -> list[str]:
    """The sections among which this member may choose; none where there is no choice."""
    if membership is None:
        return []
    chosen, kept_to = membership.chosen_section, membership.sections
    # The chosen one too, however little waits: whoever could not see it could not leave it.
    sections = in_order({*(kept_to or open_sections(campaign)), chosen} - {""})
    return sections if len(sections) > 1 or (chosen and not kept_to) else []


@transaction.atomic
def restrict(campaign: Campaign, user: int, sections: Sequence[str], by: User | None = None) -> None:
    """Gives a member exactly these sections (none: all); a choice outside of them is forgotten."""
    member = locked_member(campaign, user)
    if member is None:
        return
    record("member", recorded_name(member), {"sections": (member.sections, list(sections))}, by)
    member.sections = list(sections)
    if sections and member.chosen_section not in sections:
        member.chosen_section = ""
    member.save(update_fields=["sections", "chosen_section"])


@again_after_deadlock
@transaction.atomic
def choose(campaign: Campaign, annotator: User, section: str) -> bool:
    """The person's own choice of a section ("": whatever comes); False where they may not work there.

    Tasks of other sections that they hold and have not begun go back to the queue.
    """
    if section:
        # Before the membership, as a rename does it.
        hold_the_sweep()
    membership = Membership.objects.select_for_update().filter(campaign=campaign, user=annotator).first()
    if membership is None or (section and membership.sections and section not in membership.sections):
        return False
    membership.chosen_section = section
    membership.save(update_fields=["chosen_section"])
    if section:
        _execute(_GIVE_BACK, campaign=campaign.pk, annotator=annotator.pk, section=section)
    return True


def assign(
    campaign: Campaign, rows: QuerySet[Task], section: str, check: Callable[[], None] = no_check
) -> int:
    """Puts the tasks of `rows`, all of the campaign, into `section` ("": into none); returns how many moved.

    It goes in batches, so that the queue never waits for more than one, and calls `check` after each; broken off, it is
    finished by doing it again. What is in people's hands stays there.
    """
    moved, last = 0, 0
    try:
        while batch := _move(rows.exclude(section=section).filter(pk__gt=last), section):
            moved, last = moved + len(batch), batch[-1]
            check()
    finally:
        # Also where it was broken off: done again, it may find nothing left to move.
        if moved:
            mix_anew(campaign)
    return moved


def mix_anew(campaign: Campaign) -> None:
    """One ordering mixes right and wrong answers inside each section, so it follows from what is in them."""
    if campaign.ordering == Ordering.CONVINCING_WRONG:
        arranging.arrange(campaign, places=False, order=True)


def rename(
    campaign: Campaign, old: str, new: str, check: Callable[[], None] = no_check, by: User | None = None
) -> None:
    """Gives a section another name, or dissolves it (""); raises what `reserve` raises, and calls `check` before each
    batch.

    Its people find work under the old name until the last tasks and their own lists change together. Broken off, it
    is finished by doing it again, and only then may the section get another name.
    """
    reserve(campaign, old, new)
    last, is_done = 0, False
    while not is_done:
        check()
        with transaction.atomic():
            batch = _move(campaign.tasks.filter(section=old, pk__gt=last), new)
            if is_done := len(batch) < BATCH:
                _rename_for_members(campaign, old, new, by)
                _forget(campaign, old)
        last = batch[-1] if batch else last
    if not new:
        mix_anew(campaign)


def _rename_for_members(campaign: Campaign, old: str, new: str, by: User | None) -> None:
    """Who is kept to the section, or chose it, goes along; where it is dissolved it leaves their lists."""
    concerned = Q(sections__contains=[old]) | Q(chosen_section=old)
    members = Membership.objects.select_for_update(of=("self",)).select_related("user", "campaign")
    for member in members.filter(concerned, campaign=campaign).order_by("pk"):
        renamed = [new if section == old else section for section in member.sections]
        kept_to = [section for section in renamed if section]
        record("member", recorded_name(member), {"sections": (member.sections, kept_to)}, by)
        member.sections = kept_to
        if member.chosen_section == old:
            member.chosen_section = new
        member.save(update_fields=["sections", "chosen_section"])


def reserve(campaign: Campaign, old: str, new: str) -> None:
    """Begins a rename; raises SectionTaken, RenameUnderWay or MembersWithoutSection where it may not be."""
    _note(campaign, old, new)
    if not new and (
        kept := campaign.memberships.filter(sections=[old]).values_list("user__username", flat=True)
    ):
        raise MembersWithoutSection(sorted(kept))


@transaction.atomic
def _note(campaign: Campaign, old: str, new: str) -> None:
    """Notes that a rename is under way, unless it is this one: some of its tasks may have the new name already.

    To dissolve a section needs no note, but as little as a rename it may split one that is under way.
    """
    fresh = _locked(campaign)
    # Whose tasks all went elsewhere since, will never be finished.
    under_way = {source: target for source, target in fresh.renames.items() if is_there(campaign, source)}
    for source, target in under_way.items():
        if target == old or (source == old and target != new and is_there(campaign, target)):
            raise RenameUnderWay(source, target)
    if not new or under_way.get(old) == new:
        return
    if new in under_way.values() or is_there(campaign, new):
        raise SectionTaken(f"a section {new!r} is there already: choose another name")
    fresh.renames = {**under_way, old: new}
    fresh.save(update_fields=["renames"])


def _forget(campaign: Campaign, old: str) -> None:
    fresh = _locked(campaign)
    if fresh.renames.pop(old, None) is not None:
        fresh.save(update_fields=["renames"])


def _locked(campaign: Campaign) -> Campaign:
    """The campaign for a writer of its renames; an import into it, which only keeps its row, goes on."""
    return Campaign.objects.only("renames").select_for_update(no_key=True).get(pk=campaign.pk)


def is_there(campaign: Campaign, section: str) -> bool:
    """Whether tasks are in it, or people are kept to it who wait for its first tasks."""
    kept = campaign.memberships.filter(sections__contains=[section])
    return campaign.tasks.filter(section=section).exists() or kept.exists()


@transaction.atomic
def _move(rows: QuerySet[Task], section: str) -> list[int]:
    """Moves the first batch of `rows`, locked in the order of their ids; returns those ids."""
    hold_the_sweep()
    batch = list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True)[:BATCH])
    Task.objects.filter(pk__in=batch).update(section=section)
    return batch


def _execute(sql: str, **parameters: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
