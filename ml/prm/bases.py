"""What a PRM starts from: one of the pocket family's own models, a small one for any text, or a given folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.prm.checkpoint import check_whole
from ml.prm.deepening import deepened
from ml.prm.generic_head import heads_in
from ml.prm.loading import context_of, load
from ml.prm.model import build, small_config
from ml.prm.tokenization import (
    POCKET_CONTEXT,
    Layout,
    StepTokenizer,
    learned_tokenizer,
    load_step_tokenizer,
    pocket_layout,
    pocket_tokenizer,
)
from ml.training_choices import NAMED_BASES

# The pocket policy spends its layers on what comes next; two more compare that with what was written.
POCKET_EXTRA_LAYERS = 2
# The pocket family's models that ship with the product: the folder under ml/pocket, and the card's word for it. The
# policy is a careless person; the readers went on from it with correct work and drills only, and know sums better.
SHIPPED = {
    "pocket": ("weights", "pocket policy"),
    "pocket-reader": ("reader", "pocket reader"),
    "pocket-tall-reader": ("tall_reader", "tall pocket reader"),
}
# The pocket tokenizer knows the family's words; a text that it cannot say gets a tokenizer learned from it.
UNKNOWN_ALLOWED = 0.02
SAMPLE = 200
# Characters of such a text that a message shows.
SHOWN = 60


@dataclass(frozen=True)
class Base:
    """A model with a head for the objective, its tokenizer, and what the card says of where it came from.

    remark: what a person should know of it before it is trained, "" for nothing.
    """

    model: PreTrainedModel
    tokenizer: StepTokenizer
    origin: dict[str, Any]
    remark: str = ""


@dataclass(frozen=True)
class HeadSettings:
    """outputs: classes, or 1 for a scalar. target_tokens: read the language model's own head at these tokens
    instead of a linear one; as many as classes, in the order negative, positive, neutral. tolerance: read it
    at the tokens that came (see `ml.prm.likelihood`); two classes. objective: what a linear head is trained for, and
    preference_output: how, where that is preferences; a checkpoint's own goes on where it was trained for the same."""

    outputs: int = 2
    target_tokens: Sequence[str] = ()
    tolerance: float | None = None
    objective: str = "classifier"
    preference_output: str = "tanh"

    def __post_init__(self) -> None:
        if self.target_tokens and len(self.target_tokens) != self.outputs:
            found = len(self.target_tokens)
            raise MisstepError(f"{found} target tokens for {self.outputs} classes, expected one for each")
        if self.tolerance is not None and (self.target_tokens or self.outputs != 2):
            raise MisstepError(
                "tokens' own chances say right or wrong, expected 2 classes and no target tokens"
            )

    @property
    def is_language_head(self) -> bool:
        """Whether the language model's own head is read, and not a linear one."""
        return bool(self.target_tokens) or self.tolerance is not None


def open_base(
    name: str,
    texts: Sequence[str],
    head: HeadSettings,
    seed: int,
    maximum_length: int | None,
    from_scratch: bool,
    extra_layers: int | None = None,
    is_packed: bool = True,
) -> Base:
    """A base of NAMED_BASES, or a transformers model's folder. Random weights are drawn from `seed`.

    `extra_layers` fresh layers go on top of given weights (None: what suits the base). `pocket` gives way to `small`
    where the texts are not the pocket family's, and says so in `remark` and `origin`.
    is_packed: see `ProcessRewardModel`; the named bases are read in packed rows alone.
    Raises MisstepError for a folder that holds no readable model, or a checkpoint that is not whole, for target tokens
    that it cannot say, for texts that a pocket reader cannot say, and for `extra_layers` on weights that turn out to be
    random.
    """
    torch.manual_seed(seed)
    if name not in NAMED_BASES:
        base = _from_folder(Path(name), head, maximum_length, is_packed)
        return _with_layers(base, extra_layers or 0, head)
    if name == "small":
        return _small(texts, head, maximum_length)
    weights = None if from_scratch else shipped_folder(name)
    layout = pocket_layout(maximum_length or POCKET_CONTEXT, head.target_tokens, head.tolerance)
    pocket = StepTokenizer(pocket_tokenizer(weights), layout)
    unknown_share = _unknown_share(pocket, list(dict.fromkeys(texts)))
    if unknown_share > UNKNOWN_ALLOWED:
        unknown = next(text for text in texts if pocket.unknown_share([text]))
        return _instead_of(name, _shown(unknown), texts, head, maximum_length, extra_layers)
    if weights is None:
        _refuse_layers_on_random_weights(f"{name} from scratch", extra_layers)
    usual = POCKET_EXTRA_LAYERS if head.tolerance is None else 0
    base = _pocket(name, pocket, head, weights, usual if extra_layers is None else extra_layers)
    return replace(base, origin={**base.origin, "unknown_tokens": round(unknown_share, 6)})


def _unknown_share(pocket: StepTokenizer, texts: Sequence[str]) -> float:
    """Of all texts, because a snapshot may begin with pocket problems and go on with others. A few of them, evenly
    drawn, tell at once where none are."""
    some = pocket.unknown_share(texts[:: len(texts) // SAMPLE + 1])
    return some if some > UNKNOWN_ALLOWED else pocket.unknown_share(texts)


def _refuse_layers_on_random_weights(base: str, extra_layers: int | None) -> None:
    """Layers that begin as the identity keep what weights know, and random ones know nothing."""
    if extra_layers:
        raise MisstepError(
            f"--extra-layers {extra_layers} on random weights (--base {base}), expected them on given weights"
        )


def _instead_of(
    name: str,
    unknown: str,
    texts: Sequence[str],
    head: HeadSettings,
    maximum_length: int | None,
    extra_layers: int | None,
) -> Base:
    """The small model in place of the usual base. A base that was named on purpose is never another one."""
    if name != "pocket":
        raise MisstepError(
            f"--base {name} reads the pocket family's words only, and not {unknown}, expected --base small (random"
            " weights) or a model's folder"
        )
    _refuse_layers_on_random_weights("small, because pocket cannot read these texts", extra_layers)
    small = _small(texts, head, maximum_length)
    remark = (
        f"--base pocket reads the pocket family's words only, and not {unknown}: training starts from --base small,"
        " with random weights"
    )
    return replace(small, origin={**small.origin, "instead_of": name}, remark=remark)


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")


def shipped_folder(name: str = "pocket") -> Path | None:
    """The folder of the weights of the pocket policy or of one of its readers, if they are there."""
    folder = Path(__file__).resolve().parents[1] / "pocket" / SHIPPED[name][0]
    return folder if (folder / "model.safetensors").exists() else None


def _pocket(
    name: str, tokenizer: StepTokenizer, head: HeadSettings, folder: Path | None, extra_layers: int
) -> Base:
    """rStar-Math initialises its preference model from the policy; so do we, where the policy is there."""
    if folder is not None:
        model = load(folder, head.outputs, head.is_language_head)
        digest = sha256_of(folder / "model.safetensors")
        origin = {"name": name, "weights": SHIPPED[name][1], "sha256": digest}
        return _with_layers(Base(model, tokenizer, origin), extra_layers, head)
    model = build(small_config(len(tokenizer.tokenizer), head.outputs), head.is_language_head)
    return Base(model, tokenizer, {"name": name, "weights": "random"})


def _with_layers(base: Base, count: int, head: HeadSettings) -> Base:
    """The base with so many fresh layers on top, and the card's word for it."""
    if not count:
        return base
    model = deepened(base.model, count, head.is_language_head)
    return replace(base, model=model, origin={**base.origin, "extra_layers": count})


def _small(texts: Iterable[str], head: HeadSettings, maximum_length: int | None) -> Base:
    length = maximum_length or 2048
    layout = Layout(maximum_length=length, target_tokens=head.target_tokens, tolerance=head.tolerance)
    tokenizer = StepTokenizer(learned_tokenizer(texts), layout)
    config = small_config(len(tokenizer.tokenizer), head.outputs, max_position_embeddings=max(length, 2048))
    return Base(build(config, head.is_language_head), tokenizer, {"name": "small", "weights": "random"})


def _from_folder(folder: Path, head: HeadSettings, maximum_length: int | None, is_packed: bool) -> Base:
    if not folder.is_dir():
        raise MisstepError(
            f"--base {folder} is no folder, expected {', '.join(NAMED_BASES)} or a model's folder"
        )
    card = _card_of(folder)
    if card.get("format") == "misstep-checkpoint":
        # What is torn or was changed by hand would be trained on without a word.
        check_whole(folder)
    goes_on = not head.is_language_head and _has_head_for(card, head)
    model = load(folder, head.outputs, head.is_language_head, keeps_head=goes_on, is_packed=is_packed)
    context = context_of(model.config, is_packed)
    if maximum_length is not None and maximum_length > context:
        raise MisstepError(f"--maximum-length {maximum_length}, expected at most the base's {context}")
    tokenizer = load_step_tokenizer(folder, maximum_length, head.target_tokens, head.tolerance, context)
    if tokenizer.layout.maximum_length > context:
        tokenizer = load_step_tokenizer(folder, context, head.target_tokens, head.tolerance)
    origin = {"name": folder.name, "weights": "given", "sha256": hashes_of_weights(folder)}
    if goes_on:
        return Base(model, tokenizer, {**origin, "goes_on_with_head": True})
    return Base(model, tokenizer, origin, "" if head.is_language_head else _remark_on_lost_head(folder))


def _remark_on_lost_head(folder: Path) -> str:
    """What a head learned for something else, or for nobody knows what, would be taken for knowledge of labels."""
    lost = heads_in(folder)
    if not lost:
        return ""
    return (
        f"--base {folder} holds a trained head ({', '.join(lost[:3])}), which is left out: training starts from the"
        " layers below it, with a new head (only a checkpoint of the same objective, outputs and --preference-output"
        " keeps its own)"
    )


def hashes_of_weights(folder: Path) -> list[str]:
    """The sha256 of each file of weights, in the order of their names."""
    return [sha256_of(path) for path in sorted(folder.glob("*.safetensors"))]


def _card_of(folder: Path) -> dict[str, Any]:
    """What the folder says of itself; nothing where it does not."""
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _has_head_for(card: Mapping[str, Any], head: HeadSettings) -> bool:
    """Whether the card is a checkpoint's with a linear head of the same objective and outputs: what was trained raw
    would say -1 or 1 of everything behind a tanh."""
    own = [card.get(name) for name in ("format", "objective", "outputs", "head")]
    if own != ["misstep-checkpoint", head.objective, head.outputs, "linear"]:
        return False
    how = card.get("config", {}).get("preference_output")
    return head.objective != "preference" or bool(how == head.preference_output)
