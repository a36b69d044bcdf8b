"""One request to an OpenAI-compatible endpoint, and what its failure means: wait, give up, or ask otherwise.

Nothing is repeated here and nothing in the SDK: :mod:`paperlora.llm.asking` is the only layer that asks again, so that a
failing server is asked a bounded number of times and not the product of three layers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion

from paperlora.errors import LlmAnswerInvalid, LlmRefused, LlmUnavailable
from paperlora.llm.usage import Usage, tokens_of
from paperlora.records import Message
from paperlora.settings import LlmSettings


class Patience(NamedTuple):
    """How long a failing endpoint is borne with."""

    attempts: int = 5
    """Failures in a row of one question. A refusal (429) while others are served is none: that was our own crowd."""
    first_seconds: float = 1.0
    """Pause after the first failure; it doubles from then on, with some jitter."""
    longest_seconds: float = 60.0
    longest_retry_after: float = 3600.0
    """A server that asks for more is not waited for: the task fails and may be run later."""


PATIENCE = Patience()


class Completion(NamedTuple):
    """What the endpoint answered."""

    content: str
    usage: Usage
    cut: bool = False
    """The answer met the token limit."""
    refused: bool = False
    """The model, or a filter before it, declined."""


class NotUnderstoodError(Exception):
    """Status 400 or 422: the endpoint does not know something in the request. The text may say what."""


class Busy(LlmUnavailable):
    """Status 429, or 503 with a Retry-After: not now.

    Args:
        retry_after: seconds that the server asked for; 0 for none.
    """

    def __init__(self, message: str, remedy: str | None = None, retry_after: float = 0.0) -> None:
        super().__init__(message, remedy)
        self.retry_after = retry_after
        self.args = (message, remedy, retry_after)


class Transport:
    """Sends chat requests; used on one event loop only."""

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        self.client = openai.AsyncOpenAI(
            base_url=settings.base_url, api_key=self._key or "none", timeout=settings.timeout_seconds, max_retries=0
        )

    async def send(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Completion:
        """Ask once.

        Raises:
            Busy: the endpoint asks to wait.
            LlmUnavailable: it fails.
            LlmRefused: key, model or address are wrong.
            NotUnderstoodError: it takes no such request.
            LlmAnswerInvalid: a filter declined the question.
        """
        seconds = self._settings.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                answer = await self.client.chat.completions.create(**body(self._settings.model, messages, options))
        except (TimeoutError, openai.APITimeoutError):
            raise LlmUnavailable(f"The LLM endpoint did not answer within {seconds:g} s.") from None
        except (openai.APIError, ValueError) as error:
            raise self.meaning(error) from None
        return completion_of(answer, messages)

    def meaning(self, error: Exception) -> Exception:
        """The error of our tree for one of the SDK's; no text in it holds the key."""
        if isinstance(error, openai.APIStatusError):
            return self._status(error)
        if isinstance(error, openai.APITimeoutError):
            return LlmUnavailable(f"The LLM endpoint did not answer within {self._settings.timeout_seconds:g} s.")
        if isinstance(error, openai.APIConnectionError):
            why = self.redact(error.__cause__ or error)
            return LlmUnavailable(f"The LLM endpoint {self._settings.base_url} can't be reached: {why}.")
        return LlmUnavailable(f"The LLM endpoint sent no valid JSON: {self.redact(error)}.")

    def _status(self, error: openai.APIStatusError) -> Exception:
        said, status = self.redact(error), error.status_code
        if status in _REMEDIES:
            message = f"The LLM endpoint refused ({status}): {said}." if status == 402 else _REMEDIES[status][0]
            return LlmRefused(message.format(model=self._settings.model, status=status), _REMEDIES[status][1])
        if status == 429 and _code(error) in ("insufficient_quota", "billing_hard_limit_reached", "Arrearage"):
            return LlmRefused("The account's quota at the LLM endpoint is used up.", _REMEDIES[402][1])
        if status in (400, 413, 415, 422) or (status == 500 and _about_format(said)):
            if _filtered(error, said):
                return LlmAnswerInvalid(f"The endpoint's filter declined the question: {said}.", reason="llm_refusal")
            return NotUnderstoodError(said)
        retry_after = _seconds(error.response.headers)
        if status == 429 or (status == 503 and retry_after):
            return Busy(f"The LLM endpoint is busy ({status}): {said}.", retry_after=retry_after or 0.0)
        if status in (408, 409, 425) or status >= 500:
            return LlmUnavailable(f"The LLM endpoint is not available ({status}): {said}.")
        return LlmRefused(f"The LLM endpoint refused the request ({status}): {said}.")

    def redact(self, error: BaseException) -> str:
        """What an error says, without the key, in one short line."""
        text = " ".join(str(error).split())
        return (text.replace(self._key, "***") if self._key else text)[:300].rstrip(".")


_KEY = ("The LLM endpoint rejected the key ({status}).", "Set PAPERLORA_LLM__API_KEY to a valid key.")
_REMEDIES: Mapping[int, tuple[str, str]] = {
    401: _KEY,
    403: _KEY,
    402: ("", "Top up the account, or use another endpoint."),
    404: (
        "The LLM endpoint knows no model {model!r} or no such address (404).",
        "Correct PAPERLORA_LLM__MODEL, or PAPERLORA_LLM__BASE_URL (it mostly ends in /v1).",
    ),
}


def body(model: str, messages: Sequence[Message], options: Mapping[str, Any]) -> dict[str, Any]:
    """A chat request as the SDK's arguments (and, but for ``extra_body``, as the wire has it)."""
    return {"model": model, "messages": [message.model_dump() for message in messages], **options}


def completion_of(answer: Any, messages: Sequence[Message]) -> Completion:
    """What a response body says.

    Raises:
        LlmUnavailable: it is no chat completion.
    """
    if not isinstance(answer, ChatCompletion) or not isinstance(answer.choices, list):
        remedy = "Check PAPERLORA_LLM__BASE_URL (it mostly ends in /v1), and whether a proxy answers in its stead."
        raise LlmUnavailable("The LLM endpoint sent something that is no chat completion, such as a web page.", remedy)
    choice = answer.choices[0] if answer.choices else None
    message = choice.message if choice else None
    content = _clean(message.content if message else None)
    # Servers that part thinking from answer put everything into the thinking when the model never closes it.
    thinking = _clean(_extra(message, "reasoning_content") or _extra(message, "reasoning"))
    if not content.strip() and thinking.strip().startswith("{") and thinking.strip().endswith("}"):
        content = thinking
    finish = choice.finish_reason if choice else None
    refused = finish == "content_filter" or bool(message and message.refusal)
    return Completion(content, _usage(answer.usage, messages, content + thinking), finish == "length", refused)


def _clean(text: Any) -> str:
    """Text that can be sent and stored: half a surrogate pair, which JSON allows, can't."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""


def _extra(message: Any, name: str) -> Any:
    return (message.model_extra or {}).get(name) if message is not None else None


def _usage(usage: CompletionUsage | None, messages: Sequence[Message], said: str) -> Usage:
    if usage is None:
        return Usage(sum(tokens_of(message.content) for message in messages), tokens_of(said))
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    thought = usage.completion_tokens_details.reasoning_tokens if usage.completion_tokens_details else 0
    read = usage.prompt_tokens or 0
    return Usage(read, usage.completion_tokens or 0, min(cached or 0, read), thought or 0)


def _code(error: openai.APIStatusError) -> str:
    return str(error.code or (error.body.get("code", "") if isinstance(error.body, dict) else ""))


def _filtered(error: openai.APIStatusError, said: str) -> bool:
    # OpenAI and Azure; DashScope.
    words = ("content_filter", "content_policy_violation", "content management policy", "data_inspection_failed")
    return any(word in f"{_code(error)} {said}".lower() for word in words)


def _about_format(said: str) -> bool:
    # llama.cpp answers 500 to a schema that its grammar compiler can't take.
    return any(word in said.lower() for word in ("grammar", "json_schema", "response_format"))


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds of ``retry-after-ms`` or ``retry-after``, the latter in seconds or as a date."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, (parsedate_to_datetime(headers["retry-after"]) - datetime.now(UTC)).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None
