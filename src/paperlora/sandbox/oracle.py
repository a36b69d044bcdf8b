"""The sandbox's LLM: it knows the planted facts and reports those whose sentence stands in the request.

What a perfect reader would answer, without a model. Text that it does not know gives no ideas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from paperlora.sandbox.paper import Fact, fold

MODEL = "sandbox-oracle"
_RESULT = re.compile(r"\b(accuracy|perplexity|rate|retention|gain|saved|share of copied|advantage|cost|deviation)\b")


class Completion(NamedTuple):
    """The message of an answer."""

    content: str | None
    finish_reason: str = "stop"
    refusal: str | None = None


def request_text(request: Mapping[str, Any]) -> str:
    """All message contents of a chat request, text parts included."""
    texts: list[str] = []
    for message in request.get("messages", ()):
        content = message.get("content") or ""
        parts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        texts.extend(parts)
    return "\n".join(texts)


def ideas_in(text: str, facts: Iterable[Fact]) -> list[dict[str, Any]]:
    """One item for each known fact whose sentence stands in the text."""
    folded = fold(text)
    found = {fact[:3]: fact for fact in facts if fold(fact.sentence) in folded}
    return [_item(fact) for fact in found.values()]


def complete(request: Mapping[str, Any], facts: Sequence[Fact]) -> Completion:
    """The answer in the form that ``response_format`` asks for: bare JSON, or, without one, JSON in a fence after a
    sentence, as chat models write it."""
    ideas = ideas_in(request_text(request), facts)
    wanted = request.get("response_format") or {"type": "text"}
    if wanted["type"] == "text":
        return Completion(f"Here is what the text claims:\n\n```json\n{json.dumps({'ideas': ideas}, indent=1)}\n```")
    if wanted["type"] == "json_schema":
        known = _item_properties(wanted.get("json_schema", {}).get("schema", {}))
        ideas = [{name: item[name] for name in item if not known or name in known} for item in ideas]
    return Completion(json.dumps({"ideas": ideas}))


def tokens(text: str) -> int:
    """About as many tokens as a model would count: four characters each."""
    return max(1, len(text) // 4)


def _item(fact: Fact) -> dict[str, Any]:
    return {
        "claim": fact.sentence if fact.subject in fact.sentence else f"{fact.subject}: {fact.sentence}",
        "kind": "finding" if _RESULT.search(fact.relation) else "recipe" if re.search(r"\d", fact.answer) else "method",
        "subject": fact.subject,
        "relation": fact.relation,
        "answer": fact.answer,
        "aliases": [fact.answer.replace(" percent", "%")] if fact.answer.endswith(" percent") else [],
        "qwen_change": f"Fine-tune Qwen with {fact.subject}, and keep its {fact.relation} at {fact.answer}.",
        "prediction": f"Asked for the {fact.relation} of {fact.subject}, the adapted model answers {fact.answer}.",
        "quote": fact.sentence,
    }


def _item_properties(schema: Mapping[str, Any]) -> set[str]:
    """Names of an idea's fields in a schema of ``{"ideas": [...]}``; empty where the schema is of another kind."""
    items = schema.get("properties", {}).get("ideas", {}).get("items", {})
    if "$ref" in items:
        items = schema.get("$defs", {}).get(items["$ref"].rsplit("/", 1)[-1], {})
    return set(items.get("properties", ()))
