"""One client for any OpenAI-compatible endpoint: structured answers, kept answers, counted money.

Servers differ in what they understand. The client starts with a strict JSON schema and steps down to plain JSON and to
plain text when an endpoint rejects the request, remembers where it stands, and checks every answer itself. An answer
that does not fit is sent back once with what is wrong about it. A valid answer is kept in the store: the same question
is never paid for twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from paperlora.errors import LlmAnswerInvalid, LlmRefused
from paperlora.llm.answers import parse, strict_schema
from paperlora.llm.budget import Budget, Usage
from paperlora.llm.transport import PATIENCE, Completion, NotUnderstoodError, Patience, Transport, estimate
from paperlora.prompts import load
from paperlora.records import Message, digest
from paperlora.settings import LlmSettings, Settings
from paperlora.store import Store, write_json

T = TypeVar("T", bound=BaseModel)
CLIENT_VERSION = "1"
"""Changes whenever the same question could be put otherwise; part of the cache key."""
CACHE = "llm"
"""Kind of the store's folders that hold answers."""
_LADDER = ("json_schema", "json_object", "text")


class Reply(NamedTuple, Generic[T]):
    """A checked answer."""

    value: T
    usage: Usage
    """Tokens it cost now; none when it was kept from before."""
    cached: bool
    repaired: bool
    """The first answer did not fit and was sent back."""


class LlmClient:
    """Asks one model; safe between threads. :func:`client_for` gives one per process, so that the budget holds."""

    def __init__(self, settings: LlmSettings, cache: Store | None, patience: Patience = PATIENCE) -> None:
        self.settings = settings
        self.budget = Budget(settings)
        self._cache = cache
        self._transport = Transport(settings, patience)
        self._level = 0
        self._options: dict[str, Any] = {"max_tokens": settings.max_tokens, "temperature": 0}

    def ask(self, system: str, user: str, schema: type[T]) -> Reply[T]:
        """Ask for a record.

        Raises:
            LlmAnswerInvalid: no fitting answer after one repair.
            LlmUnavailable: the endpoint fails, after the bounded retries.
            LlmRefused: key, model, address or request are wrong.
            BudgetExhausted: the next request could cost more than is left.
        """
        key = digest(
            "llm", CLIENT_VERSION, self.settings.model, self.settings.max_tokens, system, user, strict_schema(schema)
        )[:32]
        kept = self._kept(key)
        if kept is not None:
            return Reply(schema.model_validate(kept), Usage(0, 0), cached=True, repaired=False)
        reply = self._ask_and_repair(
            [Message(role="system", content=system), Message(role="user", content=user)], schema
        )
        self._keep(key, reply)
        return reply

    def _kept(self, key: str) -> Any:
        if self._cache is None or not self._cache.has(CACHE, key):
            return None
        return json.loads((self._cache.folder(CACHE, key) / "answer.json").read_text(encoding="utf-8"))

    def _keep(self, key: str, reply: Reply[T]) -> None:
        if self._cache is None:
            return
        with self._cache.writing(CACHE, key) as draft:
            write_json(draft.path / "answer.json", reply.value)
            draft.models = {"reader": self.settings.model}
            draft.counts = reply.usage._asdict()

    def _ask_and_repair(self, messages: list[Message], schema: type[T]) -> Reply[T]:
        first = self._complete(messages, schema)
        try:
            return Reply(parse(first.content, schema), first.usage, cached=False, repaired=False)
        except LlmAnswerInvalid as error:
            if error.reason == "llm_refusal":
                raise
            ask_again = load("repair").render(error=error.message, schema=json.dumps(strict_schema(schema)))
        said = [Message(role="assistant", content=first.content)] if first.content.strip() else []
        second = self._complete([*messages, *said, Message(role="user", content=ask_again)], schema)
        return Reply(parse(second.content, schema), first.usage.plus(second.usage), cached=False, repaired=True)

    def _complete(self, messages: Sequence[Message], schema: type[BaseModel]) -> Completion:
        # One step of the ladder or one option at a time: never more than the ladder and both options have.
        for _ in range(len(_LADDER) + 2):
            level, options = self._level, dict(self._options)
            try:
                return self._paid(messages, options | _format(_LADDER[level], schema))
            except NotUnderstoodError as error:
                self._step_down(str(error), level)
        raise LlmRefused("The LLM endpoint understands no form of the request.")

    def _paid(self, messages: Sequence[Message], options: dict[str, Any]) -> Completion:
        most = Usage(sum(estimate(message.content) for message in messages), self.settings.max_tokens)
        reserved, used = self.budget.reserve(most), None
        try:
            completion = self._transport.send(messages, options)
            used = completion.usage
            return completion
        except LlmAnswerInvalid:
            used = most  # it was answered, and is charged for
            raise
        finally:
            self.budget.settle(reserved, used)

    def _step_down(self, said: str, level: int) -> None:
        """Ask otherwise from now on: another name for the limit, no temperature, or a weaker form of JSON."""
        lower = said.lower()
        if "context" in lower and any(word in lower for word in ("length", "window", "exceed", "too long", "maximum")):
            raise LlmAnswerInvalid(f"The question is too long for the model: {said[:160]}.", reason="llm_truncated")
        if "max_tokens" in self._options and "max_completion_tokens" in lower:
            kept = {name: value for name, value in self._options.items() if name != "max_tokens"}
            self._options = kept | {"max_completion_tokens": self.settings.max_tokens}
        elif "temperature" in self._options and "temperature" in lower:
            self._options = {name: value for name, value in self._options.items() if name != "temperature"}
        elif level + 1 < len(_LADDER):
            self._level = max(self._level, level + 1)
        else:
            raise LlmRefused(f"The LLM endpoint does not take the request: {said}.")


def _format(level: str, schema: type[BaseModel]) -> dict[str, Any]:
    if level == "json_schema":
        described = {"name": schema.__name__, "schema": strict_schema(schema), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": described}}
    return {"response_format": {"type": "json_object"}} if level == "json_object" else {}


def client_for(settings: Settings, store: Store | None) -> LlmClient | None:
    """The process's client for these settings, the same one at every call; None for the extractive reader."""
    if settings.llm.provider == "extractive":
        return None
    return _client(settings.llm, store.root if store else None)


@lru_cache(maxsize=8)
def _client(settings: LlmSettings, root: str | None) -> LlmClient:
    return LlmClient(settings, Store(root) if root else None)
