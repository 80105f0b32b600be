"""A run's settings in the reader's language, the same on the form, on the run's page and where runs are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labelsite.snapshots.rule_words import RULE_NAMES, RULE_VALUES
from labelsite.wording import counted, named

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

CLASSES: Mapping[int, Words] = {
    2: gettext_lazy("two: wrong, right"),
    3: gettext_lazy("three: neutral is its own"),
}
OBJECTIVE_NAMES: Mapping[str, Words] = {
    "classifier": gettext_lazy("step classifier: is each step right?"),
    "value": gettext_lazy("value regression: how far along is it?"),
    "preference": gettext_lazy("preference model: which step is better?"),
    "outcome": gettext_lazy("outcome only: is the answer right? (a baseline)"),
}
# What a run is called that nobody named.
KINDS: Mapping[str, Words] = {
    "classifier": gettext_lazy("step classifier"),
    "value": gettext_lazy("value regression"),
    "preference": gettext_lazy("preference model"),
    "outcome": gettext_lazy("outcome model"),
}
HEAD_NAMES: Mapping[str, Words] = {
    "linear": gettext_lazy("a linear head of its own"),
    "tokens": gettext_lazy("the language model's own, at target tokens"),
    "likelihood": gettext_lazy("the language model's own, at the tokens that came"),
}
TREE_NAMES: Mapping[str, Words] = {
    "solution": gettext_lazy("one solution"),
    "problem": gettext_lazy("a problem with all of its solutions"),
}
OPTIMIZER_NAMES: Mapping[str, Words] = {
    "adamw": gettext_lazy("AdamW for everything"),
    "muon": gettext_lazy("Muon for the layers, AdamW for the rest"),
}
# What the command's options are called on its card.
ON_THE_CARD = {
    "classes": "outputs", "label_rule": "mixture", "lora": "lora_rank", "bf16": "bfloat16", "compile": "compiled",
}  # fmt: skip
# Flags that leave out what the card says is there.
LEFT_OUT = {"no_alternatives": "alternatives", "no_final_pairs": "final_pairs"}
NAMES: Mapping[str, Words] = {
    **RULE_NAMES,
    "steps": gettext_lazy("Updates"),
    "epochs": gettext_lazy("Passes over the data"),
    "batch_size": gettext_lazy("Examples in an update"),
    "trees": gettext_lazy("One example is"),
    "optimizer": gettext_lazy("Optimizer"),
    "learning_rate": gettext_lazy("Learning rate"),
    "lora_rank": gettext_lazy("LoRA rank"),
    "lora_alpha": gettext_lazy("LoRA alpha"),
    "lora_dropout": gettext_lazy("LoRA dropout"),
    "head": gettext_lazy("Head"),
    "tolerance": gettext_lazy("Tolerance of unlikely words"),
    "outputs": gettext_lazy("Classes"),
    "second_opinion": gettext_lazy("Second opinion"),
    "second_opinion_sure": gettext_lazy("Second opinion: surely right above"),
    "second_opinion_doubtful": gettext_lazy("Second opinion: surely wrong below"),
    "snapshot": gettext_lazy("Snapshot"),
    "objective": gettext_lazy("Objective"),
    "base": gettext_lazy("Base model"),
    "seed": gettext_lazy("Seed"),
    # What few ask for, and what a card says of itself.
    "weight_decay": gettext_lazy("Weight decay"),
    "warmup": gettext_lazy("Share of updates that warm up"),
    "tokens_per_row": gettext_lazy("Most tokens in a packed row"),
    "clip": gettext_lazy("Largest norm of the gradients"),
    "smoothing": gettext_lazy("Label smoothing"),
    "class_weights": gettext_lazy("Weights of the classes"),
    "bfloat16": gettext_lazy("Computes in bfloat16"),
    "language_weight": gettext_lazy("Weight of the next-token loss"),
    "save_every": gettext_lazy("Updates between saved states"),
    "too_long": gettext_lazy("Solutions with a step beyond the context"),
    "validate_every": gettext_lazy("Updates between validations"),
    "validation_limit": gettext_lazy("Most solutions of a validation"),
    "preference_output": gettext_lazy("What preferences compare"),
    "outcome_tokens": gettext_lazy("Tokens that the outcome is read at"),
    "alternatives": gettext_lazy("Learns from alternatives"),
    "weighting": gettext_lazy("A shared step counts"),
    "no_alternatives": gettext_lazy("Leave out alternatives"),
    "final_pairs": gettext_lazy("Pairs of whole solutions"),
    "no_final_pairs": gettext_lazy("Leave out pairs of whole solutions"),
    "fill_pairs": gettext_lazy("One step is paired with up to four"),
    "least_margin": gettext_lazy("Least difference of Q in a pair"),
    "least_edit_distance": gettext_lazy("Least edit distance in a pair"),
    "outcomes": gettext_lazy("Solutions without labels teach by their answer"),
    "target_tokens": gettext_lazy("Target tokens"),
    "lora_targets": gettext_lazy("Layers with LoRA"),
    "maximum_length": gettext_lazy("Most tokens of a solution"),
    "gradient_checkpointing": gettext_lazy("Computes activations twice to save memory"),
    "compiled": gettext_lazy("Compiled layers"),
    "unpacked": gettext_lazy("Reads every path by itself"),
    "from_scratch": gettext_lazy("Begins with random weights"),
    "extra_layers": gettext_lazy("Added layers"),
    "limit": gettext_lazy("Most solutions to train on"),
    "separator": gettext_lazy("Text that ends a step"),
    "problem_end": gettext_lazy("Text that ends the problem"),
    "frozen_labels": gettext_lazy("Labels as they were frozen"),
    "processes": gettext_lazy("Processes"),
    "sharded": gettext_lazy("Model split among processes"),
}
VALUES: Mapping[str, Mapping[Any, Words]] = {
    **RULE_VALUES,
    "trees": TREE_NAMES,
    "optimizer": OPTIMIZER_NAMES,
    "objective": OBJECTIVE_NAMES,
    "head": HEAD_NAMES,
    "preference_output": {
        "tanh": gettext_lazy("outputs between −1 and 1"),
        "raw_then_tanh5": gettext_lazy("raw outputs, read as tanh of a fifth"),
    },
    "outcome_tokens": {
        "last": gettext_lazy("the last one"),
        "steps": gettext_lazy("the last one of each step"),
        "all": gettext_lazy("every one"),
        "product": gettext_lazy("the solution as one long step"),
        "products": gettext_lazy("at each step's end, the solution so far as one long step"),
    },
    "too_long": {"refuse": gettext_lazy("are refused"), "drop": gettext_lazy("are left out")},
    "weighting": {
        "node": gettext_lazy("once"),
        "path": gettext_lazy("as often as solutions go through it"),
    },
}
# What a card measures, by the names of its `metrics` joined by a space.
MEASURES: Mapping[str, Words] = {
    "train loss": gettext_lazy("Last loss"),
    "train accuracy": gettext_lazy("Last accuracy on the batch"),
    "validation threshold": gettext_lazy("Validation: threshold"),
    "validation f1": gettext_lazy("Validation F1"),
    "validation accuracy wrong": gettext_lazy("Validation: exact where wrong"),
    "validation accuracy right": gettext_lazy("Validation: nothing named where right"),
    "validation exact": gettext_lazy("Validation: exact"),
    "validation count": gettext_lazy("Validation: solutions"),
    "validation count wrong": gettext_lazy("Validation: solutions with a mistake"),
    "validation count right": gettext_lazy("Validation: solutions without one"),
    "validation step count": gettext_lazy("Validation: labelled steps"),
    "validation step count wrong": gettext_lazy("Validation: wrong steps"),
    "validation step auc": gettext_lazy("Validation: ROC AUC of steps"),
    "validation step accuracy": gettext_lazy("Validation: steps on the right side of a half"),
}
# What a card counts: `ml.prm.run` and what it calls.
COUNTS: Mapping[str, Words] = {
    "train_rows": gettext_lazy("Solutions in the training split"),
    "train_examples": gettext_lazy("Examples with something to learn"),
    "train_trees": gettext_lazy("Trees of problems"),
    "labelled_steps": gettext_lazy("Labelled steps"),
    "readings": gettext_lazy("Readings of the answer"),
    "pairs": gettext_lazy("Preference pairs"),
    "close_pairs": gettext_lazy("Pairs left out as too close"),
    "rows_without_target": gettext_lazy("Solutions with nothing to learn"),
    "problems_without_pairs": gettext_lazy("Problems without a pair"),
    "opinion_rows": gettext_lazy("Solutions that a second opinion was asked about"),
    "opinion_unasked_steps": gettext_lazy("Steps beyond the context of the second opinion"),
    "disbelieved_rows": gettext_lazy("Solutions whose labels a second opinion left out"),
    "solutions_read_by_outcome": gettext_lazy("Solutions read by their answer"),
    "too_long_solutions": gettext_lazy("Solutions left out for a step beyond the context"),
    "truncated_solutions": gettext_lazy("Solutions longer than the context"),
    "truncated_steps": gettext_lazy("Steps beyond the context"),
    "truncated_alternatives": gettext_lazy("Alternatives beyond the context"),
    "repeated_alternatives": gettext_lazy("Alternatives that repeat a step beside them"),
}
# Of these, what did not reach the model though it was labelled: told by itself, and not in a long list alone.
LOSSES = (
    "too_long_solutions", "truncated_solutions", "truncated_steps", "truncated_alternatives", "disbelieved_rows",
    "opinion_unasked_steps",
)  # fmt: skip


def counts_in_words(counts: Mapping[str, int]) -> list[tuple[str, object]]:
    """What a card counts."""
    return [(called, counted(count)) for _name, called, count in named(counts, COUNTS)]


def lost(counts: Mapping[str, int] | None) -> str:
    """What a card counts as left out or cut off, as one line; empty where nothing was."""
    counts = counts or {}
    return listed(counts_in_words({name: counts[name] for name in LOSSES if counts.get(name)}))


def label_of(name: str) -> str:
    """What an option of the command is called."""
    name = ON_THE_CARD.get(name, name)
    return str(NAMES.get(name, name.replace("_", " ")))


def said(name: str, value: object) -> tuple[str, object]:
    """One setting and its value in words; what has no words of its own stays as the command calls it."""
    name = ON_THE_CARD.get(name, name)
    if name in LEFT_OUT and isinstance(value, bool):
        name, value = LEFT_OUT[name], not value
    words = VALUES[name].get(value) if name in VALUES else None
    if name == "second_opinion" and value:
        return str(NAMES[name]), _opinion(value)
    return str(NAMES.get(name, name.replace("_", " "))), value if words is None else str(words)


def _opinion(value: object) -> str:
    """Whose: a checkpoint by the beginning of its hash; and on a card, with the two thresholds."""
    if isinstance(value, Mapping):
        return f"{value['manifest_sha256'][:8]} · {value['sure']} · {value['doubtful']}"
    return str(value)[:8]


def said_all(settings: Mapping[str, object]) -> list[tuple[str, object]]:
    return [said(name, value) for name, value in settings.items()]


def listed(settings: Iterable[tuple[str, object]]) -> str:
    """Settings as one line."""
    return " · ".join(_("%(name)s: %(value)s") % {"name": name, "value": value} for name, value in settings)
