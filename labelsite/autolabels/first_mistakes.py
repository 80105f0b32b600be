"""What a run says of a solution's first mistake: a step, that there is none, or that it cannot know."""

from __future__ import annotations

NONE, UNKNOWN = -1, -2
# The 0-based step in SQL, for the row of `autolabels_solutionestimate` that is called `e` in the statement. NONE for no
# mistake, UNKNOWN where the run did not estimate the solution, or left a step before any known mistake without a label:
# it may be the first one. A step without rollouts may have a label that its neighbours imply.
NAMED = f"""CASE WHEN e.id IS NULL THEN {UNKNOWN}
    WHEN e.first_mistake IS NOT NULL THEN e.first_mistake
    WHEN e.is_known THEN {NONE} ELSE {UNKNOWN} END"""
