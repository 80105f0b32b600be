from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0005_worker_slots")]

    operations = [
        migrations.AddField("job", "words", models.JSONField(null=True)),
        migrations.AddField("job", "refusal", models.JSONField(null=True)),
    ]
