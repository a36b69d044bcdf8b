"""PDF → Document, in processes of its own: a hostile or broken file costs one reject, never the run."""

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
from typing import Any, NamedTuple, Self

from paperlora.errors import DocumentUnreadable
from paperlora.records import Document
from paperlora.settings import ReadingSettings

PYMUPDF_VERSION = version("pymupdf")
LAYOUT_VERSION = "1"
"""Raised whenever a change of the pdf_… modules could give another text."""
PARSER = "paperlora-layout"
PARSER_VERSION = f"{LAYOUT_VERSION}+pymupdf-{PYMUPDF_VERSION}"
GRACE_SECONDS = 10.0
"""How much longer than a file's own limit its process is waited for."""
MOST_WORKERS = 4


class ReadRequest(NamedTuple):
    """One file to read."""

    path: Path
    paper: str | None = None
    """Paper key; None for ``file:<name>``."""


class _Worker:
    """One running ``pdf_worker``."""

    def __init__(self) -> None:
        # A process that opens strangers' files gets no key.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PAPERLORA_") and "KEY" not in name
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "paperlora.literature.pdf_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The answer; None when the process died or didn't answer in time."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            return None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = _read_line(process.stdout, seconds)
        except BrokenPipeError:
            return None
        return json.loads(line) if line.endswith(b"\n") else None

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


class PdfReader:
    """Reads PDFs in ``workers`` processes; use it as a context manager.

    Args:
        settings: limits of time, memory and pages for each file.
        workers: processes; by default one for each core, at most four.
    """

    def __init__(self, settings: ReadingSettings, workers: int | None = None) -> None:
        self._settings = settings
        self._count = workers or min(MOST_WORKERS, os.cpu_count() or 1)
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

    def read(self, path: Path, paper: str | None = None) -> Document:
        """One file as a document.

        Raises:
            DocumentUnreadable: with the reason that is counted.
        """
        if not path.is_file():
            raise DocumentUnreadable(f"There is no file {path}.", "Give the path of a PDF.", "pdf_broken")
        if path.stat().st_size > self._settings.max_megabytes * 1e6:
            limit = f"more than {self._settings.max_megabytes:g} MB"
            raise DocumentUnreadable(f"{path.name} can't be read: {limit}.", reason="too_large")
        answer = self._ask(path)
        if "reason" in answer:
            raise DocumentUnreadable(f"{path.name} can't be read: {answer['detail']}.", reason=answer["reason"])
        return Document.model_validate(
            {**answer, "paper": paper or f"file:{path.name}", "parser": PARSER, "parser_version": PARSER_VERSION}
        )

    def read_many(self, requests: Sequence[ReadRequest]) -> Iterator[Document | DocumentUnreadable]:
        """Documents in the order of the requests, several files at a time; an error stands in its file's place."""
        with ThreadPoolExecutor(self._count) as pool:
            yield from pool.map(self._try, requests)

    def _try(self, request: ReadRequest) -> Document | DocumentUnreadable:
        try:
            return self.read(request.path, request.paper)
        except DocumentUnreadable as error:
            return error

    def _ask(self, path: Path) -> dict[str, Any]:
        limits = self._settings
        request = {
            "path": str(path.resolve()),
            "pages": limits.max_pages,
            "seconds": limits.timeout_seconds,
            "megabytes": limits.memory_megabytes,
        }
        worker, answer = self._idle.get() or _Worker(), None
        try:
            answer = worker.ask(request, limits.timeout_seconds + GRACE_SECONDS)
        finally:
            # A worker without an answer is dead or stuck: the next request starts another one.
            self._idle.put(worker if answer is not None else None)
        if answer is None:
            worker.end()
        return answer or {"reason": "pdf_broken", "detail": "the reading process died"}


def read_pdf(path: Path, settings: ReadingSettings, paper: str | None = None) -> Document:
    """One file as a document, in a process of its own.

    Args:
        path: the PDF.
        settings: limits of time, memory and pages.
        paper: paper key; None for ``file:<name>``.

    Raises:
        DocumentUnreadable: with the reason that is counted.
    """
    with PdfReader(settings, workers=1) as reader:
        return reader.read(path, paper)
