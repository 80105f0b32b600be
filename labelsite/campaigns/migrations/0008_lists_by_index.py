"""Lists of a campaign's tasks are read from an index: the queue with what is in hand, what tests people, and sections.

What an attempt that was broken off left of an index would otherwise be in the way of the next one.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

INDEXES = [
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
]


class Migration(migrations.Migration):
    # So that nobody waits behind it while it waits for others.
    atomic = False
    dependencies = [("campaigns", "0007_moved_tasks")]

    operations = [
        operation
        for index in INDEXES
        for operation in (
            migrations.RunSQL(
                f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop
            ),
            AddIndexConcurrently(model_name="task", index=index),
        )
    ]
