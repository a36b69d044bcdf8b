"""Guides: local files on how others do it (.md .html .txt .srt .vtt), listed as papers and read as documents."""

from __future__ import annotations

import glob
import html
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from paperlora.errors import SettingsError
from paperlora.literature.reader import read_file
from paperlora.records import Document, Paper
from paperlora.settings import ReadingSettings, Settings

ENDINGS = (".md", ".markdown", ".html", ".htm", ".txt", ".srt", ".vtt")
HEAD_BYTES = 65_536
"""Of a file's beginning, in which its title is looked for."""
_TITLE = re.compile(
    r"^---\s*\n(?:.*\n)*?title:\s*[\"']?(.+?)[\"']?\s*$|^#\s+(.+?)\s*#*$|<title[^>]*>([^<]+)</title>", re.M | re.I
)


class _Found(NamedTuple):
    path: Path
    name: str
    """Path below what the setting names, slashes as hyphens."""


def guides(settings: Settings) -> tuple[Paper, ...]:
    """Every guide that the settings name, as a paper with id ``guide:<name>`` and its file in ``landing_url``.

    The version is always 1: an edited guide becomes a new document through its content's hash. Date and authors are
    unknown, so the metadata is partial.

    Raises:
        SettingsError: a setting names no file.
    """
    found = {item.path: item for pattern in settings.guides for item in _files(pattern)}
    names = Counter(item.name for item in found.values())
    return tuple(_paper(item, alone=names[item.name] == 1) for item in sorted(found.values()))


def guide_path(paper: Paper) -> Path:
    """The file of a guide that :func:`guides` listed."""
    return Path(url2pathname(unquote(urlsplit(paper.landing_url or "").path)))


def read_guide(path: Path, paper: str, settings: ReadingSettings | None = None) -> Document:
    """A guide as a document, read in a process of its own.

    Args:
        path: of the file; the end of its name decides how it is read.
        paper: paper key.
        settings: limits of time and memory; None for the defaults.

    Raises:
        DocumentUnreadable: with the reason that is counted.
    """
    return read_file(path, settings or ReadingSettings(), paper, "guide")


def _files(pattern: str) -> Iterator[_Found]:
    path = Path(pattern).expanduser()
    root = path if path.is_dir() else Path(*_fixed(path))
    files = sorted(root.rglob("*")) if path.is_dir() else sorted(root.glob(str(path.relative_to(root))))
    known = [file for file in files if file.is_file() and file.suffix.casefold() in ENDINGS]
    if not known:
        raise SettingsError(f"guides: {pattern} names no file ending in {' '.join(ENDINGS)}.", "Correct the setting.")
    for file in known:
        yield _Found(file.resolve(), _name(file.relative_to(root)))


def _name(path: Path) -> str:
    words = "-".join(path.with_suffix("").parts).casefold()
    kept = re.sub(r"[^a-z0-9._]+", "-", words).strip(".-")[:80]
    # Letters that an id can't hold would make two guides one.
    return kept if words.isascii() and kept else f"{kept}-{sha256(words.encode()).hexdigest()[:8]}".lstrip("-")


def _fixed(path: Path) -> Iterator[str]:
    """The path's folders before its first wildcard."""
    for part in path.parent.parts:
        if glob.has_magic(part):
            return
        yield part


def _paper(item: _Found, *, alone: bool) -> Paper:
    mark = "" if alone else "-" + sha256(str(item.path).encode()).hexdigest()[:8]
    return Paper(
        id=f"guide:{item.name}{mark}", title=_title(item.path), landing_url=item.path.as_uri(), sources=("guide",),
        metadata_status="partial",
    )  # fmt: skip


def _title(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES).decode("utf-8", "replace")
    match = _TITLE.search(head) if path.suffix.casefold() not in (".txt", ".srt", ".vtt") else None
    words = next(filter(None, match.groups()), "") if match else ""
    return " ".join(html.unescape(words).split()) or re.sub(r"[-_]+", " ", path.stem).strip()
