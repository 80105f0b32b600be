"""What a comparison page looks at and through: a campaign, a run, and whose labels to compare it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.shortcuts import get_object_or_404

from labelsite.asked import whole, wholes
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.comparison.against import Against


@dataclass(frozen=True, slots=True)
class Lens:
    """The chosen view; `query` keeps it in links. other: the person with whom the labeler is compared.

    with_decided: lists have also what a reviewer has decided.
    """

    campaign: Campaign
    run: EstimateRun | None
    labeler: str
    is_blind: bool
    asked_run: int | None
    other: str = ""
    with_decided: bool = False

    @property
    def against(self) -> Against:
        if self.labeler == "gold":
            return Against(is_gold=True)
        chosen, others = (tuple(wholes([name])) for name in (self.labeler, self.other))
        return Against(annotators=chosen, is_blind=self.is_blind, others=others)

    @property
    def query(self) -> str:
        """The view as the part of an address after "?"; empty for the usual view."""
        parts: dict[str, object] = {}
        if self.asked_run:
            parts["run"] = self.asked_run
        if self.labeler:
            parts["of"] = self.labeler
        if self.other:
            parts["with"] = self.other
        if self.is_blind:
            parts["blind"] = 1
        if self.with_decided:
            parts["decided"] = 1
        return urlencode(parts)


def lens_for(parameters: Mapping[str, str], campaign_id: int) -> Lens:
    """The view that the parameters of an address ask for; 404 for a campaign or run that is not there.

    Without a word on whose labels: people's, or gold where nobody has labelled yet.
    """
    campaign = get_object_or_404(Campaign.objects.select_related("estimate_run", "score_run"), pk=campaign_id)
    asked = whole(parameters.get("run", ""))
    run = get_object_or_404(EstimateRun, pk=asked) if asked else campaign.estimate_run
    labeler = parameters.get("of", "")
    if labeler != "gold" and whole(labeler) is None:
        labeler = ""
    other = None if labeler in ("", "gold") else whole(parameters.get("with", ""))
    return Lens(
        campaign,
        run,
        labeler,
        is_blind=parameters.get("blind") == "1",
        asked_run=asked,
        other=str(other) if other else "",
        with_decided=parameters.get("decided") == "1",
    )
