"""What would go wrong with a training run, or surprise its owner, told before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.snapshots.refusals import shares_of_ends
from labelsite.training.joining import joined
from labelsite.training.label_checks import (
    asked_rule,
    doubts,
    idle,
    learns_shares_of_ends,
    rule_of,
    takes_second_opinion,
    unsuited,
)
from labelsite.training.models import TrainingRun
from labelsite.wording import counted
from ml.commands.train_options import usual_learning_rate
from ml.errors import MisstepError
from ml.joined_snapshot import SEVERAL
from ml.targets.unlabelled import UNLABELLED

# Which labels a snapshot has evidence for: a mixed one holds both witnesses' words.
EVIDENCE = {
    LabelSource.HUMAN: (LabelSource.HUMAN,),
    LabelSource.AUTOMATIC: (LabelSource.AUTOMATIC,),
    LabelSource.MIXED: (LabelSource.HUMAN, LabelSource.AUTOMATIC, LabelSource.MIXED),
}
FEW_ROWS = 50


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `is_fatal`: the run would fail, so it is not started."""

    text: str
    is_good: bool
    is_fatal: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The checks, and what the run will take. updates, seconds: None where they are not known."""

    checks: list[Check]
    updates: int | None
    seconds: float | None
    learning_rate: float

    @property
    def can_start(self) -> bool:
        return not any(check.is_fatal for check in self.checks)


def plan_for(snapshot: Snapshot, chosen: Mapping[str, Any]) -> Plan:
    """Look at a snapshot, with those that are trained on together with it, and what the form asks of it."""
    parts = [snapshot, *chosen.get("more_snapshots", ())]
    whole = joined(parts)
    counts = whole.manifest.get("counts", {})
    known = int(counts.get("train", 0))
    rows = min(known, int(chosen.get("limit") or known))
    is_some = _are_some(parts, chosen)
    is_idle = bool(counts.get(UNLABELLED)) and not _learns_answers(chosen)
    updates = _updates(rows, chosen, is_some or is_idle)
    return Plan(
        checks=[
            _rows(rows, is_some),
            *_several(parts, whole),
            _labels(parts, chosen),
            *_label_rule(whole, parts, chosen),
            # What is counted is the labels as they were frozen, of all rows.
            *([] if is_some or rows < known else _steps(counts, chosen)),
            _held_out(counts, chosen),
        ],
        updates=updates,
        seconds=_seconds(updates, chosen),
        learning_rate=_learning_rate(chosen),
    )


def refuse_what_would_fail(snapshot: Snapshot, chosen: Mapping[str, Any]) -> None:
    """Raises MisstepError where the page would not let the run start."""
    fatal = [check.text for check in plan_for(snapshot, chosen).checks if check.is_fatal]
    if fatal:
        raise MisstepError("; ".join(fatal))


def _learning_rate(chosen: Mapping[str, Any]) -> float:
    """What was asked for, or the command's own for this base."""
    usual = usual_learning_rate(str(chosen.get("base") or "pocket"), int(chosen.get("lora") or 0))
    return float(chosen.get("learning_rate") or usual)


def _are_some(parts: Sequence[Snapshot], chosen: Mapping[str, Any]) -> bool:
    """Whether only some of the rows may teach: those that have the word of one of their two witnesses."""
    wanted = chosen.get("labels", parts[0].labels)
    return wanted != LabelSource.MIXED and any(part.labels != wanted for part in parts)


def _rows(rows: int, is_some: bool) -> Check:
    if rows and is_some:
        text = ngettext(
            "at most %(rows)s solution to train on: which of them have such labels is seen when it starts",
            "at most %(rows)s solutions to train on: which of them have such labels is seen when it starts",
            rows,
        )
        return Check(text % {"rows": counted(rows)}, is_good=False)
    text = ngettext("%(rows)s solution to train on", "%(rows)s solutions to train on", rows) % {
        "rows": counted(rows)
    }
    return Check(text, is_good=rows >= FEW_ROWS, is_fatal=not rows)


def _several(parts: Sequence[Snapshot], whole: Snapshot) -> Iterator[Check]:
    """What can go wrong only between snapshots."""
    if len({part.sha256 for part in parts}) < len(parts):
        yield Check(_("two of the snapshots have the same content"), is_good=False, is_fatal=True)
    elif len({part.campaign_id for part in parts}) < len(parts):
        text = _(
            "two of the snapshots are of one campaign: a solution with other labels in each ends the run"
        )
        yield Check(text, is_good=False)
    if whole.labels == SEVERAL:
        text = _("the snapshots were frozen with different rules; what is not asked for goes back")
        yield Check(text, is_good=False)


def _labels(parts: Sequence[Snapshot], chosen: Mapping[str, Any]) -> Check:
    """Whether the wanted labels are there; mixed ones may be made of people's in one and rollouts' in another."""
    wanted = chosen.get("labels", parts[0].labels)
    lacking = [part for part in parts if wanted not in EVIDENCE[LabelSource(part.labels)]]
    held = {kind for part in parts for kind in EVIDENCE[LabelSource(part.labels)]}
    names = {"wanted": LabelSource(wanted).label, "has": LabelSource(parts[0].labels).label}
    if not lacking or (wanted == LabelSource.MIXED and len(held) > 1 and len(parts) > 1):
        return Check(_("the snapshot has %(wanted)s") % names, is_good=True)
    if wanted in held:
        found = {**names, "names": ", ".join(part.name for part in lacking)}
        return Check(_("%(names)s: without %(wanted)s, teaches nothing") % found, is_good=False)
    return Check(_("it holds %(has)s, not %(wanted)s") % names, is_good=False, is_fatal=True)


def _label_rule(snapshot: Snapshot, parts: Sequence[Snapshot], chosen: Mapping[str, Any]) -> list[Check]:
    """The rule that decides the labels, and what in it would surprise."""
    labels = chosen.get("labels", snapshot.labels)
    asked = asked_rule(chosen)
    rule, is_expected = rule_of(snapshot, labels, asked)
    checks = [Check(rule, is_good=True)]
    if chosen.get("second_opinion") and not takes_second_opinion(snapshot, parts, labels, asked):
        text = _("none of these labels are rollouts' alone: there is nothing to ask a second opinion about")
        checks.append(Check(text, is_good=False, is_fatal=True))
    checks += [Check(text, is_good=False, is_fatal=True) for text in unsuited(snapshot, labels, chosen)]
    if method := learns_shares_of_ends(snapshot, parts, labels, chosen):
        checks.append(Check(shares_of_ends(method), is_good=False, is_fatal=True))
    if not is_expected:
        checks.append(
            Check(
                _("the snapshot was frozen with another rule; what is not asked for goes back"), is_good=False
            )
        )
    checks += [Check(text, is_good=False, is_fatal=True) for text in idle(labels, chosen)]
    return checks + [Check(doubt, is_good=False) for doubt in doubts(labels, chosen)]


def _learns_answers(chosen: Mapping[str, Any]) -> bool:
    """Whether a solution without labels teaches by its answer."""
    return chosen.get("objective") == "outcome" or bool(chosen.get("outcomes"))


def _steps(counts: Mapping[str, Any], chosen: Mapping[str, Any]) -> Iterator[Check]:
    """How many labels there are, and what becomes of solutions that were kept without any."""
    steps, kept, learns = (
        int(counts.get("labelled_steps", 0)),
        int(counts.get(UNLABELLED, 0)),
        _learns_answers(chosen),
    )
    if steps or not (kept and learns):
        text = ngettext("%(steps)s labelled step", "%(steps)s labelled steps", steps)
        yield Check(text % {"steps": counted(steps)}, is_good=steps > 0, is_fatal=not steps)
    if kept and learns:
        text = ngettext(
            "%(rows)s solution without labels, which its answer teaches",
            "%(rows)s solutions without labels, which their answers teach",
            kept,
        )
        yield Check(text % {"rows": counted(kept)}, is_good=True)
    elif kept:
        text = ngettext(
            "%(rows)s solution without labels, which teaches this run nothing",
            "%(rows)s solutions without labels, which teach this run nothing",
            kept,
        )
        yield Check(text % {"rows": counted(kept)}, is_good=False)


def _held_out(counts: Mapping[str, Any], chosen: Mapping[str, Any]) -> Check:
    held_out = int(counts.get("validation", 0))
    if held_out:
        text = ngettext(
            "%(rows)s solution of another problem to validate on",
            "%(rows)s solutions of other problems to validate on",
            held_out,
        )
        return Check(text % {"rows": counted(held_out)}, is_good=True)
    # At the end a run passes over what is not there; one that is to validate on its way fails.
    is_fatal = bool(chosen.get("validate_every"))
    return Check(
        _("nothing to validate on: no problem fell into that split"), is_good=False, is_fatal=is_fatal
    )


def _updates(rows: int, chosen: Mapping[str, Any], is_some: bool) -> int | None:
    if chosen.get("steps"):
        return int(chosen["steps"])
    if is_some or chosen.get("trees") == "problem" or chosen.get("objective") == "preference":
        # A pass is as many updates as there are problems, and a manifest counts solutions.
        return None
    batch = int(chosen.get("batch_size") or 32)
    epochs = float(chosen.get("epochs") or 3)
    return max(1, round(epochs * rows / min(batch, rows))) if rows else None


def _seconds(updates: int | None, chosen: Mapping[str, Any]) -> float | None:
    """From the pace of the last five runs of the same base and objective with updates of the same kind and size, by
    their cards.
    """
    alike = (
        # A checkpoint that was only registered here was trained on some other machine, at its pace.
        TrainingRun.objects.filter(base=str(chosen.get("base", "")), job__verb="train")
        .filter(objective=str(chosen.get("objective") or "classifier"))
        .filter(checkpoint__card__config__trees=chosen.get("trees") or "solution")
        .filter(checkpoint__card__config__batch_size=int(chosen.get("batch_size") or 32))
        .select_related("checkpoint")
        .order_by("-pk")[:5]
    )
    cards = [run.checkpoint.card for run in alike]
    took = sum(float(card.get("seconds") or 0) for card in cards)
    steps = sum(float(card["config"].get("steps") or 0) for card in cards)
    return updates * took / steps if updates and steps else None
