"""``/v1/chat/completions`` of an OpenAI-compatible endpoint, with the oracle behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from paperlora.records import digest
from paperlora.sandbox import oracle
from paperlora.sandbox.faults import Fault
from paperlora.sandbox.oracle import MODEL, Completion
from paperlora.sandbox.paper import Fact

MISSING_MODEL = "missing"
"""The one model name that the endpoint does not know."""
Script = Callable[[dict[str, Any]], "str | dict[str, Any]"]
"""A test's own model: the request in; the message's text, a JSON object as its content, or (with ``choices``) the whole body out."""
__all__ = ["MODEL", "Reply", "Script", "answer", "wrong_key"]


class Reply(NamedTuple):
    """An answer of the endpoint."""

    status: int
    body: dict[str, Any]


def answer(request: Any, facts: Sequence[Fact], script: Script | None, fault: Fault | None) -> Reply:
    """The answer to one chat request, as the fault leaves it."""
    refused = _refused(request, fault)
    if refused is not None:
        return refused
    said: str | dict[str, Any] | Completion = script(request) if script else oracle.complete(request, facts)
    if isinstance(said, dict) and "choices" in said:
        return Reply(200, said)
    if isinstance(said, dict):
        said = json.dumps(said)
    completion = Completion(said) if isinstance(said, str) else said
    return Reply(200, _body(request, _spoiled(_limited(request, completion), fault), fault))


def wrong_key(key: str) -> Reply:
    """The refusal of a key; it repeats the key, as OpenAI's does in part, so that tests see whether it leaks."""
    return _error(401, f"Incorrect API key provided: {key}.", "invalid_api_key")


def _refused(request: Any, fault: Fault | None) -> Reply | None:
    """What the endpoint says to a request that it does not take."""
    if not isinstance(request, dict) or not isinstance(request.get("messages"), list) or not request["messages"]:
        return _error(400, "We could not parse the JSON body of your request, or it has no messages.", None)
    if request.get("model") in (None, "", MISSING_MODEL):
        return _error(404, f"The model `{request.get('model')}` does not exist.", "model_not_found")
    if request.get("stream"):
        return _error(400, "This endpoint does not stream.", "unsupported_value")
    kind = (request.get("response_format") or {}).get("type", "text")
    refused = fault.option("types", ["json_schema"]) if fault and fault.kind == "unsupported_format" else []
    if kind in refused or kind not in ("text", "json_object", "json_schema"):
        return _error(400, f"'response_format' of type {kind} is not supported with this model.", "unsupported_value")
    if kind == "json_object" and "json" not in oracle.request_text(request).lower():
        return _error(
            400, "'messages' must contain the word 'json' to use 'response_format' of type 'json_object'.", None
        )
    return None


def _error(status: int, message: str, code: str | None) -> Reply:
    return Reply(status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}})


def _limited(request: dict[str, Any], completion: Completion) -> Completion:
    """The completion within ``max_tokens``."""
    most = request.get("max_completion_tokens") or request.get("max_tokens")
    if not most or completion.content is None or oracle.tokens(completion.content) <= most:
        return completion
    return Completion(completion.content[: most * 4], "length")


def _spoiled(completion: Completion, fault: Fault | None) -> Completion:
    content = completion.content or ""
    match fault.kind if fault else "":
        case "truncated":
            return Completion(content[: int(len(content) * float(fault.option("share", 0.5)))], "length")  # type: ignore[union-attr]
        case "bad_json":
            return Completion(content.rstrip("`\n}") + ",,")
        case "wrong_schema":
            return Completion(json.dumps({"findings": "several", "count": 3}))
        case "think_block":
            return Completion(
                f'<think>\nThe user wants JSON. Perhaps {{"ideas": []}}? Let me look again.\n</think>\n\n{content}'
            )
        case "fenced":
            return Completion(f"```json\n{content}\n```")
        case "refusal":
            sorry = "I'm sorry, but I can't help with that."
            return Completion(sorry) if fault and fault.option("text", False) else Completion(None, "stop", sorry)
    return completion


def _body(request: dict[str, Any], completion: Completion, fault: Fault | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": completion.content, "refusal": completion.refusal}
    choice = {"index": 0, "message": message, "finish_reason": completion.finish_reason, "logprobs": None}
    usage = {
        "prompt_tokens": oracle.tokens(oracle.request_text(request)),
        "completion_tokens": oracle.tokens(completion.content or completion.refusal or ""),
    }
    return {
        "id": f"chatcmpl-{digest(request)[:24]}", "object": "chat.completion", "created": 4070908800,
        "model": request["model"], "choices": [] if fault and fault.kind == "empty_choices" else [choice],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }  # fmt: skip
