"""Faults that can be switched on per route: what real sources and endpoints do on bad days."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ROUTES = ("arxiv.query", "arxiv.pdf", "arxiv.html", "arxiv.src", "oai", "openalex", "s2.bulk", "s2.batch", "s2.paper", "s2.pdf", "llm.chat", "llm.models", "llm.embeddings", "llm.files", "llm.batches", "llm.batch")

KINDS: Mapping[str, str] = {
    "rate_limit": "429; option retry_after: seconds or an HTTP date for the Retry-After header (default 1, None for no header)",
    "unavailable": "an error status; options status (default 503) and retry_after",
    "timeout": "silence before the answer; option seconds (default 60)",
    "stall": "headers and half of the body, then silence; option seconds (default 60)",
    "truncated": "the connection ends after a share of the body; options share (default .5) and declared (default True: "
    "Content-Length is that of the whole; False: the cut goes unseen). llm.chat: the answer ends early, finish_reason length",
    "cut_connection": "as truncated, on the level of HTTP for llm.chat too",
    "html": "status 200 and a web page",
    "empty_body": "status 200 and nothing",
    "empty_page": "the number of results is right, the list is empty (arxiv.query, oai, openalex, s2.bulk); with after=1 in mid-paging",
    "token_expired": "the token that asks for a further page is refused (oai, openalex, s2.bulk); other requests pass",
    "bad_json": "malformed JSON: the body of s2 routes and openalex, the model's answer for llm.chat",
    "bad_body": "the HTTP body is malformed JSON (llm.chat)",
    "wrong_schema": "valid JSON of another shape",
    "think_block": "a <think> block before the answer (llm.chat)",
    "fenced": "the answer in a Markdown fence (llm.chat)",
    "refusal": "the model refuses; option text (default False: in the refusal field; True: as prose) (llm.chat)",
    "empty_choices": "no choice in the answer (llm.chat)",
    "unsupported_format": "400 for a response_format; option types (default ['json_schema']) (llm.chat)",
    "batch_failed": "the batch ends as failed, without answers (llm.batches, as the other batch_*)",
    "batch_expired": "the batch expires; option share (default .5) of it is answered",
    "batch_errors": "the batch completes; all but a share (default .5) of its requests ended in errors",
}
"""Kind → what happens. Every kind takes the option ``match``: only requests whose URL or body contains the text."""

_OPTIONS: Mapping[str, frozenset[str]] = {
    "rate_limit": frozenset({"retry_after"}),
    "unavailable": frozenset({"status", "retry_after"}),
    "timeout": frozenset({"seconds"}),
    "stall": frozenset({"seconds"}),
    "truncated": frozenset({"share", "declared"}),
    "cut_connection": frozenset({"share", "declared"}),
    "refusal": frozenset({"text"}),
    "unsupported_format": frozenset({"types"}),
    "batch_expired": frozenset({"share"}),
    "batch_errors": frozenset({"share"}),
}
_ONLY: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("batch_failed", "batch_expired", "batch_errors"), ("llm.batches",)),
    "empty_page": ("arxiv.query", "oai", "openalex", "s2.bulk"),
    "token_expired": ("oai", "openalex", "s2.bulk"),
    "bad_json": ("openalex", "s2.bulk", "s2.batch", "s2.paper", "llm.chat"),
    "wrong_schema": ("openalex", "s2.bulk", "s2.batch", "s2.paper", "llm.chat"),
    **dict.fromkeys(
        ("bad_body", "think_block", "fenced", "refusal", "empty_choices", "unsupported_format"), ("llm.chat",)
    ),
}

_TOKEN = re.compile(r"[?&](?:resumptionToken|token|cursor)=(?!\*|%2A)[^&\s]")
"""A request for a further page."""


@dataclass
class Fault:
    """A fault that waits for its requests."""

    route: str
    kind: str
    times: int | None = None
    """Requests that it still spoils; None for all."""
    after: int = 0
    """Requests that it still lets pass first."""
    options: dict[str, Any] = field(default_factory=dict)

    def option(self, name: str, default: Any) -> Any:
        """An option, or its default."""
        return self.options.get(name, default)


class FaultBoard:
    """The faults that are switched on. Safe for several threads."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._share = 0.0
        self._chance = random.Random()

    def storm(self, share: float, seed: int = 0) -> None:
        """Spoil each request with this probability, by any kind that applies to its route; silences last a second."""
        with self._lock:
            self._share, self._chance = share, random.Random(seed)

    def add(self, route: str, kind: str, times: int | None, after: int, options: dict[str, Any]) -> None:
        """Switch a fault on.

        Raises:
            ValueError: there is no such route, kind or option, or the kind does not apply to the route.
        """
        if route not in ROUTES:
            raise ValueError(f"unknown route {route!r}; there are {', '.join(ROUTES)}")
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; there are {', '.join(KINDS)}")
        if route not in _ONLY.get(kind, ROUTES):
            raise ValueError(f"the fault {kind} applies to {', '.join(_ONLY[kind])} only")
        unknown = set(options) - _OPTIONS.get(kind, frozenset()) - {"match"}
        if unknown:
            raise ValueError(f"the fault {kind} has no option {', '.join(sorted(unknown))}")
        with self._lock:
            self._faults.append(Fault(route, kind, times, after, options))

    def take(self, route: str, request_text: str) -> Fault | None:
        """The fault that spoils this request, if any; each one that applies counts the request."""
        with self._lock:
            for fault in self._faults:
                if fault.route != route or fault.option("match", "") not in request_text:
                    continue
                if fault.kind == "token_expired" and not _TOKEN.search(request_text):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is None or fault.times > 0:
                    fault.times = fault.times and fault.times - 1
                    return fault
            return self._any(route) if self._chance.random() < self._share else None

    def _any(self, route: str) -> Fault:
        kind = self._chance.choice([kind for kind in KINDS if route in _ONLY.get(kind, ROUTES)])
        known = {"seconds": 1.0, "retry_after": 0}
        return Fault(route, kind, 1, 0, {name: value for name, value in known.items() if name in _OPTIONS.get(kind, ())})

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._faults.clear()
            self._share = 0.0
