"""What a `WarmProcess` has at hand: all that `python -m ml train` and `score` import, and nothing done with it yet."""

import torch.distributed.fsdp  # noqa: F401
import transformers.models.llama.modeling_llama  # noqa: F401

import ml.commands.score
import ml.commands.train
import ml.prm.run
import ml.prm.sharding  # noqa: F401
