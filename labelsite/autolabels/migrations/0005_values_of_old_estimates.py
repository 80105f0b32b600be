from django.db import migrations

# Estimates that were loaded before the arrays existed have empty ones, and the comparison reads only these.
FILL = """
UPDATE autolabels_solutionestimate AS whole SET q_values = found.q_values, soft_values = found.soft_values
FROM (SELECT estimate.run_id, step.solution_id, array_agg(estimate.q_value ORDER BY step.position) AS q_values,
             array_agg(estimate.soft ORDER BY step.position) AS soft_values
      FROM autolabels_stepestimate AS estimate JOIN problems_step AS step ON step.id = estimate.step_id
      WHERE EXISTS (SELECT 1 FROM autolabels_solutionestimate AS old WHERE old.run_id = estimate.run_id
                    AND old.solution_id = step.solution_id AND old.q_values = '{}')
      GROUP BY estimate.run_id, step.solution_id) AS found
WHERE whole.run_id = found.run_id AND whole.solution_id = found.solution_id AND whole.q_values = '{}'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("autolabels", "0004_unanswered_problems"),
        ("problems", "0001_initial"),
    ]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
