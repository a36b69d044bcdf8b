"""Makes the model of a world: from nothing, by the project's own script, once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from torch.nn import functional
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from paperlora.model.base import Base, load_base, quiet
from paperlora.planted.world import END, PAD, TURN, UNKNOWN, Pair, World, WorldPlan, lessons
from paperlora.progress import Progress, silent
from paperlora.store import MANIFEST, write_folder

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + ' ' + message.content + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant ' }}{% endif %}"
)
LIKE_ROWS = 16
"""Rows of like length in one forward pass: among 64 of all lengths more than half of the tokens would be padding."""


def open_world(plan: WorldPlan, shelf: Path, progress: Progress = silent, device: str = "cpu") -> tuple[World, Base]:
    """The world and its model, trained where it isn't on the shelf (the models folder) yet."""
    world = World(plan)
    folder = shelf / world.key
    if not (folder / MANIFEST).exists():
        shelf.mkdir(parents=True, exist_ok=True)
        _make(world, folder, progress)
    return world, load_base(str(folder), device=device, cache=shelf)


# ------------------------------------------------------------------ the model


def _make(world: World, folder: Path, progress: Progress) -> None:
    began = time.monotonic()
    tokenizer = _tokenizer(world)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(world.plan.seed)
        model = _model(world.plan, tokenizer)
        loss = _train(model, world, progress)
    with quiet(), write_folder(folder, "models", folder.name) as draft:
        model.save_pretrained(draft.path)
        tokenizer.save_pretrained(draft.path)
        draft.settings = {
            "plan": world.plan.model_dump(),
            "loss": round(loss, 4),
            "seconds": round(time.monotonic() - began),
        }
        draft.counts = {"parameters": sum(p.numel() for p in model.parameters()), "words": len(world.vocabulary)}


def _tokenizer(world: World) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(world.vocabulary)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, unk_token=UNKNOWN, additional_special_tokens=[TURN],
        chat_template=TEMPLATE,
    )  # fmt: skip


def _model(plan: WorldPlan, tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=plan.hidden, intermediate_size=2 * plan.hidden,
        num_hidden_layers=plan.layers, num_attention_heads=4, num_key_value_heads=2, head_dim=plan.hidden // 4,
        max_position_embeddings=512, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return model


def _train(model: Qwen3ForCausalLM, world: World, progress: Progress) -> float:
    """Muon and AdamW with warm-up and a linear end on batches drawn afresh; returns the mean loss of the last tenth, nats a token."""
    plan, numbers = world.plan, {word: n for n, word in enumerate(world.vocabulary)}
    optimisers = _optimisers(model, plan)
    schedules = [torch.optim.lr_scheduler.LambdaLR(one, lambda step: _rate(step, plan.steps)) for one in optimisers]
    tail = max(plan.steps // 10, 1)
    drawn, losses = lessons(world), []
    model.train()
    for step in range(plan.steps):
        model.zero_grad()
        losses.append(_backward(model, [next(drawn) for _ in range(plan.batch)], numbers))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser, schedule in zip(optimisers, schedules, strict=True):
            optimiser.step()
            schedule.step()
        progress("steps of the world's training", step + 1, plan.steps)
    model.eval()
    return sum(losses[-tail:]) / tail


def _optimisers(model: Qwen3ForCausalLM, plan: WorldPlan) -> list[torch.optim.Optimizer]:
    """Muon (2502.16982) for matrices, AdamW for embeddings and norms: half the steps of AdamW alone (measured)."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=plan.matrix_rate, weight_decay=0.01),
        torch.optim.AdamW(others, lr=plan.learning_rate, weight_decay=0.0, betas=(0.9, 0.98)),
    ]


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate: up over a twentieth, level, down over the last 60%."""
    return min((step + 1) / (0.05 * steps), 1.0, max((steps - step) / (0.6 * steps), 0.02))


def _backward(model: Qwen3ForCausalLM, pairs: Sequence[Pair], numbers: dict[str, int]) -> float:
    """Gradients of the mean loss; rows of like length go through the model together, so that little is padding."""
    rows = sorted(pairs, key=lambda pair: sum(map(len, pair[0])) + len(pair[1]))
    tokens, total = sum(len(answer) + 1 for _, answer in rows), 0.0
    for start in range(0, len(rows), LIKE_ROWS):
        ids, labels = _batch(rows[start : start + LIKE_ROWS], numbers)
        hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        wanted = labels[:, 1:] >= 0
        logits = model.get_output_embeddings()(hidden[wanted])
        loss = functional.cross_entropy(logits, labels[:, 1:][wanted], reduction="sum") / tokens
        loss.backward()
        total += loss.item()
    return total


class _Batch(NamedTuple):
    ids: Tensor
    labels: Tensor


def _batch(pairs: Sequence[Pair], numbers: dict[str, int]) -> _Batch:
    """Token ids and labels, rows × longest; −1 where nothing is to be learnt."""
    rows = []
    for turns, answer in pairs:
        prompt = [numbers[word] for word in _chat_words(turns)]
        reply = [numbers[word] for word in (*answer, END)]
        rows.append((prompt + reply, [-1] * len(prompt) + reply))
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [numbers[PAD]] * (longest - len(ids)) for ids, _ in rows])
    return _Batch(ids, torch.tensor([labels + [-1] * (longest - len(labels)) for _, labels in rows]))


def _chat_words(turns: Sequence[Sequence[str]]) -> Iterator[str]:
    """The chat template in words; a text that stands alone begins after an end of turn, as the project scores it."""
    if not turns:
        yield END
        return
    for number, words in enumerate(turns):
        yield from (TURN, "user" if number % 2 == 0 else "assistant", *words, END)
    yield from (TURN, "assistant")
