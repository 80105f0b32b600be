"""Takes in a checkpoint that `python -m ml train` made elsewhere: on other hosts, by torchrun or Slurm, by hand.

It gets the same rows as one that was trained here, so every page and every service treats the two alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_noop

from labelsite.jobs.results import add_to_result, record_done
from labelsite.jobs.titles import worded
from labelsite.snapshots.models import Snapshot
from labelsite.training import checkpoints
from labelsite.training.joining import joined_name
from labelsite.training.models import Checkpoint, TrainingRun
from labelsite.training.wording import KINDS, OBJECTIVE_NAMES
from labelsite.wording import Sayable, said
from ml.errors import MisstepError

# The verb of the job that says when and by whom a checkpoint was taken in; it has nothing left to do.
REGISTER = "register"
LONGEST_NAME, LONGEST_BASE = 120, 200


def register_checkpoint(folder: Path, name: str = "") -> Checkpoint:
    """Copy the checkpoint in `folder` into VAR and write its rows; one that is here already is returned as it is.

    Raises MisstepError for a folder that is no whole checkpoint, and for one that was trained on no snapshot of this
    site: its labels could not be traced back to anybody. Of several snapshots one has to be of this site.
    """
    # What is refused by its card alone is not copied first.
    said = checkpoints.card_of(folder)
    objective = said.get("objective")
    if objective not in OBJECTIVE_NAMES:
        raise MisstepError(
            f"{folder} has objective {objective!r}, expected one of {', '.join(OBJECTIVE_NAMES)}"
        )
    trained_on = _trained_on(said, folder)
    kept, card = checkpoints.take_over(folder)
    with transaction.atomic():
        # Of two that register the same checkpoint at once, the second finds what the first has made.
        Snapshot.objects.select_for_update().get(pk=trained_on[0].pk)
        known = Checkpoint.objects.filter(sha256=kept.name).select_related("run").first()
        if known is not None:
            return known
        run = _run(trained_on, card, name)
        checkpoint = Checkpoint.objects.create(run=run, folder=kept.name, sha256=kept.name, card=card)
        add_to_result(run.job_id, {"checkpoint_id": checkpoint.pk, "sha256": checkpoint.sha256})
    return checkpoint


def _trained_on(card: Mapping[str, Any], folder: Path) -> list[Snapshot]:
    """The snapshots of this site that the card names, at least one."""
    told = checkpoints.snapshots_on(card)
    found = [snapshot for named in told if (snapshot := _known(named))]
    if not found:
        named = " and ".join(f"{named.get('name')!r} with sha256 {named.get('sha256')}" for named in told)
        raise MisstepError(
            f"{folder} was trained on snapshot {named}, "
            "expected one that was frozen on this site (each page of a snapshot shows its sha256)"
        )
    return found


def _known(named: Mapping[str, Any]) -> Snapshot | None:
    """By its hash, and of several with the same content the one of that name."""
    alike = list(Snapshot.objects.filter(sha256=named.get("sha256") or "").order_by("pk"))
    return next((each for each in alike if each.name == named.get("name")), alike[0] if alike else None)


def _run(snapshots: Sequence[Snapshot], card: Mapping[str, Any], name: str) -> TrainingRun:
    objective = str(card["objective"])
    labels = str((card.get("label_rule") or {}).get("labels") or snapshots[0].labels)
    title: Sayable = name or worded(
        gettext_noop("%(kind)s · trained elsewhere · %(snapshot)s"),
        kind=worded(KINDS.get(objective, objective)),
        snapshot=joined_name(snapshots),
    )
    run = TrainingRun.objects.create(
        name=said(title)[:LONGEST_NAME],
        snapshot=snapshots[0],
        job=record_done(REGISTER, title),
        objective=objective,
        labels=labels[:10],
        base=_base(card)[:LONGEST_BASE],
        configuration={},
        seed=int(card.get("seed") or 0),
    )
    run.more_snapshots.set(snapshots[1:])
    return run


def _base(card: Mapping[str, Any]) -> str:
    """The base as it was asked for: a smaller one may have stood in for it."""
    base = card.get("base") or {}
    return str(base.get("instead_of") or base.get("name") or "") if isinstance(base, Mapping) else str(base)
