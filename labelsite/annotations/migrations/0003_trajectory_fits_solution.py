"""A trajectory is no longer than its solution, and steps of one's own are really there: for every finish reason."""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION misstep_solution_is_whole() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    chosen integer;
    own bigint[];
    rated integer := cardinality(NEW.trajectory);
BEGIN
    SELECT count(*) FROM problems_step AS step JOIN campaigns_task AS task ON task.solution_id = step.solution_id
    WHERE task.id = NEW.task_id AND step.is_chosen INTO chosen;
    IF NEW.extra ? 'written' THEN
        own := ARRAY(SELECT jsonb_array_elements_text(NEW.extra -> 'written')::bigint);
        IF cardinality(own) = 0 OR cardinality(own) <> (
            SELECT count(*) FROM problems_step AS step JOIN campaigns_task AS task ON task.solution_id = step.solution_id
            WHERE task.id = NEW.task_id AND step.source = 'human' AND step.id = ANY (own)
        ) THEN
            RAISE EXCEPTION 'steps of one''s own are steps of this solution'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'annotation_written_steps_are_there';
        END IF;
    END IF;
    -- Steps that the person wrote stand in for the rest of the trajectory, behind a position that was reached.
    IF NEW.finish_reason = 'solution' AND own IS NOT NULL THEN
        IF rated < cardinality(own) OR rated - cardinality(own) >= chosen THEN
            RAISE EXCEPTION 'a solution that ends with steps of one''s own goes on from a step of the task'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'annotation_solution_is_whole';
        END IF;
    ELSIF rated > chosen OR (NEW.finish_reason = 'solution' AND rated <> chosen) THEN
        RAISE EXCEPTION 'a trajectory has as many ratings as were read: all for a solution, never more than steps'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'annotation_solution_is_whole';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER annotation_solution_is_whole ON annotations_annotation;
CREATE TRIGGER annotation_solution_is_whole BEFORE INSERT ON annotations_annotation FOR EACH ROW
    WHEN (NEW.origin = 'annotator') EXECUTE FUNCTION misstep_solution_is_whole();

DROP TRIGGER annotation_is_final ON annotations_annotation;
CREATE TRIGGER annotation_is_final BEFORE UPDATE ON annotations_annotation FOR EACH ROW
    WHEN ((OLD.origin = 'annotator' OR NEW.origin = 'annotator')
          AND (OLD.trajectory, OLD.finish_reason, OLD.task_id, OLD.annotator_id, OLD.exposure, OLD.origin, OLD.extra)
          IS DISTINCT FROM
          (NEW.trajectory, NEW.finish_reason, NEW.task_id, NEW.annotator_id, NEW.exposure, NEW.origin, NEW.extra))
    EXECUTE FUNCTION misstep_annotation_is_final();
"""

# The functions and triggers of the migration before this one.
BACKWARD = """
CREATE OR REPLACE FUNCTION misstep_solution_is_whole() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(NEW.trajectory) <> (
        SELECT count(*) FROM problems_step AS step JOIN campaigns_task AS task ON task.solution_id = step.solution_id
        WHERE task.id = NEW.task_id AND step.is_chosen
    ) THEN
        RAISE EXCEPTION 'a solution without mistake has every step rated'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'annotation_solution_is_whole';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER annotation_solution_is_whole ON annotations_annotation;
CREATE TRIGGER annotation_solution_is_whole BEFORE INSERT ON annotations_annotation FOR EACH ROW
    WHEN (NEW.origin = 'annotator' AND NEW.finish_reason = 'solution' AND NOT NEW.extra ? 'written')
    EXECUTE FUNCTION misstep_solution_is_whole();

DROP TRIGGER annotation_is_final ON annotations_annotation;
CREATE TRIGGER annotation_is_final BEFORE UPDATE ON annotations_annotation FOR EACH ROW
    WHEN (OLD.origin = 'annotator' AND (OLD.trajectory, OLD.finish_reason, OLD.task_id, OLD.annotator_id, OLD.exposure)
          IS DISTINCT FROM (NEW.trajectory, NEW.finish_reason, NEW.task_id, NEW.annotator_id, NEW.exposure))
    EXECUTE FUNCTION misstep_annotation_is_final();
"""


class Migration(migrations.Migration):
    dependencies = [("annotations", "0002_ratings_fit")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
