"""What an admin asks of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labelsite.snapshots.forms import MIXTURES, NEUTRAL, TARGETS
from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.training.models import Checkpoint
from labelsite.training.option_fields import field_of
from labelsite.training.options import OPTIONS
from labelsite.training.refusals import refusals, refuse_base
from labelsite.training.wording import (
    CLASSES,
    HEAD_NAMES,
    NAMES,
    OBJECTIVE_NAMES,
    OPTIMIZER_NAMES,
    TREE_NAMES,
)
from labelsite.wording import counted
from ml.errors import MisstepError
from ml.training_choices import HEADS, OBJECTIVES, OPTIMIZERS, TREES

# A run longer than this belongs on the command line, where one sees what it does to the machine.
MOST_UPDATES = 1_000_000
# Every field of the form, under what it decides: what every run asks, then what is folded away, under its own name.
GROUPS = [
    (_("Data"), ["snapshot", "labels"],
     _("Further snapshots, label rule"),
     ["more_snapshots", "neutral", "target", "threshold", "label_rule", "given_up", "second_opinion"]),
    (_("Model"), ["objective", "classes", "base"],
     _("Head and LoRA"), ["head", "tolerance", "lora", "lora_alpha"]),
    (_("Budget"), ["epochs", "steps", "batch_size", "learning_rate", "seed"],
     _("Optimizer and trees"), ["optimizer", "warmup", "trees", "weighting"]),
]  # fmt: skip
# What few people touch, under “More settings”.
MORE = [
    (_("Preference pairs"),
     ["least_margin", "least_edit_distance", "preference_output", "no_final_pairs", "fill_pairs"]),
    (_("Outcomes"), ["outcome_tokens", "outcomes"]),
    (_("Solutions and their texts"),
     ["too_long", "maximum_length", "limit", "separator", "problem_end", "no_alternatives"]),
    (_("Labels"), ["after_mistake", "automatic_weight", "second_opinion_sure", "second_opinion_doubtful"]),
    (_("Loss and optimizer"),
     ["class_weights", "smoothing", "target_tokens", "language_weight", "weight_decay", "clip", "validate_every",
      "validation_limit"]),
    (_("Weights and memory"),
     ["lora_dropout", "lora_targets", "extra_layers", "tokens_per_row", "from_scratch", "bf16", "compile",
      "gradient_checkpointing", "unpacked"]),
]  # fmt: skip
# Fields that are made from what the command says of its options.
MADE = ("given_up", "lora_alpha", "warmup", "weighting", *(name for _title, names in MORE for name in names))
AS_FROZEN = ("", _("as it was frozen"))


@dataclass(frozen=True, slots=True)
class Group:
    """Fields under one heading, and those that are folded away below them."""

    title: str
    fields: list[forms.BoundField]
    folded_title: str
    folded: list[forms.BoundField]


class SnapshotChoice(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} · {obj.get_labels_display()} · {counted(obj.row_count)}"


class SnapshotChoices(forms.ModelMultipleChoiceField):
    label_from_instance = SnapshotChoice.label_from_instance


class CheckpointChoice(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.run.name} · {obj.sha256[:8]}"


class TrainingForm(forms.Form):
    """Snapshot, labels, objective, base and budget."""

    snapshot = SnapshotChoice(
        label=_("Snapshot"), queryset=Snapshot.objects.counted().order_by("-pk"), empty_label=None
    )
    more_snapshots = SnapshotChoices(
        label=_("Together with"),
        queryset=Snapshot.objects.counted().order_by("-pk"),
        required=False,
        help_text=_("further snapshots, to train on all of them as one"),
    )
    labels = forms.ChoiceField(label=_("Labels"), choices=LabelSource.choices)
    neutral = forms.ChoiceField(label=NAMES["neutral"], choices=[AS_FROZEN, *NEUTRAL], required=False)
    target = forms.ChoiceField(label=NAMES["target"], choices=[AS_FROZEN, *TARGETS], required=False)
    threshold = forms.FloatField(
        label=NAMES["threshold"],
        required=False,
        min_value=0,
        max_value=0.999,
        help_text=_("from 0, where one right rollout is enough; empty: as it was frozen"),
    )
    label_rule = forms.ChoiceField(label=NAMES["mixture"], choices=[AS_FROZEN, *MIXTURES], required=False)
    second_opinion = CheckpointChoice(
        label=NAMES["second_opinion"],
        queryset=Checkpoint.objects.filter(run__objective="classifier")
        .select_related("run")
        .defer("card")
        .order_by("-pk"),
        required=False,
        empty_label=_("nobody's"),
        help_text=_(
            "rollouts' labels of a solution are left out where this step classifier cannot believe them"
        ),
    )
    objective = forms.ChoiceField(
        label=_("Objective"), choices=[(name, OBJECTIVE_NAMES.get(name, name)) for name in OBJECTIVES]
    )
    classes = forms.TypedChoiceField(
        label=NAMES["outputs"],
        coerce=int,
        choices=list(CLASSES.items()),
        required=False,
        help_text=_("of the step classifier"),
    )
    head = forms.ChoiceField(
        label=_("Head"),
        choices=[(name, HEAD_NAMES.get(name, name)) for name in HEADS],
        required=False,
        help_text=_("what reads a step's end; target tokens need an objective with classes"),
    )
    tolerance = forms.FloatField(
        label=NAMES["tolerance"],
        required=False,
        min_value=0,
        max_value=1e6,
        help_text=_("of the tokens that came; empty: 50, and 0 does where one policy wrote everything"),
    )
    base = forms.CharField(
        label=_("Base model"),
        initial="pocket",
        max_length=200,
        help_text=_(
            "pocket, pocket-reader, pocket-tall-reader, small, or a transformers model's folder on the worker"
        ),
    )
    trees = forms.ChoiceField(
        label=NAMES["trees"],
        choices=[(name, TREE_NAMES.get(name, name)) for name in TREES],
        required=False,
        help_text=_("a problem's solutions as one tree read shared steps once: faster where there are many"),
    )
    epochs = forms.FloatField(label=_("Passes over the data"), initial=3, min_value=0.01, max_value=1000)
    steps = forms.IntegerField(
        label=_("Updates"),
        required=False,
        min_value=1,
        max_value=MOST_UPDATES,
        help_text=_("instead of passes"),
    )
    batch_size = forms.IntegerField(
        label=NAMES["batch_size"],
        initial=32,
        min_value=1,
        max_value=65536,
        help_text=_("solutions, or problems"),
    )
    optimizer = forms.ChoiceField(
        label=NAMES["optimizer"],
        choices=[(name, OPTIMIZER_NAMES.get(name, name)) for name in OPTIMIZERS],
        required=False,
    )
    learning_rate = forms.FloatField(
        label=_("Learning rate"),
        required=False,
        min_value=1e-9,
        max_value=1,
        help_text=_("empty: what suits the base model and LoRA, told before it starts"),
    )
    lora = forms.IntegerField(
        label=_("LoRA rank"),
        initial=0,
        min_value=0,
        max_value=1024,
        help_text=_("0 trains every weight"),
    )
    seed = forms.IntegerField(label=_("Seed"), initial=0, min_value=0, max_value=2**31 - 1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {name: field_of(name) for name in MADE}

    def clean_base(self) -> str:
        base = str(self.cleaned_data["base"]).strip()
        if base.startswith("-"):
            raise forms.ValidationError(_("A base model cannot begin with a dash."))
        try:
            refuse_base(base)
        except MisstepError as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return base

    def clean(self) -> dict[str, Any]:
        chosen: dict[str, Any] = super().clean() or self.cleaned_data
        for name, words in refusals(chosen.get("objective", ""), chosen.get("base", ""), chosen):
            self.add_error(name, words)
        return chosen

    def groups(self) -> list[Group]:
        """The fields as the page shows them: what belongs together under one heading."""
        return [
            Group(str(title), self._named(names), str(folded), self._named(more))
            for title, names, folded, more in GROUPS
        ]

    def more(self) -> list[tuple[str, list[forms.BoundField]]]:
        """What is folded away below everything else, in parts with a title each."""
        return [(str(title), self._named(names)) for title, names in MORE]

    @property
    def is_more_open(self) -> bool:
        """What is folded away must not count unseen: open where something is set or refused in there."""
        return any(field.errors or field.value() for _title, fields in self.more() for field in fields)

    def _named(self, names: Sequence[str]) -> list[forms.BoundField]:
        return [self[name] for name in names]

    def configuration(self) -> dict[str, Any]:
        """The options that go to the command as they are."""
        chosen = {name: value for name, value in self.cleaned_data.items() if name in OPTIONS}
        # A 0 says something but for LoRA: one right rollout is enough, however the labels were frozen.
        options = {
            name: value
            for name, value in chosen.items()
            if value not in (None, "", []) and value is not False
        }
        if chosen.get("second_opinion"):
            options["second_opinion"] = chosen["second_opinion"].sha256
        if chosen.get("classes") != 3:
            options.pop("classes", None)
        if not chosen.get("lora"):
            options.pop("lora", None)
        if chosen.get("steps"):
            del options["epochs"]
        return options
