"""HTML as arXiv serves it (LaTeXML), and other pages of one article → Document."""

from __future__ import annotations

from pathlib import Path

from paperlora.literature.reader import read_file
from paperlora.records import Document
from paperlora.settings import ReadingSettings


def read_html(path: Path, paper: str, settings: ReadingSettings | None = None) -> Document:
    """One paper's HTML as a document, read in a process of its own.

    Args:
        path: of the file.
        paper: paper key.
        settings: limits of time and memory; None for the defaults.

    Raises:
        DocumentUnreadable: with the reason that is counted.
    """
    return read_file(path, settings or ReadingSettings(), paper, "html")
