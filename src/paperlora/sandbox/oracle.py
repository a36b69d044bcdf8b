"""The sandbox's LLM: it knows the planted facts and reports those whose sentence stands in the request.

What a perfect reader would answer, without a model. Text that it does not know gives no ideas. Asked whether claims are
supported, it says so of those that are a planted fact whose sentence stands in the source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from paperlora.sandbox.paper import Fact, fold

MODEL = "sandbox-oracle"
_RESULT = re.compile(r"\b(accuracy|perplexity|rate|retention|gain|saved|share of copied|advantage|cost|deviation)\b")
_CHECKED = re.compile(
    r"^Item (?P<number>\d+)\nClaim: (?P<claim>.*)\nQuestion: (?P<question>.*)\n"
    r"Answer: (?P<answer>.*)\nEvidence: .*\nSource: (?P<source>.*)$",
    re.MULTILINE,
)


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


class CheckedItem(NamedTuple):
    """One claim that the second reading asks about."""

    number: int
    claim: str
    question: str
    answer: str
    source: str


def question_about(fact: Fact) -> str:
    """How the second reading asks for a fact's answer."""
    return f"What is the {fact.relation} of {fact.subject}?"


def items_in(text: str) -> list[CheckedItem]:
    """The claims of a question about several."""
    return [
        CheckedItem(int(found["number"]), *(found[name] for name in ("claim", "question", "answer", "source")))
        for found in _CHECKED.finditer(text)
    ]


def checks_in(text: str, facts: Sequence[Fact]) -> list[dict[str, Any]]:
    """What a perfect judge says of each claim."""
    return [_check(item, facts) for item in items_in(text)]


def wants_checks(request: Mapping[str, Any]) -> bool:
    """It is asked about claims, not for ideas."""
    return _CHECKED.search(request_text(request)) is not None


def complete(request: Mapping[str, Any], facts: Sequence[Fact]) -> Completion:
    """The answer in the form that ``response_format`` asks for: bare JSON, or, without one, JSON in a fence after a
    sentence, as chat models write it."""
    if wants_checks(request):
        return as_asked(request, {"checks": checks_in(request_text(request), facts)})
    return as_asked(request, {"ideas": ideas_in(request_text(request), facts)})


def as_asked(request: Mapping[str, Any], answer: dict[str, list[dict[str, Any]]]) -> Completion:
    """An answer in the form that ``response_format`` asks for."""
    wanted = request.get("response_format") or {"type": "text"}
    if wanted["type"] == "text":
        return Completion(f"Here is what the text claims:\n\n```json\n{json.dumps(answer, indent=1)}\n```")
    if wanted["type"] == "json_schema":
        schema = wanted.get("json_schema", {}).get("schema", {})
        answer = {
            kind: [_fitting(item, _item_properties(schema, kind)) for item in items] for kind, items in answer.items()
        }
    return Completion(json.dumps(answer))


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
        "mechanism": "",
        "changes": ["evaluation" if _RESULT.search(fact.relation) else "training"],
        "qwen_change": f"Fine-tune Qwen with {fact.subject}, and keep its {fact.relation} at {fact.answer}.",
        "prediction": f"Asked for the {fact.relation} of {fact.subject}, the adapted model answers {fact.answer}.",
        "limits": "",
        "quote": fact.sentence,
    }


def _check(item: CheckedItem, facts: Sequence[Fact]) -> dict[str, Any]:
    known = any(
        question_about(fact) == item.question
        and fold(fact.answer) == fold(item.answer)
        and fold(fact.sentence) in fold(item.source)
        for fact in facts
    )
    return {
        "number": item.number,
        "verdict": "entailed" if known else "not",
        "why": "a planted fact" if known else "unknown",
    }


def _fitting(item: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    return {name: item[name] for name in item if not known or name in known}


def _item_properties(schema: Mapping[str, Any], kind: str) -> set[str]:
    """Names of an item's fields in a schema of ``{"<kind>": [...]}``; empty where the schema is of another kind."""
    items = schema.get("properties", {}).get(kind, {}).get("items", {})
    if "$ref" in items:
        items = schema.get("$defs", {}).get(items["$ref"].rsplit("/", 1)[-1], {})
    return set(items.get("properties", ()))
