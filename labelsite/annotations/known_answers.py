"""Which known first mistakes a labeler is measured by, the same on every page.

A known answer is a task whose acceptable positions are known; a gold item is one that is also served as gold or for
screening. Whoever's word the gold is, is not measured by it: they would be right by definition. A look without a
verdict, a reported problem or a give-up, names none of the positions, so it is not right.
"""

from __future__ import annotations

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from labelsite.campaigns.gold_sources import DECIDED, SOURCE_LENGTH

# What stands before the names of imported labelers.
IMPORTED = "imported:"
# Under this name a checker that knows the truth is imported. It is nobody whose judgement could be measured: what it
# says is a task's known answer.
CHECKER = "checker"
CHECKER_NAME = f"{IMPORTED}{CHECKER}"

# Labelers and what tasks say of gold that is theirs: an imported checker's verdicts, a reviewer's decisions, as
# `gold_sources.decided_by` has them.
_OWN = f"""
    SELECT id, substr(username, 10) FROM accounts_user WHERE is_machine AND username LIKE 'imported:%%'
    UNION ALL SELECT id, left('{DECIDED}' || username, {SOURCE_LENGTH}) FROM accounts_user
"""


def counts_sql(annotation: str, task: str) -> str:
    """Whether the task's gold counts for the annotation; both are names in a statement that has parameters."""
    return (
        f"({task}.gold IS NOT NULL AND cardinality({task}.gold) > 0"
        f" AND ({annotation}.annotator_id, {task}.gold_source) NOT IN ({_OWN}))"
    )


def counts() -> RawSQL:
    """The same for annotations of a query that reads their tasks too."""
    return RawSQL(counts_sql("annotations_annotation", "campaigns_task"), (), output_field=BooleanField())
