"""When each task last came into the queue or to another place there: a claim goes on from where one left off."""

import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models

TRIGGER = """
CREATE FUNCTION misstep_task_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.moved := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;

CREATE TRIGGER task_moves BEFORE UPDATE ON campaigns_task FOR EACH ROW
    WHEN (NEW.remaining > OLD.remaining OR (NEW.state = 'open' AND OLD.state <> 'open')
          OR (NEW.priority, NEW.kind, NEW.section) IS DISTINCT FROM (OLD.priority, OLD.kind, OLD.section))
    EXECUTE FUNCTION misstep_task_moves();
"""
NO_TRIGGER = """
DROP TRIGGER task_moves ON campaigns_task;
DROP FUNCTION misstep_task_moves();
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0006_for_everyone")]

    operations = [
        migrations.AddField(
            model_name="task",
            name="moved",
            field=models.BigIntegerField(
                db_default=django.db.models.functions.comparison.Cast(
                    django.db.models.functions.comparison.Cast(
                        models.Func(function="pg_current_xact_id"), models.TextField()
                    ),
                    models.BigIntegerField(),
                ),
                editable=False,
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(remaining__gt=0, state="open"),
                fields=["campaign", "kind", "moved"],
                name="task_moved",
            ),
        ),
        # Constraints that begin with these columns find the rows as well; each index less is less to write.
        migrations.AlterField(
            model_name="task",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="tasks",
                to="campaigns.campaign",
            ),
        ),
        migrations.AlterField(
            model_name="assignment",
            name="task",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="assignments",
                to="campaigns.task",
            ),
        ),
        migrations.RunSQL(TRIGGER, NO_TRIGGER),
    ]
