"""Which of a checkpoint's evaluations its page draws: it asks anew every two seconds while one of them works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from labelsite.jobs.models import JobState
from labelsite.training.models import Checkpoint, Evaluation


@dataclass(frozen=True, slots=True)
class Evaluations:
    """drawn: with their figures. earlier: those that a newer one of the same kind and data stands for, without."""

    drawn: Sequence[Evaluation]
    earlier: Sequence[Evaluation]

    @property
    def are_moving(self) -> bool:
        return any(not each.job.is_finished for each in self.drawn)


def evaluations_of(checkpoint: Checkpoint, asked: int | None = None) -> Evaluations:
    """The newest first. Until a newer one has measured something, or where it is asked for, an older one stays drawn;
    so does what still works.
    """
    rows = checkpoint.evaluations.select_related("job").defer("job__spec", "job__result")
    measured, drawn, earlier = set[tuple[str, str]](), list[int](), list[Evaluation]()
    for each in rows.annotate(has_figures=Q(job__state=JobState.DONE)).order_by("-pk"):
        works = not each.job.is_finished
        if works or each.pk == asked or (each.kind, each.data) not in measured:
            drawn.append(each.pk)
        else:
            earlier.append(each)
        if each.has_figures:
            measured.add((each.kind, each.data))
    whole = checkpoint.evaluations.select_related("job").in_bulk(drawn)
    return Evaluations([whole[pk] for pk in drawn], earlier)
