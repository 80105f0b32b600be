"""Who may label in a campaign: people one by one, or every annotator, those who come later too."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction

from labelsite.accounts.models import Role, User
from labelsite.accounts.records import record
from labelsite.campaigns.models import Campaign, Membership, MemberState

_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('misstep campaigns for everyone'))"


@transaction.atomic
def set_members(campaign: Campaign, users: set[int], by: User | None = None) -> None:
    """Exactly these people may label; those who leave keep what they did, and may come back to it."""
    before = _member_names(campaign)
    Membership.objects.filter(campaign=campaign).exclude(user__in=users).delete()
    _add(campaign, users)
    record("campaign", campaign.name, {"members": (before, _member_names(campaign))}, by)


@transaction.atomic
def change_members(campaign: Campaign, joining: set[int], leaving: set[int], by: User | None = None) -> None:
    """These people come and go; everybody else stays, also who joined meanwhile."""
    before = _member_names(campaign)
    Membership.objects.filter(campaign=campaign, user__in=leaving).delete()
    _add(campaign, joining)
    record("campaign", campaign.name, {"members": (before, _member_names(campaign))}, by)


def _add(campaign: Campaign, users: Iterable[int]) -> None:
    start = MemberState.SCREENING if campaign.screening_size else MemberState.ADMITTED
    Membership.objects.bulk_create(
        [Membership(campaign=campaign, user_id=user, state=start) for user in sorted(users)],
        ignore_conflicts=True,
    )


def _member_names(campaign: Campaign) -> list[str]:
    return list(campaign.memberships.order_by("user__username").values_list("user__username", flat=True))


@transaction.atomic
def set_member_state(campaign: Campaign, user: int, state: str, by: User | None = None) -> None:
    """Lets a member label or not; whoever is no member stays none."""
    member = locked_member(campaign, user)
    if member is not None:
        record("member", recorded_name(member), {"state": (member.state, state)}, by)
        member.state = state
        member.save(update_fields=["state"])


def locked_member(campaign: Campaign, user: int) -> Membership | None:
    members = Membership.objects.select_for_update(of=("self",)).select_related("user", "campaign")
    return members.filter(campaign=campaign, user=user).first()


def recorded_name(member: Membership) -> str:
    """A member as the record of changes names one."""
    return f"{member.user.username} · {member.campaign.name}"


def eligible_people() -> Iterable[User]:
    """Everyone who could be a member: people who can log in."""
    return User.objects.who_can_log_in().order_by("role", "username")


@transaction.atomic
def add_everyone(campaign: Campaign, by: User | None = None) -> None:
    """Makes every annotator there is a member, and keeps the members there are."""
    _wait_for_newcomers()
    annotators = User.objects.who_can_log_in().filter(role=Role.ANNOTATOR)
    change_members(campaign, set(annotators.values_list("pk", flat=True)), set(), by)


@transaction.atomic
def open_to_everyone(campaign: Campaign, by: User | None = None) -> None:
    """As `add_everyone`, and from now on whoever comes later too; those wait until the transaction ends."""
    Campaign.objects.filter(pk=campaign.pk).update(is_for_everyone=True)
    add_everyone(campaign, by)


def _wait_for_newcomers() -> None:
    """Whoever arrives and a campaign that becomes one for everyone see each other: the second waits for the first."""
    with connection.cursor() as cursor:
        cursor.execute(_ONE_AT_A_TIME)


@transaction.atomic
def join(user: User, by: User | None) -> None:
    """Whoever becomes an annotator, or comes back as one, may label where every annotator may."""
    _wait_for_newcomers()
    for campaign in Campaign.objects.filter(is_for_everyone=True).order_by("pk"):
        change_members(campaign, {user.pk}, set(), by)
