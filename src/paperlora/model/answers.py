"""Answers and log-likelihoods of a base and its adapters, many prompts at a time.

What prompts share is computed once, answers that ended leave the batch, and equal questions are asked once. The order in
which questions are given changes nothing: they are sorted before they are put into batches, by slot and then by their
tokens, so that those that share most stand in one batch. No place is lost to their different lengths: packed prompts
aren't padded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from paperlora.model.bank import Bank
from paperlora.model.chat import render_example, render_prompt
from paperlora.model.generation import Caches, Choose, Generation, Recorder, Sampler, Sampling, greedy
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


class Responses(NamedTuple):
    """What came of questions and of texts, each in the order given."""

    answers: list[Answer]
    weighed: list[LogLik]


class _Question(NamedTuple):
    slot: int
    ids: tuple[int, ...]


class _Scored(NamedTuple):
    slot: int
    prompt: tuple[int, ...]
    text: tuple[int, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """The hidden state of a token scores the next one, so that a text's last token need not be computed."""
        return self.prompt + self.text[:-1]


class _Batch(NamedTuple):
    """Of neighbouring slots."""

    questions: list[_Question]
    scored: list[_Scored]


@torch.no_grad()
def respond(
    bank: Bank, asks: Sequence[Ask], items: Sequence[Continuation], *, max_new_tokens: int, batch_rows: int,
    progress: Progress = silent, sampling: Sampling | None = None,
) -> Responses:  # fmt: skip
    """Answers and log-likelihoods in one go: what a question and a weighed text begin with in common is computed once.

    Neither depends on the order, nor on what else is asked.

    Args:
        items: see :func:`log_likelihoods`.
        max_new_tokens: longest answer.
        batch_rows: most questions at once, and most texts; those of several slots share a batch.
        progress: told of answers and texts that are done.
        sampling: draw tokens, each question with a generator of its own; None for greedy answers.

    Raises:
        ModelUnavailable: a text is empty or doesn't survive the chat template.
    """
    prompts = functools.cache(
        lambda messages, thinking: render_prompt(bank.base.tokenizer, messages, thinking=thinking)
    )
    questions = [_Question(ask.slot, prompts(ask.messages, ask.thinking)) for ask in asks]
    scored = [_scored(bank, item) for item in items]
    every: set[_Question | _Scored] = {*questions, *scored}
    answers: dict[_Question, Answer] = {}
    weighed: dict[_Scored, LogLik] = {}
    for batch in _batches(sorted(every, key=_order), batch_rows):
        fresh, found = _respond_batch(bank, batch, max_new_tokens, sampling)
        answers |= zip(batch.questions, fresh, strict=True)
        weighed |= zip(batch.scored, found, strict=True)
        progress("answers" if answers else "log-likelihoods", len(answers) + len(weighed), len(every))
    return Responses([answers[one] for one in questions], [weighed[one] for one in scored])


def _order(one: _Question | _Scored) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """By slot, then by tokens: those that share most stand together."""
    return one.slot, one.ids, one.text if isinstance(one, _Scored) else ()


def _batches(items: Sequence[_Question | _Scored], size: int) -> Iterator[_Batch]:
    for part in in_portions(items, size, lambda one: isinstance(one, _Scored)):
        yield _Batch([one for one in part if isinstance(one, _Question)], [one for one in part if isinstance(one, _Scored)])


def in_portions(items: Sequence[T], size: int, second: Callable[[T], bool]) -> Iterator[list[T]]:
    """Neighbours together, at most ``size`` of the first and as many of the second kind."""
    part, counts = list[T](), [0, 0]
    for one in items:
        kind = int(second(one))
        if counts[kind] == size:
            yield part
            part, counts = [], [0, 0]
        part.append(one)
        counts[kind] += 1
    if part:
        yield part


def _respond_batch(bank: Bank, batch: _Batch, max_new_tokens: int, sampling: Sampling | None) -> Responses:
    room = max((len(one.ids) for one in batch.questions), default=0) + max_new_tokens
    read = [_read(bank, part, room) for part in _portions(batch, together=bank.batched)]
    weighed = [one for part in read for one in part.weighed]
    if not batch.questions:
        return Responses([], weighed)
    asked = [part.asked for part in read if part.asked is not None]
    choose: Choose = greedy if sampling is None else Sampler(sampling, [question.ids for question in batch.questions])
    tokens = choose(bank.logits(torch.cat([one.lasts for one in asked])), range(len(batch.questions)))
    caches = Caches.joined([one.caches for one in asked])
    run = Generation([question.slot for question in batch.questions], caches, choose)
    return Responses([_as_answer(bank, ids) for ids in run.finish(bank, tokens, max_new_tokens)], weighed)


def _portions(batch: _Batch, *, together: bool) -> list[_Batch]:
    """What is read in one pass. Slots share nothing: read one by one they give the same, and on a CPU what lies in memory
    at once stays small, which is faster; a GPU would rather have it all."""
    if together:
        return [batch]
    slots = sorted({one.slot for part in batch for one in part})
    return [
        _Batch([one for one in batch.questions if one.slot == slot], [one for one in batch.scored if one.slot == slot])
        for slot in slots
    ]


class _Asked(NamedTuple):
    """Questions that have been read."""

    lasts: Tensor
    """Hidden state of each one's last token."""
    caches: Caches


class _Read(NamedTuple):
    asked: _Asked | None
    """None where nothing is asked."""
    weighed: list[LogLik]


def _read(bank: Bank, batch: _Batch, room: int) -> _Read:
    trees = forest([(one.slot, one.ids) for part in batch for one in part])
    packed = pack(trees.blocks, bank.base.device)
    recorder = Recorder(packed) if batch.questions else None
    hidden = bank.hidden(packed, recorder)
    places = trees.places(packed)
    asked, texts = places[: len(batch.questions)], places[len(batch.questions) :]
    questions = None if recorder is None else _Asked(hidden[[own[-1] for own in asked]], recorder.caches(asked, room))
    return _Read(questions, _weigh(bank, batch.scored, texts, hidden))


def _weigh(bank: Bank, scored: Sequence[_Scored], places: Sequence[tuple[int, ...]], hidden: Tensor) -> list[LogLik]:
    if not scored:
        return []
    scoring = [place for own, one in zip(places, scored, strict=True) for place in own[-len(one.text) :]]
    targets = torch.tensor([token for one in scored for token in one.text], device=bank.base.device)
    losses = bank.token_losses(hidden[scoring], targets).split([len(one.text) for one in scored])
    return [LogLik(-float(part.double().sum()), len(part)) for part in losses]


# -------------------------------------------------------------------- answers


def answer(
    bank: Bank, asks: Sequence[Ask], *, max_new_tokens: int, batch_rows: int, progress: Progress = silent,
    sampling: Sampling | None = None,
) -> list[Answer]:  # fmt: skip
    """Answers alone: see :func:`respond`."""
    return respond(
        bank, asks, (), max_new_tokens=max_new_tokens, batch_rows=batch_rows, progress=progress, sampling=sampling
    ).answers


def _as_answer(bank: Bank, ids: list[int]) -> Answer:
    ended = bool(ids) and ids[-1] in bank.base.end_ids
    kept = ids[:-1] if ended else ids
    return Answer(bank.base.tokenizer.decode(kept, skip_special_tokens=True), ended, len(kept))


# ------------------------------------------------------------ log-likelihoods


def log_likelihoods(
    bank: Bank, items: Sequence[Continuation], *, batch_rows: int, progress: Progress = silent
) -> list[LogLik]:
    """Log-likelihood of each text after its prompt, in the order given; texts of one prompt share its computation.

    Raises:
        ModelUnavailable: a text is empty or doesn't survive the chat template.
    """
    return respond(bank, (), items, max_new_tokens=0, batch_rows=batch_rows, progress=progress).weighed


def _scored(bank: Bank, item: Continuation) -> _Scored:
    tokenizer = bank.base.tokenizer
    if not item.messages:
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        return _Scored(item.slot, (start,), tuple(tokenizer(item.text, add_special_tokens=False).input_ids))
    row = render_example(tokenizer, (*item.messages, Message(role="assistant", content=item.text)))
    return _Scored(item.slot, row.ids[: row.prompt_tokens], row.ids[row.prompt_tokens : -1])


@torch.no_grad()
def next_token_logits(bank: Bank, prompts: Sequence[tuple[Message, ...]], slot: int) -> Tensor:
    """Logits (prompts × vocabulary, float32) of the first token of the answer."""
    rows = [render_prompt(bank.base.tokenizer, prompt) for prompt in prompts]
    packed = pack([Block(row, slot) for row in rows], bank.base.device)
    lasts = [start + len(row) - 1 for start, row in zip(packed.starts, rows, strict=True)]
    return bank.logits(bank.hidden(packed)[lasts])
