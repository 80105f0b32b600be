"""The shipped pocket policy as an ordinary `transformers` folder: what a server or AutoModel can load.

Its control tokens become ordinary tokens, so that engines that hide special tokens still write step
boundaries.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ml.pocket.policy import SHIPPED
from ml.pocket.tokenizer import END, SPECIAL


def make_pocket_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SHIPPED / "model.safetensors", folder)
    tokenizer = json.loads((SHIPPED / "tokenizer.json").read_text())
    for token in tokenizer["added_tokens"]:
        token["special"] = False
    end = next(token["id"] for token in tokenizer["added_tokens"] if token["content"] == END)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False})
    )
    config = json.loads((SHIPPED / "config.json").read_text())
    config |= {"architectures": ["LlamaForCausalLM"], "eos_token_id": end, "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": end, "pad_token_id": 0, "do_sample": True, "top_k": 0})
    )
    (folder / "policy.json").write_text(json.dumps({"prompts": "pocket"}))
    assert set(SPECIAL) == {token["content"] for token in tokenizer["added_tokens"]}
    return folder
