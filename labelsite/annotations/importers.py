"""Imports a file of solutions, with or without people's labels: all of it or nothing, and only once.

One transaction reads the file, stores what is new, makes its tasks and gives them their places in the queue. Labels
become annotations of a machine user, so they never use up the looks that the campaign wants from its own people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction
from django.db.models import Max

from labelsite.accounts.models import User
from labelsite.annotations.import_campaigns import campaign_named, hold
from labelsite.annotations.import_differences import find_differences, put_right
from labelsite.annotations.import_doubles import doubled_ids
from labelsite.annotations.import_labels import copy_ratings, insert_annotations, looks_at, machine_users
from labelsite.annotations.import_refusals import Differs, ErrorLog, ImportRefused
from labelsite.annotations.import_summary import ImportSummary
from labelsite.annotations.known_answers import CHECKER
from labelsite.annotations.models import Annotation, StepRating
from labelsite.autolabels.executions import FENCE, start_executions
from labelsite.campaigns.gold import fill_gold, renew_gold
from labelsite.campaigns.membership import open_to_everyone
from labelsite.campaigns.models import SECTION_LENGTH, Campaign, Ordering, Task
from labelsite.campaigns.ordering import place_new
from labelsite.campaigns.services import add_tasks
from labelsite.problems.models import Problem, Solution, Step
from labelsite.problems.services import StoredSolution, store_batches, wait_for_other_imports
from labelsite.problems.streaming import rare_collections
from labelsite.statements import refresh_statistics
from ml import formats
from ml.errors import MisstepError
from ml.formats.lines import GZIP_MAGIC
from ml.given_answers import GivenAnswers
from ml.records import LabelledSolution

# From so many new solutions on an import changes what the planner should know of the tables that it fills.
MANY = 200
FILLED = (Problem, Solution, Step, Task, Annotation, StepRating)
Report = Callable[[int], None]


@dataclass
class _Reading:
    """How an import goes about what it reads, and what it has seen that the end has to know."""

    campaign: Campaign
    section: str
    created_by: User | None
    revises: bool
    answers: GivenAnswers = field(default_factory=GivenAnswers)
    verdicts: dict[int, list[int]] = field(default_factory=dict)
    corrected: dict[int, list[int]] = field(default_factory=dict)
    # Lines that say something else than is stored, each with the names of what.
    differing: dict[int, set[str]] = field(default_factory=dict)
    by_another: bool = False
    heard: set[int] = field(default_factory=set)
    # Solutions of the batch that were there and in no campaign: what is stored of them is nobody's any more.
    left_over: set[int] = field(default_factory=set)
    # The solution of the last record so far: a batch may end between two people's looks at it.
    last_solution: int | None = None


def import_file(
    path: Path,
    format: str,
    campaign_name: str,
    *,
    section: str = "",
    dry_run: bool = False,
    name: str | None = None,
    created_by: User | None = None,
    report: Report | None = None,
    revises: bool = False,
    create: bool = True,
    begins_paused: bool = False,
) -> ImportSummary:
    """Import `path` into the campaign; with `create`, it is made when there is none of that name, perhaps paused.

    New tasks belong to `section`, if one is named. `name` stands in messages in place of the path; `report` is
    called with the line that was reached. Raises ImportRefused, with nothing stored, when any line is bad, and
    Differs when any says something else than is stored, unless `revises` asks to take it over; it takes over no
    solution of another generator. What no campaign has any more is taken over unasked. A dry run does everything and
    takes it back.
    """
    if len(section) > SECTION_LENGTH:
        raise MisstepError(f"section {section[:20]!r}..., expected at most {SECTION_LENGTH} characters")
    log = ErrorLog()
    summary = ImportSummary(campaign_name, format, dry_run=dry_run)
    keys = formats.KeyLog()
    records = formats.read(path, format, on_error=log.add, name=name, keys=keys)
    with rare_collections(), transaction.atomic():
        campaign, summary.new_campaign = campaign_named(campaign_name, created_by, create, begins_paused)
        wait_for_other_imports(format)
        hold(campaign)
        summary.campaign, summary.campaign_id = campaign.name, campaign.pk
        newest, reading = _newest_task(), _Reading(campaign, section, created_by, revises)
        for batch in store_batches(_while_good(records, log), format, looks_at):
            _label_batch(reading, batch, summary)
            if report:
                report(batch[-1].labelled.line)
        if log.count:
            raise ImportRefused(log.first, log.count)
        if reading.differing:
            raise Differs(name or str(path), reading.differing, reading.by_another)
        if summary.new_tasks and not summary.new_campaign:
            summary.doubled = doubled_ids(campaign, newest)
        if not dry_run:
            _finish(reading, summary, newest)
        transaction.set_rollback(dry_run)
    summary.unread_keys, summary.kept_keys = dict(keys.unread), dict(keys.kept)
    return summary


def _finish(reading: _Reading, summary: ImportSummary, newest: int) -> None:
    """What follows from all that was read; at the end, because others wait for the rows that it writes."""
    campaign = reading.campaign
    if summary.new_solutions >= MANY:
        refresh_statistics(*FILLED)
    # A row that is written holds up whoever is at work on it until the import is done.
    fill_gold(campaign, reading.verdicts, CHECKER)
    renew_gold(campaign, reading.corrected, CHECKER)
    if summary.new_tasks:
        _put_in_order(campaign, newest)
    if summary.new_campaign:
        # Last, because whoever becomes an annotator meanwhile waits for it.
        open_to_everyone(campaign, reading.created_by)


def _newest_task() -> int:
    return Task.objects.aggregate(newest=Max("pk"))["newest"] or 0


def _put_in_order(campaign: Campaign, after: int) -> None:
    """Give the new tasks their places where the campaign has another order than that of import."""
    if campaign.ordering != Ordering.IMPORT_ORDER:
        place_new(campaign, after)


def lines_in(path: Path) -> int | None:
    """How many lines a plain file has; None where only unpacking it all would tell, or without a file."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        if stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
            return None
        stream.seek(0)
        count, last = 0, b"\n"
        while block := stream.read(2**20):
            count, last = count + block.count(b"\n"), block
        # The last line need not end with a newline.
        return count + (not last.endswith(b"\n"))


def _while_good(records: Iterable[LabelledSolution], log: ErrorLog) -> Iterator[LabelledSolution]:
    """Pass records on until the first bad line; from there on only read, to count the other bad lines."""
    for record in records:
        if not log.count:
            yield record


def _label_batch(reading: _Reading, batch: Sequence[StoredSolution], summary: ImportSummary) -> None:
    """Make a batch's tasks and annotations.

    `reading` gets what a checker says for the first time of solutions that were there. What it has said before is left
    out: since then, people may have decided that the task is to have no gold.
    """
    reading.left_over = _in_no_campaign(batch)
    summary.graded += _grade(reading.answers, batch)
    tasks, new_tasks = _add_tasks(reading.campaign, batch, reading.section)
    labelled = [stored for stored in batch if stored.labelled.annotation]
    users = machine_users(labelled)
    inserted = insert_annotations(tasks, users, labelled)
    reading.verdicts |= _verdicts(new.stored for new in inserted if not new.stored.is_new)
    copy_ratings(inserted)
    _compare(reading, batch, summary, tasks, users)
    # Their code is run beside the import, so that people see what each step printed.
    start_executions(
        list(dict.fromkeys(stored.solution_id for stored in batch if stored.is_new and _has_code(stored))),
        reading.created_by,
    )
    # Several people's looks at one solution are as many records of it.
    summary.solutions += len({stored.solution_id for stored in batch} - {reading.last_solution})
    summary.new_solutions += len({stored.solution_id for stored in batch if stored.is_new})
    reading.last_solution = batch[-1].solution_id
    summary.new_tasks += new_tasks
    summary.new_annotations += len(inserted)
    summary.broken_rules += sum(annotation.breaks_a_rule for annotation in inserted)


def _in_no_campaign(batch: Sequence[StoredSolution]) -> set[int]:
    """The solutions of a batch that are left of campaigns that were deleted, and of what was taken out again."""
    old = {stored.solution_id for stored in batch if not stored.is_new}
    if not old:
        return set()
    return old - set(Task.objects.filter(solution__in=old).values_list("solution_id", flat=True))


def _grade(answers: GivenAnswers, batch: Sequence[StoredSolution]) -> int:
    """Say of solutions whether their answer is right, where the file has both answers and no verdict on them.

    New ones, and those that nobody had graded. Returns how many of these there were.
    """
    open_ones = _never_graded(batch)
    found: dict[bool, set[int]] = {True: set(), False: set()}
    for stored in batch:
        solution = stored.labelled.solution
        if solution.is_correct is None and (stored.is_new or stored.solution_id in open_ones):
            verdict = answers.is_correct(solution)
            if verdict is not None:
                found[verdict].add(stored.solution_id)
    for verdict, solutions in found.items():
        if solutions:
            Solution.objects.filter(pk__in=solutions).update(is_correct=verdict)
    return len(open_ones & (found[True] | found[False]))


def _never_graded(batch: Sequence[StoredSolution]) -> set[int]:
    """The solutions of a batch that were there before, and of which nothing says whether they are right."""
    old = [stored.solution_id for stored in batch if not stored.is_new]
    if not old:
        return set()
    return set(Solution.objects.filter(pk__in=old, is_correct=None).values_list("pk", flat=True))


def _compare(
    reading: _Reading,
    batch: Sequence[StoredSolution],
    summary: ImportSummary,
    tasks: dict[int, int],
    users: dict[str, int],
) -> None:
    differences = find_differences(batch, tasks, users, reading.heard)
    kept = [
        each for each in differences if each.annotation or each.stored.solution_id not in reading.left_over
    ]
    refused = [each for each in kept if each.is_by_another or not reading.revises]
    for each in refused:
        reading.differing.setdefault(each.stored.labelled.line, set()).update(each.names)
        reading.by_another = reading.by_another or each.is_by_another
    if refused or not differences:
        return
    revised = put_right(differences, tasks, users, reading.answers)
    copy_ratings(revised)
    reading.corrected |= _verdicts(new.stored for new in revised)
    summary.revised += len(differences)


def _has_code(stored: StoredSolution) -> bool:
    positions = stored.labelled.solution.positions
    return any(FENCE in option.text for position in positions for option in position.options)


def _add_tasks(
    campaign: Campaign, batch: Sequence[StoredSolution], section: str
) -> tuple[dict[int, int], int]:
    """Make the missing tasks; return each solution's task, and how many are new.

    A checker's verdict is known truth, so it also stands as the task's gold, marked as the checker's.
    """
    solutions = list(dict.fromkeys(stored.solution_id for stored in batch))
    new_tasks = add_tasks(campaign, solutions, gold=_verdicts(batch), gold_source=CHECKER, section=section)
    tasks = Task.objects.filter(campaign=campaign, solution__in=solutions)
    return dict(tasks.values_list("solution_id", "pk")), new_tasks


def _verdicts(batch: Iterable[StoredSolution]) -> dict[int, list[int]]:
    """The first mistakes that a checker found, by solution; -1 where there is none."""
    return {
        stored.solution_id: [-1 if annotation.first_mistake is None else annotation.first_mistake]
        for stored in batch
        if (annotation := stored.labelled.annotation) and annotation.labeler == CHECKER
    }
