"""Papers → documents in the store: every paper ends as a document or as one reject, in memory that doesn't grow."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from paperlora.errors import DocumentUnreadable, SourceError
from paperlora.literature.fetch import Downloader
from paperlora.literature.fulltext import fetch_fulltext
from paperlora.literature.guides import guide_path, guides
from paperlora.literature.reader import PARSER, PARSER_VERSION, FileKind, PdfReader
from paperlora.progress import Progress, silent
from paperlora.records import Document, Origin, Paper, Reject, digest
from paperlora.settings import Settings
from paperlora.store import Store, file_hash, slug, write_json

KIND = "documents"
STAGE = "ingest"
AHEAD = 8
"""Files that may lie fetched and unread: enough to keep the reading processes busy, too few to fill the memory."""
TRANSIENT = frozenset({"source_unavailable"})
"""Reasons that may be gone by the next run: the paper stays in the queue."""


class Outcome(NamedTuple):
    """What became of one paper: a document or a reject."""

    paper: Paper
    uri: str = ""
    """Of the document's folder; empty for a reject."""
    reject: Reject | None = None
    reused: bool = False
    """The document was there already."""


class Ingested(NamedTuple):
    """What became of the papers."""

    documents: tuple[str, ...]
    """URIs, in the order of the papers."""
    rejects: tuple[Reject, ...]
    reused: int
    """Documents that were there already."""


class _Fetched(NamedTuple):
    paper: Paper
    path: Path
    sha256: str
    key: str
    origin: Origin


_Waiting = tuple[_Fetched, "Future[Document] | None"]


def ingest_papers(papers: Sequence[Paper], settings: Settings, store: Store, progress: Progress = silent) -> Ingested:
    """Fetch, read and store each paper. A bad one costs one reject, never the batch.

    What is transient (a source that doesn't answer) is rejected as ``source_unavailable`` for this run only: nothing of
    it is kept, so the next run tries again.
    """
    documents: list[str] = []
    rejects: list[Reject] = []
    reused, total = 0, len(papers)
    progress("reading papers", 0, total)
    for outcome in read_each(current(papers, rejects), settings, store):
        if outcome.reject is None:
            documents.append(outcome.uri)
        else:
            rejects.append(outcome.reject)
        reused += outcome.reused
        progress("reading papers", len(documents) + len(rejects), total)
    return Ingested(tuple(documents), tuple(rejects), reused)


def current(papers: Sequence[Paper], rejects: list[Reject]) -> list[Paper]:
    """Papers worth fetching: not withdrawn, and the newest of their versions; the others become rejects."""
    newest = {paper.id: paper for paper in sorted(papers, key=lambda paper: paper.version)}
    kept: list[Paper] = []
    for paper in {paper.key: paper for paper in papers}.values():
        latest = newest[paper.id]
        if latest.version > paper.version:
            rejects.append(_reject(paper, "superseded", f"by {latest.key}"))
        elif paper.withdrawn:
            rejects.append(_reject(paper, "withdrawn", "Its authors took it back."))
        else:
            kept.append(paper)
    return kept


def read_each(papers: Iterable[Paper], settings: Settings, store: Store) -> Iterator[Outcome]:
    """One outcome for each paper, in their order. While one is fetched, those before it are read.

    Of all papers only a handful is in memory at any time, whatever their number.
    """
    with Downloader(settings) as downloader, PdfReader(settings.reading) as reader, ThreadPoolExecutor(AHEAD) as pool:
        waiting: deque[_Waiting] = deque()
        for paper in papers:
            fetched = _fetch(paper, settings, store, downloader)
            if isinstance(fetched, Reject):
                yield from _settle(waiting, 0, store)
                yield Outcome(paper, reject=fetched)
                continue
            there = store.has(KIND, fetched.key)
            waiting.append((fetched, None if there else pool.submit(_read, reader, fetched)))
            yield from _settle(waiting, AHEAD - 1, store)
        yield from _settle(waiting, 0, store)


def unread_guides(settings: Settings, store: Store) -> tuple[Paper, ...]:
    """The guides of the settings whose present content is no document yet."""
    return tuple(paper for paper in guides(settings) if not store.has(KIND, _guide(paper).key))


def _guide(paper: Paper) -> _Fetched:
    return _fetched(paper, guide_path(paper), "guide", paper.landing_url or "", "named in the settings")


def _settle(waiting: deque[_Waiting], most: int, store: Store) -> Iterator[Outcome]:
    """Outcomes of what is read, in order, until no more than ``most`` files wait."""
    while waiting and (len(waiting) > most or waiting[0][1] is None or waiting[0][1].done()):
        fetched, reading = waiting.popleft()
        try:
            if reading is not None:
                _keep(fetched, reading.result(), store)
        except DocumentUnreadable as error:
            yield Outcome(fetched.paper, reject=_reject(fetched.paper, error.reason, error.message))
        else:
            yield Outcome(fetched.paper, store.uri(KIND, fetched.key), reused=reading is None)


def _read(reader: PdfReader, fetched: _Fetched) -> Document:
    return reader.read(fetched.path, fetched.paper.key, fetched.origin.kind)


def _fetch(paper: Paper, settings: Settings, store: Store, downloader: Downloader) -> _Fetched | Reject:
    try:
        if paper.id.startswith("guide:"):
            return _guide(paper)
        text = fetch_fulltext(paper, settings, store, downloader)
    except DocumentUnreadable as error:
        return _reject(paper, error.reason, error.message)
    except SourceError as error:
        return _reject(paper, "source_unavailable" if error.transient else "source_refused", error.message)
    return _fetched(paper, text.path, text.kind, text.url, text.why, text.sha256)


def _fetched(paper: Paper, path: Path, kind: FileKind, url: str, why: str, sha256: str = "") -> _Fetched:
    content = sha256 or file_hash(path)
    # Where it was fetched from decides nothing: a mirror or another port must not make it a new document.
    known = paper.model_copy(update={"pdf_url": None, "landing_url": None})
    key = f"{slug(paper.key)}-{digest(content, PARSER_VERSION, known)[:12]}"
    return _Fetched(paper, path, content, key, Origin(kind=kind, url=url, why=why, licence=paper.licence))


def _keep(item: _Fetched, document: Document, store: Store) -> None:
    with store.writing(KIND, item.key) as draft:
        write_json(draft.path / "document.json", document.model_copy(update={"origin": item.origin}))
        write_json(draft.path / "paper.json", item.paper)
        draft.inputs = {item.origin.url: item.sha256}
        draft.models = {"parser": f"{PARSER} {PARSER_VERSION}"}
        draft.counts = {
            "pages": document.pages, "sections": len(document.sections), "characters": document.characters,
            "left_out": len(document.left_out),
        }  # fmt: skip


def _reject(paper: Paper, reason: str, detail: str) -> Reject:
    return Reject(stage=STAGE, item=paper.key, reason=reason, detail=detail)
