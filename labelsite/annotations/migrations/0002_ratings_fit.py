"""Rules that reach over several tables, so that no door can store what breaks them.

They bind labels made here; imported rows are checked by their reader and flagged in `broken_rule`.
"""

from django.db import migrations

# A large import arrives in one transaction, before anything is known of the tables' new sizes: the planner would
# then compare every rating with every step. Only look-ups by index are sure to stay cheap.
FORWARD = """
CREATE FUNCTION misstep_ratings_fit() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
BEGIN
    -- A rating belongs to the task's own solution; on the trajectory it is what the trajectory says; and behind
    -- the trajectory's end there is none. Steps that the person wrote replace the rest of the trajectory.
    IF EXISTS (
        SELECT 1 FROM new_rows AS given
        JOIN annotations_annotation AS annotation
          ON annotation.id = given.annotation_id AND annotation.origin = 'annotator'
        JOIN campaigns_task AS task ON task.id = annotation.task_id
        JOIN problems_step AS step ON step.id = given.step_id
        WHERE step.solution_id <> task.solution_id
           OR (given.rating IS NOT NULL AND step.position >= cardinality(annotation.trajectory))
           OR (given.rating IS NOT NULL AND step.is_chosen AND NOT annotation.extra ? 'written'
               AND given.rating <> annotation.trajectory[step.position + 1])
    ) THEN
        RAISE EXCEPTION 'a step rating does not fit its annotation''s trajectory'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'step_rating_fits_trajectory';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER step_rating_fits_on_insert AFTER INSERT ON annotations_steprating
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION misstep_ratings_fit();
CREATE TRIGGER step_rating_fits_on_update AFTER UPDATE ON annotations_steprating
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION misstep_ratings_fit();

CREATE FUNCTION misstep_solution_is_whole() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER annotation_solution_is_whole BEFORE INSERT ON annotations_annotation FOR EACH ROW
    WHEN (NEW.origin = 'annotator' AND NEW.finish_reason = 'solution' AND NOT NEW.extra ? 'written')
    EXECUTE FUNCTION misstep_solution_is_whole();

CREATE FUNCTION misstep_annotation_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a judgement is revised, never overwritten'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'annotation_is_final';
END $$;

CREATE TRIGGER annotation_is_final BEFORE UPDATE ON annotations_annotation FOR EACH ROW
    WHEN (OLD.origin = 'annotator' AND (OLD.trajectory, OLD.finish_reason, OLD.task_id, OLD.annotator_id, OLD.exposure)
          IS DISTINCT FROM (NEW.trajectory, NEW.finish_reason, NEW.task_id, NEW.annotator_id, NEW.exposure))
    EXECUTE FUNCTION misstep_annotation_is_final();
"""

BACKWARD = """
DROP TRIGGER annotation_is_final ON annotations_annotation;
DROP FUNCTION misstep_annotation_is_final();
DROP TRIGGER annotation_solution_is_whole ON annotations_annotation;
DROP FUNCTION misstep_solution_is_whole();
DROP TRIGGER step_rating_fits_on_update ON annotations_steprating;
DROP TRIGGER step_rating_fits_on_insert ON annotations_steprating;
DROP FUNCTION misstep_ratings_fit();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("annotations", "0001_initial"),
        ("campaigns", "0002_lease_index"),
        ("problems", "0001_initial"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
