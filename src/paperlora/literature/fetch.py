"""Address → file: downloaded once, whole, not too large, and of the kind that it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import httpx

from paperlora.errors import DocumentUnreadable, HostNotAllowed, SourceAnswerInvalid, StoreError
from paperlora.literature.polite import Patience, Polite
from paperlora.settings import Settings
from paperlora.store import Store

MAGIC_WITHIN = 1024
"""Bytes in which ``%PDF-`` must begin (as PDF readers take it)."""


class WrongType(SourceAnswerInvalid):
    """Something else than what was asked for: arXiv sends a page while it makes a PDF, so it is asked again."""


class Saved(NamedTuple):
    """A file that came in whole."""

    url: str
    """Where it came from after redirects."""
    sha256: str
    bytes: int


class FileType(NamedTuple):
    """What is asked for, and how it is known."""

    accept: str
    """Content type."""
    begins: Callable[[bytes], bool]
    """Whether these can be its first bytes (up to ``MAGIC_WITHIN``)."""
    whole: Callable[[Path], None] = lambda path: None
    """Raises WrongType or SourceAnswerInvalid where a file that came in isn't one."""
    raw: bool = False
    """Its bytes are kept as they are sent: a Content-Encoding is that of the file itself."""


PDF = FileType("application/pdf", lambda head: b"%PDF-" in head)


class Downloader:
    """One client for all full texts of a batch, as a context manager.

    Args:
        settings: whose ``reading.max_megabytes``, ``reading.hosts`` and paces hold.
    """

    def __init__(self, settings: Settings, patience: Patience | None = None) -> None:
        self._most = settings.reading.max_megabytes * 1e6
        self._polite = Polite("download", settings, patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._polite.close()

    def download(self, url: str, path: Path, kind: FileType = PDF) -> Saved:
        """Fetch an address into a file, which is there in whole or not at all.

        Raises:
            SourceUnavailable: time-out, 429, 5xx or no connection, after the last attempt.
            SourceAnswerInvalid: cut off, or (:class:`WrongType`) of another kind, after the last attempt.
            SourceRefused: there is nothing at this address, or (HostNotAllowed) nothing may be fetched from there.
            DocumentUnreadable: too large.
        """
        aside = path.with_name(f".{path.name}.part")
        headers = {"Accept": kind.accept, **({"Accept-Encoding": "identity"} if kind.raw else {})}
        try:
            saved = self._polite.stream(url, lambda response: self._save(response, aside, kind), headers)
            aside.rename(path)
        finally:
            aside.unlink(missing_ok=True)
        return saved

    def _save(self, response: httpx.Response, path: Path, kind: FileType) -> Saved:
        declared = int(response.headers.get("content-length") or 0)
        url = str(response.url)
        if declared > self._most:
            raise DocumentUnreadable(f"{url} is too large: {declared / 1e6:.0f} MB.", reason="too_large")
        head, size, sha256 = b"", 0, hashlib.sha256()
        with path.open("wb") as file:
            for chunk in response.iter_raw() if kind.raw else response.iter_bytes():
                size += len(chunk)
                if len(head) < MAGIC_WITHIN:
                    head += chunk[: MAGIC_WITHIN - len(head)]
                    _recognise(head, kind, url, size >= MAGIC_WITHIN)
                if size > self._most:
                    raise DocumentUnreadable(f"{url} is too large: over {self._most / 1e6:.0f} MB.", reason="too_large")
                sha256.update(chunk)
                file.write(chunk)
        if response.num_bytes_downloaded < declared:
            raise SourceAnswerInvalid(f"{url} was cut off at {response.num_bytes_downloaded} of {declared} bytes.")
        _recognise(head, kind, url, True)
        kind.whole(path)
        return Saved(url, sha256.hexdigest(), size)


def _recognise(head: bytes, kind: FileType, url: str, enough: bool) -> None:
    if enough and not kind.begins(head):
        raise WrongType(f"{url} is not what was asked for: it begins with {head[:20]!r}.")


def download_pdf(url: str, path: Path, downloader: Downloader) -> Saved:
    """Fetch a PDF.

    Raises:
        SourceError: it can't be fetched.
        DocumentUnreadable: what is there is no PDF (not_a_pdf), too large (too_large), or at a host that isn't allowed
            (host_not_allowed).
    """
    try:
        return downloader.download(url, path)
    except WrongType as error:
        raise DocumentUnreadable(error.message, reason="not_a_pdf") from error
    except HostNotAllowed as error:
        raise DocumentUnreadable(error.message, error.remedy, reason="host_not_allowed") from error


def stored(store: Store, kind: str, key: str) -> Path | None:
    """The complete folder that is there; an altered one is removed, so that it is fetched again."""
    if not store.has(kind, key):
        return None
    try:
        return store.folder(kind, key)
    except StoreError:
        store.remove(kind, key)
        return None
