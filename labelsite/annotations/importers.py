"""Imports a file of solutions, with or without people's labels: all of it or nothing, and only once.

One transaction reads the file, stores what is new and makes its tasks. Labels become annotations of a machine
user, so they never use up the looks that the campaign wants from its own people.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from django.db import IntegrityError, connection, transaction

from labelsite.accounts.models import User
from labelsite.annotations.models import Origin
from labelsite.campaigns.models import Campaign, Task
from labelsite.campaigns.services import add_everyone, add_tasks, create_campaign
from labelsite.problems.models import Step
from labelsite.problems.services import StoredSolution, store_batches
from ml import formats
from ml.errors import BadRecord, MisstepError
from ml.formats import label_rules
from ml.formats.lines import GZIP_MAGIC
from ml.records import Annotation, FinishReason, LabelledSolution

SHOWN_ERRORS = 20
CHECKER = "checker"
# The key in `Annotation.extra` under which a file's own time of labelling is kept.
LABELLED_AT_KEY = "labelled_at"
Report = Callable[[int], None]


class ImportRefused(MisstepError):
    """The first bad lines of a file, and how many there are; nothing of the file was stored."""

    def __init__(self, errors: Sequence[BadRecord], count: int) -> None:
        self.errors, self.count = list(errors), count
        lines = [str(error) for error in errors]
        if count > len(errors):
            lines.append(f"... and {count - len(errors)} more")
        what = "1 bad line" if count == 1 else f"{count} bad lines"
        super().__init__("\n".join([*lines, f"{what}; nothing was imported"]))


@dataclass
class ErrorLog:
    """Counts every bad line and remembers the first ones."""

    first: list[BadRecord] = field(default_factory=list)
    count: int = 0

    def add(self, error: BadRecord) -> None:
        self.count += 1
        if len(self.first) < SHOWN_ERRORS:
            self.first.append(error)


@dataclass
class ImportSummary:
    """What an import read, and what of it was new."""

    campaign: str
    format: str
    solutions: int = 0
    new_solutions: int = 0
    new_tasks: int = 0
    new_annotations: int = 0
    broken_rules: int = 0
    dry_run: bool = False

    def __str__(self) -> str:
        verb = "would add" if self.dry_run else "added"
        return (
            f"read {self.solutions} solutions; {verb} {self.new_solutions} solutions,"
            f" {self.new_tasks} tasks and {self.new_annotations} annotations"
            f" ({self.broken_rules} break a label rule) to {self.campaign}"
        )


def import_file(
    path: Path,
    format: str,
    campaign_name: str,
    *,
    dry_run: bool = False,
    name: str | None = None,
    created_by: User | None = None,
    report: Report | None = None,
) -> ImportSummary:
    """Import `path` into the campaign, which is made when there is none of that name.

    `name` stands in messages in place of the path; `report` is called with the line that was reached. Raises
    ImportRefused, with nothing stored, when any line is bad. A dry run does everything and takes it back.
    """
    log = ErrorLog()
    summary = ImportSummary(campaign_name, format, dry_run=dry_run)
    records = formats.read(path, format, on_error=log.add, name=name)
    with transaction.atomic():
        campaign = campaign_named(campaign_name, created_by)
        for batch in store_batches(_while_good(records, log), source=format):
            _label_batch(campaign, batch, summary)
            if report:
                report(batch[-1].labelled.line)
        if log.count:
            raise ImportRefused(log.first, log.count)
        transaction.set_rollback(dry_run)
    return summary


def lines_in(path: Path) -> int | None:
    """How many lines a plain file has; None where only unpacking it all would tell, or without a file."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        if stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
            return None
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(2**20), b""))


def campaign_named(name: str, created_by: User | None = None) -> Campaign:
    """The campaign of that name; a missing one is made with the default settings, open to every annotator."""
    if not name.strip() or len(name) > 120:
        raise MisstepError(f"campaign name {name[:20]!r}..., expected 1 to 120 characters")
    known = Campaign.objects.filter(name=name)
    if campaign := known.first():
        return campaign
    try:
        with transaction.atomic():
            campaign = create_campaign(name, created_by=created_by)
            add_everyone(campaign)
    except IntegrityError:
        # Another import made it in the same moment; by now it is committed.
        return known.get()
    return campaign


def machine_user(labeler: str) -> User:
    """The user to whom imported labels belong: it has no password and can never log in."""
    username = labeler if labeler.startswith("imported:") else f"imported:{labeler}"
    user, created = User.objects.get_or_create(username=username, defaults={"is_machine": True})
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    if not user.is_machine:
        raise MisstepError(f"the user {username!r} is a person, expected a name that only imports use")
    return user


def _while_good(records: Iterable[LabelledSolution], log: ErrorLog) -> Iterator[LabelledSolution]:
    """Pass records on until the first bad line; from there on only read, to count the other bad lines."""
    for record in records:
        if not log.count:
            yield record


def _label_batch(campaign: Campaign, batch: Sequence[StoredSolution], summary: ImportSummary) -> None:
    tasks, new_tasks = _add_tasks(campaign, batch)
    labelled = [stored for stored in batch if stored.labelled.annotation]
    inserted = _insert_annotations(tasks, labelled)
    _copy_ratings(inserted)
    summary.solutions += len(batch)
    summary.new_solutions += sum(stored.is_new for stored in batch)
    summary.new_tasks += new_tasks
    summary.new_annotations += len(inserted)
    summary.broken_rules += sum(bool(rule_broken_by(stored.labelled)) for _, stored in inserted)


def _add_tasks(campaign: Campaign, batch: Sequence[StoredSolution]) -> tuple[dict[int, int], int]:
    """Make the missing tasks; return each solution's task, and how many are new.

    A checker's verdict is known truth, so it also stands as the task's gold, marked as the checker's.
    """
    solutions = list(dict.fromkeys(stored.solution_id for stored in batch))
    gold = {
        stored.solution_id: [-1 if annotation.first_mistake is None else annotation.first_mistake]
        for stored in batch
        if (annotation := stored.labelled.annotation) and annotation.labeler == CHECKER
    }
    new_tasks = add_tasks(campaign, solutions, gold=gold, gold_source=CHECKER)
    tasks = Task.objects.filter(campaign=campaign, solution__in=solutions)
    return dict(tasks.values_list("solution_id", "pk")), new_tasks


def trajectory_of(labelled: LabelledSolution) -> list[int]:
    """The ratings along the trajectory from step 0 up to the first step without one."""
    assert labelled.annotation is not None
    ratings = label_rules.trajectory_ratings(labelled.solution, labelled.annotation)
    until = ratings.index(None) if None in ratings else len(ratings)
    return [rating for rating in ratings[:until] if rating is not None]


def rule_broken_by(labelled: LabelledSolution) -> str:
    """The label rule that the file's labels break: the reader's verdict, or what the tables would refuse."""
    assert labelled.annotation is not None
    if labelled.broken_rule:
        return labelled.broken_rule
    trajectory, reason = trajectory_of(labelled), labelled.annotation.finish_reason
    if -1 in trajectory[:-1]:
        return "rated_after_the_first_mistake"
    if (trajectory[-1:] == [-1]) != (reason == FinishReason.FOUND_ERROR):
        return "found_error_without_mistake"
    return "solution_not_finished" if reason == FinishReason.SOLUTION and not trajectory else ""


def _insert_annotations(
    tasks: dict[int, int], labelled: Sequence[StoredSolution]
) -> list[tuple[int, StoredSolution]]:
    """Insert the annotations that are not there yet; return (annotation id, what it says) of each."""
    labelers = {stored.labelled.annotation.labeler for stored in labelled if stored.labelled.annotation}
    users = {labeler: machine_user(labeler).pk for labeler in labelers}
    by_place: dict[tuple[int, int], StoredSolution] = {}
    for stored in labelled:
        assert stored.labelled.annotation is not None
        place = (tasks[stored.solution_id], users[stored.labelled.annotation.labeler])
        by_place.setdefault(place, stored)
    columns = [(*place, *_annotation_values(stored.labelled)) for place, stored in by_place.items()]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO annotations_annotation (task_id, annotator_id, finish_reason, reason, trajectory,"
            " total_time_ms, broken_rule, extra, revision, is_live, origin, exposure, guideline_version,"
            " idempotency_key, created_at)"
            " SELECT task, annotator, finish_reason, reason, trajectory::smallint[], total_time_ms,"
            " broken_rule, extra, 1, true, %s, 'never', 1, gen_random_uuid(), now()"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::int[],"
            " %s::text[], %s::jsonb[]) AS new (task, annotator, finish_reason, reason, trajectory,"
            " total_time_ms, broken_rule, extra)"
            " ON CONFLICT (task_id, annotator_id, revision) DO NOTHING RETURNING id, task_id, annotator_id",
            [Origin.IMPORT.value, *[[row[index] for row in columns] for index in range(8)]],
        )
        return [(identity, by_place[task, user]) for identity, task, user in cursor.fetchall()]


def _annotation_values(labelled: LabelledSolution) -> tuple[Any, ...]:
    annotation = labelled.annotation
    assert annotation is not None
    extra = dict(annotation.extra)
    if annotation.created_at is not None:
        extra[LABELLED_AT_KEY] = annotation.created_at
    trajectory = ",".join(map(str, trajectory_of(labelled)))
    return (
        str(annotation.finish_reason),
        annotation.reason,
        f"{{{trajectory}}}",
        annotation.total_time_ms,
        rule_broken_by(labelled),
        json.dumps(extra, ensure_ascii=False),
    )


def _copy_ratings(annotations: Sequence[tuple[int, StoredSolution]]) -> None:
    """Write the rating of every option that the file names, unrated ones (null) included."""
    known = _find_step_ids([stored.solution_id for _, stored in annotations if stored.step_ids is None])
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY annotations_steprating (annotation_id, step_id, rating, flagged, milliseconds, note)"
            " FROM STDIN"
        ) as copy,
    ):
        for identity, stored in annotations:
            step_ids = known[stored.solution_id] if stored.step_ids is None else stored.step_ids
            for row in _rating_rows(identity, stored.labelled, step_ids):
                copy.write_row(row)


def _rating_rows(
    identity: int, labelled: LabelledSolution, step_ids: Sequence[int]
) -> Iterator[tuple[Any, ...]]:
    annotation: Annotation | None = labelled.annotation
    assert annotation is not None
    counts = [len(position.options) for position in labelled.solution.positions]
    first = list(accumulate(counts, initial=0))
    for rating in annotation.ratings:
        step_id = step_ids[first[rating.position] + rating.option]
        yield identity, step_id, rating.rating, rating.flagged, rating.milliseconds, ""


def _find_step_ids(solutions: Sequence[int]) -> dict[int, list[int]]:
    """The step ids of solutions that were there before, in the order of positions and options."""
    rows = (
        Step.objects.filter(solution__in=solutions)
        .order_by("solution_id", "position", "option")
        .values_list("solution_id", "id")
    )
    return {solution: [row[1] for row in group] for solution, group in groupby(rows, key=itemgetter(0))}
