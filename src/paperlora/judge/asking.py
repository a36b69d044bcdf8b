"""Asking many models many questions in one model load, and never the same question twice.

Answers are kept by the hashes of weights and question, so that a judgement that was killed goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

from paperlora.model.answers import Answer, Ask, Continuation, LogLik, Sampling, answer, log_likelihoods
from paperlora.model.bank import Bank
from paperlora.progress import Progress
from paperlora.records import Message, digest

BATCHES_A_CHUNK = 8
"""Batches between two writes of the answers to disk: what a kill can cost."""
FILE = "answers.jsonl"
WEIGHED = "likelihoods.jsonl"


class Question(NamedTuple):
    """Something asked of one slot of the bank."""

    slot: int
    messages: tuple[Message, ...]


class Manner(NamedTuple):
    """How answers come."""

    max_new_tokens: int
    thinking: bool = False
    """Let the model think first, where its template can turn that on."""
    sampling: Sampling | None = None
    """None: greedy."""


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
        self.bank, self.weights, self._file = bank, tuple(weights), work / FILE
        self._max_new_tokens, self._batch_rows, self._progress = max_new_tokens, batch_rows, progress
        self._known = {key: Answer(*cells) for key, *cells in _read(self._file)}
        self._weighed_file = work / WEIGHED
        self._weighed = {key: LogLik(*cells) for key, *cells in _read(self._weighed_file)}

    def on(self, bank: Bank, weights: Sequence[str]) -> Asker:
        """The same memory before another bank on the same base.

        Args:
            weights: as in :meth:`__init__`, for that bank's slots.
        """
        other = copy(self)
        other.bank, other.weights = bank, tuple(weights)
        return other

    def ask(
        self, questions: Sequence[Question], label: str = "answers", manner: Manner | None = None
    ) -> list[Answer]:
        """Answers, in the order of the questions; short greedy ones without a thought where no manner is given."""
        keys = [self._key(question, manner) for question in questions]
        missing = {key: question for key, question in zip(keys, questions, strict=True) if key not in self._known}
        todo = sorted(missing.items(), key=lambda pair: (pair[1].slot, _wording(pair[1].messages)))
        size, total = BATCHES_A_CHUNK * self._batch_rows, len(set(keys))
        self._progress(label, total - len(todo), total)
        for start in range(0, len(todo), size):
            chunk = todo[start : start + size]
            self._remember([key for key, _ in chunk], self.ask_afresh([question for _, question in chunk], manner=manner))
            self._progress(label, total - len(todo) + start + len(chunk), total)
        return [self._known[key] for key in keys]

    def weigh(self, texts: Sequence[Continuation]) -> list[LogLik]:
        """Log-likelihoods of texts after their prompts, in the order given; kept as answers are."""
        keys = [digest(self._key(Question(one.slot, one.messages)), one.text) for one in texts]
        missing = {key: one for key, one in zip(keys, texts, strict=True) if key not in self._weighed}
        todo = sorted(missing.items(), key=lambda pair: (pair[1].slot, _wording(pair[1].messages), pair[1].text))
        size = BATCHES_A_CHUNK * self._batch_rows
        for start in range(0, len(todo), size):
            chunk = todo[start : start + size]
            found = log_likelihoods(self.bank, [one for _, one in chunk], batch_rows=self._batch_rows)
            with self._weighed_file.open("a", encoding="utf-8") as file:
                for (key, _), one in zip(chunk, found, strict=True):
                    self._weighed[key] = one
                    file.write(json.dumps([key, *one]) + "\n")
            self._progress("answers weighed", start + len(chunk), len(todo))
        return [self._weighed[key] for key in keys]

    def ask_afresh(
        self, questions: Sequence[Question], batch_rows: int | None = None, manner: Manner | None = None
    ) -> list[Answer]:
        """Answers computed now, whatever is remembered, and not kept."""
        how = manner or Manner(self._max_new_tokens)
        asks = [Ask(question.messages, question.slot, how.thinking) for question in questions]
        return answer(
            self.bank, asks, max_new_tokens=how.max_new_tokens, batch_rows=batch_rows or self._batch_rows,
            sampling=how.sampling,
        )  # fmt: skip

    def _key(self, question: Question, manner: Manner | None = None) -> str:
        said = [[message.role, message.content] for message in question.messages]
        how = (self._max_new_tokens,) if manner is None else manner
        return digest(self.weights[question.slot], said, *how)

    def _remember(self, keys: Sequence[str], answers: Sequence[Answer]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            for key, one in zip(keys, answers, strict=True):
                self._known[key] = one
                file.write(json.dumps([key, *one]) + "\n")


def _wording(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """In this order questions that begin alike stand together, so that a chunk computes what they share once."""
    return [(message.role, message.content) for message in messages]


def _read(file: Path) -> list[list[Any]]:
    """Remembered lines; the one that a kill cut off is not one."""
    if not file.exists():
        return []
    lines = file.read_bytes().split(b"\n")
    if lines[-1]:
        file.write_bytes(b"\n".join(lines[:-1]) + b"\n" if len(lines) > 1 else b"")
    return [json.loads(line) for line in lines[:-1] if line]
