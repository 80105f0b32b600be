"""The order in which annotations are pulled: none that becomes visible later stands before one that was given out.

Ids are no such order. They are given before the commit, so a long import commits rows below ids that others have
pulled meanwhile; and neither is the order of transactions, because an early one may take late ids. So a pull first
gives a place to every annotation of its campaign that is committed and has none yet. One pull at a time does that,
hence places become visible in their order; one that finds nothing to do waits for nobody. They are plain rows, which a
backup brings back as they were.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import F, QuerySet

from labelsite.annotations.models import Annotation, PullPlace
from labelsite.campaigns.models import Campaign

_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('misstep pull places'))"
_WITHOUT_PLACE = """
FROM annotations_annotation AS annotation JOIN campaigns_task AS task ON task.id = annotation.task_id
WHERE task.campaign_id = %s
  AND NOT EXISTS (SELECT 1 FROM annotations_pullplace AS place WHERE place.annotation_id = annotation.id)
"""
_IS_ANY_WITHOUT = f"SELECT EXISTS (SELECT 1 {_WITHOUT_PLACE})"
_GIVE_PLACES = f"""
INSERT INTO annotations_pullplace (annotation_id) SELECT annotation.id {_WITHOUT_PLACE} ORDER BY annotation.id
"""


class UnknownAnnotation(Exception):
    """The campaign has no annotation of the id behind which a pull was to go on."""


def pulled(campaign: Campaign, after: int, with_excluded: bool) -> QuerySet[Annotation]:
    """The campaign's live annotations behind the one of the id `after`, or all of them for 0, in the order of pulls.

    Those of people whom an admin excluded are among them only where that is asked for. Raises UnknownAnnotation; the
    annotation named may have been corrected or excluded since: its place stays.
    """
    give_places(campaign)
    rows = Annotation.objects.filter(task__campaign=campaign, is_live=True, pull_place__isnull=False)
    if not with_excluded:
        rows = rows.exclude(annotator__labels_excluded=True)
    if after:
        places = PullPlace.objects.filter(annotation=after, annotation__task__campaign=campaign)
        place = places.values_list("pk", flat=True).first()
        if place is None:
            raise UnknownAnnotation
        rows = rows.filter(pull_place__gt=place)
    return rows.annotate(place=F("pull_place__pk")).order_by("place")


def give_places(campaign: Campaign) -> None:
    """Puts every committed annotation of the campaign that has no place yet behind all those that have one."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_ANY_WITHOUT, [campaign.pk])
        if not cursor.fetchone()[0]:
            return
        with transaction.atomic():
            # The next statement sees what was committed while this one waited.
            cursor.execute(_ONE_AT_A_TIME)
            cursor.execute(_GIVE_PLACES, [campaign.pk])
