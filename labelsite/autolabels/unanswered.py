"""Problems that a run's policy could not answer: how many is counted, and the first are kept with the reason."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from labelsite.autolabels.disputes import problems_of
from labelsite.autolabels.importers import read_unanswered
from labelsite.autolabels.models import EstimateRun, UnansweredProblem

# Enough to see what is wrong; a run of a hundred thousand problems may have as many.
MOST_KEPT = 100
LONGEST_REASON = 300


def load_unanswered(run: EstimateRun, path: Path, of_solutions: bool) -> None:
    """Keep the file's first lines with the run, as far as it has room; the caller holds the run's row.

    of_solutions: the lines name solutions, else problems. Raises MisstepError for one that is not here.
    """
    room = MOST_KEPT - run.unanswered_problems.count()
    lines = list(islice(read_unanswered(path), max(room, 0)))
    problems = problems_of((line.id for line in lines), of_solutions, path)
    UnansweredProblem.objects.bulk_create(
        (
            UnansweredProblem(run=run, problem_id=problems[line.id], reason=line.why[:LONGEST_REASON])
            for line in lines
        ),
        # Several solutions of one problem have the same reason.
        ignore_conflicts=True,
    )
