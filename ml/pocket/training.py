"""Train the pocket policy from nothing: `python -m ml.pocket.training --steps N --out DIR`.

`--course careful --resume POLICY` makes a reader of it instead: a base for PRMs that has seen correct work only.
Training stops at a number of steps, not of seconds, so that slow machines make as good a policy as fast ones. The same
it is only where products are in the same precision: bfloat16 on a GPU and on a CPU with AMX, float32 on others.
On a GPU, `--writers 12` keeps it fed: a core writes about 120,000 tokens of lessons in a second.
"""

from __future__ import annotations

import argparse
import os
import random
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from ml.devices import chosen_device, narrow_is_fast, refuse_missing_device
from ml.errors import MisstepError
from ml.pocket.feeding import NOT_LEARNED, feed, on_device
from ml.pocket.lessons import COURSES, LONGEST_LESSON, Lesson, drill_lesson
from ml.pocket.problems import HELD_OUT_SEED, generate
from ml.pocket.taller import taller
from ml.pocket.tokenizer import build_tokenizer, load_tokenizer
from ml.prm.compiling import compile_layers
from ml.prm.tokenization import POCKET_CONTEXT, StepTokenizer, pocket_layout, pocket_tokenizer
from ml.progress import Progress, print_result

if TYPE_CHECKING:
    from ml.pocket.measuring import Accuracy

GATE = (0.35, 0.75)
# A reader that gets fewer results of held-out drills right knows too little to judge anybody's.
LEAST_RIGHT = 0.95
# Reading a loss makes the processor wait for a GPU, so it is done once in so many steps.
REPORTED_ON_GPU = 20


def configuration(vocabulary: int, hidden: int, layers: int) -> LlamaConfig:
    """The policy's shape; every number that the loader needs is in here."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3 // 32 * 32,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        max_position_embeddings=2 * LONGEST_LESSON,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )


def optimizers(model: torch.nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices (it needs about half of AdamW's steps here), AdamW for the rest."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    inner = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in inner]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=rest[0].is_cuda or None),
    ]


def rate_at(step: int, steps: int) -> float:
    """The learning rate's factor: a short warm-up, a plateau, then down to nothing over two thirds."""
    return min(1.0, (step + 1) / 100, max(0.0, (steps - step) / (2 / 3 * steps)))


def save(model: LlamaForCausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    """Write weights (16 bit), configuration, tokenizer, and how steps are laid out: a base for PRMs, too."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: p.detach().to("cpu", torch.float16).contiguous() for name, p in model.named_parameters()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model.config.to_json_file(folder / "config.json")
    tokenizer.save(str(folder / "tokenizer.json"))
    StepTokenizer(pocket_tokenizer(folder), pocket_layout(POCKET_CONTEXT)).save(folder)


def train(
    steps: int,
    working: Path,
    seed: int,
    hidden: int,
    layers: int,
    tokens: int,
    rate: float,
    resume: Path | None,
    course: str = "careless",
    device: str = "cpu",
    writers: int = 0,
    is_compiled: bool = False,
) -> None:
    """Train for `steps` batches of about `tokens` tokens; the folder `working` is saved now and then.

    Raises MisstepError when one of the processes that write the lessons dies, and where layers cannot be compiled.
    """
    torch.manual_seed(seed)
    tokenizer = build_tokenizer() if resume is None else load_tokenizer(resume)
    model = _started(tokenizer.get_vocab_size(), hidden, layers, resume)
    model.to(device)  # type: ignore[arg-type]  # its decorator hides the method's signature
    if is_compiled:
        compile_layers(model, is_whole=True)
    chosen = optimizers(model, rate)
    every = 1 if model.device.type == "cpu" else REPORTED_ON_GPU
    progress = Progress("steps", steps)
    with closing(feed(tokenizer, seed, tokens, course, writers)) as stream:
        for step in range(steps):
            for optimizer in chosen:
                for group in optimizer.param_groups:
                    group["lr"] = rate * rate_at(step, steps)
            loss = _learn(model, *on_device(next(stream), model.device))
            for optimizer in chosen:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            if (step + 1) % every == 0 or step + 1 == steps:
                progress.report(step + 1, metrics={"loss": round(loss.item(), 4)})
            if (step + 1) % 250 == 0:
                save(model, tokenizer, working)
    save(model, tokenizer, working)


def _started(vocabulary: int, hidden: int, layers: int, resume: Path | None) -> LlamaForCausalLM:
    """Random weights, or those to go on from, with as many layers as is asked for.

    Raises MisstepError for another width than the weights have, or fewer layers.
    """
    if resume is None:
        return LlamaForCausalLM(configuration(vocabulary, hidden, layers))
    known = LlamaConfig.from_pretrained(resume)
    if known.hidden_size != hidden:
        raise MisstepError(
            f"--hidden {hidden} with --resume {resume}, expected its width {known.hidden_size}"
        )
    model = LlamaForCausalLM(known)
    model.load_state_dict(load_file(resume / "model.safetensors"), strict=False)
    return model if known.num_hidden_layers == layers else taller(model, layers)


def _learn(model: LlamaForCausalLM, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """One batch's gradients; returns its loss in nats a learned token, shape [], on the model's device."""
    # The weights themselves stay at 32 bits.
    with torch.autocast(model.device.type, torch.bfloat16, enabled=narrow_is_fast(model.device.type)):
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    flat = logits.float().reshape(-1, logits.shape[-1])
    loss = torch.nn.functional.cross_entropy(flat, targets[:, 1:].reshape(-1), ignore_index=NOT_LEARNED)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    return loss.detach()


def check_gate(working: Path, problems: int = 60, samples: int = 8) -> list[Accuracy]:
    """Measure the policy on held-out problems; refuse one too weak to be useful or too good to search."""
    # Only a policy is tried out, which takes the sandbox: readers can be made where there is none.
    from ml.pocket.measuring import measure_accuracy
    from ml.pocket.policy import load_pocket_policy

    policy = load_pocket_policy(working)
    held_out = generate(problems, HELD_OUT_SEED)
    found = [measure_accuracy(policy, held_out, style, samples) for style in ("prose", "code")]
    for accuracy in found:
        if not GATE[0] <= accuracy.pass_at_1 <= GATE[1]:
            raise MisstepError(
                f"pass@1 in {accuracy.style} is {accuracy.pass_at_1:.2f}, expected {GATE[0]} to {GATE[1]}: "
                f"nothing was written, the weights stay in {working}; train for more or fewer steps"
            )
    return found


def check_reader(working: Path, pages: int = 40) -> float:
    """The share of results on held-out pages of drills that the model would write. MisstepError below LEAST_RIGHT."""
    tokenizer = load_tokenizer(working)
    model = LlamaForCausalLM.from_pretrained(working, dtype=torch.float32).eval()
    rng = random.Random(f"held-out drills {HELD_OUT_SEED}")
    found = [
        right
        for _ in range(pages)
        for right in _results_right(model, drill_lesson(tokenizer, rng, wide=True))
    ]
    share = sum(found) / len(found)
    if share < LEAST_RIGHT:
        raise MisstepError(
            f"{share:.3f} of the results of drills are right, expected {LEAST_RIGHT} at least: nothing was written, "
            f"the weights stay in {working}; train for more steps"
        )
    return share


@torch.inference_mode()
def _results_right(model: LlamaForCausalLM, lesson: Lesson) -> list[bool]:
    """For each result on a page, whether every one of its tokens is what the model would have written there."""
    best = model(input_ids=torch.tensor([lesson.tokens]), use_cache=False).logits[0].argmax(-1).tolist()
    found: list[bool] = []
    for place, is_learned in enumerate(lesson.learned):
        if is_learned:
            if not lesson.learned[place - 1]:
                found.append(True)
            found[-1] = found[-1] and best[place - 1] == lesson.tokens[place]
    return found


def main() -> None:
    """Train beside the target, pass the gate, then take the target's name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--out", type=Path, required=True, help="a folder that does not exist yet")
    parser.add_argument(
        "--resume",
        type=Path,
        help="start from this checkpoint's weights, whose width --hidden has to be; more --layers begin as copies",
    )
    parser.add_argument("--course", choices=COURSES, default="careless", help="a policy's, or a reader's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=2560, help="in a batch, about")
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:0 ..., or auto: a GPU where there is one"
    )
    parser.add_argument("--writers", type=int, default=0, help="processes that write lessons; 0: this one")
    parser.add_argument("--threads", type=int, default=1, help="of a CPU; their number changes the last bits")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="fuse each layer's kernels: a third faster, needs a C++ compiler",
    )
    arguments = parser.parse_args()
    if arguments.out.exists():
        raise SystemExit(f"{arguments.out} exists, expected a folder to be made")
    working = arguments.out.with_name(arguments.out.name + ".partial")
    torch.set_num_threads(arguments.threads)
    try:
        device = chosen_device(arguments.device)
        refuse_missing_device(device)
        train(
            arguments.steps, working, arguments.seed, arguments.hidden, arguments.layers, arguments.tokens,
            arguments.rate, arguments.resume, arguments.course, device, arguments.writers, arguments.compile,
        )  # fmt: skip
        found = (
            {"accuracy": [asdict(accuracy) for accuracy in check_gate(working)]}
            if arguments.course == "careless"
            else {"drills_right": round(check_reader(working), 4)}
        )
    except MisstepError as refusal:
        raise SystemExit(str(refusal)) from None
    os.replace(working, arguments.out)
    print_result({"out": str(arguments.out), **found})


if __name__ == "__main__":
    main()
