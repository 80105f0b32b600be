"""Constraints that begin with these columns find the rows as well; each index less is less to write.

Django's own way would check every row's foreign key again, with the tables locked.
"""

import django.db.models.deletion
from django.db import migrations, models

INDEXES = {
    "annotations_annotation_task_id_74272311": ("annotations_annotation", "task_id"),
    "annotations_steprating_annotation_id_2b744189": ("annotations_steprating", "annotation_id"),
}


class Migration(migrations.Migration):
    # So that nobody waits behind it while it waits for others.
    atomic = False
    dependencies = [("annotations", "0007_give_ups_rated_nothing")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                    f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column})",
                )
                for name, (table, column) in INDEXES.items()
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="annotation",
                    name="task",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="annotations",
                        to="campaigns.task",
                    ),
                ),
                migrations.AlterField(
                    model_name="steprating",
                    name="annotation",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ratings",
                        to="annotations.annotation",
                    ),
                ),
            ],
        ),
    ]
