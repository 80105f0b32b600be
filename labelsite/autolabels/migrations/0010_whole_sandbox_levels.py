"""A run's sandbox level whole: in 40 characters there was no room for the word UNSAFE behind two layers."""

from django.db import migrations, models

# What was cut within the last word, or just before it, can only have been that word.
CUT = """
UPDATE autolabels_estimaterun
SET sandbox_level = regexp_replace(sandbox_level, '([^,]) (U|UN|UNS|UNSA|UNSAF)?$', '\\1 UNSAFE')
WHERE length(sandbox_level) = 40
"""


class Migration(migrations.Migration):
    dependencies = [("autolabels", "0009_known_first_mistakes")]

    operations = [
        migrations.AlterField(
            model_name="estimaterun", name="sandbox_level", field=models.TextField(blank=True)
        ),
        migrations.RunSQL(CUT, migrations.RunSQL.noop),
    ]
