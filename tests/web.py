"""A web server on loopback that answers as a test says, and writes down what it was asked."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Request(NamedTuple):
    """One request as it came in."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    body: bytes
    arrived: float
    """On the monotonic clock."""
    at_once: int
    """Requests in hand, itself included."""


class Reply(NamedTuple):
    """What is answered. A body of several parts is sent without its length, each part when it comes."""

    body: bytes | Iterable[bytes] = b"{}"
    status: int = 200
    headers: Mapping[str, str] = {}


Answering = Callable[[Request], Reply]


class Web:
    """The server: ``answer`` may be set at any time."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str = "http") -> None:
        self.answer: Answering = lambda request: Reply()
        self.requests: list[Request] = []
        self.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        self.netloc = urlsplit(self.url).netloc

    def replies(self, *replies: Reply) -> None:
        """Answer with these in turn, and with the last one ever after."""
        left = list(replies)
        self.answer = lambda request: left.pop(0) if len(left) > 1 else left[0]

    @property
    def paths(self) -> list[str]:
        """Paths that were asked for, in order."""
        return [request.path for request in self.requests]


@contextmanager
def serving(certificates: ssl.SSLContext | None = None) -> Iterator[Web]:
    """A running server, over https where it has certificates."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    if certificates is not None:
        server.socket = certificates.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    web = Web(server, "http" if certificates is None else "https")
    server.web = web  # type: ignore[attr-defined]
    server.lock, server.here = threading.Lock(), 0  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with server.lock:
            server.here += 1
            headers = {name.casefold(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body, time.monotonic(), server.here)
            server.web.requests.append(request)
        try:
            reply = server.web.answer(request)
        finally:
            with server.lock:
                server.here -= 1
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        whole = isinstance(reply.body, bytes)
        headers = {"Content-Type": "application/json", **({"Content-Length": str(len(reply.body))} if whole else {})}
        for name, value in {**headers, **reply.headers}.items():
            self.send_header(name, value)
        if not whole:
            self.send_header("Connection", "close")
        self.end_headers()
        for part in [reply.body] if whole else reply.body:
            try:
                self.wfile.write(part)
            except OSError:
                return

    do_GET = do_POST = _serve  # noqa: N815 (names of the library)

    def log_message(self, *_: Any) -> None:
        pass
