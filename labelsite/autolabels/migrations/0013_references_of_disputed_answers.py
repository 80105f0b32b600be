"""An answer is disputed beside the reference that it was graded against, which may be the policy's majority."""

from django.db import migrations, models

EARLIER = """
UPDATE autolabels_disputedanswer AS disputed SET reference = problem.answer
FROM problems_problem AS problem
WHERE problem.id = disputed.problem_id AND disputed.reference IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("autolabels", "0012_jobs_of_shards_alone"),
        ("problems", "0001_initial"),
    ]

    operations = [
        migrations.AddField("disputedanswer", "reference", models.TextField(null=True)),
        migrations.RunSQL(EARLIER, migrations.RunSQL.noop),
        migrations.RemoveConstraint("disputedanswer", "disputed_answer_once"),
        migrations.AddConstraint(
            "disputedanswer",
            models.UniqueConstraint(
                fields=["run", "problem", "reference", "answer"], name="disputed_answer_once"
            ),
        ),
    ]
