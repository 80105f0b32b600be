"""Constraints that begin with these columns find the rows as well; each index less is less to write.

Django's own way would check every row's foreign key again, with the tables locked.
"""

import django.db.models.deletion
from django.db import migrations, models

INDEXES = {
    "problems_solution_problem_id_2d4e6e8e": ("problems_solution", "problem_id"),
    "problems_step_solution_id_7202b529": ("problems_step", "solution_id"),
}


class Migration(migrations.Migration):
    # So that nobody waits behind it while it waits for others.
    atomic = False
    dependencies = [("problems", "0003_blank_answers_are_none")]

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
                    model_name="solution",
                    name="problem",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="solutions",
                        to="problems.problem",
                    ),
                ),
                migrations.AlterField(
                    model_name="step",
                    name="solution",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="step_rows",
                        to="problems.solution",
                    ),
                ),
            ],
        ),
    ]
