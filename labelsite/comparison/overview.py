"""All figures of a campaign's comparison page, computed once for each state of its labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db import connection
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from labelsite.accounts.models import User
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.parameters import method_in_words
from labelsite.autolabels.plots import Chart
from labelsite.campaigns.models import Campaign
from labelsite.comparison import measures, plots
from labelsite.comparison.against import ALSO_EXCLUDED, Against
from labelsite.comparison.evidence import Judgements, Solutions, judgements, looks_at, rated_steps, solutions
from labelsite.comparison.exits import exits_by_person
from labelsite.comparison.kinds import DifferingSolutions, Kinds, differing_solutions, kinds
from ml.agreement import FirstMistakeAgreement

KEPT_SECONDS = 3600
# Of what is kept. Another one where `Overview` or a part of it gets other fields: an older one cannot be read then.
SHAPE = 3
# What the figures are computed from, as sums of hashes: they follow which rows say what, where counts would stay the
# same when one row loses what another gains. A label is never changed in place, so its id stands for what it says.
STATE = """
    SELECT * FROM (
        SELECT count(*), max(a.id),
            sum(hashint8extended(a.id, 0)) FILTER (WHERE a.is_live AND a.broken_rule = '')
        FROM campaigns_task t JOIN annotations_annotation a ON a.task_id = t.id
        WHERE t.campaign_id = %(campaign)s
    ) labels, (
        SELECT sum(hashint8extended(t.id, COALESCE(s.is_correct::int, -1))),
            sum(hashtextextended(t.kind || t.gold::text || t.gold_source, t.id))
        FROM campaigns_task t JOIN problems_solution s ON s.id = t.solution_id
        WHERE t.campaign_id = %(campaign)s
    ) truth
"""


@dataclass(frozen=True, slots=True)
class Overview:
    """looks, both: finished looks, and those at solutions of which the run says where the first mistake is, or that
    there is none. The rest: see `measures` and `kinds`.
    """

    looks: int
    both: int
    is_gold: bool
    unmarked: int
    persons: list[measures.PersonFigures]
    between: measures.PeopleFigures
    agreement: FirstMistakeAgreement | None = None
    steps: measures.StepFigures | None = None
    kinds: Kinds | None = None
    differing: DifferingSolutions | None = None
    charts: tuple[Chart, ...] = ()


def overview(campaign: Campaign, run: EstimateRun | None, against: Against, has_gold: bool) -> Overview:
    """The figures; from the cache where no label, gold answer, graded answer or run has changed since, and nobody was
    excluded or let in again. Whose labels are excluded has a row of figures, and no part in any others.
    """
    excluded = sorted(User.objects.filter(labels_excluded=True).values_list("pk", flat=True))
    key = _key(campaign, run, against, excluded)
    found: Overview | None = cache.get(key)
    if found is None:
        found = _computed(campaign, run, against, has_gold, excluded)
        cache.set(key, found, KEPT_SECONDS)
    return found


def _key(campaign: Campaign, run: EstimateRun | None, against: Against, excluded: Sequence[int]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(STATE, {"campaign": campaign.pk})
        state: Any = cursor.fetchone()
    # While its parts come in, a run's cost grows with each of them, and nothing else of it changes.
    loaded = (run.pk, run.loaded_at, run.parameters, run.cost) if run else None
    words = repr((SHAPE, campaign.pk, state, loaded, against, excluded, get_language()))
    return f"comparison:{hashlib.sha256(words.encode()).hexdigest()}"


def _computed(
    campaign: Campaign, run: EstimateRun | None, against: Against, has_gold: bool, excluded: Sequence[int]
) -> Overview:
    said = looks_at(campaign, ALSO_EXCLUDED)
    tasks, blind = np.unique(said["task"]), None
    if against.is_blind:
        # What a person said blind may have been superseded, so it is not among what they say now.
        blind = looks_at(campaign, replace(ALSO_EXCLUDED, is_blind=True))
        tasks = np.union1d(tasks, blind["task"])
    about = solutions(campaign, run, tasks)
    everybody = judgements(said, about)
    counted = _without(excluded, everybody)
    only_gold = has_gold and not len(everybody if against.annotators else counted)
    beside = everybody if blind is None else judgements(blind, about)
    asked = beside if against.annotators else _without(excluded, beside)
    against, looks = _chosen(campaign, run, about, against, asked, only_gold)
    both = measures.compared(looks)
    base: dict[str, Any] = {
        "looks": len(looks),
        "both": len(both),
        "is_gold": against.is_gold,
        "unmarked": measures.unmarked(looks),
        "persons": measures.by_person(everybody, exits_by_person(campaign), beside),
        "between": measures.between_people(counted),
    }
    if run is None or not len(both):
        return Overview(**base)
    threshold = float(run.parameters.get("threshold") or 0.0)
    steps = measures.step_figures(rated_steps(looks, about), threshold)
    people_name = _("gold") if against.is_gold else _("people")
    counts = kinds(both)
    charts = [
        plots.heatmap(measures.confusion(both), counts.agree, people_name, method_in_words(run.method)),
        plots.roc(steps),
        plots.calibration(steps),
        plots.bias(measures.offsets(both)),
    ]
    return Overview(
        **base,
        agreement=measures.first_mistakes(both),
        steps=steps,
        kinds=counts,
        differing=differing_solutions(both),
        charts=tuple(chart for chart in charts if chart),
    )


def _without(excluded: Sequence[int], looks: Judgements) -> Judgements:
    """The looks of those whose labels count."""
    return looks.where(~np.isin(looks.annotator, excluded))


def _chosen(
    campaign: Campaign,
    run: EstimateRun | None,
    about: Solutions,
    against: Against,
    looks: Judgements,
    only_gold: bool,
) -> tuple[Against, Judgements]:
    """Whose looks the page compares. Where nobody has labelled yet, gold stands in for people."""
    if against.is_gold or only_gold:
        gold = Against(is_gold=True)
        return gold, judgements(looks_at(campaign, gold, run), about)
    if against.annotators:
        looks = looks.where(looks.annotator == against.annotators[0])
    return against, looks
