"""The process that opens PDFs: ``python -m paperlora.literature.pdf_worker``.

One request a line on standard input, one answer a line on standard output, both JSON. Files are read in a forked child
with limits of memory and time: whatever a file does, the worker lives on. A child reads several files, since a fork
costs as much as ten pages; the first unreadable file ends it. Nothing of the project that is not needed for reading
is imported, so that a start costs a fifth of a second.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from paperlora.literature.pdf_engine import pymupdf
from paperlora.literature.pdf_layout import read_layout

END_MARK_WITHIN = 8192
"""Bytes before a file's end in which ``%%EOF`` must stand."""
CHARACTERS_A_PAGE = 40
"""Fewer characters of body text a page on average mean a scan."""
MOST_CHARACTERS = 5_000_000
FILES_A_CHILD = 32
SIZE = struct.Struct("<Q")
"""Of an answer, before it."""
OUT_OF_MEMORY = ("alloc", "memory", "Cannot allocate")


class UnreadableError(Exception):
    """A file that can't be read; ``reason`` is the word that is counted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Limits(NamedTuple):
    """For one file."""

    pages: int
    seconds: float
    megabytes: int


def read_file(path: Path, limits: Limits) -> dict[str, Any]:
    """The layout of one file, with the SHA-256 of its bytes.

    Raises:
        UnreadableError: with its reason.
    """
    data = path.read_bytes()
    if b"%PDF-" not in data[:1024]:
        raise UnreadableError("not_a_pdf", f"it begins with {data[:16]!r}")
    try:
        document = pymupdf.open(stream=data, filetype="pdf")
    except Exception as error:  # PyMuPDF raises half a dozen unrelated types for a broken file
        raise UnreadableError("pdf_broken", str(error)) from error
    _check(document, data, limits)
    try:
        layout = read_layout(document, limits.pages)
    except (MemoryError, UnreadableError):
        raise
    except Exception as error:
        raise UnreadableError(_reason(str(error)), f"{type(error).__name__}: {error}") from error
    characters = sum(len(section["text"]) for section in layout["sections"])
    if characters < CHARACTERS_A_PAGE * layout["pages"]:
        raise UnreadableError("no_text", f"{characters} characters of text on {layout['pages']} pages: a scan?")
    if characters > MOST_CHARACTERS:
        raise UnreadableError("too_large", f"{characters} characters of text")
    return {**layout, "sha256": hashlib.sha256(data).hexdigest()}


def _check(document: Any, data: bytes, limits: Limits) -> None:
    if document.needs_pass:
        raise UnreadableError("pdf_encrypted", "it needs a password")
    if not document.is_pdf:
        raise UnreadableError("not_a_pdf", "its content is of another kind")
    try:
        pages = document.page_count
    except RuntimeError as error:
        raise UnreadableError("pdf_broken", str(error)) from error
    if pages == 0:
        raise UnreadableError("pdf_broken", "it has no page")
    if pages > limits.pages:
        raise UnreadableError("too_large", f"{pages} pages, more than {limits.pages}")
    if document.is_repaired and b"%%EOF" not in data[-END_MARK_WITHIN:]:
        raise UnreadableError("pdf_broken", f"it is cut off: {pages} pages could be saved")


def _reason(message: str) -> str:
    return "memory" if any(word in message for word in OUT_OF_MEMORY) else "pdf_broken"


def _answer(path: Path, limits: Limits) -> dict[str, Any]:
    try:
        return read_file(path, limits)
    except UnreadableError as error:
        return {"reason": error.reason, "detail": error.detail}
    except MemoryError:
        return {"reason": "memory", "detail": f"more than {limits.megabytes} MB"}
    except OSError as error:
        return {"reason": "pdf_broken", "detail": str(error)}


class Child:
    """A forked process that reads files until one of them kills it, or until it has read enough."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.files = 0
        requests, self._sink = os.pipe()
        self._source, answers = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._sink)
            os.close(self._source)
            _serve(limits, os.fdopen(requests, encoding="utf-8"), answers)
        os.close(requests)
        os.close(answers)

    def ask(self, path: Path) -> dict[str, Any] | None:
        """The answer; None when the child died or didn't answer in time: :meth:`end` says which."""
        self.files += 1
        with contextlib.suppress(BrokenPipeError):  # it died since; the empty answer tells
            os.write(self._sink, json.dumps(str(path)).encode() + b"\n")
        deadline = time.monotonic() + self.limits.seconds
        size = _receive(self._source, SIZE.size, deadline)
        data = size and _receive(self._source, SIZE.unpack(size)[0], deadline)
        return json.loads(data) if data else None

    def end(self) -> str:
        """Kill it; the reason that is counted for a file it died of."""
        dead, status = os.waitpid(self._pid, os.WNOHANG)
        if not dead:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._sink)
        os.close(self._source)
        if not dead or os.WTERMSIG(status) == signal.SIGXCPU:
            return "timeout"
        return "memory" if os.WTERMSIG(status) == signal.SIGKILL else "pdf_broken"


def _serve(limits: Limits, requests: Any, answers: int) -> None:
    """In the child: answer until the parent closes the pipe, then end without the parent's clean-up."""
    megabytes = limits.megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (megabytes, megabytes))
    gc.disable()
    for line in requests:
        # The limit counts from the process's start, so it moves on with every file.
        used = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used + int(limits.seconds) + 1, resource.RLIM_INFINITY))
        data = json.dumps(_answer(Path(json.loads(line)), limits)).encode()
        with os.fdopen(os.dup(answers), "wb") as pipe:
            pipe.write(SIZE.pack(len(data)) + data)
    os._exit(0)


def _receive(source: int, size: int, deadline: float) -> bytes:
    """So many bytes; none when the child died or the time is over."""
    chunks = bytearray()
    while len(chunks) < size:
        ready, _, _ = select.select([source], [], [], max(deadline - time.monotonic(), 0.0))
        chunk = os.read(source, min(size - len(chunks), 1 << 20)) if ready else b""
        if not chunk:
            return b""
        chunks += chunk
    return bytes(chunks)


class Keeper:
    """Reads files through a child, and replaces it where that is due."""

    def __init__(self) -> None:
        self._child: Child | None = None

    def read(self, path: Path, limits: Limits) -> dict[str, Any]:
        """The layout of a file, or its reason and detail."""
        child = self._child
        if child is None or child.limits != limits or child.files >= FILES_A_CHILD:
            self.retire()
            child = self._child = Child(limits)
        answer = child.ask(path)
        if answer is None:
            self._child, reason = None, child.end()
            return {"reason": reason, "detail": f"reading took more than {limits.seconds:g} s or {limits.megabytes} MB"}
        if "reason" in answer:
            self.retire()  # who knows what the file left behind
        return answer

    def retire(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None


def main() -> None:
    """Answer requests until standard input ends."""
    # MuPDF writes its warnings to the descriptor that carries the answers: they get standard error instead.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    gc.freeze()
    keeper = Keeper()
    for line in sys.stdin:
        request = json.loads(line)
        answer = keeper.read(Path(request["path"]), Limits(request["pages"], request["seconds"], request["megabytes"]))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    keeper.retire()


if __name__ == "__main__":
    main()
