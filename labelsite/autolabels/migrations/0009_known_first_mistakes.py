"""Whether a run that names no first mistake says that there is none, kept in the row: views need not look at steps."""

from django.db import migrations, models

EARLIER = """
UPDATE autolabels_solutionestimate AS estimate SET is_known = false
WHERE estimate.first_mistake IS NULL AND EXISTS (
    SELECT 1 FROM autolabels_stepestimate AS said JOIN problems_step AS step ON step.id = said.step_id
    WHERE step.solution_id = estimate.solution_id AND said.run_id = estimate.run_id AND said.hard IS NULL
)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("autolabels", "0008_without_redundant_indexes"),
        ("problems", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="solutionestimate",
            name="is_known",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.RunSQL(EARLIER, migrations.RunSQL.noop),
    ]
