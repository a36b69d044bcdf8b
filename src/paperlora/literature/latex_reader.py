"""LaTeX source as arXiv serves it: a tar.gz, a gzipped file or a bare .tex → Document."""

from __future__ import annotations

from pathlib import Path

from paperlora.literature.reader import read_file
from paperlora.records import Document
from paperlora.settings import ReadingSettings


def read_latex(path: Path, paper: str, settings: ReadingSettings | None = None) -> Document:
    """One paper's LaTeX source as a document, read in a process of its own.

    Args:
        path: of the file.
        paper: paper key.
        settings: limits of time and memory; None for the defaults.

    Raises:
        DocumentUnreadable: with the reason that is counted.
    """
    return read_file(path, settings or ReadingSettings(), paper, "latex")
