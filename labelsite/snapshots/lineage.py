"""Where a snapshot's labels come from, as its manifest says it."""

from __future__ import annotations

from typing import Any

from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign


def lineage_of(campaign: Campaign, run: EstimateRun | None) -> dict[str, Any]:
    """Enough to find the campaign's rules and to repeat the search."""
    lineage: dict[str, Any] = {
        "campaign": campaign.pk,
        "protocol": campaign.protocol,
        "exposure": campaign.exposure,
        "guideline_version": campaign.guideline_version,
        "generation": campaign.generation,
    }
    if run:
        lineage["estimates"] = {**told_of(run), "sandbox_level": run.sandbox_level}
    return lineage


def told_of(run: EstimateRun) -> dict[str, Any]:
    """What a manifest keeps of any search."""
    names = ("name", "method", "policy", "seed", "parameters", "code_version")
    return {"run": run.pk, **{name: getattr(run, name) for name in names}}
