"""A model that nobody trained, in an ordinary `transformers` folder: it writes word salad of steps of a usual length.

Its tokenizer is a byte-level BPE that merges over white space, so that a step's boundary may stand in the middle of a
token. Its output bias is the tokens' share of the shipped prompt, so that boundaries and ends come as often as there.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PhiConfig, PhiForCausalLM, PreTrainedTokenizerFast

from ml.policies.prompt import load_prompt

LONGEST = 2048
VOCABULARY = 400
# Softer than the counts alone, so that no token is out of reach.
SMOOTHING = 0.05


def make_random_folder(folder: Path, layers: int = 1, width: int = 32) -> Path:
    prompts = [load_prompt(style) for style in ("prose", "code")]
    texts = [prompt.template.partition("{problem}")[0] for prompt in prompts]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [line for text in texts for line in text.splitlines(keepends=True)] + texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<|endoftext|>"],
            max_token_length=8,
            show_progress=False,
        ),
    )
    tokenizer.add_tokens([AddedToken(prompts[0].end, normalized=False)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    ).save_pretrained(folder)
    counts = Counter(token for text in texts for token in tokenizer.encode(text).ids)
    size = tokenizer.get_vocab_size()
    torch.manual_seed(0)
    model = PhiForCausalLM(
        PhiConfig(
            vocab_size=size,
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            num_attention_heads=max(2, width // 32),
            max_position_embeddings=LONGEST,
            eos_token_id=0,
            bos_token_id=0,
        )
    )
    shares = torch.tensor([counts[token] + SMOOTHING for token in range(size)])
    with torch.no_grad():
        model.lm_head.bias.copy_(shares.log())
        model.lm_head.weight.mul_(5)
    model.generation_config.do_sample = True
    model.generation_config.top_k = 0
    model.save_pretrained(folder)
    return folder
