"""What a run was when it was interrupted: saved with the state, and asked for before anything goes on from it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from ml.errors import MisstepError
from ml.prm.checkpoint import TrainingState, manifest_hash, newest_state, read_state, save_state
from ml.prm.distributed import Group
from ml.prm.model import ProcessRewardModel
from ml.prm.optimizers import Optimizers
from ml.prm.sharding import gathered, split_like
from ml.prm.tokenization import StepTokenizer


@dataclass
class Run:
    """A run while it goes: where it stands, what each update reported, and how long its updates took: of attempts
    before this one, and of this one. earlier_attempts: the code that others than this one's were made by."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    earlier_seconds: float = 0.0
    seconds: float = 0.0
    earlier_attempts: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Mark:
    """What makes a run this one. fingerprint: its settings and data. base: what `base_facts` found, which the
    settings alone do not say: a base's name stays when what stands behind it changes. asked: the fingerprint without
    what examples have to be made for (see `identity.asked_of`). made_by, computing: the code that makes this attempt,
    and how it computes (see `identity.computing_of`), which make it no other run."""

    fingerprint: str = ""
    base: Mapping[str, Any] = field(default_factory=dict)
    asked: str = ""
    made_by: Mapping[str, Any] = field(default_factory=dict)
    computing: Mapping[str, Any] = field(default_factory=dict)


def base_facts(
    origin: Mapping[str, Any], tokenizer: StepTokenizer, model: ProcessRewardModel
) -> dict[str, Any]:
    """What a run began from: the weights, what reads its texts, and how the model that is trained is built."""
    # Without what is usual: a newer library has more of that. Who wrote the file and where it lay make no other model.
    config = model.plain.config.to_diff_dict()
    for name in ("transformers_version", "_name_or_path"):
        config.pop(name, None)
    parameters = [
        [name, list(p.shape), str(p.dtype), p.requires_grad] for name, p in model.named_parameters()
    ]
    backend = getattr(tokenizer.tokenizer, "backend_tokenizer", None)
    words = backend.to_str() if backend is not None else sorted(tokenizer.tokenizer.get_vocab().items())
    facts = {
        "weights": dict(origin),
        "tokenizer": _digest([words, asdict(tokenizer.layout)]),
        "model": _digest([config, parameters]),
    }
    # As it comes back from a state.
    found: dict[str, Any] = json.loads(json.dumps(facts))
    return found


def _digest(found: Any) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True, default=str).encode()).hexdigest()


def save(
    folder: Path, model: ProcessRewardModel, optimizers: Optimizers, run: Run, mark: Mark, group: Group
) -> None:
    """The first process writes, and the others wait where they may wait for long: a sum over the group would count as
    dead before a large state is on the disk. Where weights are split, all take part in gathering them."""
    tensors = _tensors(model, optimizers, group) if group.is_first or group.is_sharded else {}
    body = {
        "history": run.history,
        "fingerprint": mark.fingerprint,
        "asked": mark.asked,
        "base": dict(mark.base),
        "seconds": run.earlier_seconds + run.seconds,
        "device": torch.device(group.device).type,
        "threads": torch.get_num_threads(),
        "processes": group.size,
        "made_by": dict(mark.made_by),
        "computing": dict(mark.computing),
        "earlier_attempts": run.earlier_attempts,
    }
    group.first_does(lambda: save_state(folder, TrainingState(run.step, body, tensors)))


def _tensors(model: ProcessRewardModel, optimizers: Optimizers, group: Group) -> dict[str, torch.Tensor]:
    """All that is saved, on the CPU; nothing but in the first process."""
    weights = ((f"weight.{name}", p.detach()) for name, p in _trained(model))
    slots = ((f"optimizer.{index}.{name}", value) for index, name, value in optimizers.slots())
    return gathered(chain(weights, slots), group)


def resumed(
    model: ProcessRewardModel, optimizers: Optimizers, folder: Path | None, mark: Mark, group: Group
) -> Run:
    """The run as its newest state left it, with that state's weights in the model; a new run where there is none.

    Raises MisstepError for the state of another run.
    """
    newest = _agreed(folder, group) if folder else None
    if newest is None:
        return Run()
    state = read_state(newest)
    _refuse_another(state, folder, mark)
    if group.is_first:
        _tell_other_rounding(state, folder, torch.device(group.device).type)
        _tell_other_processes(state, folder, group.size)
        _tell_other_code(state, folder, mark)
        _tell_other_computing(state, folder, mark)
    with torch.no_grad():
        for name, parameter in _trained(model):
            parameter.copy_(split_like(state.tensors, f"weight.{name}", parameter))
    parameters = optimizers.parameters
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for name in state.tensors:
        if name.startswith("optimizer."):
            _, index, slot = name.split(".", 2)
            slots.setdefault(int(index), {})[slot] = split_like(state.tensors, name, parameters[int(index)])
    optimizers.load(slots)
    earlier = _earlier_attempts(state, mark)
    return Run(
        state.step, list(state.body["history"]), float(state.body["seconds"]), earlier_attempts=earlier
    )


def _tell_other_rounding(state: TrainingState, folder: Path | None, device: str) -> None:
    """Another kind of device, or another number of a CPU's threads, rounds otherwise, which is no other run; but nobody
    may have wanted it.
    """
    begun, threads = state.body["device"], torch.get_num_threads()
    before = state.body["threads"]
    if begun != device:
        was, goes_on, option = begun, f"on {device}", f"--device {begun}"
    elif device == "cpu" and before != threads:
        was, goes_on, option = f"{before} CPU threads", f"with {threads}", f"--threads {before}"
    else:
        return
    _tell(
        f"{folder} holds states of a run on {was}: it goes on {goes_on}, and its weights will differ in their last"
        f" bits; to go on as it began, give {option}"
    )


def _tell_other_processes(state: TrainingState, folder: Path | None, size: int) -> None:
    """Each process draws its own dropout, and their sums round otherwise than one's."""
    before = state.body["processes"]
    if before == size:
        return
    _tell(
        f"{folder} holds states of a run in processes: {before}; it goes on in {size}, with other roundings and other"
        f" dropout; to go on as it began, start {before}"
    )


def _tell_other_code(state: TrainingState, folder: Path | None, mark: Mark) -> None:
    """Another commit or library may compute otherwise, which no setting says."""
    before = _versions(state.body["made_by"])
    now = _versions(mark.made_by)
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not changed:
        return
    was, goes_on = (", ".join(f"{name} {known.get(name)}" for name in changed) for known in (before, now))
    _tell(
        f"{folder} holds states of a run by {was}: it goes on by {goes_on}, and its weights may differ from those"
        " of one alone"
    )


def _tell_other_computing(state: TrainingState, folder: Path | None, mark: Mark) -> None:
    """The options of memory and speed add up in another order, and dropout draws row by row."""
    before = state.body["computing"]
    changed = [name for name, now in mark.computing.items() if before[name] != now]
    if not changed:
        return
    was, goes_on = (
        ", ".join(f"{name} {known[name]}" for name in changed) for known in (before, mark.computing)
    )
    _tell(
        f"{folder} holds states of a run with {was}: it goes on with {goes_on}, and so with other roundings and other"
        " dropout"
    )


def _tell(said: str) -> None:
    print(f"python -m ml train: {said}", file=sys.stderr, flush=True)


def _versions(made_by: Mapping[str, Any]) -> dict[str, Any]:
    return {"commit": made_by.get("commit"), **made_by.get("dependencies", {})}


def _earlier_attempts(state: TrainingState, mark: Mark) -> list[dict[str, Any]]:
    """Each once, the first one first."""
    found: list[dict[str, Any]] = []
    for made_by in (*state.body["earlier_attempts"], state.body["made_by"]):
        if made_by != mark.made_by and made_by not in found:
            found.append(made_by)
    return found


def _agreed(folder: Path, group: Group) -> Path | None:
    """The newest whole state, found by the first process: to verify one means to read all of it. None in a process
    whose disk has not the same one."""

    def find() -> tuple[str, str | None] | None:
        newest = newest_state(folder)
        return None if newest is None else (newest.name, manifest_hash(newest))

    said = group.first_does(find)
    if said is None:
        # On one disk nobody finds any. Another disk's may not be passed over in silence: see `refuse_parted`.
        return None if group.is_first else newest_state(folder)
    name, content = said
    return folder / name if manifest_hash(folder / name) == content else None


def other_settings(folder: Path | None) -> MisstepError:
    """What is said where the states of a folder are of another command."""
    return MisstepError(
        f"{folder} holds states of a run with other settings or data, expected the same command;"
        " remove the folder to start anew"
    )


def _refuse_another(state: TrainingState, folder: Path | None, mark: Mark) -> None:
    if state.body["fingerprint"] != mark.fingerprint:
        raise other_settings(folder)
    before, now = _seen(state.body["base"]), _seen(mark.base)
    other = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if other:
        raise MisstepError(
            f"{folder} holds states of a run from another base ({', '.join(other)}{_beside(other)}), expected the same"
            " one; remove the folder to start anew"
        )


def _seen(base: Mapping[str, Any]) -> dict[str, Any]:
    """What `base_facts` found, without what a given base's folder is called: its files are known by their hashes."""
    weights = base.get("weights", {})
    if weights.get("weights") != "given":
        return dict(base)
    return {**base, "weights": {name: said for name, said in weights.items() if name != "name"}}


def _beside(other: Sequence[str]) -> str:
    """What else may have changed: how steps and problems end is told with the words that say it."""
    return ", or --separator or --problem-end" if other == ["tokenizer"] else ""


def refuse_parted(run: Run, folder: Path | None, group: Group) -> None:
    """Raises MisstepError where the processes would go on from different updates: each reads its own disk."""
    low, high = group.range_of(run.step)
    if low != high:
        raise MisstepError(
            f"{folder}: the processes found states of step {int(low)} to {int(high)}, expected the same in all:"
            " on several hosts --out must lie on a disk that they share"
        )


def _trained(model: ProcessRewardModel) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)
