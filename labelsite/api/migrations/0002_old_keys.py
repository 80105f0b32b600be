"""Keys that are old enough to be forgotten are found without reading the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0001_keyed_requests")]

    operations = [
        migrations.AlterField(
            model_name="keyedrequest",
            name="created_at",
            field=models.DateTimeField(auto_now_add=True, db_index=True),
        ),
    ]
