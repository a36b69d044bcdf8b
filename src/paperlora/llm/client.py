"""One client for any OpenAI-compatible endpoint: structured answers, kept answers, counted money.

Questions of one call, and of all callers of the process, are under way at once, as many as the endpoint takes
(:mod:`paperlora.llm.gate`). A valid answer is kept: the same question is never paid for twice, in no process and after no
kill. What decides an answer is in its key: model, both messages, schema, token limit, temperature, extra fields and this
client's version. The address is not: a model is known by its name, on whatever port it listens; give different models
different names.
"""

from __future__ import annotations

import asyncio
import queue
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from paperlora.errors import LlmAnswerInvalid, LlmError
from paperlora.llm.answers import strict_schema
from paperlora.llm.asking import Asker, Question, Reply
from paperlora.llm.book import Book
from paperlora.llm.budget import Account, Budget
from paperlora.llm.endpoint import endpoint_for
from paperlora.llm.estimate import Estimate, estimated
from paperlora.llm.gate import Caller
from paperlora.llm.layout import in_prefix_order
from paperlora.llm.loop import the_loop
from paperlora.llm.transport import PATIENCE, Patience
from paperlora.llm.usage import NOTHING
from paperlora.records import digest
from paperlora.settings import LlmSettings, Settings
from paperlora.store import Store

__all__ = ["CLIENT_VERSION", "Account", "LlmClient", "Question", "Reply", "client_for", "estimate_questions"]
T = TypeVar("T", bound=BaseModel)
CLIENT_VERSION = "2"
"""Changes whenever the same question could be put otherwise; part of the cache key."""
_Result = tuple[tuple[int, ...], Reply[Any] | BaseException | None]
"""Indices of equal questions, and what became of them; None where they were stopped before they were asked."""


class LlmClient:
    """Asks one model; safe between threads. :func:`client_for` gives one per process and account.

    Args:
        cache: where answers, accounts and open batches are written down; None to forget them.
        account: whose budget and account it is.
    """

    def __init__(
        self, settings: LlmSettings, cache: Store | Book | None, patience: Patience = PATIENCE,
        account: Account = Account(),  # noqa: B008 - a frozen tuple
    ) -> None:  # fmt: skip
        self.settings, self.patience = settings, patience
        self.book = cache if cache is None or isinstance(cache, Book) else open_book(book_url(cache.root))
        self.budget = Budget(settings, self.book, account)
        self.endpoint = endpoint_for(settings, self.book)
        self.asker = Asker(settings, self.endpoint, self.budget, patience)

    def ask(self, system: str, user: str, schema: type[T], tag: str = "") -> Reply[T]:
        """Ask for a record.

        Raises:
            LlmAnswerInvalid: no fitting answer after one repair.
            LlmUnavailable: the endpoint fails, after the bounded retries.
            LlmRefused: key, model, address or request are wrong.
            BudgetExhausted: the next request could cost more than is left.
        """
        ((_, reply),) = self._online((Question(system, user, schema, tag),))
        if isinstance(reply, LlmError):
            raise reply
        return cast(Reply[T], reply)

    def ask_many(self, questions: Iterable[Question]) -> Iterator[tuple[int, Reply[Any] | LlmError]]:
        """Ask for many records at once.

        Yields:
            Index of a question and its reply, in the order of completion; an error where there is no fitting answer.

        Raises:
            LlmUnavailable, LlmRefused, BudgetExhausted: nothing more can be asked. What was under way is yielded before
                that; every answer is kept.
        """
        asked = tuple(questions)
        if not self.settings.batch:
            yield from self._online(asked)
            return
        from paperlora.llm.batch import by_batch

        yield from by_batch(self, asked)

    def key(self, question: Question) -> str:
        """Under which its answer is kept."""
        settings = self.settings
        return digest(
            "llm", CLIENT_VERSION, settings.model, settings.max_tokens, settings.temperature, settings.extra_body,
            question.system, question.user, strict_schema(question.schema),
        )[:32]  # fmt: skip

    def kept(self, questions: Sequence[Question]) -> dict[int, Reply[Any]]:
        """The replies that are in the book, by index."""
        if self.book is None:
            return {}
        keys = [self.key(question) for question in questions]
        answers, found = self.book.answers(keys), {}
        for index, key in enumerate(keys):
            if key not in answers:
                continue
            try:
                value = questions[index].schema.model_validate_json(answers[key])
            except ValidationError:  # a validator became stricter: ask anew
                continue
            found[index] = Reply(value, NOTHING, cached=True, repaired=False)
        for paper, number in Counter(questions[index].tag for index in found).items():
            self.budget.note_kept(paper, number)
        return found

    def estimate(self, questions: Iterable[Question]) -> Estimate:
        """What asking these would take."""
        asked = {self.key(question): question for question in questions}
        known = self.book.answers(list(asked)) if self.book else {}
        return estimated([question for key, question in asked.items() if key not in known], len(known), self.settings)

    def keep(self, question: Question, reply: Reply[Any]) -> None:
        """Write an answer into the book."""
        if self.book is not None:
            self.book.keep(self.key(question), self.settings.model, reply.value.model_dump_json())

    # ------------------------------------------------------------------- asking

    def _online(self, questions: Sequence[Question]) -> Iterator[tuple[int, Reply[Any] | LlmError]]:
        kept = self.kept(questions)
        yield from kept.items()
        yield from self.ask_now(questions, [index for index in in_prefix_order(questions) if index not in kept])

    def ask_now(
        self, questions: Sequence[Question], wanted: Sequence[int]
    ) -> Iterator[tuple[int, Reply[Any] | LlmError]]:
        """Ask those of the questions that have no answer yet, one request each, all at once."""
        if not wanted:
            return
        equal: dict[str, list[int]] = {}
        for index in wanted:
            equal.setdefault(self.key(questions[index]), []).append(index)
        crowd = _Crowd(self, questions, [tuple(group) for group in equal.values()])
        fatal: BaseException | None = None
        try:
            for group, result in crowd.results():
                if isinstance(result, (Reply, LlmAnswerInvalid)):
                    yield from ((index, result) for index in group)
                elif result is not None and fatal is None:
                    fatal = result
        finally:
            crowd.abandon()
        self.endpoint.write_down()
        if fatal is not None:
            raise fatal


class _Crowd:
    """The questions of one call, on the loop; stops asking at the first error that concerns all."""

    def __init__(self, client: LlmClient, questions: Sequence[Question], groups: Sequence[tuple[int, ...]]) -> None:
        self._client, self._questions, self._groups = client, questions, groups
        self._caller = Caller()
        self._done: queue.SimpleQueue[_Result] = queue.SimpleQueue()
        self._tasks: list[asyncio.Task[Reply[Any]]] = []
        the_loop().call(self._begin)

    def results(self) -> Iterator[_Result]:
        """What became of each group of equal questions."""
        for _ in self._groups:
            yield self._done.get()

    def abandon(self) -> None:
        """Stop everything that is still going on."""
        the_loop().call(self._stop, True)

    def _begin(self) -> None:
        for group in self._groups:
            task = asyncio.get_running_loop().create_task(self._one(self._questions[group[0]]))
            # A callback, since a task that is stopped before its first step runs none of its own code.
            task.add_done_callback(partial(self._finished, group))
            self._tasks.append(task)

    def _stop(self, hard: bool) -> None:
        self._caller.stopped = True
        for task in self._tasks:
            if not task.done() and (hard or task not in self._caller.flying):
                task.cancel()

    def _finished(self, group: tuple[int, ...], task: asyncio.Task[Reply[Any]]) -> None:
        self._done.put((group, None if task.cancelled() else task.exception() or task.result()))

    async def _one(self, question: Question) -> Reply[Any]:
        try:
            reply = await self._client.asker.answer(question, self._caller)
        except LlmAnswerInvalid:
            raise
        except Exception:  # it concerns all questions: ask no more of them
            self._stop(hard=False)
            raise
        if self._client.book is not None:
            await the_loop().on_disk(self._client.keep, question, reply)
        return reply


def book_url(store_root: str) -> str:
    """The book beside a local store."""
    return f"sqlite:///{Path(store_root.removeprefix('file://')).resolve() / 'llm.sqlite'}"


def book_address(settings: Settings, store: Store) -> str:
    """Where the book of these settings is: the catalog's server where there is one, else beside the store, else (for a
    store on another machine) in ``home``."""
    if settings.catalog_url.startswith("postgresql"):
        return settings.catalog_url
    return book_url(store.root if store.is_local else str(settings.home.expanduser()))


@lru_cache(maxsize=8)
def open_book(url: str) -> Book:
    """The process's book at an address."""
    return Book(url)


def client_for(settings: Settings, store: Store | None, account: Account = Account()) -> LlmClient | None:  # noqa: B008
    """The process's client for these settings and this account, the same one at every call; None for the extractive
    reader."""
    if settings.llm.provider == "extractive":
        return None
    return _client(settings.llm, book_address(settings, store) if store else None, account)


@lru_cache(maxsize=8)
def _client(settings: LlmSettings, address: str | None, account: Account) -> LlmClient:
    return LlmClient(settings, open_book(address) if address else None, account=account)


def estimate_questions(questions: Iterable[Question], settings: Settings, store: Store | None = None) -> Estimate:
    """What asking these would take, before anything is asked."""
    asked = tuple(questions)
    client = client_for(settings, store)
    return client.estimate(asked) if client else Estimate(0, 0, 0, 0.0, 0)
