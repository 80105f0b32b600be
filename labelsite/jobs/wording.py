"""What a job reports and what came of it, in the reader's language. Whatever has no words here is not for a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from labelsite.jobs.models import ARRANGE, Job, JobState
from labelsite.wording import counted

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

# The units of `ml.progress.Progress` and of `Lease.report`. The number stands before them: "3 / 240 solutions".
UNITS: Mapping[str, Any] = {
    "solutions": ngettext_lazy("%(done)s solution", "%(done)s solutions", "count"),
    "problems": ngettext_lazy("%(done)s problem", "%(done)s problems", "count"),
    "problems read": ngettext_lazy("%(done)s problem read", "%(done)s problems read", "count"),
    "second opinions": ngettext_lazy("%(done)s second opinion", "%(done)s second opinions", "count"),
    "steps": ngettext_lazy("%(done)s step", "%(done)s steps", "count"),
    "lines": ngettext_lazy("%(done)s line", "%(done)s lines", "count"),
}
MESSAGES: Mapping[str, Words] = {
    "importing": gettext_lazy("importing"),
    "freezing": gettext_lazy("freezing"),
}
# `ml.policies.silence`. A silent server is asked again, whatever is said of others meanwhile.
SILENCE = re.compile(r"policy server (?P<address>.+) does not answer \((?P<why>.*)\); .*", re.DOTALL)
# The numbers of a result, in the order of a page; those of `counts` and `verdicts` stand beside the others.
FIGURES: Mapping[str, Words] = {
    "solutions": gettext_lazy("Solutions"),
    "items": gettext_lazy("Problems or solutions"),
    "new_solutions": gettext_lazy("New solutions"),
    "new_tasks": gettext_lazy("New tasks"),
    "moved_tasks": gettext_lazy("Tasks with a new place"),
    "tasks_of_section": gettext_lazy("Tasks put into the section"),
    "tasks_taken_out": gettext_lazy("Solutions taken out of the campaign"),
    "tasks_kept": gettext_lazy("Solutions that stay there"),
    "new_annotations": gettext_lazy("New annotations"),
    "revised": gettext_lazy("Known records that were put right"),
    "graded": gettext_lazy("Known solutions whose answers were graded now"),
    "doubled": gettext_lazy(
        "New tasks with an id that the campaign has under another problem, answer or format"
    ),
    "broken_rules": gettext_lazy("Annotations that break a label rule"),
    "steps": gettext_lazy("Steps"),
    "labelled_steps": gettext_lazy("Labelled steps"),
    "first_mistakes": gettext_lazy("First mistakes"),
    "ok": gettext_lazy("Steps whose code ran"),
    "program_error": gettext_lazy("Steps whose code failed"),
    "infrastructure": gettext_lazy("Steps whose code was not run"),
    "unscored_steps": gettext_lazy("Steps beyond the context"),
    "solutions_of_training_problems": gettext_lazy("Solutions of problems that the model was trained on"),
    "training_problems_left_out": gettext_lazy("Problems left out because the model was trained on them"),
    "unanswered": gettext_lazy("Without an answer of the policy"),
    "without_label": gettext_lazy("Solutions without a label"),
    "without_decision": gettext_lazy("Solutions that people looked at without a decision"),
}
# Nothing worth telling where there are none.
EXCEPTIONS = {
    "revised", "graded", "doubled", "broken_rules", "program_error", "infrastructure", "unscored_steps",
    "solutions_of_training_problems", "training_problems_left_out", "unanswered", "without_label", "without_decision",
}  # fmt: skip
NESTED = ("counts", "verdicts")
# How often each of some names came.
NAMES: Mapping[str, Words] = {
    "unread_keys": gettext_lazy("Keys of the file that its format does not read"),
    "kept_keys": gettext_lazy("Keys kept as metadata"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """The way on from a finished job."""

    address: str
    text: str


def amount(progress: Mapping[str, Any]) -> str:
    """How far a job is: "3 / 240 solutions"; nothing before its first report."""
    done, total, unit = progress.get("done"), progress.get("total"), str(progress.get("unit") or "")
    if done is None:
        return ""
    said = f"{counted(done)} / {counted(total)}" if total else str(counted(done))
    if unit not in UNITS:
        return f"{said} {unit}".rstrip()
    return str(UNITS[unit] % {"done": said, "count": total or done})


def message(progress: Mapping[str, Any]) -> str:
    said = str(progress.get("message") or "")
    if silent := SILENCE.fullmatch(said):
        return (
            _("The policy's server %(address)s does not answer (%(why)s). It is asked again.")
            % silent.groupdict()
        )
    return str(MESSAGES.get(said, said))


def figures(result: Mapping[str, Any]) -> list[tuple[str, int | str]]:
    """The counts of a result by their names on the page, and lists of names with the count of each."""
    found = {name: value for nested in NESTED for name, value in _counts(result.get(nested))}
    found |= dict(_counts(result))
    counts: list[tuple[str, int | str]] = [
        (str(words), found[name])
        for name, words in FIGURES.items()
        if name in found and (found[name] or name not in EXCEPTIONS)
    ]
    names = ((words, dict(_counts(result.get(key)))) for key, words in NAMES.items())
    return counts + [(str(words), _listed(each)) for words, each in names if each]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({counted(count)})" for name, count in counts.items())


def _counts(value: object) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        yield from (
            (name, number)
            for name, number in value.items()
            if isinstance(number, int) and not isinstance(number, bool)
        )


def links(job: Job) -> list[Link]:
    """Where what a job that is done has made can be looked at."""
    if job.state != JobState.DONE:
        return []
    return list(_links(job, job.result or {}))


def _links(job: Job, result: Mapping[str, Any]) -> Iterator[Link]:
    """The apps to the right know this one, and not the other way round: their rows are reached from the job's."""
    campaign = result.get("campaign_id") or (job.spec.get("campaign") if job.verb == ARRANGE else None)
    if isinstance(campaign, int) and _is_there(campaign):
        yield Link(reverse("campaigns:detail", args=[campaign]), _("Open the campaign"))
    if shard := _row(job, "shard"):
        yield Link(reverse("autolabels:run", args=[shard.run_id]), _("Open the run"))
    if run := _row(job, "training_run"):
        yield Link(reverse("training:run", args=[run.pk]), _("Open the run"))
    if (run := _row(job, "score_run")) and job.spec.get("checkpoint"):
        yield Link(reverse("training:scores", args=[run.pk]), _("Open the scores"))
    if evaluation := _row(job, "evaluation"):
        yield Link(reverse("training:checkpoint", args=[evaluation.checkpoint_id]), _("Open the checkpoint"))
    if isinstance(snapshot := result.get("snapshot"), int):
        yield Link(reverse("snapshots:detail", args=[snapshot]), _("Open the snapshot"))


def _is_there(campaign: int) -> bool:
    """A job outlives the campaign that it names, by whose id alone it knows it."""
    return apps.get_model("campaigns", "Campaign")._default_manager.filter(pk=campaign).exists()


def _row(job: Job, name: str) -> Any:
    try:
        return getattr(job, name)
    except (AttributeError, ObjectDoesNotExist):
        return None
