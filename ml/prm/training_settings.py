"""What decides a training run beside its data and its base."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """learning_rate is reached after `warmup` (share of all steps) and falls along a cosine to a tenth.

    batch_size: examples per update. tokens_per_row: the most tokens in one packed row (an update may take
    several). save_every: updates between states. validate_every: updates between looks at the validation split, 0 for
    none. validation_limit: the most solutions of a validation, None for all of the split. class_weights: per class,
    None for equal ones. language_weight: of the next-token loss on right steps, beside the objective's (see
    `ml.prm.likelihood`). optimizer: see `ml.prm.optimizers`. preference_output: see `losses.compared`.
    """

    objective: str
    steps: int
    seed: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    batch_size: int = 32
    tokens_per_row: int = 8192
    clip: float = 1.0
    smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    bfloat16: bool = False
    language_weight: float = 0.0
    save_every: int = 200
    validate_every: int = 0
    validation_limit: int | None = None
    optimizer: str = "adamw"
    preference_output: str = "tanh"
