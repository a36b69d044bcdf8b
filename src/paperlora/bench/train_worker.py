"""One side of `paperlora bench train`, in a process of its own: `python -m paperlora.bench.train_worker SIDE JOB.json`.

Every side gets the same folder of base weights, the same first adapters, the same tokens in the same order, and the same
recipe: AdamW, a constant learning rate, gradients clipped at 1. It prints what it measured as one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARK = "RESULT "
"""Begins the line that holds the result: libraries print too."""


def main() -> None:
    """Run one side."""
    side, job = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    import torch

    if job["threads"]:
        torch.set_num_threads(job["threads"])
    print(MARK + json.dumps(SIDES[side](job)), flush=True)


def measured(train: Callable[[], list[float]], device: Any) -> dict[str, Any]:
    """Wall and CPU seconds of a training, the last loss of each adapter, and the most memory."""
    import torch

    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    wall, cpu = time.perf_counter(), time.process_time()
    losses = train()
    if cuda:
        torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "losses": losses,
        "peak_bytes": peak,
    }


def bank(job: dict[str, Any]) -> dict[str, Any]:
    """Our side: the product's own trainer, adapters in the store at the end."""
    from paperlora.bench.train import items_of
    from paperlora.lora.train import train_adapters
    from paperlora.model.base import load_base
    from paperlora.records import Adapter, Recipe
    from paperlora.store import Store, read_json

    base = load_base(job["base"], device=job["device"], cache=Path(job["base"]))
    recipes = [Recipe.model_validate(job["recipe"] | {"seed": seed}) for seed in job["seeds"]]
    items = items_of(job)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.at(Path(folder) / "store")

        def train() -> list[float]:
            uris = train_adapters(
                items, recipes, base, store, Path(folder) / "work", bank_size=job["seats"] or len(items)
            )
            lines = [(Path(uri) / "telemetry.jsonl").read_text().splitlines()[-1] for uri in uris]
            tokens.append(sum(read_json(Path(uri) / "adapter.json", Adapter).tokens for uri in uris))
            return [json.loads(line)["loss"] for line in lines]

        tokens: list[int] = []
        found = measured(train, base.device)
    return found | {"tokens": tokens[0]}


def _model(job: dict[str, Any]) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    cuda = job["device"].startswith("cuda")
    dtype = torch.bfloat16 if cuda else torch.float32
    model = AutoModelForCausalLM.from_pretrained(job["base"], dtype=dtype, attn_implementation="sdpa").to(job["device"])
    model.requires_grad_(False)
    return model


def peft_loop(job: dict[str, Any]) -> dict[str, Any]:
    """A plain loop over peft's adapters, one after the other."""
    import torch
    from peft import PeftModel

    model = _model(job)

    def train() -> list[float]:
        losses = []
        for number, rows in enumerate(job["rows"]):
            tuned = PeftModel.from_pretrained(model, job["first"][number], is_trainable=True)
            parameters = [p for p in tuned.parameters() if p.requires_grad]
            optimiser = torch.optim.AdamW(parameters, lr=job["recipe"]["learning_rate"], weight_decay=0.0)
            for batch in job["order"][number]:
                ids, labels, seen = _padded([rows[place] for place in batch], job["device"])
                loss = tuned(input_ids=ids, attention_mask=seen, labels=labels).loss
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
            losses.append(float(loss))
            with tempfile.TemporaryDirectory() as folder:
                tuned.save_pretrained(folder)
            tuned.unload()
        return losses

    return measured(train, job["device"])


def _padded(rows: list[dict[str, Any]], device: str) -> Any:
    import torch

    width = max(len(row["ids"]) for row in rows)
    ids = [row["ids"] + [0] * (width - len(row["ids"])) for row in rows]
    labels = [row["labels"] + [-100] * (width - len(row["ids"])) for row in rows]
    seen = [[1] * len(row["ids"]) + [0] * (width - len(row["ids"])) for row in rows]
    return [torch.tensor(part, device=device) for part in (ids, labels, seen)]


def trl(job: dict[str, Any]) -> dict[str, Any]:
    """TRL's SFTTrainer, one adapter after the other; settings that only cost it time are off."""
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    cuda, recipe = job["device"].startswith("cuda"), job["recipe"]
    model, tokenizer = _model(job), AutoTokenizer.from_pretrained(job["base"])

    def train() -> list[float]:
        losses = []
        for number, rows in enumerate(job["rows"]):
            tuned = PeftModel.from_pretrained(model, job["first"][number], is_trainable=True)
            ordered = [rows[place] for batch in job["order"][number] for place in batch]
            data = Dataset.from_dict(
                {"input_ids": [row["ids"] for row in ordered], "labels": [row["labels"] for row in ordered]}
            )
            with tempfile.TemporaryDirectory() as folder:
                config = SFTConfig(
                    output_dir=folder, per_device_train_batch_size=recipe["batch_size"], max_steps=len(job["order"][number]),
                    learning_rate=recipe["learning_rate"], lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=1.0,
                    gradient_checkpointing=False, bf16=cuda, use_cpu=not cuda, logging_steps=1, save_strategy="no", report_to="none",
                    disable_tqdm=True, train_sampling_strategy="sequential", dataset_kwargs={"skip_prepare_dataset": True},
                    dataloader_num_workers=0, max_length=None,
                )  # fmt: skip
                trainer = SFTTrainer(model=tuned, args=config, train_dataset=data, processing_class=tokenizer)
                trainer.train()
                trainer.save_model()
            losses.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry][-1])
            tuned.unload()
        return [float(loss) for loss in losses]

    return measured(train, job["device"])


def limit(job: dict[str, Any]) -> dict[str, Any]:
    """Forward and backward of the frozen base alone over the same rows, all adapters' rows of a step in one batch."""
    import torch

    model = _model(job)
    head, decoder = model.get_output_embeddings(), model.get_decoder()
    steps = len(job["order"][0])

    def train() -> list[float]:
        for step in range(steps):
            rows = [rows[place] for rows, order in zip(job["rows"], job["order"], strict=True) for place in order[step]]
            ids, labels, seen = _padded(rows, job["device"])
            # The embeddings take a gradient, so that the backward pass runs through every layer.
            inputs = model.get_input_embeddings()(ids).requires_grad_(True)
            hidden = decoder(inputs_embeds=inputs, attention_mask=seen).last_hidden_state
            learnt = (labels[:, 1:] != -100).nonzero(as_tuple=True)
            logits = head(hidden[:, :-1][learnt]).float()
            torch.nn.functional.cross_entropy(logits, labels[:, 1:][learnt]).backward()
        return []

    found = measured(train, job["device"])
    tokens = sum(
        len(rows[place]["ids"])
        for rows, order in zip(job["rows"], job["order"], strict=True)
        for batch in order
        for place in batch
    )
    return found | {"tokens": tokens}


SIDES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "bank": bank,
    "peft": peft_loop,
    "trl": trl,
    "limit": limit,
}

if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
