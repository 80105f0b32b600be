"""Imports a file of solutions, with or without people's labels: all of it or nothing, and only once.

One transaction reads the file, stores what is new, makes its tasks and gives them their places in the queue. Labels
become annotations of a machine user, so they never use up the looks that the campaign wants from its own people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from django.db import IntegrityError, connection, transaction
from django.db.models import Max

from labelsite.accounts.models import User
from labelsite.annotations.import_labels import copy_ratings, insert_annotations
from labelsite.annotations.models import Annotation, StepRating
from labelsite.autolabels.executions import FENCE, start_executions
from labelsite.campaigns.archive import refuse_archived
from labelsite.campaigns.models import SECTION_LENGTH, Campaign, Ordering, Task
from labelsite.campaigns.services import add_everyone, add_tasks, create_campaign, fill_gold, place_new
from labelsite.problems.models import Problem, Solution, Step
from labelsite.problems.services import StoredSolution, store_batches
from labelsite.problems.streaming import rare_collections
from ml import formats
from ml.errors import BadRecord, MisstepError
from ml.formats.lines import GZIP_MAGIC
from ml.records import LabelledSolution

SHOWN_ERRORS = 20
# From so many new solutions on an import changes what the planner should know of the tables that it fills.
MANY = 200
FILLED = (Problem, Solution, Step, Task, Annotation, StepRating)
CHECKER = "checker"
# Among so many of the newest campaigns a misspelt name is looked for.
KNOWN_NAMES = 1_000
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
    new_campaign: bool = False
    # Keys of the file that its format does not read, with the number of lines; and those kept as they are.
    unread_keys: dict[str, int] = field(default_factory=dict)
    kept_keys: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        verb = "would add" if self.dry_run else "added"
        return (
            f"read {self.solutions} solutions; {verb} {self.new_solutions} solutions,"
            f" {self.new_tasks} tasks and {self.new_annotations} annotations"
            f" ({self.broken_rules} break a label rule) to {'the new campaign ' * self.new_campaign}{self.campaign}"
            + "".join(f"; {told}" for told in self._keys_told())
        )

    def _keys_told(self) -> Iterator[str]:
        if self.kept_keys:
            yield f"kept as metadata: {counts_in_words(self.kept_keys)}"
        if self.unread_keys:
            yield f"not read, so not imported: {counts_in_words(self.unread_keys)}"


def counts_in_words(counts: Mapping[str, int]) -> str:
    """`foo (3), bar (1)`: the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} ({count})" for name, count in ordered)


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
    create: bool = True,
) -> ImportSummary:
    """Import `path` into the campaign; with `create`, it is made when there is none of that name.

    New tasks belong to `section`, if one is named. `name` stands in messages in place of the path; `report` is
    called with the line that was reached. Raises ImportRefused, with nothing stored, when any line is bad. A dry
    run does everything and takes it back.
    """
    if len(section) > SECTION_LENGTH:
        raise MisstepError(f"section {section[:20]!r}..., expected at most {SECTION_LENGTH} characters")
    log = ErrorLog()
    summary = ImportSummary(campaign_name, format, dry_run=dry_run)
    keys = formats.KeyLog()
    records = formats.read(path, format, on_error=log.add, name=name, keys=keys)
    with rare_collections(), transaction.atomic():
        campaign, summary.new_campaign = campaign_named(campaign_name, created_by, create)
        refuse_archived(campaign)
        newest, verdicts = _newest_task(), dict[int, list[int]]()
        for batch in store_batches(_while_good(records, log), source=format):
            verdicts |= _label_batch(campaign, batch, section, created_by, summary)
            if report:
                report(batch[-1].labelled.line)
        if log.count:
            raise ImportRefused(log.first, log.count)
        if summary.new_solutions >= MANY and not dry_run:
            _refresh_statistics()
        if verdicts and not dry_run:
            # Last, because a row that is written holds up whoever is at work on it until the import is done.
            fill_gold(campaign, verdicts, CHECKER)
        if summary.new_tasks and not dry_run:
            _put_in_order(campaign, newest)
        transaction.set_rollback(dry_run)
    summary.unread_keys, summary.kept_keys = dict(keys.unread), dict(keys.kept)
    return summary


def _newest_task() -> int:
    return Task.objects.aggregate(newest=Max("pk"))["newest"] or 0


def _put_in_order(campaign: Campaign, after: int) -> None:
    """Give the new tasks their places where the campaign has another order than that of import.

    Which one is read only now: from its first task on, the import keeps others from changing the campaign.
    """
    campaign.refresh_from_db()
    if campaign.ordering != Ordering.IMPORT_ORDER:
        place_new(campaign, after)


def _refresh_statistics() -> None:
    """Tell the planner what the tables hold now: until it looks by itself it may take them for empty, and read every
    row for each one that is asked for.
    """
    tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in FILLED)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {tables}")


def lines_in(path: Path) -> int | None:
    """How many lines a plain file has; None where only unpacking it all would tell, or without a file."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        if stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
            return None
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(2**20), b""))


def campaign_named(name: str, created_by: User | None = None, create: bool = True) -> tuple[Campaign, bool]:
    """The campaign of that name, and whether it is new: a missing one is made with the default settings, open to
    every annotator. Raises MisstepError where it is missing and not to be made.
    """
    if not name.strip() or len(name) > 120:
        raise MisstepError(f"campaign name {name[:20]!r}..., expected 1 to 120 characters")
    known = Campaign.objects.filter(name=name)
    if campaign := known.first():
        return campaign, False
    if not create:
        raise MisstepError(_missing(name))
    try:
        with transaction.atomic():
            campaign = create_campaign(name, created_by=created_by)
            add_everyone(campaign)
    except IntegrityError:
        # Another import made it in the same moment; by now it is committed.
        return known.get(), False
    return campaign, True


def _missing(name: str) -> str:
    """That there is no such campaign, with the names that may have been meant."""
    names = list(Campaign.objects.order_by("-pk").values_list("name", flat=True)[:KNOWN_NAMES])
    near = get_close_matches(name, names, n=3) or names[:3]
    known = ", ".join(repr(found) for found in near)
    expected = f"one of those that are there ({known}, ...)" if known else "one that is there"
    return f"no campaign {name!r}, expected {expected}, or --create-campaign to make it"


def _while_good(records: Iterable[LabelledSolution], log: ErrorLog) -> Iterator[LabelledSolution]:
    """Pass records on until the first bad line; from there on only read, to count the other bad lines."""
    for record in records:
        if not log.count:
            yield record


def _label_batch(
    campaign: Campaign,
    batch: Sequence[StoredSolution],
    section: str,
    created_by: User | None,
    summary: ImportSummary,
) -> dict[int, list[int]]:
    """Make a batch's tasks and annotations; return what a checker says for the first time of solutions that were there.

    What it has said before is left out: since then, people may have decided that the task is to have no gold.
    """
    tasks, new_tasks = _add_tasks(campaign, batch, section)
    labelled = [stored for stored in batch if stored.labelled.annotation]
    inserted = insert_annotations(tasks, labelled)
    copy_ratings(inserted)
    # Their code is run beside the import, so that people see what each step printed.
    start_executions(
        list(dict.fromkeys(stored.solution_id for stored in batch if stored.is_new and _has_code(stored))),
        created_by,
    )
    # Several people's looks at one solution are as many records of it.
    summary.solutions += len({stored.solution_id for stored in batch})
    summary.new_solutions += len({stored.solution_id for stored in batch if stored.is_new})
    summary.new_tasks += new_tasks
    summary.new_annotations += len(inserted)
    summary.broken_rules += sum(annotation.breaks_a_rule for annotation in inserted)
    return _verdicts(new.stored for new in inserted if not new.stored.is_new)


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
