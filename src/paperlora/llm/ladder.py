"""What an endpoint takes: from a strict JSON schema down to plain text, and by which names. Found by trying.

A step down counts for others only when the request then went through: one odd question teaches nothing about the
endpoint. What was learnt is forgotten after a week, so that an upgraded server is tried again from the top.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from paperlora.errors import LlmAnswerInvalid, LlmRefused
from paperlora.llm.answers import strict_schema
from paperlora.prompts import load
from paperlora.records import Message

LEVELS = ("json_schema", "json_object", "text")
STEPS = len(LEVELS) + 3
"""Never more requests for one answer than the ladder and all options have."""


class Abilities(NamedTuple):
    """What an endpoint takes from one model's users."""

    level: int = 0
    """Index into :data:`LEVELS`."""
    limit_name: str = "max_tokens"
    temperature: bool = True
    """It takes one."""
    thinking: bool = True
    """False: it wants ``enable_thinking: false`` where an answer isn't streamed (DashScope)."""

    def after(self, said: str) -> Abilities:
        """How to ask after the endpoint rejected a request with these words: one thing is changed.

        Raises:
            LlmAnswerInvalid: the question is too long.
            LlmRefused: there is nothing left to change.
        """
        lower = said.lower()
        if "context" in lower and any(word in lower for word in ("length", "window", "exceed", "too long", "maximum")):
            raise LlmAnswerInvalid(f"The question is too long for the model: {said[:160]}.", reason="llm_truncated")
        if self.limit_name == "max_tokens" and "max_completion_tokens" in lower:
            return self._replace(limit_name="max_completion_tokens")
        if self.temperature and "temperature" in lower:
            return self._replace(temperature=False)
        if self.thinking and "enable_thinking" in lower:
            return self._replace(thinking=False)
        if self.level + 1 < len(LEVELS):
            return self._replace(level=self.level + 1)
        raise LlmRefused(f"The LLM endpoint does not take the request: {said}.")

    def lowest(self, other: Abilities) -> Abilities:
        """What both take."""
        later = max(self.limit_name, other.limit_name, key=len)
        return Abilities(
            max(self.level, other.level),
            later,
            self.temperature and other.temperature,
            self.thinking and other.thinking,
        )

    def messages(self, messages: Sequence[Message], schema: type[BaseModel]) -> list[Message]:
        """The messages; below the first level the system's message says the schema, since the request can't."""
        if self.level == 0:
            return list(messages)
        shape = load("json_shape").render(schema=json.dumps(strict_schema(schema)))
        first, *rest = messages
        return [Message(role=first.role, content=f"{first.content}\n\n{shape}"), *rest]

    def options(self, schema: type[BaseModel], limit: int, temperature: float, extra: dict[str, Any]) -> dict[str, Any]:
        """The request's other fields.

        Args:
            limit: longest answer in tokens.
            extra: fields that the SDK doesn't know.
        """
        options: dict[str, Any] = {self.limit_name: limit}
        if self.temperature:
            options["temperature"] = temperature
        if self.level == 0:
            described = {"name": schema.__name__, "schema": strict_schema(schema), "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": described}
        elif self.level == 1:
            options["response_format"] = {"type": "json_object"}
        extra = extra if self.thinking else extra | {"enable_thinking": False}
        return options | ({"extra_body": extra} if extra else {})
