"""The words of a judgement, its time and the guidelines it was made by are as final as its ratings."""

from django.db import migrations


def guarded(*columns: str) -> str:
    """The trigger that refuses an update of these columns of an annotator's judgement."""
    before, after = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"""
    DROP TRIGGER annotation_is_final ON annotations_annotation;
    CREATE TRIGGER annotation_is_final BEFORE UPDATE ON annotations_annotation FOR EACH ROW
        WHEN ((OLD.origin = 'annotator' OR NEW.origin = 'annotator')
              AND ({before}) IS DISTINCT FROM ({after}))
        EXECUTE FUNCTION misstep_annotation_is_final();
    """


RATED = ("trajectory", "finish_reason", "task_id", "annotator_id", "exposure", "origin", "extra")
TOLD = ("reason", "total_time_ms", "guideline_version")


class Migration(migrations.Migration):
    dependencies = [("annotations", "0008_without_redundant_indexes")]
    operations = [migrations.RunSQL(guarded(*RATED, *TOLD), guarded(*RATED))]
