"""Paper → full text of the kind that serves best: arXiv's HTML or LaTeX source where there is one, else the PDF.

HTML and source say what is a heading, a formula or a table, where a PDF only says where ink goes; and they come from
arXiv itself, whose record names the licence. Which kind was taken, and why, is kept beside the file.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit

from paperlora.errors import DocumentUnreadable, HostNotAllowed, SourceAnswerInvalid, SourceRefused
from paperlora.literature.fetch import Downloader, FileType, Saved, WrongType, download_pdf, stored
from paperlora.literature.safety import is_loopback
from paperlora.records import Paper
from paperlora.settings import Settings
from paperlora.store import Store, slug, write_json

KIND = "fulltexts"
CHOICE = "choice.json"
MOST_UNPACKED = 200_000_000
"""Bytes of a source that are unpacked in search of TeX; what is larger is left to the reader and its limits."""
TEX_ENDINGS = (".tex", ".ltx", ".latex")
Kind = Literal["html", "latex", "pdf"]
_ARXIV_ID = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}")
_GZIP = b"\x1f\x8b"
_TEX = re.compile(rb"\\document(?:class|style)\b|\\input\s+amstex")
_FIRST_BYTES, _LAST_BYTES = 65_536, 4096


class BrokenArchive(WrongType):
    """A source that can't be unpacked: the next attempt may bring it whole."""


class FullText(NamedTuple):
    """The full text of a paper, and how it was chosen."""

    path: Path
    kind: Kind
    url: str
    """Where it came from."""
    sha256: str
    why: str
    """What was tried before, and what came: ``html: 404; latex: no TeX in the source``; empty for the first choice."""


class _NotThere(Exception):
    """A paper has no text of this kind, which will not change: the next kind is tried."""


def fetch_fulltext(paper: Paper, settings: Settings, store: Store, downloader: Downloader) -> FullText:
    """The full text of a paper; fetched only where the store has none of the kinds of ``reading.prefer``.

    A kind that a paper doesn't have leads to the next one. One that can't be had for now (time-out, 5xx, cut off) is an
    error: the paper is tried again later, not read from something worse.

    Raises:
        SourceError: it can't be fetched.
        DocumentUnreadable: there is no full text (no_full_text), it is no PDF (not_a_pdf), too large (too_large), or only
            at a host that isn't allowed (host_not_allowed).
    """
    kinds = [kind for kind in settings.reading.prefer if kind == "pdf" or _arxiv_id(paper)]
    for kind in kinds:
        folder = stored(store, KIND, _key(paper, kind))
        if folder is not None:
            return _read(folder)
    tried: list[str] = []
    last: DocumentUnreadable | None = None
    for kind in kinds:
        try:
            return _keep(paper, kind, settings, store, downloader, tried)
        except _NotThere as missing:
            tried.append(f"{kind}: {missing}")
        except DocumentUnreadable as error:
            tried.append(f"{kind}: {error.reason}")
            last = error
        except HostNotAllowed as error:
            tried.append(f"{kind}: host_not_allowed")
            last = DocumentUnreadable(error.message, error.remedy, reason="host_not_allowed")
    if last is not None:
        raise last
    told = f" ({'; '.join(tried)})" if tried else ""
    raise DocumentUnreadable(f"No source offers the full text of {paper.key}{told}.", reason="no_full_text")


def _keep(
    paper: Paper, kind: Kind, settings: Settings, store: Store, downloader: Downloader, tried: Sequence[str]
) -> FullText:
    url = address(paper, kind, settings)
    if url is None:
        raise _NotThere("no address")
    key = _key(paper, kind)
    with store.writing(KIND, key) as draft:
        name, saved = _FETCHERS[kind](url, draft.path, downloader)
        choice = {"file": name, "kind": kind, "url": saved.url, "sha256": saved.sha256, "why": "; ".join(tried)}
        write_json(draft.path / CHOICE, choice)
        draft.inputs = {url: paper.key}
        draft.counts = {"bytes": saved.bytes, kind: 1}
    return _read(store.folder(KIND, key))


def _read(folder: Path) -> FullText:
    choice = json.loads((folder / CHOICE).read_text(encoding="utf-8"))
    return FullText(folder / choice["file"], choice["kind"], choice["url"], choice["sha256"], choice["why"])


def _key(paper: Paper, kind: Kind) -> str:
    return f"{slug(paper.key)}-{kind}"


def address(paper: Paper, kind: Kind, settings: Settings) -> str | None:
    """Where a kind of a paper's full text would be; None where nobody knows a place.

    arXiv's stand-in on loopback has all kinds beside its query API, as arxiv.org has them at its root.
    """
    if kind == "pdf" and paper.pdf_url:
        return paper.pdf_url
    identifier = _arxiv_id(paper)
    if identifier is None:
        return None
    api = urlsplit(settings.arxiv.url)
    root = f"{api.scheme}://{api.netloc}" if is_loopback(api.hostname or "") else "https://arxiv.org"
    # Semantic Scholar and OpenAlex know no versions: without a number arXiv gives the newest.
    version = f"v{paper.version}" if {"arxiv", "oai"} & set(paper.sources) or not paper.sources else ""
    return f"{root}/{ {'html': 'html', 'latex': 'src', 'pdf': 'pdf'}[kind] }/{quote(identifier)}{version}"


def _arxiv_id(paper: Paper) -> str | None:
    named = paper.id.removeprefix("arxiv:") if paper.id.startswith("arxiv:") else paper.external_ids.get("arxiv", "")
    return named if _ARXIV_ID.fullmatch(named) else None


class _File(NamedTuple):
    name: str
    saved: Saved


def _pdf(url: str, folder: Path, downloader: Downloader) -> _File:
    return _File("paper.pdf", download_pdf(url, folder / "paper.pdf", downloader))


def _html(url: str, folder: Path, downloader: Downloader) -> _File:
    return _File("paper.html", _download(url, folder / "paper.html", _HTML, downloader))


def _latex(url: str, folder: Path, downloader: Downloader) -> _File:
    came = folder / "source"
    saved = _download(url, came, _SOURCE, downloader)
    ending = source_ending(came)
    if ending is None:
        came.unlink()
        raise _NotThere("no TeX in the source")
    came.rename(folder / f"source{ending}")
    return _File(f"source{ending}", saved)


def _download(url: str, path: Path, kind: FileType, downloader: Downloader) -> Saved:
    try:
        return downloader.download(url, path, kind)
    except BrokenArchive as error:
        raise _NotThere("a broken archive") from error
    except WrongType as error:  # after the last attempt: arXiv says in a page of its own that there is none
        raise _NotThere("a web page without it") from error
    except SourceRefused as error:
        if error.status in (404, 410):
            raise _NotThere(str(error.status)) from error
        raise


_FETCHERS = {"html": _html, "latex": _latex, "pdf": _pdf}


# ------------------------------------------------------------------------------------------------------------- kinds


def _begins_html(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n\t")[:15].lower().startswith((b"<!doctype html", b"<html", b"<?xml"))


def _whole_html(path: Path) -> None:
    """arXiv makes its HTML with LaTeXML, whose classes begin with ``ltx_``; any other page is about the paper at best."""
    text = path.read_bytes()
    if b"ltx_" not in text:
        raise WrongType(f"{path.name} is a web page without a paper in it.")
    if b"</html" not in text[-_LAST_BYTES:].lower():
        raise SourceAnswerInvalid(f"{path.name} was cut off: the page has no end.")


def _begins_source(head: bytes) -> bool:
    return head.startswith((_GZIP, b"%PDF-")) or not (b"\0" in head or head.lstrip().startswith(b"<"))


def _whole_source(path: Path) -> None:
    source_ending(path)


def source_ending(path: Path) -> str | None:
    """What the source of a paper is: ``.tar.gz``, ``.gz`` (one TeX file) or ``.tex``; None where no TeX is in it, as when
    its authors sent a PDF (which arXiv's ``/src`` packs into an archive).

    Raises:
        BrokenArchive: it can't be unpacked.
    """
    with path.open("rb") as file:
        head = file.read(_FIRST_BYTES)
    if not head.startswith(_GZIP):
        return ".tex" if _TEX.search(head) else None
    try:
        with gzip.open(path) as unpacked:
            head = unpacked.read(_FIRST_BYTES)
        if head[257:262] == b"ustar":
            return ".tar.gz" if _has_tex(path) else None
        return ".gz" if _TEX.search(head) else None
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise BrokenArchive(f"{path.name} is a broken archive: {error}.") from error


def _has_tex(path: Path) -> bool:
    with gzip.open(path) as unpacked, contextlib.suppress(_TooMuch):
        limited: Any = _Limited(unpacked)
        archive = tarfile.open(fileobj=limited, mode="r|")  # noqa: SIM115 (a stream, closed with the file)
        return any(_is_tex(archive, member) for member in archive if member.isfile())
    return True  # more than is looked through here: the reader has limits of its own


def _is_tex(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
    if member.name.casefold().endswith(TEX_ENDINGS):
        return True
    # A paper of one file is packed under the paper's own number, without an ending.
    content = archive.extractfile(member)
    return content is not None and bool(_TEX.search(content.read(_FIRST_BYTES)))


class _TooMuch(Exception):
    pass


class _Limited:
    """A stream that ends with an exception after ``MOST_UNPACKED`` bytes."""

    def __init__(self, inner: gzip.GzipFile) -> None:
        self._inner, self._left = inner, MOST_UNPACKED

    def read(self, size: int = -1) -> bytes:
        if self._left <= 0:
            raise _TooMuch
        data = self._inner.read(size)
        self._left -= len(data)
        return data


_HTML = FileType("text/html", _begins_html, _whole_html)
_SOURCE = FileType("application/gzip, application/x-eprint-tar, */*;q=0.5", _begins_source, _whole_source, raw=True)
