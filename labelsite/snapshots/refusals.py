"""What a snapshot cannot be frozen from; told before a job is queued, and once more when it is frozen."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.models import LabelSource
from labelsite.snapshots.runs import run_for
from labelsite.snapshots.second_runs import require_second
from labelsite.snapshots.words import in_words
from ml.errors import MisstepError
from ml.said import Said
from ml.targets import LabelRule
from ml.targets.rules import takes_shares_of_ends


def usable_run(campaign: Campaign, second: EstimateRun | None, rule: LabelRule) -> EstimateRun | None:
    """The run whose estimates are frozen, None for people's labels alone. Raises MisstepError where there is none, for
    a second search that says nothing, and for a share that is no success rate.
    """
    run = run_for(campaign, rule.labels)
    require_second(second, run, rule)
    if run is not None and takes_shares_of_ends(rule, run.method):
        raise MisstepError(shares_of_ends(run.method))
    return run


def nothing_to_freeze(campaign: Campaign, rule: LabelRule, dropped: Mapping[str, int]) -> Said:
    """Why a snapshot would be empty, for whoever reads it: a job that finds out knows no reader."""
    with override(None):
        labels = Said(str(LabelSource(rule.labels).label))
        reasons = [
            Said("%(name)s: %(count)s", name=Said(name), count=count) for name, count in in_words(dropped)
        ]
    return Said(
        gettext_noop(
            "campaign %(campaign)s has nothing to freeze: %(labels)s are on none of its solutions"
            " (left out: %(reasons)s)"
        ),
        campaign=campaign.name,
        labels=labels,
        reasons=Said.joined(", ", reasons) if reasons else Said(gettext_noop("nothing")),
    )


def shares_of_ends(method: str) -> str:
    """Why the share of right rollouts of this method is no label."""
    return _(
        "%(method)s counts each distinct end once, so that its share of right ones is no success rate: "
        "choose right or wrong, or the quality value"
    ) % {"method": method}
