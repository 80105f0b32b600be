"""Looks of `annotated` files that ended early and named no mistake: they rated nothing, and say so now.

Earlier versions stored `give_up` or `bad_problem` with `first_mistake: null` as if every step had been found right.
Nothing read that, until what was rated before a give-up became labels. Each look gets a new revision, as a corrected
file would give it. A look that did rate every step +1 before it ended cannot be told from these; importing its file
again with `--revise` brings its ratings back. PRM800K has ratings of its own, and nobody who gave up there is touched.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import migrations
from django.db.models import F


def rate_nothing(apps: Any, schema_editor: Any) -> None:
    annotations = apps.get_model("annotations", "Annotation").objects
    looks = annotations.filter(
        is_live=True,
        origin="import",
        finish_reason__in=["give_up", "bad_problem"],
        annotator__username__startswith="imported:",
        task__solution__problem__source="annotated",
        trajectory__contained_by=[1],
        trajectory__len=F("task__solution__position_count"),
    )
    for look in list(looks):
        annotations.filter(pk=look.pk).update(is_live=False)
        look.pk, look._state.adding = None, True
        look.trajectory, look.revision, look.idempotency_key = [], look.revision + 1, uuid4()
        look.save()


class Migration(migrations.Migration):
    dependencies = [
        ("annotations", "0006_exits"),
        ("campaigns", "0006_for_everyone"),
        ("problems", "0002_adopted_digests"),
    ]
    operations = [migrations.RunPython(rate_nothing, migrations.RunPython.noop)]
