"""Paper → PDF in the store: downloaded once, whole, not too large, and really a PDF."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx

from paperlora.errors import (
    DocumentUnreadable,
    SourceAnswerInvalid,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    StoreError,
)
from paperlora.literature.polite import Pace, Patience, check_status, patiently
from paperlora.records import Paper
from paperlora.settings import Settings
from paperlora.store import Store, slug

KIND = "pdfs"
FILE = "paper.pdf"
MAGIC_WITHIN = 1024
"""Bytes in which ``%PDF-`` must begin (as PDF readers take it)."""
TIMES_SILENCE = 10
"""A whole download may take this many times the longest silence that is waited for."""
GIVE_UP_AFTER = 3
"""After this many failed papers in a row a host gets one attempt each."""


class _WebPage(SourceAnswerInvalid):
    """Something else than a PDF: arXiv sends a page while it makes the PDF, so it is asked again."""


class Downloader:
    """One client for all PDFs of a batch: pauses between requests to one host, gives a dead host up soon."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = httpx.Client(
            headers={"User-Agent": settings.user_agent, "Accept": "application/pdf"}, follow_redirects=True,
            timeout=httpx.Timeout(settings.arxiv.timeout_seconds, connect=min(settings.arxiv.timeout_seconds, 10.0)),
        )  # fmt: skip
        self._paces: dict[str, Pace] = {}
        self._failures: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def download(self, url: str) -> bytes:
        """The PDF at an address.

        Raises:
            SourceUnavailable: time-out, 429, 5xx or no connection, after the last attempt.
            SourceAnswerInvalid: cut off, after the last attempt.
            SourceRefused: there is nothing at this address.
            DocumentUnreadable: no PDF, or too large.
        """
        host = urlsplit(url).netloc
        pace = self._paces.setdefault(host, Pace(self._delay(host)))
        attempts = 1 if self._failures[host] >= GIVE_UP_AFTER else Patience(0).attempts
        try:
            data = patiently(lambda: self._try(url, pace), Patience(self._delay(host), attempts))
        except _WebPage as error:
            raise DocumentUnreadable(error.message, reason="not_a_pdf") from error
        except SourceError as error:
            self._failures[host] += error.transient
            raise
        self._failures[host] = 0
        return data

    def _delay(self, host: str) -> float:
        arxiv = host == urlsplit(self._settings.arxiv.url).netloc or host.endswith("arxiv.org")
        return self._settings.arxiv.delay_seconds if arxiv else self._settings.semantic_scholar.delay_seconds

    def _try(self, url: str, pace: Pace) -> bytes:
        pace.wait()
        deadline = time.monotonic() + TIMES_SILENCE * self._settings.arxiv.timeout_seconds
        try:
            with self._client.stream("GET", url) as response:
                check_status(url, response.status_code, response.headers)
                return self._body(response, url, deadline)
        except httpx.RemoteProtocolError as error:
            raise SourceAnswerInvalid(f"The download of {url} was cut off.") from error
        except httpx.TimeoutException as error:
            raise SourceUnavailable(f"{url} can't be fetched: no answer in time.") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
            raise SourceRefused(f"{url} can't be fetched: {error}.", "The source's link is wrong.") from error
        except httpx.TransportError as error:
            raise SourceUnavailable(f"{url} can't be fetched: {error}.") from error

    def _body(self, response: httpx.Response, url: str, deadline: float) -> bytes:
        most = self._settings.reading.max_megabytes * 1e6
        declared = int(response.headers.get("content-length") or 0)
        if declared > most:
            raise DocumentUnreadable(f"{url} is too large: {declared / 1e6:.0f} MB.", reason="too_large")
        data = bytearray()
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) >= MAGIC_WITHIN and b"%PDF-" not in data[:MAGIC_WITHIN]:
                raise _WebPage(f"{url} is no PDF: it begins with {bytes(data[:20])!r}.")
            if len(data) > most:
                raise DocumentUnreadable(f"{url} is too large: more than {most / 1e6:.0f} MB.", reason="too_large")
            if time.monotonic() > deadline:
                raise SourceUnavailable(f"{url} can't be fetched: it comes in too slowly.")
        if declared and response.num_bytes_downloaded < declared:
            raise SourceAnswerInvalid(f"The download of {url} was cut off at {len(data)} of {declared} bytes.")
        if b"%PDF-" not in data[:MAGIC_WITHIN]:
            raise _WebPage(f"{url} is no PDF: it begins with {bytes(data[:20])!r}.")
        return bytes(data)


def fetch_pdf(paper: Paper, settings: Settings, store: Store, downloader: Downloader | None = None) -> Path:
    """Local path of a paper's PDF; fetched only where the store doesn't have it.

    Args:
        downloader: shared by a batch; None for one of its own.

    Raises:
        SourceError: it can't be fetched.
        DocumentUnreadable: what is there is no PDF, or too large; or no source offers a full text.
    """
    key = slug(paper.key)
    if stored := _stored(store, key):
        return stored
    if not paper.pdf_url:
        raise DocumentUnreadable(f"No source offers the full text of {paper.key}.", reason="no_full_text")
    if downloader is None:
        with Downloader(settings) as own:
            data = own.download(paper.pdf_url)
    else:
        data = downloader.download(paper.pdf_url)
    with store.writing(KIND, key) as draft:
        (draft.path / FILE).write_bytes(data)
        draft.inputs = {paper.pdf_url: paper.key}
        draft.counts = {"bytes": len(data)}
    return store.folder(KIND, key) / FILE


def _stored(store: Store, key: str) -> Path | None:
    """The PDF that is there; an altered one is removed, so that it is fetched again."""
    if not store.has(KIND, key):
        return None
    try:
        return store.folder(KIND, key) / FILE
    except StoreError:
        if not store.is_local:
            raise
        shutil.rmtree(store.uri(KIND, key).removeprefix("file://"))
        return None
