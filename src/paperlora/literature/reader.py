"""File → Document, in processes of its own: a hostile or broken file costs one reject, never the run."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from paperlora.errors import DocumentUnreadable
from paperlora.records import Document
from paperlora.settings import ReadingSettings

READING_VERSION = "3"
"""Raised whenever a change of the readers could give another text."""
PARSER = "paperlora-reader"
PARSER_VERSION = f"{READING_VERSION}+pymupdf-{version('pymupdf')}+lxml-{version('lxml')}"
"""One for all kinds of files."""
GRACE_SECONDS = 10.0
"""How much longer than a file's own limit its process is waited for."""
MOST_WORKERS = 16


FileKind = Literal["pdf", "html", "latex", "guide"]
KINDS: dict[str, FileKind] = {
    ".pdf": "pdf", ".html": "html", ".htm": "html", ".tex": "latex", ".gz": "latex", ".tgz": "latex", ".tar": "latex",
    ".md": "guide", ".markdown": "guide", ".txt": "guide", ".srt": "guide", ".vtt": "guide",
}  # fmt: skip
"""What a bare file is taken for, by the end of its name."""


class ReadRequest(NamedTuple):
    """One file to read."""

    path: Path
    paper: str | None = None
    """Paper key; None for ``file:<name>``."""
    kind: FileKind = "pdf"
    """How it is read: ``html`` and ``latex`` as arXiv serves them, ``guide`` by the end of its name."""


class _Worker:
    """One running ``worker``."""

    def __init__(self) -> None:
        # A process that opens strangers' files gets no key.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PAPERLORA_") and "KEY" not in name
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "paperlora.literature.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    def ask(self, request: dict[str, Any], seconds: float) -> bytes:
        """The answer; empty when the process died or didn't answer in time."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            return b""
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = _read_line(process.stdout, seconds)
        except BrokenPipeError:
            return b""
        return line if line.endswith(b"\n") else b""

    def end(self) -> None:
        """Close its input, which ends it; kill it where that doesn't help."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def _read_line(stream: Any, seconds: float) -> bytes:
    """One line, or what came of it before the silence."""
    chunks: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(seconds):
            chunk = os.read(stream.fileno(), 1 << 20)
            chunks.append(chunk)
            if not chunk or chunk.endswith(b"\n"):
                break
    return b"".join(chunks)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PdfReader:
    """Reads files in ``workers`` processes; use it as a context manager.

    Args:
        settings: limits of time, memory and pages for each file.
        workers: processes; by default one for each core that this process may use, at most sixteen.
    """

    def __init__(self, settings: ReadingSettings, workers: int | None = None) -> None:
        self._settings = settings
        self._count = workers or min(MOST_WORKERS, _cores())
        self._idle: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _ in range(self._count):
            self._idle.put(None)  # started when first needed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for _ in range(self._count):
            worker = self._idle.get()
            if worker is not None:
                worker.end()

    def read(self, path: Path, paper: str | None = None, kind: FileKind = "pdf") -> Document:
        """One file as a document.

        Raises:
            DocumentUnreadable: with the reason that is counted.
        """
        if not path.is_file():
            raise DocumentUnreadable(f"There is no file {path}.", "Give the path of a file.", "file_broken")
        if path.stat().st_size > self._settings.max_megabytes * 1e6:
            limit = f"more than {self._settings.max_megabytes:g} MB"
            raise DocumentUnreadable(f"{path.name} can't be read: {limit}.", reason="too_large")
        answer = self._ask(path, kind, paper or f"file:{path.name}")
        if answer.startswith(b'{"reason"'):
            failure = json.loads(answer)
            raise DocumentUnreadable(f"{path.name} can't be read: {failure['detail']}.", reason=failure["reason"])
        return Document.model_validate_json(answer)

    def read_many(self, requests: Sequence[ReadRequest]) -> Iterator[Document | DocumentUnreadable]:
        """Documents in the order of the requests, several files at a time; an error stands in its file's place."""
        with ThreadPoolExecutor(self._count) as pool:
            yield from pool.map(self._try, requests)

    def _try(self, request: ReadRequest) -> Document | DocumentUnreadable:
        try:
            return self.read(*request)
        except DocumentUnreadable as error:
            return error

    def _ask(self, path: Path, kind: FileKind, paper: str) -> bytes:
        limits = self._settings
        request = {
            "path": str(path.resolve()),
            "kind": kind,
            "fields": {"paper": paper, "parser": PARSER, "parser_version": PARSER_VERSION},
            "ocr_language": limits.ocr_language,
            "pages": limits.max_pages,
            "seconds": limits.timeout_seconds,
            "megabytes": limits.memory_megabytes,
        }
        worker, answer = self._idle.get() or _Worker(), b""
        try:
            answer = worker.ask(request, limits.timeout_seconds + GRACE_SECONDS)
        finally:
            # A worker without an answer is dead or stuck: the next request starts another one.
            self._idle.put(worker if answer else None)
        if not answer:
            worker.end()
        return answer or b'{"reason": "file_broken", "detail": "the reading process died"}'


def read_file(path: Path, settings: ReadingSettings, paper: str | None = None, kind: FileKind | None = None) -> Document:
    """One file as a document, in a process of its own.

    Args:
        path: of the file.
        settings: limits of time, memory and pages.
        paper: paper key; None for ``file:<name>``.
        kind: None for what the end of its name says, a PDF where it says nothing.

    Raises:
        DocumentUnreadable: with the reason that is counted.
    """
    with PdfReader(settings, workers=1) as reader:
        return reader.read(path, paper, kind or KINDS.get(path.suffix.casefold(), "pdf"))


def read_pdf(path: Path, settings: ReadingSettings, paper: str | None = None) -> Document:
    """One PDF as a document, in a process of its own; see :func:`read_file`."""
    return read_file(path, settings, paper, "pdf")
