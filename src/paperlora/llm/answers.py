"""From what a model wrote to a checked record: thinking and fences stripped, the JSON found, the schema held."""

from __future__ import annotations

import itertools
import json
import re
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from paperlora.errors import LlmAnswerInvalid

T = TypeVar("T", bound=BaseModel)
_NAMES = r"(?:think|thinking|thought|reasoning)"
_THINKING = re.compile(rf"\A\s*[<\[]({_NAMES})[>\]].*?(?:[<\[]/\1[>\]]|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT = re.compile(rf"[<\[]/{_NAMES}[>\]]|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_FENCE = re.compile(r"```(?:json|JSON)?\s*\n?(.*?)```", re.DOTALL)
_REFUSAL = re.compile(
    r"\A\W*(?:i(?:'m| am)(?: very)? sorry|i can(?:no|')t|i(?:'m| am) (?:not able|unable)|as an ai\b|sorry, but)",
    re.IGNORECASE,
)
_STARTS = 200
"""Brackets at which JSON is looked for in prose: more are no answer, and time."""
_DECODER = json.JSONDecoder(strict=False)  # small models write line breaks into strings as they are


def parse(content: str, schema: type[T]) -> T:
    """The record in an answer.

    Raises:
        LlmAnswerInvalid: with reason llm_empty, llm_refusal, llm_no_json or llm_wrong_schema.
    """
    try:
        return schema.model_validate(_storable(_json_of(content)))
    except ValidationError as error:
        raise LlmAnswerInvalid(
            f"The JSON does not fit the schema: {_explain(error)}.", reason="llm_wrong_schema"
        ) from None


@lru_cache(maxsize=64)
def strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """JSON schema as servers want it for strict output: every property required, no other allowed."""
    return _closed(schema.model_json_schema())


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed |= {"additionalProperties": False, "required": list(closed["properties"])}
    return closed


def _json_of(content: str) -> Any:
    """The JSON that is the answer, never one of the thinking. A paper's own words may hold the marks of thinking, so
    whatever is JSON as it stands is taken as it stands."""
    whole = _decoded(content)
    if whole is not None:
        return whole
    answer = _THINKING.sub("", content)
    # A template that opens the block itself leaves only the closing tag in the answer; gpt-oss marks its last channel.
    answer = _THOUGHT.split(answer, maxsplit=1)[-1].strip()
    if not answer:
        raise LlmAnswerInvalid("The answer is empty.", reason="llm_empty")
    for candidate in (answer, *_FENCE.findall(answer)):
        found = _decoded(candidate)
        if found is not None:
            return found
    for match in itertools.islice(re.finditer(r"[{\[]", answer), _STARTS):
        found = _decoded(answer, match.start())
        if found is not None:
            return found
    if _REFUSAL.match(answer):
        raise LlmAnswerInvalid("The model refused.", reason="llm_refusal")
    raise LlmAnswerInvalid("The answer holds no complete JSON object.", reason="llm_no_json")


def _storable(value: Any) -> Any:
    """The same with question marks for halves of surrogate pairs: JSON allows them, no file does."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _decoded(text: str, start: int | None = None) -> Any:
    """JSON that is the whole text, or that begins at ``start``; None where there is none."""
    try:
        return _DECODER.decode(text.strip()) if start is None else _DECODER.raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _explain(error: ValidationError) -> str:
    problems = [f"{'.'.join(map(str, item['loc'])) or 'answer'}: {item['msg']}" for item in error.errors()[:5]]
    return "; ".join(problems)
