"""One question to its end: asked, repaired, asked again where that may help, and nowhere else.

The only layer that repeats a request. Waiting questions hold no place at the endpoint, so that others can use it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from paperlora.errors import BudgetExhausted, LlmAnswerInvalid, LlmRefused, LlmUnavailable
from paperlora.llm.answers import parse, strict_schema
from paperlora.llm.book import Hold
from paperlora.llm.budget import Budget
from paperlora.llm.endpoint import Endpoint
from paperlora.llm.gate import Caller, Slot
from paperlora.llm.ladder import STEPS, Abilities
from paperlora.llm.loop import the_loop
from paperlora.llm.transport import Busy, Completion, NotUnderstoodError, Patience
from paperlora.llm.usage import NOTHING, Usage, tokens_of
from paperlora.prompts import load
from paperlora.records import Message
from paperlora.settings import LlmSettings

log = logging.getLogger(__name__)
T = TypeVar("T", bound=BaseModel)
_ODD = 20
"""A question that fails while so many others are served is itself the trouble."""


class Question(NamedTuple):
    """What is asked. Put what many questions share first, see :mod:`paperlora.llm.layout`."""

    system: str
    user: str
    schema: type[BaseModel]
    """What the answer must be."""
    tag: str = ""
    """Paper key, for the account of tokens and money."""


class Reply(NamedTuple, Generic[T]):
    """A checked answer."""

    value: T
    usage: Usage
    """Tokens it cost now; none when it was kept from before."""
    cached: bool
    repaired: bool
    """The first answer did not fit and was sent back."""


class _FormRejected(Exception):
    """The endpoint did not understand a request of this form."""

    def __init__(self, said: str, form: Abilities) -> None:
        super().__init__(said)
        self.form = form


class Asker:
    """Asks one endpoint on one account. Its coroutines run on the shared loop."""

    def __init__(self, settings: LlmSettings, endpoint: Endpoint, budget: Budget, patience: Patience) -> None:
        self._settings, self._endpoint, self._budget, self._patience = settings, endpoint, budget, patience
        self._extra: dict[str, Any] = json.loads(settings.extra_body) if settings.extra_body else {}
        self._open = 0  # requests that money is being or was set aside for
        self._short: deque[asyncio.Future[None]] = deque()  # requests that the budget has nothing for at the moment

    async def answer(self, question: Question, caller: Caller) -> Reply[Any]:
        """The checked answer: asked once more with room for twice as much where it was cut off, sent back once where it
        does not fit.

        Raises:
            LlmError: as :meth:`paperlora.llm.client.LlmClient.ask` says.
        """
        start, usage, limit = first_messages(question), NOTHING, self._settings.max_tokens
        messages, larger, repaired = start, False, False
        while True:
            completion = await self._complete(messages, question, limit, caller)
            usage = usage.plus(completion.usage)
            try:
                return Reply(read(completion, question.schema, limit), usage, cached=False, repaired=repaired)
            except LlmAnswerInvalid as error:
                if error.reason == "llm_truncated" and not larger and not repaired:
                    larger, limit = True, 2 * limit
                elif error.reason in ("llm_refusal", "llm_truncated") or repaired:
                    raise
                else:
                    messages, repaired = [*start, *_again(completion, error, question.schema)], True

    def request(self, question: Question) -> tuple[list[Message], dict[str, Any]]:
        """Messages and other fields of the first request, for a batch."""
        abilities = self._endpoint.abilities
        options = abilities.options(question.schema, self._settings.max_tokens, self._settings.temperature, self._extra)
        return abilities.messages(first_messages(question), question.schema), options

    async def _complete(
        self, messages: Sequence[Message], question: Question, limit: int, caller: Caller
    ) -> Completion:
        """The endpoint's answer, by the highest step of the ladder that it takes."""
        mine, served = self._endpoint.abilities, self._endpoint.gate.served
        for step in range(STEPS):
            try:
                return await self._patiently(messages, question, limit, mine, caller, again=step > 0)
            except _FormRejected as rejected:
                # Others may have learnt more while this request was under way: then theirs is the next form.
                mine = rejected.form.lowest(self._endpoint.abilities)
                if mine == rejected.form:
                    mine = self._lower(mine, str(rejected), served)
        raise LlmRefused("The LLM endpoint understands no form of the request.")

    def _lower(self, mine: Abilities, said: str, served: int) -> Abilities:
        try:
            return mine.after(said)
        except LlmRefused:
            if served == 0:
                raise
            raise LlmAnswerInvalid(
                f"The endpoint does not take this question: {said}.", reason="llm_not_taken"
            ) from None

    async def _patiently(
        self,
        messages: Sequence[Message],
        question: Question,
        limit: int,
        abilities: Abilities,
        caller: Caller,
        *,
        again: bool,
    ) -> Completion:
        """Ask until it is answered, or the patience is used up."""
        gate, failures = self._endpoint.gate, 0
        began = before = gate.served
        while True:
            caller.flying.discard(asyncio.current_task())
            slot = await gate.enter(caller, again=again)
            form = abilities.lowest(self._endpoint.abilities)
            options = form.options(question.schema, limit, self._settings.temperature, self._extra)
            try:
                said = await self._paid(form.messages(messages, question.schema), options, slot, question.tag, caller)
                if self._endpoint.learn(form):
                    await the_loop().on_disk(self._endpoint.write_down)
                return said
            except NotUnderstoodError as error:
                raise _FormRejected(str(error), form) from None
            except LlmUnavailable as error:
                caller.flying.discard(asyncio.current_task())
                asked = error.retry_after if isinstance(error, Busy) else 0.0
                failures = 1 if isinstance(error, Busy) and gate.served > before else failures + 1
                before, again = gate.served, True
                if failures >= self._patience.attempts or asked > self._patience.longest_retry_after:
                    raise self._final(error, gate.served - began) from None
                if caller.stopped:
                    raise asyncio.CancelledError from None
                log.info("LLM endpoint: %s, trying again", type(error).__name__)
                await asyncio.sleep(max(asked, self._pause(failures)))

    def _final(self, error: LlmUnavailable, served: int) -> Exception:
        if served >= _ODD and not isinstance(error, Busy):
            return LlmAnswerInvalid(f"The endpoint fails at this question alone: {error.message}", reason="llm_failed")
        return LlmUnavailable(error.message, error.remedy)

    def _pause(self, failures: int) -> float:
        longest = min(self._patience.first_seconds * 2.0 ** (failures - 1), self._patience.longest_seconds)
        return longest * random.uniform(1.0, 1.5)

    async def _paid(
        self, messages: Sequence[Message], options: dict[str, Any], slot: Slot, paper: str, caller: Caller
    ) -> Completion:
        """One request in its place at the gate, within the budget."""
        gate, hold, used, task = self._endpoint.gate, None, None, asyncio.current_task()
        leave = gate.leave
        try:
            limit = int(options.get("max_tokens") or options.get("max_completion_tokens") or 0)
            hold = await self._reserve(Usage(sum(tokens_of(message.content) for message in messages), limit))
            if task is not None:
                caller.flying.add(task)
            completion = await self._endpoint.transport.send(messages, options)
            used, leave = completion.usage, gate.answered
            return completion
        except Busy as error:
            seconds = error.retry_after
            leave = lambda slot: gate.refused(slot, seconds)  # noqa: E731
            raise
        except LlmUnavailable:
            leave = gate.failed
            raise
        except (LlmRefused, BudgetExhausted):
            caller.stopped = True
            raise
        finally:
            leave(slot)
            if hold is not None:
                await asyncio.shield(self._settle(hold, used, paper))

    async def _reserve(self, most: Usage) -> Hold:
        """Set aside what a request may cost. What is set aside for those under way is mostly more than they will cost, so
        the budget is spent only when none of them is left."""
        seconds = 2 * self._settings.timeout_seconds
        while True:
            self._open += 1
            try:
                hold = await self._held(most, seconds)
            except BudgetExhausted:
                self._open -= 1
                if self._open == 0:
                    self._wake(all_of_them=True)
                    raise
                waiter = asyncio.get_running_loop().create_future()
                self._short.append(waiter)
                await waiter
            except asyncio.CancelledError:
                self._close()
                raise
            else:
                self._wake()  # there may be enough for another one
                return hold

    async def _held(self, most: Usage, seconds: float) -> Hold:
        if not self._budget.bounded:
            return self._budget.reserve(most, seconds)
        holding = asyncio.ensure_future(the_loop().on_disk(self._budget.reserve, most, seconds))
        try:
            return await asyncio.shield(holding)
        except asyncio.CancelledError:
            await asyncio.wait([holding])
            if not holding.exception():
                self._budget.settle(holding.result(), None)
            raise

    async def _settle(self, hold: Hold, used: Usage | None, paper: str) -> None:
        try:
            if self._budget.written:
                await the_loop().on_disk(self._budget.settle, hold, used, paper)
            else:
                self._budget.settle(hold, used, paper)
        finally:
            self._close()

    def _close(self) -> None:
        self._open -= 1
        self._wake()

    def _wake(self, *, all_of_them: bool = False) -> None:
        while self._short:
            waiter = self._short.popleft()
            if not waiter.done():
                waiter.set_result(None)
                if not all_of_them:
                    return


def first_messages(question: Question) -> list[Message]:
    """What is said first."""
    return [Message(role="system", content=question.system), Message(role="user", content=question.user)]


def read(completion: Completion, schema: type[BaseModel], limit: int) -> BaseModel:
    """The record in an answer.

    Raises:
        LlmAnswerInvalid: with reason llm_refusal, llm_truncated, llm_empty, llm_no_json or llm_wrong_schema.
    """
    if completion.refused:
        raise LlmAnswerInvalid("The model refused.", reason="llm_refusal")
    if completion.cut:
        raise LlmAnswerInvalid(f"The answer was cut off at {limit} tokens.", reason="llm_truncated")
    return parse(completion.content, schema)


def _again(completion: Completion, error: LlmAnswerInvalid, schema: type[BaseModel]) -> list[Message]:
    said = [Message(role="assistant", content=completion.content)] if completion.content.strip() else []
    text = load("repair").render(error=error.message, schema=json.dumps(strict_schema(schema)))
    return [*said, Message(role="user", content=text)]
