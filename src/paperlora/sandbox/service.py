"""The sandbox's HTTP routes: sources, endpoint, PDFs and the controls for tests."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from paperlora.sandbox import arxiv_api, chat_api, embeddings_api, oai_api, openalex_api, scholar_api
from paperlora.sandbox.batch_api import Batches
from paperlora.sandbox.faults import Fault, FaultBoard
from paperlora.sandbox.hub_api import HubStandIn
from paperlora.sandbox.library import ARXIV_ID, Entry, Library

WRONG_KEY = "wrong"
"""The API key that Semantic Scholar and the LLM endpoint refuse."""
HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    "<body><h1>Checking your browser</h1><p>Please enable cookies and reload this page.</p></body></html>"
)
NOT_FOUND_PAGE = "<!DOCTYPE html><html><head><title>404</title></head><body><h1>No paper</h1></body></html>"

Handler = Callable[[Request, Fault | None], Awaitable[Response]]


class Seen(NamedTuple):
    """One request as it came in."""

    route: str
    url: str
    user_agent: str


class Service:
    """Everything the sandbox answers, and what it was asked.

    Args:
        scholar_page_size: papers a page of the bulk search; Semantic Scholar itself has 1,000.
        oai_page_size: records a page of an OAI-PMH listing.
    """

    def __init__(
        self, library: Library, scholar_page_size: int = 1000, oai_page_size: int = oai_api.PAGE_SIZE
    ) -> None:
        self.library = library
        self.scholar_page_size = scholar_page_size
        self.oai_page_size = oai_page_size
        self.faults = FaultBoard()
        self.counts: Counter[str] = Counter()
        self.requests: list[Seen] = []
        self.script: chat_api.Script | None = None
        self.batches = Batches(self._answer_line)
        self.hub = HubStandIn()
        self._closing = threading.Event()

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                self._route("/api/query", "arxiv.query", self._arxiv_query),
                self._route("/pdf/{name:path}", "arxiv.pdf", self._arxiv_pdf),
                self._route("/html/{name:path}", "arxiv.html", self._arxiv_html),
                self._route("/src/{name:path}", "arxiv.src", self._arxiv_source),
                self._route("/oai", "oai", self._oai),
                self._route("/works", "openalex", self._openalex),
                self._route("/graph/v1/paper/search/bulk", "s2.bulk", self._scholar_bulk),
                self._route("/graph/v1/paper/batch", "s2.batch", self._scholar_batch, "POST"),
                self._route("/graph/v1/paper/{name:path}", "s2.paper", self._scholar_paper),
                self._route("/reader/{name}.pdf", "s2.pdf", self._scholar_pdf),
                self._route("/v1/chat/completions", "llm.chat", self._chat, "POST"),
                self._route("/v1/models", "llm.models", self._models),
                self._route("/v1/embeddings", "llm.embeddings", self._embeddings, "POST"),
                self._route("/v1/files", "llm.files", self._upload, "POST"),
                self._route("/v1/files/{name}/content", "llm.files", self._file),
                self._route("/v1/batches", "llm.batches", self._begin_batch, "POST"),
                self._route("/v1/batches", "llm.batch", self._list_batches),
                self._route("/v1/batches/{name}", "llm.batch", self._look_at_batch),
                Mount("/hub", self.hub.app()),
                Route("/abs/{name:path}", self._landing),
                Route("/sandbox/counts", self._counts),
                Route("/sandbox/faults", self._faults, methods=["POST", "DELETE"]),
            ]
        )

    def close(self) -> None:
        """End every time-out that is being acted out."""
        self._closing.set()

    # ------------------------------------------------------------------ faults

    def _route(self, path: str, name: str, handler: Handler, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            self.counts[name] += 1
            self.requests.append(Seen(name, str(request.url), request.headers.get("user-agent", "")))
            body = (await request.body()).decode("utf-8", "replace")
            fault = self.faults.take(name, f"{request.url}\n{body}")
            if fault is not None and (early := await self._instead(fault)) is not None:
                return early
            response = await handler(request, fault)
            return response if fault is None else self._spoiled(response, fault)

        return Route(path, endpoint, methods=[method])

    async def _instead(self, fault: Fault) -> Response | None:
        """The answer of a fault that needs no real one."""
        if fault.kind == "timeout":
            await self._wait(float(fault.option("seconds", 60)))
            return Response(status_code=504)
        if fault.kind == "html":
            return HTMLResponse(HTML_PAGE)
        if fault.kind == "empty_body":
            return Response()
        if fault.kind == "rate_limit":
            return JSONResponse({"message": "Too Many Requests"}, 429, _retry_after(fault.option("retry_after", 1)))
        if fault.kind == "unavailable":
            headers = _retry_after(fault.option("retry_after", None))
            return Response("Service Unavailable", int(fault.option("status", 503)), headers)
        return None

    def _spoiled(self, response: Response, fault: Fault) -> Response:
        """A real answer as the fault leaves it."""
        body = bytes(response.body)
        if fault.kind == "stall":
            return _streamed(response, body, self._half(body, float(fault.option("seconds", 60))))
        if fault.kind == "cut_connection" or (fault.kind == "truncated" and fault.route != "llm.chat"):
            kept = body[: int(len(body) * float(fault.option("share", 0.5)))]
            return _streamed(response, body if fault.option("declared", True) else kept, _once(kept))
        if fault.kind in ("bad_body", "bad_json") and (fault.kind == "bad_body" or fault.route != "llm.chat"):
            return Response(body[:-1] + b",,", media_type="application/json")
        if fault.kind == "wrong_schema" and fault.route != "llm.chat":
            return JSONResponse({"results": [], "next": "soon"})
        return response

    async def _half(self, body: bytes, seconds: float) -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._closing.is_set() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)

    # ----------------------------------------------------------------- sources

    async def _arxiv_query(self, request: Request, fault: Fault | None) -> Response:
        empty = fault is not None and fault.kind == "empty_page"
        feed = arxiv_api.answer(self.library, dict(request.query_params), _base(request), empty=empty)
        return Response(feed.xml, feed.status, media_type="application/atom+xml; charset=utf-8")

    async def _arxiv_pdf(self, request: Request, fault: Fault | None) -> Response:
        return _pdf(self._named(request))

    async def _arxiv_html(self, request: Request, fault: Fault | None) -> Response:
        entry = self._named(request)
        page = entry.html_bytes() if entry else None
        return HTMLResponse(NOT_FOUND_PAGE, 404) if page is None else HTMLResponse(page)

    async def _arxiv_source(self, request: Request, fault: Fault | None) -> Response:
        entry = self._named(request)
        source = entry.source_bytes() if entry else None
        if source is None:
            return HTMLResponse(NOT_FOUND_PAGE, 404)
        return Response(source, media_type="application/pdf" if source.startswith(b"%PDF-") else "application/gzip")

    def _named(self, request: Request) -> Entry | None:
        match = ARXIV_ID.fullmatch(request.path_params["name"].removesuffix(".pdf"))
        version = int(match["version"]) if match and match["version"] else None
        return self.library.by_arxiv_id(match["id"], version) if match else None

    async def _oai(self, request: Request, fault: Fault | None) -> Response:
        asked, address = dict(request.query_params), f"{_base(request)}/oai"
        kind = fault.kind if fault else ""
        xml = oai_api.answer(
            self.library, asked, address, self.oai_page_size, expired=kind == "token_expired", empty=kind == "empty_page"
        )
        return Response(xml, media_type="text/xml; charset=utf-8")

    async def _openalex(self, request: Request, fault: Fault | None) -> Response:
        asked, kind = dict(request.query_params), fault.kind if fault else ""
        return _json(
            openalex_api.works(
                self.library, asked, _base(request), wrong_key=WRONG_KEY, expired=kind == "token_expired",
                empty=kind == "empty_page",
            )
        )  # fmt: skip

    async def _scholar_bulk(self, request: Request, fault: Fault | None) -> Response:
        asked, kind = dict(request.query_params), fault.kind if fault else ""
        return _checked(request) or _json(
            scholar_api.bulk(
                self.library, asked, _base(request), self.scholar_page_size, empty=kind == "empty_page",
                expired=kind == "token_expired",
            )
        )  # fmt: skip

    async def _scholar_batch(self, request: Request, fault: Fault | None) -> Response:
        fields = request.query_params.get("fields", "")
        try:
            body = await request.json()
        except ValueError:
            body = None
        return _checked(request) or _json(scholar_api.batch(self.library, fields, body, _base(request)))

    async def _scholar_paper(self, request: Request, fault: Fault | None) -> Response:
        fields = request.query_params.get("fields", "")
        name = request.path_params["name"]
        return _checked(request) or _json(scholar_api.single(self.library, name, fields, _base(request)))

    async def _scholar_pdf(self, request: Request, fault: Fault | None) -> Response:
        return _pdf(self.library.by_scholar_id(request.path_params["name"]))

    async def _landing(self, request: Request) -> Response:
        match = ARXIV_ID.fullmatch(request.path_params["name"])
        entry = self.library.by_arxiv_id(match["id"]) if match else None
        return HTMLResponse(
            f"<h1>{entry.title}</h1><p>{entry.abstract}</p>" if entry else NOT_FOUND_PAGE, 200 if entry else 404
        )

    # ---------------------------------------------------------------- endpoint

    async def _chat(self, request: Request, fault: Fault | None) -> Response:
        if request.headers.get("authorization") == f"Bearer {WRONG_KEY}":
            return _json(chat_api.wrong_key(WRONG_KEY))
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        reply = await run_in_threadpool(chat_api.answer, asked, self.library.facts, self.script, fault)
        for name in ("prompt_tokens", "completion_tokens"):
            self.counts[f"llm.{name}"] += reply.body.get("usage", {}).get(name, 0)
        return _json(reply)

    async def _models(self, request: Request, fault: Fault | None) -> Response:
        if request.headers.get("authorization") == f"Bearer {WRONG_KEY}":
            return _json(chat_api.wrong_key(WRONG_KEY))
        return JSONResponse(
            {"object": "list", "data": [{"id": chat_api.MODEL, "object": "model", "owned_by": "paperlora"}]}
        )

    async def _embeddings(self, request: Request, fault: Fault | None) -> Response:
        if request.headers.get("authorization") == f"Bearer {WRONG_KEY}":
            return _json(chat_api.wrong_key(WRONG_KEY))
        return _json(embeddings_api.answer(await request.json()))

    def _answer_line(self, asked: object) -> chat_api.Reply:
        return chat_api.answer(asked, self.library.facts, self.script, None)

    async def _upload(self, request: Request, fault: Fault | None) -> Response:
        return _json(self.batches.upload(request.headers.get("content-type", ""), await request.body()))

    async def _file(self, request: Request, fault: Fault | None) -> Response:
        content = self.batches.content(request.path_params["name"])
        return Response(content, media_type="application/octet-stream") if content is not None else Response(status_code=404)

    async def _begin_batch(self, request: Request, fault: Fault | None) -> Response:
        return _json(self.batches.create(await request.json(), fault))

    async def _list_batches(self, request: Request, fault: Fault | None) -> Response:
        return _json(self.batches.listing())

    async def _look_at_batch(self, request: Request, fault: Fault | None) -> Response:
        return _json(await run_in_threadpool(self.batches.look, request.path_params["name"]))

    # ---------------------------------------------------------------- controls

    async def _counts(self, request: Request) -> Response:
        return JSONResponse(dict(self.counts))

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
            return Response(status_code=204)
        try:
            asked = dict(await request.json())
            if "storm" in asked:
                self.faults.storm(float(asked["storm"]), int(asked.get("seed", 0)))
                return Response(status_code=204)
            named = {
                name: asked.pop(name, default)
                for name, default in (("route", ""), ("kind", ""), ("times", None), ("after", 0))
            }
            self.faults.add(**named, options=asked)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return Response(status_code=204)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _json(reply: Any) -> Response:
    return JSONResponse(reply.body, reply.status)


def _checked(request: Request) -> Response | None:
    """Semantic Scholar's refusal of a wrong key."""
    return JSONResponse({"message": "Forbidden"}, 403) if request.headers.get("x-api-key") == WRONG_KEY else None


def _pdf(entry: Entry | None) -> Response:
    if entry is None or entry.withdrawn:
        return HTMLResponse(NOT_FOUND_PAGE, 404)
    return Response(entry.pdf_bytes(), media_type="application/pdf")


def _retry_after(value: float | str | None) -> dict[str, str]:
    return {} if value is None else {"Retry-After": str(value)}


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _streamed(response: Response, declared: bytes, chunks: AsyncIterator[bytes]) -> Response:
    """The chunks under the status and type of the real answer, with the Content-Length of ``declared``."""
    headers = {"content-length": str(len(declared)), "content-type": response.headers["content-type"]}
    return StreamingResponse(chunks, response.status_code, headers)
