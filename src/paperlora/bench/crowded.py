"""An endpoint with a fixed delay and a limit, in a process of its own, that counts what is in flight.

``python -m paperlora.bench.crowded --limit 32 --delay 0.5`` prints its address and serves until its standard input ends.
Beyond the limit it answers 429, as providers do. It answers every tool in its own terms: our reader from the sandbox's
oracle, prompts for question-answer pairs with pairs from the text, everything else with its first sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import socket
import subprocess
import sys
import threading
import time
from functools import lru_cache
from itertools import pairwise
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from paperlora.errors import StackError

_SENTENCE = re.compile(r"[^.!?]{20,300}[.!?]")
_BURST_SECONDS = 1.0
"""What a rate limit lets through at once, as seconds of its rate (DashScope and OpenAI divide the minute so)."""


class Rules(NamedTuple):
    """What the endpoint allows."""

    delay: float
    """Seconds that every answer takes."""
    limit: int | None = None
    """Requests in flight; more are refused."""
    per_minute: float | None = None
    """Requests that are let through in a minute; more are refused with a Retry-After."""
    window: float | None = None
    """The rate is counted in windows of so many seconds that begin anew; None: it flows evenly."""
    retry_after: int | None = None
    """Seconds in the refusals for too many in flight; None for no header."""


class Event(NamedTuple):
    """A request's beginning or end."""

    at: float
    in_flight: int
    """After it."""
    began: bool


class Seen(NamedTuple):
    """What an endpoint saw since it was last asked."""

    accepted: int
    refused: int
    refused_at: tuple[float, ...]
    events: tuple[Event, ...]

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return self.events[-1].at - self.events[0].at if self.events else 0.0

    @property
    def mean_in_flight(self) -> float:
        """Over the whole time."""
        return _mean(self.events)

    @property
    def steady_in_flight(self) -> float:
        """Between the beginnings of the first and the last tenth of the requests: without ramp and tail."""
        starts = [event.at for event in self.events if event.began]
        edge = len(starts) // 10
        if len(starts) - 2 * edge < 2:
            return 0.0
        first, last = starts[edge], starts[-1 - edge]
        return _mean([event for event in self.events if first <= event.at <= last])

    @property
    def steady_per_second(self) -> float:
        """Requests begun in a second, over the same time."""
        starts = [event.at for event in self.events if event.began]
        edge = len(starts) // 10
        return (len(starts) - 2 * edge - 1) / max(starts[-1 - edge] - starts[edge], 1e-9)

    @property
    def most_in_flight(self) -> int:
        """The most at one moment."""
        return max((event.in_flight for event in self.events), default=0)


def _mean(events: Any) -> float:
    steps = list(pairwise(events))
    return sum(a.in_flight * (b.at - a.at) for a, b in steps) / max(sum(b.at - a.at for a, b in steps), 1e-9)


class CrowdedEndpoint:
    """The endpoint's process, as a context manager.

    Raises:
        StackError: it does not start.
    """

    def __init__(self, rules: Rules) -> None:
        given = [f"--{name.replace('_', '-')}={value}" for name, value in rules._asdict().items() if value is not None]
        self._command = [sys.executable, "-m", "paperlora.bench.crowded", *given]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise StackError("The benchmark's endpoint did not start.", "See the error above.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def seen(self) -> Seen:
        """What came since the last call."""
        plain = httpx.post(f"{self.url}/seen", timeout=30).json()
        events = tuple(Event(*event) for event in plain["events"])
        return Seen(plain["accepted"], len(plain["refused"]), tuple(plain["refused"]), events)


class _Crowd:
    """The endpoint's inside. One event loop; no lock."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._in_flight = 0
        self._tokens, self._filled = self._most_tokens, time.monotonic()
        self._clear()

    def _clear(self) -> None:
        self._events: list[Event] = []
        self._refused: list[float] = []

    @property
    def _most_tokens(self) -> float:
        rules = self._rules
        per_second = (rules.per_minute or 0.0) / 60
        return max(1.0, per_second * (rules.window or _BURST_SECONDS))

    def _token(self) -> float:
        """Takes a token: 0, or the seconds until there is one."""
        rules, now = self._rules, time.monotonic()
        if rules.per_minute is None:
            return 0.0
        if rules.window is not None:
            if now - self._filled >= rules.window:
                self._tokens, self._filled = self._most_tokens, now
            wait = self._filled + rules.window - now
        else:
            rate = rules.per_minute / 60
            self._tokens = min(self._most_tokens, self._tokens + (now - self._filled) * rate)
            self._filled = now
            wait = (1 - self._tokens) / rate
        if self._tokens < 1:
            return wait
        self._tokens -= 1
        return 0.0

    async def chat(self, request: Any) -> Any:
        from starlette.responses import JSONResponse

        asked = json.loads(await request.body())
        if self._rules.limit is not None and self._in_flight >= self._rules.limit:
            return self._refusal(self._rules.retry_after)
        wait = self._token()
        if wait:
            return self._refusal(math.ceil(wait))
        self._in_flight += 1
        self._events.append(Event(time.monotonic(), self._in_flight, True))
        try:
            ends = time.monotonic() + self._rules.delay
            body = _answer(asked)
            await asyncio.sleep(max(0.0, ends - time.monotonic()))
            return JSONResponse(body)
        finally:
            self._in_flight -= 1
            self._events.append(Event(time.monotonic(), self._in_flight, False))

    def _refusal(self, retry_after: int | None) -> Any:
        from starlette.responses import JSONResponse

        self._refused.append(time.monotonic())
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return JSONResponse({"error": {"message": "Too many requests.", "code": "rate_limit_exceeded"}}, 429, headers)

    async def models(self, request: Any) -> Any:
        from starlette.responses import JSONResponse

        return JSONResponse({"object": "list", "data": [{"id": "oracle", "object": "model", "owned_by": "paperlora"}]})

    async def seen(self, request: Any) -> Any:
        from starlette.responses import JSONResponse

        began = sum(event.began for event in self._events)
        said = {"accepted": began, "refused": self._refused, "events": self._events}
        self._clear()
        return JSONResponse(said)


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    from paperlora.sandbox import chat_api, oracle

    text = oracle.request_text(asked)
    script = _said if "question-answer pairs" in text or "Summarize this document" in text else None
    return chat_api.answer(asked, _facts(), script, None).body


@lru_cache(maxsize=1)
def _facts() -> Any:
    from paperlora.sandbox.library import sandbox_library

    return sandbox_library().facts


def _said(asked: dict[str, Any]) -> str:
    from paperlora.sandbox import oracle

    text = oracle.request_text(asked)
    sentences = _SENTENCE.findall(text.split("Text:", 1)[-1]) or [text[:200]]
    if "question-answer pairs" in text:
        return json.dumps(
            [{"question": f"What does sentence {n} say?", "answer": s.strip()} for n, s in enumerate(sentences[:8])]
        )
    return " ".join(sentence.strip() for sentence in sentences[:3])


def serve(rules: Rules) -> None:
    """Serve until standard input ends."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Route

    crowd = _Crowd(rules)
    _facts()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    routes = [
        Route("/v1/chat/completions", crowd.chat, methods=["POST"]), Route("/v1/models", crowd.models),
        Route("/seen", crowd.seen, methods=["POST"]),
    ]  # fmt: skip
    config = uvicorn.Config(Starlette(routes=routes), ws="none", lifespan="off", log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server.run([listener])


def _end_with_stdin(server: Any) -> None:
    sys.stdin.read()
    server.should_exit = server.force_exit = True


def _rules(given: list[str]) -> Rules:
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, required=True)
    for name, kind in (("limit", int), ("per-minute", float), ("window", float), ("retry-after", int)):
        parser.add_argument(f"--{name}", type=kind)
    return Rules(**vars(parser.parse_args(given)))


if __name__ == "__main__":
    serve(_rules(sys.argv[1:]))
