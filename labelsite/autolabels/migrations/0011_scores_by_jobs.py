"""Every run of scores is a job's, also one that was taken in from a file."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("autolabels", "0010_whole_sandbox_levels")]

    operations = [
        migrations.AlterField(
            model_name="scorerun",
            name="job",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="score_run", to="jobs.job"
            ),
        ),
    ]
