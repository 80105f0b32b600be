"""What pages list of a campaign is read from an index: the queue with what is in hand, what tests people, its sections,
and the work of the last days.

What an attempt that was broken off left of an index would otherwise be in the way of the next one.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

INDEXES = {
    "task": [
        models.Index(
            models.F("campaign"),
            models.F("kind"),
            models.F("priority").desc(),
            models.F("id"),
            condition=models.Q(("remaining", 0), ("state", "open")),
            name="task_in_hand",
        ),
        models.Index(
            condition=models.Q(("kind", "work"), _negated=True),
            fields=["campaign", "kind"],
            name="task_testing_people",
        ),
        models.Index(
            condition=models.Q(("section", ""), _negated=True),
            fields=["campaign", "section"],
            name="task_section",
        ),
    ],
    "assignment": [
        models.Index(
            condition=models.Q(("state", "submitted")), fields=["heartbeat_at"], name="assignment_submitted"
        ),
    ],
}


class Migration(migrations.Migration):
    # So that nobody waits behind it while it waits for others.
    atomic = False
    dependencies = [("campaigns", "0007_moved_tasks")]

    operations = [
        operation
        for model, indexes in INDEXES.items()
        for index in indexes
        for operation in (
            migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop),
            AddIndexConcurrently(model_name=model, index=index),
        )
    ]
