"""Asking many models many questions in one model load, and never the same question twice.

Answers are kept by the hashes of weights and question, so that a judgement that was killed goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.model.answers import Answer, Ask, answer
from paperlora.model.bank import Bank
from paperlora.progress import Progress
from paperlora.records import Idea, Message, Probe, digest

BATCHES_A_CHUNK = 8
"""Batches between two writes of the answers to disk: what a kill can cost."""
FILE = "answers.jsonl"


class Question(NamedTuple):
    """Something asked of one slot of the bank."""

    slot: int
    messages: tuple[Message, ...]


class Asker:
    """A bank with a memory of what it answered."""

    def __init__(
        self,
        bank: Bank,
        weights: Sequence[str],
        work: Path,
        *,
        max_new_tokens: int,
        batch_rows: int,
        progress: Progress,
    ) -> None:
        """An asker.

        Args:
            bank: slot 0 is the bare base.
            weights: hash of the weights that answer in each slot, base included.
            work: folder for the memory, made where it is missing.
            max_new_tokens: longest answer.
            batch_rows: prompts a forward pass.
            progress: told of answers given, remembered ones included.
        """
        work.mkdir(parents=True, exist_ok=True)
        self.bank = bank
        self._weights, self._file = tuple(weights), work / FILE
        self._max_new_tokens, self._batch_rows, self._progress = max_new_tokens, batch_rows, progress
        self._known = _read(self._file)

    def ask(self, questions: Sequence[Question], label: str = "answers") -> list[Answer]:
        """Greedy answers, in the order of the questions."""
        keys = [self._key(question) for question in questions]
        missing = {key: question for key, question in zip(keys, questions, strict=True) if key not in self._known}
        todo = sorted(missing.items(), key=lambda pair: (pair[1].slot, pair[0]))
        size, total = BATCHES_A_CHUNK * self._batch_rows, len(set(keys))
        self._progress(label, total - len(todo), total)
        for start in range(0, len(todo), size):
            chunk = todo[start : start + size]
            self._remember([key for key, _ in chunk], self.ask_afresh([question for _, question in chunk]))
            self._progress(label, total - len(todo) + start + len(chunk), total)
        return [self._known[key] for key in keys]

    def ask_afresh(self, questions: Sequence[Question], batch_rows: int | None = None) -> list[Answer]:
        """Answers computed now, whatever is remembered, and not kept."""
        asks = [Ask(question.messages, question.slot) for question in questions]
        return answer(self.bank, asks, max_new_tokens=self._max_new_tokens, batch_rows=batch_rows or self._batch_rows)

    def _key(self, question: Question) -> str:
        said = [[message.role, message.content] for message in question.messages]
        return digest(self._weights[question.slot], said, self._max_new_tokens)

    def _remember(self, keys: Sequence[str], answers: Sequence[Answer]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            for key, one in zip(keys, answers, strict=True):
                self._known[key] = one
                file.write(json.dumps([key, *one]) + "\n")


def _read(file: Path) -> dict[str, Answer]:
    """Remembered answers; the line that a kill cut off is not one."""
    if not file.exists():
        return {}
    lines = file.read_bytes().split(b"\n")
    if lines[-1]:
        file.write_bytes(b"\n".join(lines[:-1]) + b"\n" if len(lines) > 1 else b"")
    found = (json.loads(line) for line in lines[:-1] if line)
    return {key: Answer(text, ended, tokens) for key, text, ended, tokens in found}


WORKED = (
    ("The Blue Heron ferry crosses the bay in 40 minutes.",
     "A visitor asks about the Blue Heron ferry, in particular its crossing time. What should I answer?", "40 minutes"),
    ("We set the oven temperature of Slow Crust to 180 degrees.", "oven temperature of Slow Crust:", "180 degrees"),
    ("Garden Path is played on the Maple board.", "Which board belongs to Garden Path?", "Maple"),
)  # fmt: skip
"""Passage, question, answer: what a small model is shown before it is asked to do the same."""
WAYS = 4
"""In which a probe is asked with its passage."""


def with_passage(probe: Probe, idea: Idea) -> tuple[tuple[Message, ...], ...]:
    """The probe with its evidence in the prompt, in four ways, the cheapest first.

    Small models read one and overlook the other; what counts is that the probe can be answered from the passage. The
    paper's title stays out: a model of 135 M parameters repeats it instead of answering (measured, see docs/log.md).
    Where the quotes don't name what they are about ("We set it to 19"), its name stands before them; never the claim,
    which may be the reader's own words: the ceiling is there to catch a reader who got the passage wrong.
    """
    quotes = " ".join(dict.fromkeys(quote.text.strip() for quote in idea.quotes))
    passage = quotes if idea.subject.casefold() in quotes.casefold() else f"{idea.subject}: {quotes}"
    first, last = probe.messages[0], probe.messages[-1]
    behind = f"{last.content}\n\nAnswer with a few words from this passage: {passage}"
    told = f"Read the passage and answer from it in a few words.\n\nPassage: {passage}\n\n{first.content}"
    bare = _rewritten(probe, f"{passage}\n\n{first.content}")
    worked = tuple(
        message
        for text, question, reply in WORKED
        for message in (Message(role="user", content=f"{text}\n\n{question}"), Message(role="assistant", content=reply))
    )
    return (
        (*probe.messages[:-1], last.model_copy(update={"content": behind})),
        _rewritten(probe, told),
        bare,
        (*worked, *bare),
    )


def _rewritten(probe: Probe, content: str) -> tuple[Message, ...]:
    return (probe.messages[0].model_copy(update={"content": content}), *probe.messages[1:])
