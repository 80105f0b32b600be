"""What a request to freeze a snapshot says."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from labelsite.api.known_fields import Choice, OnlyKnownFields
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.models import LabelSource
from labelsite.snapshots.second_runs import second_runs
from labelsite.wording import translated
from ml.errors import MisstepError
from ml.targets.named_rules import named_rule


class RuleField(serializers.DictField):
    """The choices of a label rule (`docs/labels.md` has a table of them); missing ones have their defaults."""


class SnapshotRequest(OnlyKnownFields):
    campaign = serializers.PrimaryKeyRelatedField[Campaign](queryset=Campaign.objects.all())
    labels = Choice(choices=LabelSource.choices)
    name = serializers.CharField(max_length=110, required=False)
    rule = RuleField(required=False, default=dict)
    second_run = serializers.PrimaryKeyRelatedField[EstimateRun](
        queryset=second_runs(), required=False, allow_null=True
    )
    keep_unlabelled = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The same with the rule itself in place of its choices, which some labels have no use for."""
        try:
            return {**attrs, "rule": named_rule(attrs["labels"], attrs["rule"])}
        except MisstepError as error:
            raise serializers.ValidationError({"rule": translated(error.as_said)}) from error
