"""One of two processes that train in updates of several packed rows, of which they have unequal numbers.

AMID: the row at which the second process is asked to stop, if at all. SPLIT: whether the weights are. STATE: where the
states go.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import torch

from ml.prm.distributed import Group
from ml.prm.model import ProcessRewardModel, with_lora
from ml.prm.sharding import shard
from ml.prm.train import Terminated, TrainingSettings, train
from tests.ml.prm.toys import examples_of, sums, tiny_model, tokenizer

UPDATES = 3


def main() -> int:
    """The status with which `python -m ml train` would end."""
    torch.set_num_threads(1)
    steps, amid = tokenizer(), int(os.environ["AMID"])
    # Dropout draws in every row, and the processes have different numbers of them.
    model = ProcessRewardModel(with_lora(tiny_model(len(steps.tokenizer)).model, 4, seed=0, dropout=0.3))
    with Group.joined("cpu") as group:
        if os.environ["SPLIT"]:
            shard(model, group.device)
            group.is_sharded = True
        read = []

        def ask(*_: object) -> None:
            read.append(1)
            if len(read) == amid and not group.is_first:
                signal.raise_signal(signal.SIGTERM)

        model.register_forward_pre_hook(ask)
        settings = TrainingSettings("classifier", UPDATES, batch_size=9, tokens_per_row=64, save_every=100)
        try:
            train(
                model,
                examples_of("classifier", sums(20), steps),
                settings,
                Path(os.environ["STATE"]),
                group=group,
            )
        except Terminated as stop:
            return stop.status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
