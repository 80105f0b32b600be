"""The campaign that an import goes to: found by its name, or made."""

from __future__ import annotations

from difflib import get_close_matches

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from labelsite.accounts.models import User
from labelsite.campaigns.archive import refuse_archived
from labelsite.campaigns.models import Campaign
from labelsite.campaigns.services import create_campaign
from ml.errors import MisstepError
from ml.said import Said

# Among so many of the newest campaigns a misspelt name is looked for.
KNOWN_NAMES = 1_000
# It keeps others from changing the settings, but not from pausing the campaign.
_HOLD = "SELECT FROM campaigns_campaign WHERE id = %s FOR KEY SHARE"


def campaign_named(
    name: str, created_by: User | None = None, create: bool = True, is_paused: bool = False
) -> tuple[Campaign, bool]:
    """The campaign of that name, and whether it is new: a missing one is made with the default settings, perhaps
    paused at first, and opened to every annotator by the import's end. Raises MisstepError where it is missing and not
    to be made.
    """
    if not name.strip() or len(name) > 120:
        raise MisstepError(f"campaign name {name[:20]!r}..., expected 1 to 120 characters")
    known = Campaign.objects.filter(name=name)
    if campaign := known.first():
        return campaign, False
    if not create:
        raise MisstepError(_missing(name))
    try:
        with transaction.atomic():
            campaign = create_campaign(name, created_by=created_by, is_paused=is_paused)
    except IntegrityError:
        # Another import made it in the same moment; by now it is committed.
        return known.get(), False
    return campaign, True


def hold(campaign: Campaign) -> None:
    """Reads the campaign anew, and keeps its settings as they are until the transaction ends: since the import found
    it, it may have waited for others. Raises MisstepError where the campaign was deleted or archived meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [campaign.pk])
        if not cursor.rowcount:
            raise deleted(campaign.name)
    campaign.refresh_from_db()
    refuse_archived(campaign)


def deleted(name: str) -> MisstepError:
    words = gettext_noop(
        "campaign %(name)s was deleted, expected it to be there: import the file into another one"
    )
    return MisstepError(Said(words, name=name))


def near_names(name: str) -> list[str]:
    """Campaigns that may have been meant by a name that none has."""
    return get_close_matches(name, list(_names()[:KNOWN_NAMES]), n=3)


def _names() -> QuerySet[Campaign, str]:
    return Campaign.objects.order_by("-pk").values_list("name", flat=True)


def _missing(name: str) -> str:
    """That there is no such campaign, with the names that may have been meant."""
    near = near_names(name) or list(_names()[:3])
    known = ", ".join(repr(found) for found in near)
    expected = f"one of those that are there ({known}, ...)" if known else "one that is there"
    return f"no campaign {name!r}, expected {expected}, or --create-campaign to make it"
