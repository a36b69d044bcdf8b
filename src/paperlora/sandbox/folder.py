"""A folder of PDFs as papers: metadata from ``NAME.json`` beside ``NAME.pdf``, else from the PDF itself."""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from paperlora.errors import SettingsError
from paperlora.sandbox.library import ARXIV_ID, Entry, Library, moment_from
from paperlora.sandbox.paper import fold

_ABSTRACT = re.compile(
    r"\babstract\b[\s.:—-]*(?P<text>.{80,4000}?)(?=\n\s*(?:1|I)?[\s.]*introduction\b|\Z)", re.I | re.S
)
_NO_TITLE = re.compile(r"^\s*(untitled.*|microsoft word.*|.*\.(tex|dvi|docx?|pdf|ps|indd)|arxiv:.*|[\W\d_]*)\s*$", re.I)
_GENERATED_PREFIX = "9902"
"""Ids made up for files that have none: arXiv's form, a month that can't collide."""


class Sidecar(BaseModel):
    """What ``NAME.json`` may say; other keys, such as those of a whole Paper record, are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = ""
    """arXiv id with or without ``arxiv:`` and version."""
    version: int = 1
    title: str = ""
    abstract: str = ""
    authors: tuple[str, ...] = ()
    licence: str | None = None
    published: datetime | None = None
    updated: datetime | None = None
    categories: tuple[str, ...] = ("cs.LG",)
    comment: str = ""
    withdrawn: bool = False

    @field_validator("published", "updated", mode="before")
    @classmethod
    def _moment(cls, value: Any) -> Any:
        return moment_from(value) if isinstance(value, str) else value


class FirstPage(NamedTuple):
    """What a PDF says about itself."""

    title: str
    authors: tuple[str, ...]
    abstract: str
    created: datetime | None
    text: str
    """Of the first page; empty for a scan or a broken file."""


def folder_library(folder: Path) -> Library:
    """Every PDF of the folder as an arXiv paper, in order of file names.

    Raises:
        SettingsError: the folder is missing or holds no PDF, a JSON file is wrong, or two files claim one id.
    """
    if not folder.is_dir():
        raise SettingsError(f"There is no folder {folder}.", "Give --papers a folder of PDFs.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".pdf")
    if not paths:
        raise SettingsError(f"{folder} holds no PDF.", "Give --papers a folder of PDFs.")
    entries = [_entry(path) for path in paths]
    for name in {entry.arxiv_id for entry in entries}:
        same = [str(entry.pdf) for entry in entries if entry.arxiv_id == name]
        if len(same) > len({entry.version for entry in entries if entry.arxiv_id == name}):
            raise SettingsError(f"{' and '.join(same)} have the same id {name}.", "Correct the id in their JSON files.")
    return Library(entries)


def _entry(path: Path) -> Entry:
    said = _sidecar(path)
    page = _first_page(path)
    arxiv_id, version = _identity(path, said)
    published = said.published or page.created or datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Entry(
        title=said.title or page.title or path.stem, abstract=said.abstract or page.abstract,
        authors=said.authors or page.authors, published=published, updated=said.updated or published, pdf=path,
        arxiv_id=arxiv_id, version=version, categories=said.categories, comment=said.comment, licence=said.licence or "",
        withdrawn=said.withdrawn, keywords=f"{path.stem} {page.text}",
    )  # fmt: skip


def _sidecar(path: Path) -> Sidecar:
    beside = path.with_suffix(".json")
    if not beside.exists():
        return Sidecar()
    try:
        return Sidecar.model_validate_json(beside.read_bytes())
    except (ValidationError, ValueError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise SettingsError(f"{beside} is no metadata of a paper: {first}.", "Correct or remove it.") from error


def _identity(path: Path, said: Sidecar) -> tuple[str, int]:
    named = ARXIV_ID.fullmatch(said.id.removeprefix("arxiv:")) or (not said.id and ARXIV_ID.fullmatch(path.stem))
    if named:
        return named["id"], int(named["version"] or said.version)
    number = int(hashlib.sha256((said.id or path.name).encode()).hexdigest(), 16) % 100_000
    return f"{_GENERATED_PREFIX}.{number:05d}", said.version


def _first_page(path: Path) -> FirstPage:
    import pymupdf

    try:
        with pymupdf.open(path, filetype="pdf") as document:
            meta = document.metadata or {}
            page = document[0]
            text = page.get_text()
            title = meta.get("title") or ""
            return FirstPage(
                title=_largest_lines(page) if _NO_TITLE.match(title) or not title else fold(title),
                authors=tuple(name for name in re.split(r"\s*[,;&]\s*|\s+and\s+", meta.get("author") or "") if name),
                abstract=_abstract(text), created=_pdf_date(meta.get("creationDate") or ""), text=text,
            )  # fmt: skip
    except (
        RuntimeError,
        ValueError,
        IndexError,
    ):  # broken, encrypted or empty: served all the same, the reader must reject it
        return FirstPage("", (), "", None, "")


def _abstract(text: str) -> str:
    found = _ABSTRACT.search(text)
    mended = re.sub(r"-\n(?=[a-z])", "", found["text"]) if found else ""
    return fold(unicodedata.normalize("NFKC", mended))


def _largest_lines(page: Any) -> str:
    lines = list(itertools.takewhile(lambda line: not line.text.lower().startswith("abstract"), _lines(page)))
    # Letters in a figure may be larger than the title, but they stand lower on the page.
    top = [line for line in lines if line.y < page.rect.height / 4] or lines
    largest = max((line.size for line in top), default=0.0)
    return fold(" ".join(line.text for line in top if line.size > largest - 0.5))[:300]


class _Line(NamedTuple):
    y: float
    """Points from the top of the page."""
    size: float
    text: str


def _lines(page: Any) -> Iterator[_Line]:
    """Every upright line with letters: arXiv's stamp in the margin is none."""
    for block in page.get_text("dict")["blocks"]:
        for line in block.get("lines", ()):
            text = "".join(span["text"] for span in line["spans"])
            if line["dir"] == (1.0, 0.0) and len(re.findall(r"[^\W\d_]", text)) > 3:
                yield _Line(line["bbox"][1], max(span["size"] for span in line["spans"]), text)


def _pdf_date(text: str) -> datetime | None:
    found = re.match(r"D:(\d{8})(\d{6})?", text)
    try:
        return (
            datetime.strptime(found[1] + (found[2] or "000000"), "%Y%m%d%H%M%S").replace(tzinfo=UTC) if found else None
        )
    except ValueError:
        return None
