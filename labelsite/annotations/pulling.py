"""The order in which annotations are pulled: none that becomes visible later stands before one that was given out.

Ids are no such order. They are given before the commit, so a long import commits rows below ids that others have
pulled meanwhile; and neither is the order of transactions, because an early one may take late ids. So a pull first
gives a place to every annotation that is committed and has none yet. One pull at a time does that, hence places become
visible in their order. They are plain rows, which a backup brings back as they were.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import F, QuerySet

from labelsite.annotations.models import Annotation, PullPlace
from labelsite.campaigns.models import Campaign

_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('misstep pull places'))"
_GIVE_PLACES = """
INSERT INTO annotations_pullplace (annotation_id)
SELECT annotation.id FROM annotations_annotation AS annotation
WHERE NOT EXISTS (SELECT 1 FROM annotations_pullplace AS place WHERE place.annotation_id = annotation.id)
ORDER BY annotation.id
"""


class UnknownAnnotation(Exception):
    """There is no annotation of the id behind which a pull was to go on."""


def pulled(campaign: Campaign, after: int, with_excluded: bool) -> QuerySet[Annotation]:
    """The campaign's live annotations behind the one of the id `after`, or all of them for 0, in the order of pulls.

    Those of people whom an admin excluded are among them only where that is asked for. Raises UnknownAnnotation; the
    annotation named may have been corrected or excluded since: its place stays.
    """
    give_places()
    rows = Annotation.objects.filter(task__campaign=campaign, is_live=True, pull_place__isnull=False)
    if not with_excluded:
        rows = rows.exclude(annotator__labels_excluded=True)
    if after:
        place = PullPlace.objects.filter(annotation=after).values_list("pk", flat=True).first()
        if place is None:
            raise UnknownAnnotation
        rows = rows.filter(pull_place__gt=place)
    return rows.annotate(place=F("pull_place__pk")).order_by("place")


@transaction.atomic
def give_places() -> None:
    """Puts every committed annotation that has no place yet behind those that have one."""
    with connection.cursor() as cursor:
        # The next statement sees what was committed while this one waited.
        cursor.execute(_ONE_AT_A_TIME)
        cursor.execute(_GIVE_PLACES)
