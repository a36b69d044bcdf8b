"""Answers and log-likelihoods of a base and its adapters, many prompts at a time.

What prompts share is computed once, answers that ended leave the batch, and equal questions are asked once. The order in
which questions are given changes nothing: they are sorted before they are put into batches.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from paperlora.model.bank import Bank
from paperlora.model.chat import render_example, render_prompt
from paperlora.model.packing import Block, Packed, Segment, pack
from paperlora.progress import Progress, silent
from paperlora.records import Message, digest

T = TypeVar("T")
COMPACT_BELOW = 0.8
"""Share of rows still running below which the others leave the caches; moving the caches costs a little, too."""


class Ask(NamedTuple):
    """A question to one slot of a bank."""

    messages: tuple[Message, ...]
    slot: int
    thinking: bool = False
    """Let the model think first, where its template can turn that off."""


class Sampling(NamedTuple):
    """How tokens are drawn: top-k first, then the nucleus, as Hugging Face does it."""

    temperature: float
    top_p: float
    top_k: int
    seed: int


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
    length: int
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
    rendered = [(ask.slot, prompts(ask.messages, ask.thinking)) for ask in asks]
    questions = [_Question(slot, len(ids), ids) for slot, ids in rendered]
    unique = sorted(set(questions))
    shared = shared_prefix([question.ids for question in unique])
    found: dict[_Question, Answer] = {}
    for batch in _batches(unique, batch_rows):
        found |= zip(batch, _answer_batch(bank, batch, shared, max_new_tokens, sampling), strict=True)
        progress("answers", len(found), len(unique))
    return [found[question] for question in questions]


def _answer_batch(
    bank: Bank, batch: Sequence[_Question], shared: int, max_new_tokens: int, sampling: Sampling | None
) -> list[Answer]:
    blocks = list(_roots([question.slot for question in batch], batch[0].ids[:shared]))
    parents = {block.slot: index for index, block in enumerate(blocks)}
    first = len(blocks)
    blocks += [Block(question.ids[shared:], question.slot, parents.get(question.slot)) for question in batch]
    packed = pack(blocks, bank.base.device)
    recorder = _Recorder(packed)
    hidden = bank.hidden(packed, recorder)
    lasts = [packed.starts[first + row] + len(question.ids) - shared - 1 for row, question in enumerate(batch)]
    choose: _Choose = _greedy if sampling is None else _Sampler(sampling, batch)
    tokens = choose(bank.logits(hidden[lasts]), range(len(batch)))
    places = [
        (*packed.contexts[first + row], *range(packed.starts[first + row], last + 1)) for row, last in enumerate(lasts)
    ]
    run = _Generation([question.slot for question in batch], recorder.caches(places, max_new_tokens), choose)
    return [_as_answer(bank, ids, max_new_tokens) for ids in run.finish(bank, tokens, max_new_tokens)]


def _as_answer(bank: Bank, ids: list[int], max_new_tokens: int) -> Answer:
    ended = bool(ids) and ids[-1] in bank.base.end_ids
    kept = ids[:-1] if ended else ids
    return Answer(bank.base.tokenizer.decode(kept, skip_special_tokens=True), ended, len(kept))


class _Choose(Protocol):
    """Picks each row's next token."""

    def __call__(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        """Tokens (n) of logits (n × vocabulary); ``rows`` says which questions of the batch they belong to."""
        ...


def _greedy(logits: Tensor, rows: Sequence[int]) -> Tensor:
    return logits.argmax(dim=-1)


class _Sampler:
    """Draws tokens; what a question gets depends on the seed and its own text alone, not on its neighbours."""

    def __init__(self, sampling: Sampling, questions: Sequence[_Question]) -> None:
        self._sampling = sampling
        self._generators = [
            torch.Generator().manual_seed(int(digest(sampling.seed, question.ids)[:15], 16)) for question in questions
        ]

    def __call__(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        best = logits.float().cpu().div(self._sampling.temperature).topk(self._sampling.top_k, dim=-1)
        shares = best.values.softmax(dim=-1)
        # A token stays while those before it have not reached top-p yet: the first one always does.
        shares = shares.where(shares.cumsum(dim=-1) - shares < self._sampling.top_p, 0.0)
        drawn = [torch.multinomial(share, 1, generator=self._generators[row]) for share, row in zip(shares, rows, strict=True)]
        return best.indices.gather(1, torch.stack(drawn)).squeeze(1).to(logits.device)


class _Recorder:
    """Packed attention that keeps every layer's keys and values."""

    def __init__(self, packed: Packed) -> None:
        self._packed, self._kept = packed, dict[int, tuple[Tensor, Tensor]]()

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        self._kept[layer] = (key, value)
        return self._packed.attend(layer, query, key, value, scaling)

    def caches(self, places: Sequence[Sequence[int]], room: int) -> _Caches:
        """Rows of keys and values, each with its whole text, and room for more tokens."""
        longest, device = max(map(len, places)) + room, self._packed.ids.device
        index = torch.tensor([[*row, *[row[0]] * (longest - len(row))] for row in places], device=device)
        keys, values = (
            {
                layer: kept[part]
                .index_select(0, index.view(-1))
                .view(*index.shape, *kept[part].shape[1:])
                .transpose(1, 2)
                for layer, kept in self._kept.items()
            }
            for part in (0, 1)
        )
        return _Caches(keys, values, torch.tensor([len(row) for row in places], device=device))


class _Caches:
    """Keys and values of running answers; also how their newest tokens see what came before."""

    def __init__(self, keys: dict[int, Tensor], values: dict[int, Tensor], lengths: Tensor) -> None:
        self.keys, self.values, self.lengths = keys, values, lengths

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """See :class:`paperlora.model.packing.Attend`; one token a row."""
        keys, values = self.keys[layer], self.values[layer]
        rows = torch.arange(len(query), device=query.device)
        keys[rows, :, self.lengths] = key
        values[rows, :, self.lengths] = value
        longest = int(self.lengths.max()) + 1
        seen = torch.arange(longest, device=query.device) <= self.lengths[:, None]
        out = functional.scaled_dot_product_attention(
            query[:, :, None], keys[:, :, :longest], values[:, :, :longest], attn_mask=seen[:, None, None], scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )  # fmt: skip
        return out[:, :, 0]

    def keep(self, rows: Tensor) -> None:
        """Forget all other rows."""
        self.lengths = self.lengths[rows]
        for layer in self.keys:
            self.keys[layer], self.values[layer] = self.keys[layer][rows], self.values[layer][rows]


class _Generation:
    """Rows of one batch while they are being answered."""

    def __init__(self, slots: Sequence[int], caches: _Caches, choose: _Choose) -> None:
        self._slots, self._caches, self._choose = list(slots), caches, choose
        self._ids: list[list[int]] = [[] for _ in slots]
        self._rows = list(range(len(slots)))
        """Which answer each row of the caches belongs to."""

    def finish(self, bank: Bank, tokens: Tensor, max_new_tokens: int) -> list[list[int]]:
        """Token ids of every answer, the ending token included."""
        while self._take(bank, tokens, max_new_tokens):
            tokens = self._next(bank, tokens)
        return self._ids

    def _take(self, bank: Bank, tokens: Tensor, max_new_tokens: int) -> bool:
        """Add each row's new token; False when no row goes on."""
        for row, token in zip(self._rows, tokens.tolist(), strict=True):
            if self._goes_on(row, bank, max_new_tokens):
                self._ids[row].append(token)
        return any(self._goes_on(row, bank, max_new_tokens) for row in self._rows)

    def _goes_on(self, row: int, bank: Bank, max_new_tokens: int) -> bool:
        ids = self._ids[row]
        return len(ids) < max_new_tokens and not (ids and ids[-1] in bank.base.end_ids)

    def _next(self, bank: Bank, tokens: Tensor) -> Tensor:
        going = [
            index
            for index, row in enumerate(self._rows)
            if not self._ids[row] or self._ids[row][-1] not in bank.base.end_ids
        ]
        if len(going) < COMPACT_BELOW * len(self._rows):
            kept = torch.tensor(going, device=tokens.device)
            tokens, self._rows = tokens[kept], [self._rows[index] for index in going]
            self._caches.keep(kept)
        step = Packed(
            tokens[None], self._caches.lengths[None], (), _segments([self._slots[row] for row in self._rows]), (),
            tokens[:0], (),
        )  # fmt: skip
        hidden = bank.hidden(step, self._caches)
        self._caches.lengths = self._caches.lengths + 1
        return self._choose(bank.logits(hidden), self._rows)


def _segments(slots: Sequence[int]) -> tuple[Segment, ...]:
    starts = [index for index in range(len(slots)) if index == 0 or slots[index] != slots[index - 1]]
    return tuple(
        Segment(slots[start], start, end) for start, end in zip(starts, [*starts[1:], len(slots)], strict=True)
    )


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
    unique = sorted(set(scored), key=lambda one: (one.slot, len(one.prompt), one))
    shared = shared_prefix([one.prompt for one in unique])
    found: dict[_Scored, LogLik] = {}
    for batch in _batches(unique, batch_rows):
        found |= zip(batch, _score_batch(bank, batch, shared), strict=True)
        progress("log-likelihoods", len(found), len(unique))
    return [found[one] for one in scored]


def _scored(bank: Bank, item: Continuation) -> _Scored:
    tokenizer = bank.base.tokenizer
    if not item.messages:
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        return _Scored(item.slot, (start,), tuple(tokenizer(item.text, add_special_tokens=False).input_ids))
    row = render_example(tokenizer, (*item.messages, Message(role="assistant", content=item.text)))
    return _Scored(item.slot, row.ids[: row.prompt_tokens], row.ids[row.prompt_tokens : -1])


def _score_batch(bank: Bank, batch: Sequence[_Scored], shared: int) -> list[LogLik]:
    blocks = list(_roots([one.slot for one in batch], batch[0].prompt[:shared]))
    roots = {block.slot: index for index, block in enumerate(blocks)}
    prompts: dict[tuple[int, tuple[int, ...]], int] = {}
    ends: list[tuple[int, int | None]] = []
    for one in batch:
        if (one.slot, one.prompt) not in prompts:
            prompts[one.slot, one.prompt] = len(blocks)
            blocks.append(Block(one.prompt[shared:], one.slot, roots.get(one.slot)))
        parent = prompts[one.slot, one.prompt]
        ends.append((parent, len(blocks) if len(one.text) > 1 else None))
        if len(one.text) > 1:
            blocks.append(Block(one.text[:-1], one.slot, parent))
    packed = pack(blocks, bank.base.device)
    places = [
        [packed.starts[prompt] + len(blocks[prompt].ids) - 1]
        + ([] if own is None else list(range(packed.starts[own], packed.starts[own] + len(blocks[own].ids))))
        for prompt, own in ends
    ]
    hidden = bank.hidden(packed)[[place for row in places for place in row]]
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


# -------------------------------------------------------------------- sharing


def _roots(slots: Sequence[int], ids: tuple[int, ...]) -> Iterator[Block]:
    """One block a slot for what all its prompts begin with."""
    for slot in sorted(set(slots)) if ids else ():
        yield Block(ids, slot)


def shared_prefix(texts: Sequence[tuple[int, ...]]) -> int:
    """Tokens that all texts begin with; at least one token of each text is left over."""
    if not texts:
        return 0
    pairs = zip(min(texts), max(texts), strict=False)
    shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return min(shared, min(map(len, texts)) - 1)


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
