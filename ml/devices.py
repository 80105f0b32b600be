"""On which device a command computes."""

from __future__ import annotations

import os

from ml.errors import MisstepError
from ml.said import Said


def chosen_device(device: str) -> str:
    """`auto` is what the host says in MISSTEP_DEVICE, else a GPU where torch sees one, else the CPU."""
    if device != "auto":
        return device
    if said := os.environ.get("MISSTEP_DEVICE"):
        return said
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def narrow_is_fast(device: str) -> bool:
    """Whether matrices are multiplied faster in bfloat16 there: on a GPU, and on a CPU with units for it (AMX).

    Other CPUs know bfloat16, too, and take twice as long as in float32.
    """
    import torch

    return torch.device(device).type != "cpu" or bool(torch.cpu.get_capabilities().get("amx_bf16"))


def refuse_missing_device(device: str) -> None:
    """Raises MisstepError for what is no device's name, and for a device that torch does not see here."""
    import torch

    try:
        chosen = torch.device(device)
        seen = torch.get_device_module(chosen) if chosen.type != "cpu" else None
    except RuntimeError:
        raise MisstepError(
            f"--device {device} (or MISSTEP_DEVICE), expected cpu, cuda, cuda:0 ... or auto"
        ) from None
    if seen is None:
        return
    if not seen.is_available():
        kind = "GPU" if chosen.type == "cuda" else chosen.type
        raise MisstepError(
            Said(
                "--device %(device)s, expected cpu, because torch sees no %(kind)s here",
                device=device,
                kind=kind,
            )
        )
    if chosen.index is not None and chosen.index >= seen.device_count():
        raise MisstepError(
            f"--device {device}, expected one of the {seen.device_count()} that torch sees here, or cpu"
        )
