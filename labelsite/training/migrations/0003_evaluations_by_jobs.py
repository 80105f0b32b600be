"""Every evaluation is a job's, whose result are its figures: a column for them was never written."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training", "0002_several_snapshots")]

    operations = [
        migrations.RemoveField(model_name="evaluation", name="result"),
        migrations.AlterField(
            model_name="evaluation",
            name="job",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="evaluation", to="jobs.job"
            ),
        ),
    ]
