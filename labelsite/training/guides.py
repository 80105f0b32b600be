"""The registered checkpoints, offered to searches as what may guide them."""

from __future__ import annotations

from labelsite.autolabels.value_models import ValueModel
from labelsite.jobs.shared_folder import in_var
from labelsite.training.checkpoints import checkpoints_folder
from labelsite.training.models import Checkpoint

MOST = 100


def value_models(sha256: str | None = None) -> list[ValueModel]:
    """The newest first, or the one that is named. Any head and objective gives a value of a prefix: all are offered."""
    newest = Checkpoint.objects.select_related("run").defer("card").order_by("-pk")
    found = newest[:MOST] if sha256 is None else newest.filter(sha256=sha256)[:1]
    return [ValueModel(one.sha256, one.run.name, in_var(checkpoints_folder() / one.folder)) for one in found]
