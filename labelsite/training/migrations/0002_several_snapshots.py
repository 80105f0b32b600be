from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("snapshots", "0001_initial"), ("training", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="trainingrun",
            name="more_snapshots",
            field=models.ManyToManyField(related_name="joined_training_runs", to="snapshots.snapshot"),
        ),
    ]
