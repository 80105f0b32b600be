"""One process of the training benchmark on trl's side (runs in trl 1.13's own environment, without our code).

`default`: PRMConfig as it comes, with batch 8 and gradient checkpointing. `tuned`: rows grouped by length, no
gradient checkpointing. Both in float32, with our learning rate and the base's end of steps.
"""

import json
import resource
import sys
import time
import warnings
from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoModelForTokenClassification, AutoTokenizer

warnings.simplefilter("ignore")
from trl.experimental.prm import PRMConfig, PRMTrainer  # noqa: E402

folder, variant, epochs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
torch.set_num_threads(1)
rows = [json.loads(line) for line in (folder / "trl.jsonl").open()]
layout = json.loads((folder / "base" / "steps.json").read_text())
tuning = {}
if variant == "tuned":
    tuning = {"train_sampling_strategy": "group_by_length", "gradient_checkpointing": False}
arguments = PRMConfig(
    output_dir=str(folder / "trl-out"), per_device_train_batch_size=8, num_train_epochs=epochs, learning_rate=5e-4,
    bf16=False, use_cpu=True, save_strategy="no", report_to=[], disable_tqdm=True, seed=0, max_length=1024,
    logging_steps=1000, step_separator=layout["separator"], **tuning,
)  # fmt: skip
model = AutoModelForTokenClassification.from_pretrained(folder / "base", num_labels=2)
trainer = PRMTrainer(
    model=model, args=arguments, processing_class=AutoTokenizer.from_pretrained(folder / "base"),
    train_dataset=Dataset.from_list(rows),
)  # fmt: skip
started = time.process_time()
result = trainer.train()
processor = time.process_time() - started
model.save_pretrained(folder / "trained")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(
    json.dumps(
        {
            "seconds": processor,
            "wall_seconds": result.metrics["train_runtime"],
            "updates": result.global_step,
            "peak_mib": round(peak),
            "epochs": epochs,
            "rows": len(rows),
            "tokens": sum(len(ids) for ids in trainer.train_dataset["input_ids"]),
            "labels_trained": sum(len(row["labels"]) for row in rows),
        }
    )
)
