"""The process that opens PDFs: ``python -m paperlora.literature.pdf_worker``.

One request a line on standard input, one answer a line on standard output, both JSON. Every file is read in a forked
child with its own limits of memory and time: whatever a file does, the worker lives on. Nothing of the project that
is not needed for reading is imported, so that a start costs a third of a second.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import resource
import select
import signal
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


def read_apart(path: Path, limits: Limits) -> dict[str, Any]:
    """The layout of one file, read in a child process that may not take more than its limits."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        _serve_one(path, limits, sink)
    os.close(sink)
    with os.fdopen(source, "rb") as pipe:
        data = _read_until(pipe, time.monotonic() + limits.seconds)
    if data is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if data is None or os.WTERMSIG(status) == signal.SIGXCPU:
        return {"reason": "timeout", "detail": f"more than {limits.seconds:g} s"}
    if not data:
        died = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"status {status}"
        return {
            "reason": "memory" if died == "SIGKILL" else "pdf_broken",
            "detail": f"the reading process died: {died}",
        }
    answer: dict[str, Any] = json.loads(data)
    return answer


def _serve_one(path: Path, limits: Limits, sink: int) -> None:
    """In the child: read, write the answer, end without the parent's clean-up."""
    megabytes = limits.megabytes * 1024 * 1024
    seconds = max(int(limits.seconds), 1)
    resource.setrlimit(resource.RLIMIT_AS, (megabytes, megabytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    gc.disable()
    with os.fdopen(sink, "wb") as pipe:
        pipe.write(json.dumps(_answer(path, limits)).encode())
    os._exit(0)


def _read_until(pipe: Any, deadline: float) -> bytes | None:
    """Everything the child writes; None when the time is over."""
    chunks: list[bytes] = []
    while True:
        ready, _, _ = select.select([pipe], [], [], max(deadline - time.monotonic(), 0.0))
        if not ready:
            return None
        chunk = os.read(pipe.fileno(), 1 << 20)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def main() -> None:
    """Answer requests until standard input ends."""
    # MuPDF writes its warnings to the descriptor that carries the answers: they get standard error instead.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        answer = read_apart(Path(request["path"]), Limits(request["pages"], request["seconds"], request["megabytes"]))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
