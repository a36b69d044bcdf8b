"""Replay: the base's own answers to general prompts, asked once for each base and drawn for each paper.

An adapter that is trained on a few facts alone answers everything with them. Rows on which the base is right already pull
it back (2502.14502 measured the damage, self-distilled targets are the remedy of 2402.13669). Only answers that end by
themselves and pass the checks here are used; everything else is kept as a reject.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from paperlora.microdata.anchors import CLOSED, anchors_hash
from paperlora.microdata.pools import KNOWN_NAMES, KNOWN_NUMBERS, pools_hash
from paperlora.microdata.replay_pool import POOL, Prompt, pool_hash
from paperlora.model.scoring import kind_of, normalise, repeats_itself, score
from paperlora.progress import Progress, silent
from paperlora.records import BaseModelId, Message, Reject, Replay, digest
from paperlora.store import Store, read_jsonl, read_manifest, write_jsonl

if TYPE_CHECKING:
    from paperlora.model.answers import Answer, Sampling
    from paperlora.model.base import Base

VERSION = 4
"""Changes whenever the same base could be asked otherwise."""
KIND = "replays"
"""Of the store's folders."""
KNOWING, SHORT, THOUGHT = 24, 48, 384
"""Tokens of the longest answer that is waited for: to see whether a fact is known, to be replayed, after thinking."""
LONGEST_WORDS = 16
"""Of a replayed answer, thoughts apart. On SmolLM2 replay of answers up to 90 words kept the known facts and doubled the
drift of the likelihood of unrelated text; answers up to 16 words kept them and added none (docs/log.md)."""
TESTED = ("anchor", "locality")
"""Kinds of questions that are asked only to know whether the base knows: their answers are never trained on."""
BATCH_ROWS = 32
SEED = 20
LEAST_LETTERS = 0.5
"""Share of letters, digits and blanks below which an answer is no text."""


class Replays(NamedTuple):
    """What one base said."""

    key: str
    """Names the folder: base and prompts digested."""
    kept: tuple[Replay, ...]
    rejects: tuple[Reject, ...]


class _Round(NamedTuple):
    """Prompts that are asked in one way."""

    prompts: tuple[Prompt, ...]
    kind: Literal["anchor", "locality"] | None
    """Of questions that only test what the base knows."""
    tokens: int
    sampling: Sampling | None
    thinking: bool


def replays_key(base: BaseModelId) -> str:
    """Folder of a base's answers; its name decides nothing."""
    return digest(
        "replays", VERSION, pool_hash(), anchors_hash(), pools_hash(), base.weights_hash, base.template_hash, base.dtype
    )[:16]


def replays_of(base: Base, store: Store, progress: Progress = silent) -> Replays:
    """The base's answers: from the store, or asked now and put there."""
    key = replays_key(base.id)
    if not store.has(KIND, key):
        found = ask_base(base, progress)
        with store.writing(KIND, key) as draft:
            write_jsonl(draft.path / "replays.jsonl", found.kept)
            draft.settings = {"version": VERSION, "seed": SEED}
            draft.prompts, draft.models = {"pool": pool_hash()}, {"base": base.id.weights_hash}
            kinds = Counter("thinking" if one.thinking else one.kind for one in found.kept)
            draft.counts = {"asked": len(found.kept) + len(found.rejects), "kept": len(found.kept), **kinds}
            draft.rejects = list(found.rejects)
    uri = store.uri(KIND, key)
    return Replays(key, read_jsonl(store.fetch_file(uri, "replays.jsonl"), Replay), read_manifest(uri).rejects)


def ask_base(base: Base, progress: Progress = silent) -> Replays:
    """Ask the whole pool and the anchors: closed prompts greedily, open ones sampled, some with thinking on."""
    from paperlora.model.answers import Ask, answer
    from paperlora.model.bank import Bank, SlotInfo

    kept: list[Replay] = []
    rejects: list[Reject] = []
    with Bank(base, [SlotInfo(0, 0.0)]) as bank:
        for one in _rounds(base):
            asks = [Ask((Message(role="user", content=prompt.text),), 0, one.thinking) for prompt in one.prompts]
            said = answer(
                bank, asks, max_new_tokens=one.tokens, batch_rows=BATCH_ROWS, sampling=one.sampling, progress=progress
            )
            for prompt, text in zip(one.prompts, said, strict=True):
                fault = _unknown(prompt, text) if one.kind else fault_of(prompt, text, thinking=one.thinking)
                if fault:
                    rejects.append(_reject(prompt, f"{one.kind}_{fault}" if one.kind else fault, text.text))
                else:
                    kept.append(
                        Replay(
                            prompt=prompt.text,
                            kind=one.kind or prompt.kind,
                            answer=text.text.strip(),
                            thinking=one.thinking,
                        )
                    )
    return Replays(replays_key(base.id), tuple(kept), tuple(rejects))


def _rounds(base: Base) -> list[_Round]:
    """Sampling as the Qwen3 team advises: thinking .6/.95/20, otherwise .7/.8/20; closed prompts greedily."""
    from paperlora.model.answers import Sampling
    from paperlora.model.chat import can_think

    anchors = tuple(Prompt("fact", anchor.question, anchor.accepted) for anchor in CLOSED)
    neighbours = tuple(Prompt("fact", known.question, known.answers) for known in (*KNOWN_NUMBERS, *KNOWN_NAMES))
    rounds = [
        _Round(anchors, "anchor", KNOWING, None, False),
        _Round(neighbours, "locality", KNOWING, None, False),
        _Round(tuple(p for p in POOL if p.closed), None, SHORT, None, False),
        _Round(tuple(p for p in POOL if not p.closed), None, SHORT, Sampling(0.7, 0.8, 20, SEED), False),
    ]
    if can_think(base.tokenizer):
        thoughtful = tuple(p for p in POOL if p.thinks)
        rounds.append(_Round(thoughtful, None, THOUGHT, Sampling(0.6, 0.95, 20, SEED), True))
    return rounds


def _unknown(prompt: Prompt, said: Answer) -> str:
    return "unknown" if _is_wrong(prompt, said.text) else ""


def fault_of(prompt: Prompt, said: Answer, *, thinking: bool) -> str:
    """Why an answer is not replayed, as a word that can be counted; empty where it is."""
    thought, marked, text = said.text.rpartition("</think>")
    answer = text.strip()
    letters = sum(char.isalnum() or char.isspace() for char in said.text)
    faults = {
        "replay_unfinished": not said.ended,
        "replay_empty": not answer,
        "replay_thinks": bool(marked) != thinking or "<think" in text or (thinking and "<think" not in thought),
        "replay_garbled": "\ufffd" in said.text or letters < LEAST_LETTERS * len(said.text),
        "replay_long": len(answer.split()) > LONGEST_WORDS,
        "replay_loops": repeats_itself(said.text),
        "replay_echo": normalise(answer) == normalise(prompt.text),
        "replay_wrong": _is_wrong(prompt, answer),
    }
    return next((name for name, holds in faults.items() if holds), "")


def _is_wrong(prompt: Prompt, answer: str) -> bool:
    right = not prompt.closed or score(answer, prompt.answers, kind_of(prompt.answers), question=prompt.text)
    return not right


def _reject(prompt: Prompt, reason: str, text: str) -> Reject:
    return Reject(stage="distill", item=f"replay:{prompt.text}", reason=reason, detail=" ".join(text.split())[:200])


def draw(replays: Sequence[Replay], count: int, seed: int) -> tuple[Replay, ...]:
    """So many of them, fewer where there are not enough, every kind in turn; another seed draws others."""
    kinds: dict[str, list[Replay]] = defaultdict(list)
    for one in replays:
        if one.kind not in TESTED:
            kinds["thinking" if one.thinking else one.kind].append(one)
    shuffle = random.Random(seed)
    piles = [shuffle.sample(pile, len(pile)) for _, pile in sorted(kinds.items())]
    # The n-th of a pile of m stands at (n + ½) / m: piles are used up evenly, so that the mix is that of the pool.
    placed = [((n + 0.5) / len(pile), one) for pile in piles for n, one in enumerate(pile)]
    placed.sort(key=lambda pair: pair[0])
    return tuple(one for _, one in placed[:count])


def known(replays: Sequence[Replay], kind: Literal["anchor", "locality"]) -> frozenset[str]:
    """Questions of a tested pool that the base answers rightly."""
    return frozenset(one.prompt for one in replays if one.kind == kind)
