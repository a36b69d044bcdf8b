"""From what a model wrote to a checked record: thinking and fences stripped, the JSON found, the schema held."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from paperlora.errors import LlmAnswerInvalid

T = TypeVar("T", bound=BaseModel)
_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```(?:json|JSON)?\s*\n?(.*?)```", re.DOTALL)
_REFUSAL = re.compile(
    r"\A\W*(?:i(?:'m| am)(?: very)? sorry|i can(?:no|')t|i(?:'m| am) (?:not able|unable)|as an ai\b|sorry, but)",
    re.IGNORECASE,
)


def parse(content: str, schema: type[T]) -> T:
    """The record in an answer.

    Raises:
        LlmAnswerInvalid: with reason llm_empty, llm_refusal, llm_no_json or llm_wrong_schema.
    """
    plain = _THINKING.sub("", content)
    # A template that opens the block itself leaves only the closing tag in the answer.
    plain = re.split(r"</think(?:ing)?>", plain, flags=re.IGNORECASE)[-1].strip()
    if not plain:
        raise LlmAnswerInvalid("The answer is empty.", reason="llm_empty")
    try:
        return schema.model_validate(_json_in(plain))
    except ValidationError as error:
        raise LlmAnswerInvalid(
            f"The JSON does not fit the schema: {_explain(error)}.", reason="llm_wrong_schema"
        ) from None


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


def _json_in(text: str) -> Any:
    decoder = json.JSONDecoder()
    for candidate in (text, *_FENCE.findall(text)):
        try:
            return decoder.decode(candidate.strip())
        except ValueError:
            continue
    for match in re.finditer(r"[{\[]", text):
        try:
            return decoder.raw_decode(text, match.start())[0]
        except ValueError:
            continue
    if _REFUSAL.match(text):
        raise LlmAnswerInvalid("The model refused.", reason="llm_refusal")
    raise LlmAnswerInvalid("The answer holds no complete JSON object.", reason="llm_no_json")


def _explain(error: ValidationError) -> str:
    problems = [f"{'.'.join(map(str, item['loc'])) or 'answer'}: {item['msg']}" for item in error.errors()[:5]]
    return "; ".join(problems)
