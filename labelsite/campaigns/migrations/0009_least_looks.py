"""How many looks a reviewer asked for: agreement of fewer closes no task."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0008_lists_by_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="task",
            name="least_looks",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
    ]
