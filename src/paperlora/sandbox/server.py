"""The sandbox as a server: an offline arXiv, Semantic Scholar and LLM endpoint on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from paperlora.errors import SettingsError, StackError
from paperlora.sandbox.chat_api import Script
from paperlora.sandbox.crowd import crowd as crowd_library
from paperlora.sandbox.folder import folder_library
from paperlora.sandbox.hub_api import HubStandIn
from paperlora.sandbox.library import Entry, Library, entry_of, moment_from, sandbox_library
from paperlora.sandbox.oai_api import PAGE_SIZE as OAI_PAGE_SIZE
from paperlora.sandbox.paper import SandboxPaper
from paperlora.sandbox.service import Seen, Service

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Sandbox:
    """A running sandbox, as a context manager.

    Args:
        papers: a folder of PDFs to serve instead of the invented papers.
        crowd: serve that many papers without a story instead, see :mod:`paperlora.sandbox.crowd`.
        port: 0 for any free one.
        scholar_page_size: papers a page of Semantic Scholar's bulk search.
        oai_page_size: records a page of arXiv's OAI-PMH listings.

    Raises:
        SettingsError: the folder holds no PDF, or (on entering) the port is taken.
    """

    def __init__(
        self, papers: Path | None = None, port: int = 0, host: str = "127.0.0.1", *, crowd: int = 0,
        scholar_page_size: int = 1000, oai_page_size: int = OAI_PAGE_SIZE,
    ) -> None:  # fmt: skip
        self._address = (host, port)
        self._first = _library(papers, crowd)
        self._service = Service(self._first, scholar_page_size, oai_page_size)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        listener = _listen(*self._address)
        self._address = (self._address[0], listener.getsockname()[1])
        self._server = uvicorn.Server(_config(self._service))
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="sandbox", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise StackError("The sandbox did not start.", "See the error above; another port may help.")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None and self._thread is not None
        self._service.close()
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)

    @property
    def url(self) -> str:
        """Address of the server, without a slash at the end."""
        return f"http://{self._address[0]}:{self._address[1]}"

    @property
    def arxiv_url(self) -> str:
        """For PAPERLORA_ARXIV__URL."""
        return f"{self.url}/api/query"

    @property
    def oai_url(self) -> str:
        """For PAPERLORA_ARXIV__OAI_URL."""
        return f"{self.url}/oai"

    @property
    def openalex_url(self) -> str:
        """For PAPERLORA_OPENALEX__URL; a cursor needs some key, see OpenAlex's own rule."""
        return self.url

    @property
    def semantic_scholar_url(self) -> str:
        """For PAPERLORA_SEMANTIC_SCHOLAR__URL."""
        return f"{self.url}/graph/v1"

    @property
    def llm_url(self) -> str:
        """For PAPERLORA_LLM__BASE_URL."""
        return f"{self.url}/v1"

    @property
    def hub_url(self) -> str:
        """For HF_ENDPOINT: a stand-in for the Hugging Face hub."""
        return f"{self.url}/hub"

    @property
    def hub(self) -> HubStandIn:
        """The repositories that were made there."""
        return self._service.hub

    @property
    def library(self) -> Library:
        """What it serves. Set another one to let papers appear or change between two requests."""
        return self._service.library

    @library.setter
    def library(self, library: Library) -> None:
        self._service.library = library

    def publish(self, *papers: SandboxPaper | Entry, on: str = "") -> None:
        """Let papers or new versions appear while it runs.

        Args:
            on: ISO day on which the sources show them first, where that is later than the day they bear.
        """
        listed = moment_from(on) if on else None
        new = [replace(paper if isinstance(paper, Entry) else entry_of(paper), listed=listed) for paper in papers]
        old = self._service.library
        facts = [fact for paper in papers if isinstance(paper, SandboxPaper) for fact in paper.facts]
        self._service.library = Library([*old.entries, *new], [*old.facts, *facts], old.deleted)

    def remove(self, arxiv_id: str, on: str) -> None:
        """Let arXiv delete a paper on that ISO day: OAI-PMH says so, elsewhere it is gone."""
        old = self._service.library
        kept = [entry for entry in old.entries if entry.arxiv_id != arxiv_id]
        self._service.library = Library(kept, old.facts, {**old.deleted, arxiv_id: on})

    def restock(self) -> None:
        """Serve again what it served at first."""
        self._service.library = self._first

    @property
    def counts(self) -> Counter[str]:
        """Requests by route, spoiled ones included, and the tokens of the LLM route."""
        return self._service.counts

    @property
    def requests(self) -> list[Seen]:
        """Every request in order."""
        return self._service.requests

    def fault(self, route: str, kind: str, times: int | None = None, after: int = 0, **options: Any) -> None:
        """Switch a fault on; :data:`paperlora.sandbox.faults.KINDS` lists kinds and options.

        Args:
            times: requests to spoil; None for all until :meth:`heal`.
            after: requests to let pass first.

        Raises:
            ValueError: no such route, kind or option.
        """
        self._service.faults.add(route, kind, times, after, options)

    def storm(self, share: float, seed: int = 0) -> None:
        """Spoil each request with this probability, by any fault that applies to its route, until :meth:`heal`."""
        self._service.faults.storm(share, seed)

    def heal(self) -> None:
        """Switch all faults off."""
        self._service.faults.clear()

    def script_llm(self, answer: Script | None) -> None:
        """Let a function answer in place of the oracle: it gets the request, and gives the message's text, a JSON object
        as its content, or (with ``choices``) the whole body. None brings the oracle back."""
        self._service.script = answer


def serve(papers: Path | None, host: str, port: int, crowd: int = 0) -> None:
    """Serve until Ctrl+C.

    Args:
        papers: a folder of PDFs to serve instead of the invented papers.
        crowd: serve that many papers without a story instead.

    Raises:
        SettingsError: the folder holds no PDF, or the port is taken.
    """
    service = Service(_library(papers, crowd))
    listener = _listen(host, port)
    print(_welcome(service.library, f"http://{host}:{listener.getsockname()[1]}"), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(_config(service)).run([listener])


def _library(papers: Path | None, crowd: int) -> Library:
    if crowd:
        return crowd_library(crowd)
    return sandbox_library() if papers is None else folder_library(papers)


def _listen(host: str, port: int) -> socket.socket:
    # Only where TCP is named does asyncio switch Nagle's algorithm off: with it every small answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"The sandbox can't listen on {host}:{port}: {error.strerror}.", "Choose another --port."
        ) from error
    return listener


def _config(service: Service) -> uvicorn.Config:
    # h11 closes the connection where fewer bytes come than Content-Length says: that is how a cut-off download looks.
    return uvicorn.Config(
        service.app(), http="h11", ws="none", lifespan="off", log_level="critical", access_log=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip


def _welcome(library: Library, url: str) -> str:
    return "\n".join([
        f"{sum(1 for _ in library.newest)} papers at {url}. To use them:",
        f"  export PAPERLORA_ARXIV__URL={url}/api/query",
        f"  export PAPERLORA_ARXIV__OAI_URL={url}/oai",
        f"  export PAPERLORA_SEMANTIC_SCHOLAR__URL={url}/graph/v1",
        f"  export PAPERLORA_OPENALEX__URL={url} PAPERLORA_OPENALEX__API_KEY=any",
        f"  export PAPERLORA_LLM__PROVIDER=openai PAPERLORA_LLM__BASE_URL={url}/v1 PAPERLORA_LLM__MODEL=sandbox-oracle",
        f"Counts: {url}/sandbox/counts. Faults: POST and DELETE {url}/sandbox/faults. Ctrl+C ends it.",
    ])  # fmt: skip
