"""Papers → documents in the store, a batch at a time; every paper ends as a document or as one reject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.errors import DocumentUnreadable, SourceError
from paperlora.literature.fetch import Downloader, fetch_pdf
from paperlora.literature.reader import PARSER, PARSER_VERSION, PdfReader, ReadRequest
from paperlora.progress import Progress, silent
from paperlora.records import Document, Paper, Reject, digest
from paperlora.settings import Settings
from paperlora.store import Store, file_hash, slug, write_json

KIND = "documents"
STAGE = "ingest"


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


def ingest_papers(papers: Sequence[Paper], settings: Settings, store: Store, progress: Progress = silent) -> Ingested:
    """Fetch, read and store each paper. A bad one costs one reject, never the batch.

    What is transient (a source that doesn't answer) is rejected as ``source_unavailable`` for this run only: nothing of
    it is kept, so the next run tries again.
    """
    documents: list[str] = []
    rejects: list[Reject] = []
    reused, total = 0, len(papers)
    current = _current(papers, rejects)
    progress("reading papers", total - len(current), total)
    with Downloader(settings) as downloader, PdfReader(settings.reading) as reader:
        for start in range(0, len(current), settings.reading.batch):
            fetched = list(
                _fetch(current[start : start + settings.reading.batch], settings, store, downloader, rejects)
            )
            unread = [item for item in fetched if not store.has(KIND, item.key)]
            reused += len(fetched) - len(unread)
            answers = reader.read_many([ReadRequest(item.path, item.paper.key) for item in unread])
            for item, answer in zip(unread, answers, strict=True):
                if isinstance(answer, DocumentUnreadable):
                    rejects.append(_reject(item.paper, answer.reason, answer.message))
                else:
                    _keep(item, answer, store)
                progress("reading papers", len(documents) + len(rejects), total)
            documents += [store.uri(KIND, item.key) for item in fetched if store.has(KIND, item.key)]
            progress("reading papers", len(documents) + len(rejects), total)
    return Ingested(tuple(documents), tuple(rejects), reused)


def _current(papers: Sequence[Paper], rejects: list[Reject]) -> list[Paper]:
    """Papers worth fetching: not withdrawn, and the newest of their versions."""
    newest = {paper.id: paper for paper in sorted(papers, key=lambda paper: paper.version)}
    current: list[Paper] = []
    for paper in {paper.key: paper for paper in papers}.values():
        latest = newest[paper.id]
        if latest.version > paper.version:
            rejects.append(_reject(paper, "superseded", f"by {latest.key}"))
        elif paper.withdrawn:
            rejects.append(_reject(paper, "withdrawn", "Its authors took it back."))
        else:
            current.append(paper)
    return current


def _fetch(
    papers: Sequence[Paper], settings: Settings, store: Store, downloader: Downloader, rejects: list[Reject]
) -> Iterator[_Fetched]:
    for paper in papers:
        try:
            path = fetch_pdf(paper, settings, store, downloader)
        except DocumentUnreadable as error:
            rejects.append(_reject(paper, error.reason, error.message))
        except SourceError as error:
            reason = "source_unavailable" if error.transient else "source_refused"
            rejects.append(_reject(paper, reason, error.message))
        else:
            sha256 = file_hash(path)
            # Where it was fetched from decides nothing: a mirror or another port must not make it a new document.
            known = paper.model_copy(update={"pdf_url": None, "landing_url": None})
            key = f"{slug(paper.key)}-{digest(sha256, PARSER_VERSION, known)[:12]}"
            yield _Fetched(paper, path, sha256, key)


def _keep(item: _Fetched, document: Document, store: Store) -> None:
    with store.writing(KIND, item.key) as draft:
        write_json(draft.path / "document.json", document)
        write_json(draft.path / "paper.json", item.paper)
        draft.inputs = {store.uri("pdfs", slug(item.paper.key)): item.sha256}
        draft.models = {"parser": f"{PARSER} {PARSER_VERSION}"}
        draft.counts = {
            "pages": document.pages, "sections": len(document.sections), "characters": document.characters,
            "left_out": len(document.left_out),
        }  # fmt: skip


def _reject(paper: Paper, reason: str, detail: str) -> Reject:
    return Reject(stage=STAGE, item=paper.key, reason=reason, detail=detail)
