"""Asking many models many questions in one model load, and never the same question twice.

Answers are kept by the hashes of weights and question, so that a judgement that was killed goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

from paperlora.model.answers import Answer, Ask, Continuation, LogLik, Responses, Sampling, in_portions, respond
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
        self, questions: Sequence[Question], label: str = "answers", manner: Manner | None = None,
        beside: Sequence[Continuation] = (),
    ) -> list[Answer]:  # fmt: skip
        """Answers, in the order of the questions; short greedy ones without a thought where no manner is given.

        Args:
            beside: texts that :meth:`weigh` will be asked for next. They are weighed in the same passes, in which what
                they begin with in common with the questions is computed once.
        """
        keys = [self._key(question, manner) for question in questions]
        todo = [_Job(key, one, None) for key, one in zip(keys, questions, strict=True) if key not in self._known]
        remembered = len({key for key in keys if key in self._known})
        self._work([*todo, *self._unweighed(beside)], label, manner, remembered)
        return [self._known[key] for key in keys]

    def weigh(self, texts: Sequence[Continuation]) -> list[LogLik]:
        """Log-likelihoods of texts after their prompts, in the order given; kept as answers are."""
        self._work(self._unweighed(texts), "answers weighed", None, 0)
        return [self._weighed[self._text_key(one)] for one in texts]

    def _unweighed(self, texts: Sequence[Continuation]) -> list[_Job]:
        keys = [self._text_key(one) for one in texts]
        return [
            _Job(key, Question(one.slot, one.messages), one.text)
            for key, one in zip(keys, texts, strict=True)
            if key not in self._weighed
        ]

    def _work(self, jobs: Sequence[_Job], label: str, manner: Manner | None, remembered: int) -> None:
        """Do what is missing, chunk by chunk, each of which is remembered; progress counts what was remembered before."""
        todo = sorted({(job.key, job.text is None): job for job in jobs}.values(), key=_order)
        done, total = remembered, remembered + len(todo)
        self._progress(label, done, total)
        for chunk in in_portions(todo, BATCHES_A_CHUNK * self._batch_rows, lambda job: job.text is not None):
            asked, weighed = ([job for job in chunk if (job.text is None) == free] for free in (True, False))
            texts = [Continuation(job.question.messages, job.text or "", job.question.slot) for job in weighed]
            found = self._respond([job.question for job in asked], texts, manner)
            self._remember([job.key for job in asked], found.answers)
            self._remember_weighed([job.key for job in weighed], found.weighed)
            done += len(chunk)
            self._progress(label, done, total)

    def ask_afresh(
        self, questions: Sequence[Question], batch_rows: int | None = None, manner: Manner | None = None
    ) -> list[Answer]:
        """Answers computed now, whatever is remembered, and not kept."""
        return self._respond(questions, (), manner, batch_rows).answers

    def _respond(
        self, questions: Sequence[Question], texts: Sequence[Continuation], manner: Manner | None,
        batch_rows: int | None = None,
    ) -> Responses:  # fmt: skip
        how = manner or Manner(self._max_new_tokens)
        asks = [Ask(question.messages, question.slot, how.thinking) for question in questions]
        return respond(
            self.bank, asks, texts, max_new_tokens=how.max_new_tokens, batch_rows=batch_rows or self._batch_rows,
            sampling=how.sampling,
        )  # fmt: skip

    def _key(self, question: Question, manner: Manner | None = None) -> str:
        said = [[message.role, message.content] for message in question.messages]
        how = (self._max_new_tokens,) if manner is None else manner
        return digest(self.weights[question.slot], said, *how)

    def _text_key(self, one: Continuation) -> str:
        return digest(self._key(Question(one.slot, one.messages)), one.text)

    def _remember(self, keys: Sequence[str], answers: Sequence[Answer]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            for key, one in zip(keys, answers, strict=True):
                self._known[key] = one
                file.write(json.dumps([key, *one]) + "\n")

    def _remember_weighed(self, keys: Sequence[str], found: Sequence[LogLik]) -> None:
        with self._weighed_file.open("a", encoding="utf-8") as file:
            for key, one in zip(keys, found, strict=True):
                self._weighed[key] = one
                file.write(json.dumps([key, *one]) + "\n")


class _Job(NamedTuple):
    """Something that isn't remembered yet."""

    key: str
    question: Question
    text: str | None
    """To be weighed after the question; None where it is to be answered."""


def _order(job: _Job) -> tuple[int, list[tuple[str, str]], str]:
    """In this order what begins alike stands together, so that a chunk computes it once."""
    return job.question.slot, [(message.role, message.content) for message in job.question.messages], job.text or ""


def _read(file: Path) -> list[list[Any]]:
    """Remembered lines; the one that a kill cut off is not one."""
    if not file.exists():
        return []
    lines = file.read_bytes().split(b"\n")
    if lines[-1]:
        file.write_bytes(b"\n".join(lines[:-1]) + b"\n" if len(lines) > 1 else b"")
    return [json.loads(line) for line in lines[:-1] if line]
