"""Questions through the provider's Batch API: files of requests, answered within 24 hours at a part of the price.

A batch is written down before it is made, under a mark that stands in its metadata: whoever asks the same questions after
a kill finds it again and waits for it, whether or not its id was known yet. What a batch leaves unanswered (errors, an
expired or failed batch, answers that don't fit) is asked as usual, and so is everything at an endpoint without batches.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import openai
from openai.types import Batch
from openai.types.chat import ChatCompletion
from pydantic import ValidationError

from paperlora.errors import BudgetExhausted, LlmAnswerInvalid, LlmError, LlmRefused, LlmUnavailable
from paperlora.llm.asking import Question, Reply, first_messages, read
from paperlora.llm.book import Hold, OpenBatch
from paperlora.llm.layout import in_prefix_order
from paperlora.llm.loop import the_loop
from paperlora.llm.transport import Busy, NotUnderstoodError, body, completion_of
from paperlora.llm.usage import Usage, tokens_of

if TYPE_CHECKING:
    from paperlora.llm.client import LlmClient

log = logging.getLogger(__name__)
T = TypeVar("T")
_MARK = "paperlora"
"""Name of our mark in a batch's metadata."""
_MOST_REQUESTS = 20_000
"""A file; OpenAI takes 50,000 requests and 200 MB."""
_SECONDS = 26 * 3600.0
"""A batch ends within 24 hours, one way or the other."""
_FINAL = ("completed", "failed", "expired", "cancelled")


class _NoBatches(Exception):
    """The endpoint has no such routes."""


def by_batch(client: LlmClient, questions: Sequence[Question]) -> Iterator[tuple[int, Reply[Any] | LlmError]]:
    """As :meth:`LlmClient.ask_many`, by batches where the endpoint has them.

    Raises:
        LlmUnavailable, LlmRefused, BudgetExhausted: nothing more can be asked; open batches are found again next time.
    """
    kept = client.kept(questions)
    yield from kept.items()
    wanted = {client.key(questions[index]): index for index in in_prefix_order(questions) if index not in kept}
    room = _Room(client)
    try:
        answered = yield from room.rounds(questions, wanted)
    except _NoBatches:
        log.warning("The LLM endpoint has no batches: asking as usual.")
        answered = set()
    rest = [
        index
        for index in in_prefix_order(questions)
        if index not in kept and client.key(questions[index]) not in answered
    ]
    yield from client.ask_now(questions, rest)


class _Room:
    """Batches of one client."""

    def __init__(self, client: LlmClient) -> None:
        self._client, self._budget, self._endpoint = client, client.budget, client.endpoint
        self._api = client.endpoint.transport.client

    def rounds(
        self, questions: Sequence[Question], wanted: dict[str, int]
    ) -> Generator[tuple[int, Reply[Any]], None, set[str]]:
        """Fetch what is open already, then make new batches until all is asked that the budget allows.

        Returns:
            The keys that were answered well.
        """
        asked: set[str] = set()
        answered: set[str] = set()
        equal: dict[str, list[int]] = {}
        for index, question in enumerate(questions):
            equal.setdefault(self._client.key(question), []).append(index)
        open_ = [batch for batch in self._found() if not wanted.keys().isdisjoint(batch.keys)]
        while True:
            for batch in open_:
                try:
                    ended = self._ended(batch)
                except LlmRefused:  # the provider knows it no more
                    self._close(batch)
                    continue
                for key, reply in self._fetched(ended, questions, wanted):
                    answered.add(key)
                    yield from ((index, reply) for index in equal[key])
                self._close(batch)
                asked |= set(batch.keys)
            left = [index for key, index in wanted.items() if key not in asked]
            if not left:
                return answered
            open_ = self._made(questions, left)

    # ------------------------------------------------------------------- making

    def _made(self, questions: Sequence[Question], left: list[int]) -> list[OpenBatch]:
        """New batches for as many questions as the budget takes; none is an error."""
        number = self._affordable([questions[index] for index in left])
        made = []
        for start in range(0, number, _MOST_REQUESTS):
            part = [questions[index] for index in left[start : min(start + _MOST_REQUESTS, number)]]
            made.append(self._make(part))
        return made

    def _affordable(self, questions: Sequence[Question]) -> int:
        """The most questions, from the first, that the budget takes."""
        if not self._budget.bounded:
            return len(questions)
        low, high = 0, len(questions)
        while low < high:
            middle = (low + high + 1) // 2
            try:
                hold = self._hold(questions[:middle], uuid.uuid4().hex)
            except BudgetExhausted:
                if middle == 1:
                    raise
                high = middle - 1
            else:
                self._budget.settle(hold, None)
                low = middle
        return low

    def _hold(self, questions: Sequence[Question], mark: str) -> Hold:
        settings = self._client.settings
        read_ = sum(tokens_of(message.content) for question in questions for message in first_messages(question))
        most = Usage(read_, settings.max_tokens * len(questions))
        return self._budget.reserve(most, _SECONDS, settings.batch_price_share, name=mark)

    def _make(self, questions: Sequence[Question]) -> OpenBatch:
        book, key = self._client.book, self._endpoint.key
        batch = OpenBatch(uuid.uuid4().hex, "", tuple(self._client.key(question) for question in questions))
        hold = self._hold(questions, batch.mark)
        if book is not None:
            book.write_batch(key, batch)
        try:
            remote = self._call(lambda: self._begin(questions, batch.mark), making=True)
        except BaseException:
            self._budget.settle(hold, None)
            raise
        batch = batch._replace(remote=remote.id)
        if book is not None:
            book.write_batch(key, batch)
        log.info("LLM batch %s with %d requests", remote.id, len(questions))
        return batch

    async def _begin(self, questions: Sequence[Question], mark: str) -> Batch:
        lines = "\n".join(self._line(question) for question in questions)
        file = _no_page(await self._api.files.create(file=(f"{mark}.jsonl", lines.encode()), purpose="batch"))
        return await self._api.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={_MARK: mark}
        )

    def _line(self, question: Question) -> str:
        messages, options = self._client.asker.request(question)
        extra = options.pop("extra_body", {})
        request = body(self._client.settings.model, messages, options) | extra
        line = {
            "custom_id": self._client.key(question),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": request,
        }
        return json.dumps(line, ensure_ascii=False)

    # ----------------------------------------------------------------- fetching

    def _found(self) -> list[OpenBatch]:
        """The batches that an earlier process left open, their ids filled in."""
        book = self._client.book
        if book is None:
            return []
        found = []
        for batch in book.open_batches(self._endpoint.key):
            if not batch.remote:
                remote = self._call(lambda mark=batch.mark: self._by_mark(mark))  # type: ignore[misc]
                if remote is None:  # the process died before it was made
                    self._close(batch)
                    continue
                batch = batch._replace(remote=remote.id)
                book.write_batch(self._endpoint.key, batch)
            found.append(batch)
        return found

    async def _by_mark(self, mark: str) -> Batch | None:
        async for batch in self._api.batches.list(limit=100):
            if (batch.metadata or {}).get(_MARK) == mark:
                return batch
        return None

    def _fetched(
        self, ended: Batch, questions: Sequence[Question], wanted: dict[str, int]
    ) -> Iterator[tuple[str, Reply[Any]]]:
        """What a batch answered well, by key."""
        for line in self._lines(ended):
            question = questions[wanted[line["custom_id"]]] if line.get("custom_id") in wanted else None
            reply = self._reply(line, question)
            if reply is not None and question is not None:
                self._client.keep(question, reply)
                yield line["custom_id"], reply

    def _ended(self, batch: OpenBatch) -> Batch:
        """Wait for the end of a batch."""
        while True:
            now = self._call(lambda: self._api.batches.retrieve(batch.remote))
            if now.status in _FINAL:
                if now.status != "completed":
                    log.warning("LLM batch %s ended as %s; the rest is asked anew", batch.remote, now.status)
                return now
            time.sleep(self._client.settings.batch_poll_seconds)

    def _lines(self, batch: Batch) -> Iterator[dict[str, Any]]:
        if not batch.output_file_id:
            return
        file = batch.output_file_id
        content = self._call(lambda: self._content(file))
        for line in content.decode("utf-8", "replace").splitlines():
            if line.strip():
                yield json.loads(line)

    async def _content(self, file: str) -> bytes:
        return (await self._api.files.content(file)).content

    def _reply(self, line: dict[str, Any], question: Question | None) -> Reply[Any] | None:
        """The reply in a line of the output; what it cost is booked whether it fits or not."""
        response = line.get("response") or {}
        if response.get("status_code") != 200:
            return None
        try:
            answer = ChatCompletion.model_validate(response.get("body"))
            completion = completion_of(answer, first_messages(question) if question else [])
        except (ValidationError, LlmUnavailable):
            return None
        paper = question.tag if question else ""
        self._budget.settle(None, completion.usage, paper, self._client.settings.batch_price_share)
        if question is None:
            return None
        try:
            value = read(completion, question.schema, self._client.settings.max_tokens)
        except LlmAnswerInvalid:
            return None
        return Reply(value, completion.usage, cached=False, repaired=False)

    def _close(self, batch: OpenBatch) -> None:
        account = self._budget.account
        self._budget.settle(Hold(batch.mark, account.run, 0.0, 0, 0.0), None)
        if self._client.book is not None:
            self._client.book.forget_batch(batch.mark)

    # ------------------------------------------------------------------ calling

    def _call(self, begin: Callable[[], Awaitable[T]], *, making: bool = False) -> T:
        """The result of an API call, which is made again after passing trouble.

        Raises:
            LlmError: of the tree, when patience is used up.
            _NoBatches: there is no such route (only when ``making``).
        """
        patience, failures = self._client.patience, 0
        while True:
            try:
                return the_loop().start(_awaited(begin)).result()
            except (openai.APIError, ValueError) as error:
                if making and isinstance(error, openai.APIStatusError) and error.status_code in (400, 404, 405, 501):
                    raise _NoBatches from None
                meant = self._endpoint.transport.meaning(error)
            failures += 1
            if isinstance(meant, NotUnderstoodError):
                raise LlmRefused(f"The LLM endpoint does not take the batch: {meant}.")
            if not isinstance(meant, LlmUnavailable) or failures >= patience.attempts:
                raise meant
            asked = meant.retry_after if isinstance(meant, Busy) else 0.0
            time.sleep(max(asked, min(patience.first_seconds * 2.0 ** (failures - 1), patience.longest_seconds)))


async def _awaited(begin: Callable[[], Awaitable[T]]) -> T:
    return _no_page(await begin())


def _no_page(answer: T) -> T:
    if isinstance(answer, str):  # what the SDK makes of a web page
        raise ValueError("a web page")
    return answer
