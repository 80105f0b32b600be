"""What a training run can be asked for by name, for the command, the site's form and the training itself."""

from __future__ import annotations

# The bases that have names; any other is a model's folder.
NAMED_BASES = ("pocket", "pocket-reader", "pocket-tall-reader", "small")
# Those that can begin with random weights instead of the shipped ones, in the one shape that these have.
FROM_SCRATCH = ("pocket", "pocket-reader")
OBJECTIVES = ("classifier", "value", "preference", "outcome")
# Objectives whose targets are the labels of steps; a preference and an outcome are none.
LEARN_LABELS_OF_STEPS = ("classifier", "value")
# Objectives with classes, which alone can be target tokens of a language model.
CLASSIFYING = ("classifier", "outcome")
HEADS = ("linear", "tokens", "likelihood")
PREFERENCE_OUTPUTS = ("tanh", "raw_then_tanh5")
TREES = ("solution", "problem")
OPTIMIZERS = ("adamw", "muon")
# Scores between which a second opinion leaves the labels of rollouts alone.
SURE, DOUBTFUL = 0.55, 0.05
