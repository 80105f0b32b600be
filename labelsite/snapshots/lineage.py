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
        lineage["estimates"] = {
            "run": run.pk,
            "name": run.name,
            "method": run.method,
            "policy": run.policy,
            "seed": run.seed,
            "parameters": run.parameters,
            "code_version": run.code_version,
            "sandbox_level": run.sandbox_level,
        }
    return lineage
