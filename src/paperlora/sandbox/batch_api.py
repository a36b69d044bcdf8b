"""``/v1/files`` and ``/v1/batches`` of an OpenAI-compatible endpoint: requests in a file, answers in another one later.

Each look at a batch carries it one step further (validating, in_progress, its end), so that nothing has to be waited for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from email import message_from_bytes
from typing import Any

from paperlora.sandbox.chat_api import Reply
from paperlora.sandbox.faults import Fault

_STEPS = ("validating", "in_progress")
_CREATED = 4070908800
Answer = Callable[[Any], Reply]
"""One chat request in, its answer out."""


class Batches:
    """The endpoint's files and batches, in memory. Safe between threads."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, dict[str, Any]] = {}
        self._faults: dict[str, Fault | None] = {}

    def upload(self, content_type: str, body: bytes) -> Reply:
        """Take a file of a multipart form."""
        form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
        for part in form.walk():
            content = part.get_payload(decode=True)
            if part.get_param("name", header="content-disposition") == "file" and isinstance(content, bytes):
                return Reply(200, self._file(self._add(content)))
        return _error(400, "There is no file in the form.")

    def content(self, name: str) -> bytes | None:
        """What a file holds; None where there is none."""
        return self._files.get(name)

    def create(self, asked: Any, fault: Fault | None) -> Reply:
        """Begin a batch over an uploaded file."""
        if not isinstance(asked, dict) or asked.get("input_file_id") not in self._files:
            return _error(400, "There is no such input file.")
        if asked.get("endpoint") != "/v1/chat/completions" or asked.get("completion_window") != "24h":
            return _error(400, "Only /v1/chat/completions within 24h.")
        with self._lock:
            name = f"batch_{len(self._batches) + 1}"
            self._batches[name] = {
                "id": name, "object": "batch", "endpoint": asked["endpoint"], "input_file_id": asked["input_file_id"],
                "completion_window": "24h", "created_at": _CREATED, "status": _STEPS[0],
                "metadata": asked.get("metadata") or {}, "output_file_id": None, "error_file_id": None,
            }  # fmt: skip
            self._faults[name] = fault
            return Reply(200, dict(self._batches[name]))

    def look(self, name: str) -> Reply:
        """The batch, one step further than at the look before."""
        with self._lock:
            batch = self._batches.get(name)
            if batch is None:
                return _error(404, f"No batch {name}.")
            if batch["status"] in _STEPS:
                place = _STEPS.index(batch["status"]) + 1
                batch |= {"status": _STEPS[place]} if place < len(_STEPS) else self._end(batch, self._faults[name])
            return Reply(200, dict(batch))

    def listing(self) -> Reply:
        """All batches, newest first."""
        with self._lock:
            return Reply(200, {"object": "list", "data": list(reversed(self._batches.values())), "has_more": False})

    def _end(self, batch: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        kind = fault.kind if fault else ""
        if kind == "batch_failed":
            return {"status": "failed", "errors": {"object": "list", "data": [{"code": "invalid", "message": "No."}]}}
        asked = [json.loads(line) for line in self._files[batch["input_file_id"]].splitlines() if line.strip()]
        share = float(fault.option("share", 0.5)) if fault and kind.startswith("batch_") else 1.0
        well = asked[: int(len(asked) * share)]
        done = [_line(one, self._answer(one["body"])) for one in well]
        missed = [_line(one, _error(500, "The model failed.")) for one in asked[len(well) :]] * (kind == "batch_errors")
        ends = {"output_file_id": self._lines(done), "error_file_id": self._lines(missed)}
        return {"status": "expired" if kind == "batch_expired" else "completed", **ends}

    def _lines(self, lines: list[dict[str, Any]]) -> str | None:
        return self._add("".join(json.dumps(line) + "\n" for line in lines).encode()) if lines else None

    def _add(self, content: bytes) -> str:
        name = f"file_{len(self._files) + 1}"
        self._files[name] = content
        return name

    def _file(self, name: str) -> dict[str, Any]:
        return {
            "id": name, "object": "file", "bytes": len(self._files[name]), "created_at": _CREATED,
            "filename": f"{name}.jsonl", "purpose": "batch", "status": "processed",
        }  # fmt: skip


def _line(asked: dict[str, Any], reply: Reply) -> dict[str, Any]:
    response = {"status_code": reply.status, "request_id": "sandbox", "body": reply.body}
    return {"id": f"line_{asked['custom_id']}", "custom_id": asked["custom_id"], "response": response, "error": None}


def _error(status: int, message: str) -> Reply:
    return Reply(status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})
