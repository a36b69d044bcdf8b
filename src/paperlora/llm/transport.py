"""One request to an OpenAI-compatible endpoint, and the only layer that repeats it.

The SDK's own retries are off and tasks count on this one, so that a failing server is asked a bounded number of times
and not the product of three layers. What a failure means (wait, give up, ask otherwise) is decided here by its status.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import openai
import tenacity
from openai.types.chat import ChatCompletion

from paperlora.errors import LlmAnswerInvalid, LlmRefused, LlmUnavailable
from paperlora.llm.budget import Usage
from paperlora.records import Message
from paperlora.settings import LlmSettings

log = logging.getLogger(__name__)


class Patience(NamedTuple):
    """How long a failing endpoint is borne with."""

    attempts: int = 5
    first_seconds: float = 1.0
    """Pause after the first failure; it doubles from then on, with some jitter."""
    longest_seconds: float = 60.0
    longest_retry_after: float = 120.0
    """A server that asks for more is not waited for: the task fails and may be run later."""


PATIENCE = Patience()


class Completion(NamedTuple):
    """What the endpoint answered."""

    content: str
    usage: Usage


class NotUnderstoodError(Exception):
    """Status 400 or 422: the endpoint does not know something in the request. The text may say what."""


class _Later(LlmUnavailable):
    """Unavailable, with the seconds that the server asked for."""

    retry_after: float | None = None


class Transport:
    """Sends chat requests; safe between threads."""

    def __init__(self, settings: LlmSettings, patience: Patience) -> None:
        self._settings = settings
        self._patience = patience
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._client = openai.OpenAI(
            base_url=settings.base_url, api_key=self._key or "none", timeout=settings.timeout_seconds, max_retries=0
        )

    def send(self, messages: Sequence[Message], options: dict[str, Any]) -> Completion:
        """Ask, again where it may help.

        Raises:
            LlmUnavailable: still failing after the last attempt, or asked to wait too long.
            LlmRefused: key, model or address are wrong.
            NotUnderstoodError: the endpoint takes no such request.
            LlmAnswerInvalid: the answer is cut off or a refusal.
        """
        patience = self._patience
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_help),
            wait=self._pause,
            stop=tenacity.stop_after_attempt(patience.attempts),
            before_sleep=lambda state: log.info("LLM endpoint: attempt %d failed, trying again", state.attempt_number),
            reraise=True,
        )
        return retrying(self._once, messages, options)

    def _may_help(self, error: BaseException) -> bool:
        return isinstance(error, LlmUnavailable) and (_asked_for(error) or 0.0) <= self._patience.longest_retry_after

    def _pause(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        patience = self._patience
        backoff = tenacity.wait_exponential_jitter(
            patience.first_seconds, patience.longest_seconds, jitter=patience.first_seconds
        )(state)
        return max(backoff, _asked_for(error) or 0.0)

    def _once(self, messages: Sequence[Message], options: dict[str, Any]) -> Completion:
        try:
            answer = self._client.chat.completions.create(
                model=self._settings.model,
                messages=[message.model_dump() for message in messages],  # type: ignore[misc]
                **options,
            )
        except openai.APITimeoutError:
            raise LlmUnavailable(
                f"The LLM endpoint did not answer within {self._settings.timeout_seconds:g} s."
            ) from None
        except openai.APIStatusError as error:
            raise self._status(error) from None
        except openai.APIConnectionError as error:
            why = self._redact(error.__cause__ or error)
            raise LlmUnavailable(f"The LLM endpoint {self._settings.base_url} can't be reached: {why}.") from None
        except (openai.APIError, ValueError) as error:
            raise LlmUnavailable(f"The LLM endpoint sent no valid JSON: {self._redact(error)}.") from None
        return self._completion(answer, messages)

    def _status(self, error: openai.APIStatusError) -> Exception:
        said = self._redact(error)
        match error.status_code:
            case 401 | 403:
                return LlmRefused(
                    f"The LLM endpoint rejected the key ({error.status_code}).",
                    "Set PAPERLORA_LLM__API_KEY to a valid key.",
                )
            case 404:
                remedy = "Correct PAPERLORA_LLM__MODEL, or PAPERLORA_LLM__BASE_URL (it mostly ends in /v1)."
                return LlmRefused(
                    f"The LLM endpoint knows no model {self._settings.model!r} or no such address (404).", remedy
                )
            case 402:
                return LlmRefused(
                    f"The LLM endpoint wants payment (402): {said}.", "Top up the account, or use another endpoint."
                )
            case 429 if error.code == "insufficient_quota":
                return LlmRefused(
                    "The account's quota at the LLM endpoint is used up.",
                    "Top up the account, or use another endpoint.",
                )
            case 400 | 413 | 415 | 422:
                return NotUnderstoodError(said)
        if error.status_code in (408, 409, 425, 429) or error.status_code >= 500:
            later = _Later(f"The LLM endpoint is not available ({error.status_code}): {said}.")
            later.retry_after = _seconds(error.response.headers.get("retry-after"))
            return later
        return LlmRefused(f"The LLM endpoint refused the request ({error.status_code}): {said}.")

    def _completion(self, answer: ChatCompletion | Any, messages: Sequence[Message]) -> Completion:
        if not isinstance(answer, ChatCompletion) or not isinstance(answer.choices, list):
            remedy = "Check PAPERLORA_LLM__BASE_URL (it mostly ends in /v1), and whether a proxy answers in its stead."
            raise LlmUnavailable(
                "The LLM endpoint sent something that is no chat completion, such as a web page.", remedy
            )
        if not answer.choices:
            return Completion("", _usage(answer, messages, ""))
        choice = answer.choices[0]
        content = (choice.message.content if choice.message else None) or ""
        if choice.finish_reason == "content_filter" or (choice.message and choice.message.refusal):
            raise LlmAnswerInvalid("The model refused.", reason="llm_refusal")
        if choice.finish_reason == "length":
            raise LlmAnswerInvalid(
                f"The answer was cut off at {self._settings.max_tokens} tokens.", reason="llm_truncated"
            )
        return Completion(content, _usage(answer, messages, content))

    def _redact(self, error: BaseException) -> str:
        text = " ".join(str(error).split())[:300].rstrip(".")
        return text.replace(self._key, "***") if self._key else text


def estimate(text: str) -> int:
    """Tokens of a text, where the endpoint doesn't count: one for three characters, rather too many than too few."""
    return len(text) // 3 + 1


def _usage(answer: ChatCompletion, messages: Sequence[Message], content: str) -> Usage:
    if answer.usage is not None:
        return Usage(answer.usage.prompt_tokens or 0, answer.usage.completion_tokens or 0)
    return Usage(sum(estimate(message.content) for message in messages), estimate(content))


def _asked_for(error: BaseException | None) -> float | None:
    return error.retry_after if isinstance(error, _Later) else None


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None
