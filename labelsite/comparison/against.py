"""Whose looks a comparison is of, as queries: people's (some, blind ones only), or gold as if it were a person's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labelsite.annotations.known_answers import CHECKER_NAME, counts_sql
from labelsite.annotations.models import first_mistake_sql
from labelsite.autolabels.first_mistakes import NAMED

# Steps that a person wrote are the solution itself where it was imported as they finished it: they did not leave that.
FIRST_MISTAKE = f"""
    CASE WHEN a.finish_reason = 'solution' AND jsonb_array_length(a.extra -> 'written') > 0 AND EXISTS (
        SELECT FROM problems_step own WHERE own.is_chosen
            AND own.id IN (SELECT jsonb_array_elements_text(a.extra -> 'written')::bigint)
    ) THEN NULL ELSE {first_mistake_sql("a")} END
"""
# What a person's finished look says of the first mistake. Bad problems and given-up ones say nothing of it,
# and an import that breaks a label rule is kept out, as it is kept out of training.
# Who went on through steps of their own rated the solution's up to the mistake only.
# A checker is not one of them: with what it knows, people would agree with machines nearly always.
PEOPLE = f"""
    SELECT a.id, a.annotator_id, a.task_id, t.solution_id, t.kind <> 'work' AS is_item,
        CASE WHEN {counts_sql("a", "t")} THEN t.gold END AS gold,
        COALESCE({FIRST_MISTAKE} + 1, cardinality(a.trajectory)) AS length,
        COALESCE({FIRST_MISTAKE}, -1) AS first,
        COALESCE(a.total_time_ms, -1) AS milliseconds
    FROM annotations_annotation a JOIN campaigns_task t ON t.id = a.task_id
    WHERE t.campaign_id = %(campaign)s AND a.broken_rule = '' AND a.finish_reason IN ('found_error', 'solution')
        AND a.annotator_id <> ALL(ARRAY(SELECT id FROM accounts_user WHERE username = '{CHECKER_NAME}'))
"""
# Whoever changed a label with the machine's before their eyes is no longer blind: what they said before that still is.
BLIND = """
    a.exposure <> 'before' AND a.changed_after_reveal IS NOT TRUE AND (a.is_live OR (
        SELECT bool_and(later.changed_after_reveal IS TRUE) AND bool_or(later.is_live)
        FROM annotations_annotation later
        WHERE later.task_id = a.task_id AND later.annotator_id = a.annotator_id AND later.revision > a.revision))
"""
# Who is asked for by name is shown whatever was decided of their labels.
COUNTED = "a.annotator_id <> ALL(ARRAY(SELECT id FROM accounts_user WHERE labels_excluded))"
# The gold answers as if they were one labeler's. Where several positions are acceptable, that labeler names the one
# that the run names, or else the first of them: the run is right by any of them, as people are.
GOLD = f"""
    SELECT g.id, 0 AS annotator_id, g.id AS task_id, g.solution_id, TRUE AS is_item, g.gold,
        CASE WHEN g.first < 0 THEN g.position_count ELSE g.first + 1 END AS length,
        g.first, -1 AS milliseconds
    FROM (
        SELECT t.id, t.solution_id, t.gold, s.position_count,
            CASE WHEN m.named = ANY(t.gold) THEN m.named ELSE t.gold[1] END AS first
        FROM campaigns_task t JOIN problems_solution s ON s.id = t.solution_id
        LEFT JOIN autolabels_solutionestimate e ON e.solution_id = t.solution_id AND e.run_id = %(run)s
        CROSS JOIN LATERAL (SELECT {NAMED} AS named) m
        WHERE t.campaign_id = %(campaign)s AND cardinality(t.gold) > 0
    ) g
"""


@dataclass(frozen=True, slots=True)
class Against:
    """Whose labels the run is compared with: people's (some, or all; perhaps blind ones only), or gold.

    others: with whose labels theirs are compared where people are compared among themselves; none means anybody's.
    with_excluded: where nobody is named, also those whose labels are excluded.
    """

    is_gold: bool = False
    annotators: Sequence[int] = ()
    is_blind: bool = False
    others: Sequence[int] = ()
    with_excluded: bool = False

    @property
    def looks(self) -> str:
        """The query whose rows are single looks at solutions."""
        if self.is_gold:
            return GOLD
        return self._looks_of("annotators" if self.annotators else "")

    @property
    def other_looks(self) -> str:
        """The looks of people with which theirs are compared."""
        return self._looks_of("others" if self.others else "")

    @property
    def together(self) -> Against:
        """Everybody who is compared: a pair where there is one."""
        both = [*self.annotators, *self.others] if self.others else ()
        return replace(self, annotators=both, others=())

    def _looks_of(self, chosen: str) -> str:
        who = f"a.annotator_id = ANY(%({chosen})s)" if chosen else "TRUE" if self.with_excluded else COUNTED
        return f"{PEOPLE} AND {who} AND {BLIND if self.is_blind else 'a.is_live'}"


EVERYBODY = Against()
ALSO_EXCLUDED = Against(with_excluded=True)
