"""A run's jobs are its shards': a column for the first one's said the same again."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("autolabels", "0011_scores_by_jobs")]

    operations = [migrations.RemoveField(model_name="estimaterun", name="job")]
