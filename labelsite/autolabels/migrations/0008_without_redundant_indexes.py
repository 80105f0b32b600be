"""Constraints that begin with these columns find the rows as well; each index less is less to write.

Django's own way would check every row's foreign key again, with the tables locked.
"""

import django.db.models.deletion
from django.db import migrations, models

INDEXES = {
    "autolabels_solutionestimate_run_id_00139c35": ("autolabels_solutionestimate", "run_id"),
    "autolabels_stepestimate_run_id_9280e40d": ("autolabels_stepestimate", "run_id"),
    "autolabels_stepscore_run_id_34ff09df": ("autolabels_stepscore", "run_id"),
}


class Migration(migrations.Migration):
    # So that nobody waits behind it while it waits for others.
    atomic = False
    dependencies = [("autolabels", "0007_pilots")]

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
                    model_name="solutionestimate",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="solution_estimates",
                        to="autolabels.estimaterun",
                    ),
                ),
                migrations.AlterField(
                    model_name="stepestimate",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="step_estimates",
                        to="autolabels.estimaterun",
                    ),
                ),
                migrations.AlterField(
                    model_name="stepscore",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="step_scores",
                        to="autolabels.scorerun",
                    ),
                ),
            ],
        ),
    ]
