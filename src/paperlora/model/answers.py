"""Answers and log-likelihoods of a base and its adapters, many prompts at a time.

What prompts share is computed once, answers that ended leave the batch, and equal questions are asked once. The order in
which questions are given changes nothing: they are sorted before they are put into batches, by slot and then by their
tokens, so that those that share most stand in one batch. No place is lost to their different lengths: packed prompts
aren't padded.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from paperlora.model.bank import Bank
from paperlora.model.chat import render_example, render_prompt
from paperlora.model.generation import Choose, Generation, Recorder, Sampler, Sampling, greedy
from paperlora.model.packing import Block, pack
from paperlora.model.sharing import forest
from paperlora.progress import Progress, silent
from paperlora.records import Message

T = TypeVar("T")


class Ask(NamedTuple):
    """A question to one slot of a bank."""

    messages: tuple[Message, ...]
    slot: int
    thinking: bool = False
    """Let the model think first, where its template can turn that off."""


class Answer(NamedTuple):
    """What came."""

    text: str
    ended: bool
    """By itself, not at the token limit."""
    tokens: int
    """Tokens of the text, without the one that ended it."""


class Continuation(NamedTuple):
    """A text to be scored after a prompt."""

    messages: tuple[Message, ...]
    """The prompt; empty for a text that stands alone."""
    text: str
    slot: int


class LogLik(NamedTuple):
    """Log-likelihood of a text."""

    total: float
    """Nats, over its tokens (without the end of the turn)."""
    tokens: int

    @property
    def per_token(self) -> float:
        """Nats a token."""
        return self.total / self.tokens


class _Question(NamedTuple):
    slot: int
    ids: tuple[int, ...]


class _Scored(NamedTuple):
    slot: int
    prompt: tuple[int, ...]
    text: tuple[int, ...]


# -------------------------------------------------------------------- answers


@torch.no_grad()
def answer(
    bank: Bank, asks: Sequence[Ask], *, max_new_tokens: int, batch_rows: int, progress: Progress = silent,
    sampling: Sampling | None = None,
) -> list[Answer]:  # fmt: skip
    """Answers, in the order of the questions; the same ones whatever that order is.

    Args:
        max_new_tokens: longest answer.
        batch_rows: most questions at once; questions to several slots share a batch.
        sampling: draw tokens, each question with a generator of its own; None for greedy answers.
    """
    prompts = functools.cache(
        lambda messages, thinking: render_prompt(bank.base.tokenizer, messages, thinking=thinking)
    )
    questions = [_Question(ask.slot, prompts(ask.messages, ask.thinking)) for ask in asks]
    unique = sorted(set(questions))
    found: dict[_Question, Answer] = {}
    for batch in _batches(unique, batch_rows):
        found |= zip(batch, _answer_batch(bank, batch, max_new_tokens, sampling), strict=True)
        progress("answers", len(found), len(unique))
    return [found[question] for question in questions]


def _answer_batch(
    bank: Bank, batch: Sequence[_Question], max_new_tokens: int, sampling: Sampling | None
) -> list[Answer]:
    trees = forest(batch)
    packed = pack(trees.blocks, bank.base.device)
    recorder = Recorder(packed)
    hidden = bank.hidden(packed, recorder)
    places = trees.places(packed)
    choose: Choose = greedy if sampling is None else Sampler(sampling, [question.ids for question in batch])
    tokens = choose(bank.logits(hidden[[own[-1] for own in places]]), range(len(batch)))
    run = Generation([question.slot for question in batch], recorder.caches(places, max_new_tokens), choose)
    return [_as_answer(bank, ids, max_new_tokens) for ids in run.finish(bank, tokens, max_new_tokens)]


def _as_answer(bank: Bank, ids: list[int], max_new_tokens: int) -> Answer:
    ended = bool(ids) and ids[-1] in bank.base.end_ids
    kept = ids[:-1] if ended else ids
    return Answer(bank.base.tokenizer.decode(kept, skip_special_tokens=True), ended, len(kept))


# ------------------------------------------------------------ log-likelihoods


@torch.no_grad()
def log_likelihoods(
    bank: Bank, items: Sequence[Continuation], *, batch_rows: int, progress: Progress = silent
) -> list[LogLik]:
    """Log-likelihood of each text after its prompt, in the order given; texts of one prompt share its computation.

    Raises:
        ModelUnavailable: a text is empty or doesn't survive the chat template.
    """
    scored = [_scored(bank, item) for item in items]
    unique = sorted(set(scored))
    found: dict[_Scored, LogLik] = {}
    for batch in _batches(unique, batch_rows):
        found |= zip(batch, _score_batch(bank, batch), strict=True)
        progress("log-likelihoods", len(found), len(unique))
    return [found[one] for one in scored]


def _scored(bank: Bank, item: Continuation) -> _Scored:
    tokenizer = bank.base.tokenizer
    if not item.messages:
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        return _Scored(item.slot, (start,), tuple(tokenizer(item.text, add_special_tokens=False).input_ids))
    row = render_example(tokenizer, (*item.messages, Message(role="assistant", content=item.text)))
    return _Scored(item.slot, row.ids[: row.prompt_tokens], row.ids[row.prompt_tokens : -1])


def _score_batch(bank: Bank, batch: Sequence[_Scored]) -> list[LogLik]:
    """The hidden state of a token scores the next one, so that a text's last token need not be computed."""
    trees = forest([(one.slot, one.prompt + one.text[:-1]) for one in batch])
    packed = pack(trees.blocks, bank.base.device)
    scoring = [own[-len(one.text) :] for own, one in zip(trees.places(packed), batch, strict=True)]
    hidden = bank.hidden(packed)[[place for row in scoring for place in row]]
    targets = torch.tensor([token for one in batch for token in one.text], device=bank.base.device)
    losses = bank.token_losses(hidden, targets).split([len(one.text) for one in batch])
    return [LogLik(-float(part.double().sum()), len(part)) for part in losses]


@torch.no_grad()
def next_token_logits(bank: Bank, prompts: Sequence[tuple[Message, ...]], slot: int) -> Tensor:
    """Logits (prompts × vocabulary, float32) of the first token of the answer."""
    rows = [render_prompt(bank.base.tokenizer, prompt) for prompt in prompts]
    packed = pack([Block(row, slot) for row in rows], bank.base.device)
    lasts = [start + len(row) - 1 for start, row in zip(packed.starts, rows, strict=True)]
    return bank.logits(bank.hidden(packed)[lasts])


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
