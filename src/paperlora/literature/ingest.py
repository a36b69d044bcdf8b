"""Papers → documents in the store: every paper ends as a document or as one reject, in memory that doesn't grow."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from paperlora.errors import DocumentUnreadable, SourceError
from paperlora.literature.fetch import Downloader
from paperlora.literature.fulltext import Kind, fetch_fulltext
from paperlora.literature.guides import guide_path, guides
from paperlora.literature.reader import PARSER, PARSER_VERSION, FileKind, PdfReader
from paperlora.progress import Progress, silent
from paperlora.records import Document, Origin, Paper, Reject, digest
from paperlora.settings import Settings
from paperlora.store import Store, file_hash, slug, write_json

KIND = "documents"
STAGE = "ingest"
AHEAD = 8
"""Papers on their way at a time: network, reading processes and disk are kept busy, the memory is not filled."""
FETCHING = 3
"""Of these being fetched. A host that wants one request at a time is asked one at a time all the same."""


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
    """One outcome for each paper, in their order. While some are fetched, others are read or written to disk.

    Of all papers only a handful is in memory at any time, whatever their number.
    """
    with (
        Downloader(settings) as downloader,
        PdfReader(settings.reading) as reader,
        ThreadPoolExecutor(AHEAD, "paper") as pool,
    ):
        line = _Line(settings, store, downloader, reader)
        waiting: deque[Future[Outcome]] = deque()
        for paper in papers:
            waiting.append(pool.submit(line.run, paper))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Line:
    """What a paper passes through; several do at the same time."""

    def __init__(self, settings: Settings, store: Store, downloader: Downloader, reader: PdfReader) -> None:
        self._settings, self._store, self._downloader, self._reader = settings, store, downloader, reader
        self._fetching = threading.BoundedSemaphore(FETCHING)

    def run(self, paper: Paper) -> Outcome:
        try:
            return self._best_kind(paper, self._settings.reading.prefer)
        except DocumentUnreadable as error:
            return Outcome(paper, reject=_reject(paper, error.reason, error.message))
        except SourceError as error:
            reason = "source_unavailable" if error.transient else "source_refused"
            return Outcome(paper, reject=_reject(paper, reason, error.message))

    def _best_kind(self, paper: Paper, kinds: tuple[Kind, ...], tried: str = "") -> Outcome:
        """The first of the kinds that there is and that can be read: a damaged page leaves the PDF to be read."""
        reading = self._settings.reading.model_copy(update={"prefer": kinds})
        with self._fetching:
            fetched = _fetch(paper, self._settings.model_copy(update={"reading": reading}), self._store, self._downloader)
        reused = self._store.has(KIND, fetched.key)
        try:
            if not reused:
                document = self._reader.read(fetched.path, paper.key, fetched.origin.kind)
                origin = fetched.origin.model_copy(update={"why": tried + fetched.origin.why})
                _keep(fetched._replace(origin=origin), document, self._store)
        except DocumentUnreadable as error:
            kind = fetched.origin.kind
            rest = kinds[kinds.index(kind) + 1 :] if kind in kinds else ()
            if not rest:
                raise
            return self._best_kind(paper, rest, f"{tried}{kind} can't be read ({error.reason}); ")
        return Outcome(paper, self._store.uri(KIND, fetched.key), reused=reused)


def unread_guides(settings: Settings, store: Store) -> tuple[Paper, ...]:
    """The guides of the settings whose present content is no document yet."""
    return tuple(paper for paper in guides(settings) if not store.has(KIND, _guide(paper).key))


def _guide(paper: Paper) -> _Fetched:
    return _fetched(paper, guide_path(paper), "guide", paper.landing_url or "", "named in the settings")


def _fetch(paper: Paper, settings: Settings, store: Store, downloader: Downloader) -> _Fetched:
    if paper.id.startswith("guide:"):
        return _guide(paper)
    text = fetch_fulltext(paper, settings, store, downloader)
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
