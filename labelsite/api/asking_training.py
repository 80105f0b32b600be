"""What a script asks of a training: every option that the command has and that is not the machine's own business."""

from __future__ import annotations

import argparse
from typing import Any

from rest_framework import serializers

from labelsite.api.asking_estimates import no_option, refused_by
from labelsite.api.known_fields import Choice, OnlyKnownFields
from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.training.label_checks import idle_options
from labelsite.training.options import FLAGS, LISTS, kind_of, limits_of, options, said
from labelsite.training.refusals import refusals, refuse_base
from labelsite.training.wording import OBJECTIVE_NAMES
from ml.errors import MisstepError

# What an option means here, where that is not what the command's help says.
HELP = {"second_opinion": "sha256 of an earlier step classifier that is here"}


class TrainingConfiguration(OnlyKnownFields):
    """The command's options; what is left out, or null, is as the command has it."""

    def get_fields(self) -> dict[str, Any]:
        return {name: _field_of(name, action) for name, action in options().items()}


def _field_of(name: str, action: argparse.Action) -> Any:
    help_text = HELP.get(name) or str(action.help) % vars(action)
    common: dict[str, Any] = {"required": False, "allow_null": True, "help_text": help_text}
    limits: dict[str, Any] = dict(zip(("min_value", "max_value"), limits_of(name), strict=True))
    kind = kind_of(name)
    if name in FLAGS:
        return serializers.BooleanField(**common)
    if name in LISTS:
        child = serializers.FloatField() if kind is float else serializers.CharField(max_length=100)
        return serializers.ListField(child=child, **common)
    if action.choices:
        return Choice(choices=list(action.choices), **common)
    if kind is int:
        return serializers.IntegerField(**limits, **common)
    if kind is float:
        return serializers.FloatField(**limits, **common)
    return serializers.CharField(max_length=200, trim_whitespace=False, allow_blank=True, **common)


class TrainingRequest(OnlyKnownFields):
    snapshot = serializers.PrimaryKeyRelatedField[Snapshot](queryset=Snapshot.objects.all())
    more_snapshots = serializers.PrimaryKeyRelatedField[Snapshot](
        queryset=Snapshot.objects.all(), many=True, required=False, help_text="to train on together with it"
    )
    labels = Choice(choices=LabelSource.choices)
    objective = Choice(choices=list(OBJECTIVE_NAMES), default="classifier")
    base = serializers.CharField(
        max_length=200, default="pocket", validators=[no_option, refused_by(refuse_base)]
    )
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    configuration = TrainingConfiguration(required=False, default=dict)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        try:
            chosen = said(given["configuration"])
        except MisstepError as refusal:
            raise serializers.ValidationError({"configuration": [str(refusal)]}) from None
        labels = given["labels"]
        found = [(name, f"would change nothing in labels {labels}") for name in idle_options(labels, chosen)]
        found += refusals(given["objective"], given["base"], chosen)
        if found:
            raise serializers.ValidationError({"configuration": {name: [words] for name, words in found}})
        return given
