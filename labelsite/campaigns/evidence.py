"""What machines said of the steps of solutions: all that an ordering reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import connection

from labelsite.campaigns.models import Campaign

_EVIDENCE = """
SELECT step.solution_id, step.position, score.score, estimate.soft, said.first_mistake,
    COALESCE(said.is_known, false)
FROM problems_step AS step
LEFT JOIN autolabels_stepscore AS score ON score.step_id = step.id AND score.run_id = %(score_run)s
LEFT JOIN autolabels_stepestimate AS estimate ON estimate.step_id = step.id AND estimate.run_id = %(estimate_run)s
LEFT JOIN autolabels_solutionestimate AS said
    ON said.solution_id = step.solution_id AND said.run_id = %(estimate_run)s
WHERE step.solution_id = ANY(%(solutions)s) AND step.is_chosen
ORDER BY step.solution_id, step.position
"""


@dataclass
class Evidence:
    """What machines said of one solution's trajectory: of its steps in order, and the run of its first mistake."""

    scores: list[float | None] = field(default_factory=list)
    soft: list[float | None] = field(default_factory=list)
    first_mistake: int | None = None
    is_known: bool = False

    def complete_scores(self) -> list[float] | None:
        scores = [score for score in self.scores if score is not None]
        return scores if scores and len(scores) == len(self.scores) else None


def evidence_of(campaign: Campaign, solutions: list[int]) -> dict[int, Evidence]:
    """One query for a batch, whatever its size."""
    found: dict[int, Evidence] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _EVIDENCE,
            {
                "score_run": campaign.score_run_id,
                "estimate_run": campaign.estimate_run_id,
                "solutions": solutions,
            },
        )
        for solution, position, score, soft, first_mistake, is_known in cursor.fetchall():
            kept = found.setdefault(solution, Evidence(first_mistake=first_mistake, is_known=is_known))
            # The trajectory, which is all that machines were given, ends at the first position where nothing is chosen.
            if position == len(kept.scores):
                kept.scores.append(score)
                kept.soft.append(soft)
    return found
