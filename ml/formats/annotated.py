"""One solution a line with what people said of it, each under their own name: the format for one's own labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ml.formats import fields, label_rules, records
from ml.formats.fields import Record
from ml.formats.first_mistake import annotate
from ml.formats.lines import Unreadable
from ml.records import Annotation, FinishReason, LabelledSolution, Solution, StepRating
from ml.said import Said

KEYS = frozenset({"problem", "steps", "annotations"})
INSIDE = ("annotator", "first_mistake", "ratings", "finish_reason", "reason", "total_time_ms", "created_at")
READS = records.READS | {"annotations"} | {f"annotations[].{key}" for key in INSIDE}
KEEPS_OTHERS = True
ID_KEY = "id"
PREFIX = "imported:"
EXITS = (FinishReason.BAD_PROBLEM, FinishReason.GIVE_UP)
# The name of a user has room for so many characters behind the prefix.
LONGEST_NAME = 100
# So many people never look at one solution; a look that is a few bytes long rates up to a thousand steps.
MOST_LOOKS = 1_000


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """The keys of `records`, and `annotations`: one solution for each look at it, or one without any.

    A look has an `annotator` and either `first_mistake` (an index from 0, null for none) or `ratings` (-1, 0, +1 or
    null for each step from the first on); it may have a `finish_reason`, `reason`, `total_time_ms` and `created_at`.
    """
    solution = records.solution_of(record, line, READS)
    entries = fields.objects(record, "annotations")
    if len(entries) > MOST_LOOKS:
        raise Unreadable(
            Said("%(count)s annotations of one solution", count=len(entries)),
            Said("at most %(most)s", most=MOST_LOOKS),
        )
    looks = []
    for index, entry in enumerate(entries):
        with fields.naming(f"annotations[{index}]"):
            looks.append(_annotation(entry, solution))
    names = [look.labeler for look in looks]
    if twice := next((name for name in names if names.count(name) > 1), None):
        found = Said("two annotations by %(name)s", name=repr(twice.removeprefix(PREFIX)))
        raise Unreadable(found, "one look by each person")
    if not looks:
        yield LabelledSolution(line, solution)
    for look in looks:
        yield LabelledSolution(line, solution, look, label_rules.broken_rule(solution, look))


def _annotation(entry: Record, solution: Solution) -> Annotation:
    if ("first_mistake" in entry) == ("ratings" in entry):
        raise Unreadable("an annotation with both or neither", "either `first_mistake` or `ratings`")
    steps, labeler = len(solution.positions), _labeler(entry)
    if "ratings" in entry:
        annotation = _from_ratings(entry, solution, labeler)
    else:
        annotation = annotate(labeler, steps, fields.optional_integer(entry, "first_mistake", high=steps - 1))
    finish = fields.optional_text(entry, "finish_reason")
    if finish is not None:
        reasons = [str(reason) for reason in FinishReason]
        annotation = replace(
            annotation, finish_reason=FinishReason(fields.one_of(entry, "finish_reason", reasons))
        )
        if annotation.finish_reason in EXITS and entry.get("first_mistake", 0) is None:
            # No mistake was named because nobody came to one, and not because every step is right.
            annotation = replace(annotation, ratings=())
    return replace(
        annotation,
        reason=fields.optional_text(entry, "reason") or "",
        total_time_ms=fields.optional_integer(entry, "total_time_ms"),
        created_at=fields.optional_text(entry, "created_at"),
    )


def _labeler(entry: Record) -> str:
    name = fields.text(entry, "annotator").strip()
    if len(name) > LONGEST_NAME:
        raise fields.refuse(
            "annotator", name, Said("a name of at most %(most)s characters", most=LONGEST_NAME)
        )
    if name == "checker":
        raise fields.refuse("annotator", name, "a person's name; `checker` is the product's own")
    return f"{PREFIX}{name}"


def _from_ratings(entry: Record, solution: Solution, labeler: str) -> Annotation:
    """Ratings as they stand; without a `finish_reason`, a -1 means that the person stopped there."""
    given = entry["ratings"]
    if not isinstance(given, list) or not 1 <= len(given) <= len(solution.positions):
        raise fields.refuse(
            "ratings", given, Said("a list of 1 to %(most)s ratings", most=len(solution.positions))
        )
    values = [
        fields.optional_integer({f"ratings[{index}]": value}, f"ratings[{index}]", low=-1, high=1)
        for index, value in enumerate(given)
    ]
    ratings = tuple(StepRating(index, 0, value) for index, value in enumerate(values) if value is not None)
    finish = FinishReason.FOUND_ERROR if -1 in values else FinishReason.SOLUTION
    annotation = Annotation(labeler, finish, ratings)
    return replace(annotation, first_mistake=label_rules.first_mistake(solution, annotation))
