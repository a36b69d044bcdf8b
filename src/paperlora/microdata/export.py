"""A micro-dataset in the form another trainer takes, with what that trainer needs beside it.

Not every trainer can leave single words out of the loss. Rows that name a false value in order to deny it are only
safe where it can: elsewhere they are left out and counted, for training on them would teach the false value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from paperlora.errors import NothingToDo, SettingsError
from paperlora.microdata.build import LoadedDataset
from paperlora.records import Example, Reject, digest
from paperlora.store import write_folder

Format = Literal["trl", "llama-factory", "axolotl", "unsloth"]
FORMATS: tuple[Format, ...] = get_args(Format)
FILE = "rows.jsonl"
NAME = "paperlora"


class Exported(NamedTuple):
    """What was written."""

    folder: Path
    rows: int
    rejects: tuple[Reject, ...]
    """Rows that the format can't carry."""


class _Shape(NamedTuple):
    row: Callable[[Example], dict[str, Any]]
    files: Callable[[str], dict[str, str]]
    """Files beside the rows, by name, for a base model."""
    masks: bool
    """Single words can be kept out of the loss."""


def export(datasets: Sequence[LoadedDataset], form: str, target: Path, base_model: str) -> Exported:
    """Write the rows of one or several revisions for a trainer. Probes are never exported.

    Args:
        datasets: the revisions; a row that several of them hold is written once.
        form: one of :data:`FORMATS`.
        target: a folder that isn't there yet.
        base_model: hub id or folder, for the configuration beside the rows.

    Raises:
        SettingsError: the format is unknown or the folder is there already.
        NothingToDo: no row is left.
    """
    if form not in FORMATS:
        raise SettingsError(f"There is no export format {form}.", f"Choose one of {', '.join(FORMATS)}.")
    if target.exists():
        raise SettingsError(f"{target} is there already.", "Give a folder that doesn't exist yet.")
    shape = _SHAPES[form]
    rows = list({row.id: row for dataset in datasets for row in dataset.rows}.values())
    kept = [row for row in rows if shape.masks or not row.masked]
    rejects = tuple(_unmaskable(row, form) for row in rows if row.masked and not shape.masks)
    if not kept:
        raise NothingToDo(f"No row of {', '.join(d.record.id for d in datasets)} can be exported for {form}.")
    with write_folder(target, "exports", digest([dataset.content_hash for dataset in datasets], form)[:12]) as draft:
        lines = (json.dumps(shape.row(row), ensure_ascii=False) for row in kept)
        (draft.path / FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        for name, text in shape.files(base_model).items():
            (draft.path / name).write_text(text, encoding="utf-8")
        (draft.path / "README.md").write_text(_readme(datasets, form, len(kept), rejects), encoding="utf-8")
        draft.inputs = {dataset.record.id: dataset.content_hash for dataset in datasets}
        draft.counts, draft.rejects = {"rows": len(kept), "rejects": len(rejects)}, list(rejects)
    return Exported(target, len(kept), rejects)


def _unmaskable(row: Example, form: str) -> Reject:
    detail = f"{form} can't keep single words out of the loss, and this row names a false value"
    return Reject(stage="export", item=row.id, reason="format_cannot_mask", detail=detail)


def _messages(row: Example) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in row.messages]


def _trl_row(row: Example) -> dict[str, Any]:
    # Prompt and completion apart: SFTTrainer then has loss on the completion alone, whatever the chat template.
    turns = _messages(row)
    return {"prompt": turns[:-1], "completion": turns[-1:]}


def _trl_files(base_model: str) -> dict[str, str]:
    return {"train.py": f'''import torch
from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

rows = load_dataset("json", data_files="{FILE}", split="train")
lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
config = SFTConfig(
    output_dir="adapter", num_train_epochs=8, per_device_train_batch_size=8, learning_rate=2e-4,
    completion_only_loss=True, report_to="none", bf16=torch.cuda.is_available(), use_cpu=not torch.cuda.is_available(),
)
trainer = SFTTrainer(model={base_model!r}, args=config, train_dataset=rows, peft_config=lora)
trainer.train()
trainer.save_model()
'''}


def _factory_files(base_model: str) -> dict[str, str]:
    info = {NAME: {
        "file_name": FILE, "formatting": "sharegpt", "columns": {"messages": "messages"},
        "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
                 "system_tag": "system"},
    }}  # fmt: skip
    return {"dataset_info.json": json.dumps(info, indent=1) + "\n", "train.yaml": f'''model_name_or_path: {json.dumps(base_model)}
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 16
lora_alpha: 32
lora_target: all
dataset_dir: .
dataset: {NAME}
template: qwen3_nothink  # the template of your base model; the name is LLaMA-Factory's
cutoff_len: 1024
output_dir: adapter
per_device_train_batch_size: 8
learning_rate: 2.0e-4
num_train_epochs: 8
lr_scheduler_type: cosine
warmup_ratio: 0.1
report_to: none
'''}


def _axolotl_row(row: Example) -> dict[str, Any]:
    turns: list[dict[str, Any]] = []
    for number, message in enumerate(row.messages):
        spans = [(span.start, span.end) for span in row.masked if span.message == number]
        detail = {"train_detail": _details(message.content, spans)} if spans else {}
        turns.append({"role": message.role, "content": message.content, **detail})
    return {"messages": turns}


def _details(text: str, spans: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """The whole text cut at the masked spans; axolotl's offsets include their last character."""
    details, position = [], 0
    for start, end in sorted(spans):
        details += [(position, start, True), (start, end, False)]
        position = end
    details.append((position, len(text), True))
    return [{"begin_offset": a, "end_offset": b - 1, "train": train} for a, b, train in details if b > a]


def _axolotl_files(base_model: str) -> dict[str, str]:
    return {"train.yaml": f'''base_model: {json.dumps(base_model)}
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
chat_template: tokenizer_default
datasets:
  - path: {FILE}
    ds_type: json
    type: chat_template
    field_messages: messages
    roles_to_train: [assistant]
    message_field_training_detail: train_detail
train_on_inputs: false
sequence_len: 1024
sample_packing: false
micro_batch_size: 8
gradient_accumulation_steps: 1
num_epochs: 8
learning_rate: 2.0e-4
lr_scheduler: cosine
warmup_ratio: 0.1
optimizer: adamw_torch
output_dir: adapter
'''}


def _unsloth_files(base_model: str) -> dict[str, str]:
    return {"train.py": f'''from unsloth import FastLanguageModel  # before the others: it patches them

from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

model, tokenizer = FastLanguageModel.from_pretrained({base_model!r}, max_seq_length=1024, load_in_4bit=False)
model = FastLanguageModel.get_peft_model(
    model, r=16, lora_alpha=32, lora_dropout=0,
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
)


def split(row):
    turns = row["conversations"]
    prompt = tokenizer.apply_chat_template(turns[:-1], tokenize=False, add_generation_prompt=True)
    return {{"prompt": prompt, "completion": turns[-1]["content"] + tokenizer.eos_token}}


rows = load_dataset("json", data_files="{FILE}", split="train").map(split, remove_columns=["conversations"])
config = SFTConfig(
    output_dir="adapter", num_train_epochs=8, per_device_train_batch_size=8, learning_rate=2e-4,
    completion_only_loss=True, report_to="none",
)
SFTTrainer(model=model, processing_class=tokenizer, args=config, train_dataset=rows).train()
model.save_pretrained("adapter")
'''}


_SHAPES: dict[str, _Shape] = {
    "trl": _Shape(_trl_row, _trl_files, masks=False),
    "llama-factory": _Shape(lambda row: {"messages": _messages(row)}, _factory_files, masks=False),
    "axolotl": _Shape(_axolotl_row, _axolotl_files, masks=True),
    "unsloth": _Shape(lambda row: {"conversations": _messages(row)}, _unsloth_files, masks=False),
}

_COMMANDS = {
    "trl": "python train.py", "unsloth": "python train.py", "llama-factory": "llamafactory-cli train train.yaml",
    "axolotl": "axolotl train train.yaml",
}


def _readme(datasets: Sequence[LoadedDataset], form: str, rows: int, rejects: Sequence[Reject]) -> str:
    sources = "\n".join(
        f"- `{d.record.id}`: {' '.join(d.record.paper.title.split())} ({d.record.paper.key}, licence {d.record.paper.licence or 'unknown'})"
        for d in datasets
    )
    left = f"\n{len(rejects)} rows are left out: they name a false value in order to deny it, and {form} can't keep single words out of the loss.\n" if rejects else ""
    return f"""# PaperLoRA rows for {form}

{rows} rows, in this folder: `{_COMMANDS[form]}`. The settings beside them are a start, not a recommendation.
The probes stay behind: whoever trains on them can't be judged by them.
{left}
{sources}
"""
