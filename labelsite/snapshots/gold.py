"""A campaign's gold items, as fusion's posterior is held against them: they are in no snapshot themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from labelsite.accounts.models import User
from labelsite.annotations.known_answers import IMPORTED
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.gold_sources import DECIDED, decided_by
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.evidence import gold_tasks, read_evidence
from labelsite.snapshots.rows import evidence_rows
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule
from ml.targets.calibrating import Gold, PosteriorCheck


def gold_of(campaign: Campaign) -> dict[str, Gold]:
    """What is known of the gold items, by solution as rows name it, and whose word it is."""
    found = list(gold_tasks(campaign).order_by("pk").values_list("solution_id", "gold", "gold_source"))
    witnesses = _own_witnesses({source for _, _, source in found})
    return {
        str(solution): Gold(
            [None if place < 0 else place for place in places or ()], frozenset(witnesses.get(source, ()))
        )
        for solution, places, source in found
    }


def calibration_of(
    campaign: Campaign, run: EstimateRun | None, rule: LabelRule, rows: Iterator[SnapshotRow]
) -> dict[str, Any]:
    """For the manifest: how well fusion's posterior is calibrated on gold items, of whose gold it learns nothing.

    rows: those of the snapshot, with their evidence. Empty where no gold item has a witness of its own.
    """
    check = PosteriorCheck(rule, gold_of(campaign))
    if not check.gold:
        return {}
    items = read_evidence(campaign, run, Counter(), gold_tasks(campaign), is_gold=True)
    gold = evidence_rows(items, rule, run.method if run else "", Counter())
    for row in chain(rows, gold):
        if _has_its_places(row, check.gold.get(row.id)):
            check.note(row)
    figures = check.figures()
    return {"calibration": figures} if figures else {}


def _has_its_places(row: SnapshotRow, gold: Gold | None) -> bool:
    """Whether gold names steps that the row has: it may name a place where nobody chose how the solution goes on."""
    return gold is None or all(place is None or place < len(row.steps) for place in gold.places)


def _own_witnesses(sources: Iterable[str]) -> Mapping[str, set[str]]:
    """The labelers whose own word gold of a source is, as `annotations.known_answers` has it for people's figures."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for source in sources:
        own = User.objects.filter(is_machine=True, username=IMPORTED + source)
        found[source] |= {str(labeler) for labeler in own.values_list("pk", flat=True)}
        if source.startswith(DECIDED):
            named = User.objects.filter(username__startswith=source.removeprefix(DECIDED))
            found[source] |= {
                str(labeler)
                for labeler, username in named.values_list("pk", "username")
                if decided_by(username) == source
            }
    return found
