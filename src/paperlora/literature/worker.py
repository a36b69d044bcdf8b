"""The process that opens files: ``python -m paperlora.literature.worker``.

One request a line on standard input, one answer a line on standard output, both JSON. Files are read in a forked child
with limits of memory and time: whatever a file does, the worker lives on. A child reads several files, since a fork
costs as much as ten pages; the first unreadable file ends it. Nothing of the project that is not needed for reading
is imported, and of the parsers only those of the kinds that come, so that a start costs a tenth of a second.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
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

from paperlora.literature.limits import Limits, UnreadableError

PARSERS = {
    "pdf": "paperlora.literature.pdf_file",
    "html": "paperlora.literature.html_file",
    "latex": "paperlora.literature.latex_file",
    "guide": "paperlora.literature.guide_file",
}
"""The module that reads a kind: ``read(data, limits, name)`` → title, sections, left_out, pages."""
MOST_CHARACTERS = 5_000_000
FILES_A_CHILD = 32
SIZE = struct.Struct("<Q")
"""Of an answer, before it."""


class Request(NamedTuple):
    """One file to read."""

    path: str
    kind: str
    fields: dict[str, str]
    """Goes into the answer as it is: whose paper it is, who read it."""


def read_file(request: Request, limits: Limits) -> dict[str, Any]:
    """A document's fields, with the SHA-256 of the file's bytes.

    Raises:
        UnreadableError: with its reason.
    """
    path = Path(request.path)
    data = path.read_bytes()
    layout = importlib.import_module(PARSERS[request.kind]).read(data, limits, path.name)
    characters = sum(len(section["text"]) for section in layout["sections"])
    if characters > MOST_CHARACTERS:
        raise UnreadableError("too_large", f"{characters} characters of text")
    return {**layout, **request.fields, "sha256": hashlib.sha256(data).hexdigest()}


def _answer(request: Request, limits: Limits) -> dict[str, Any]:
    try:
        return read_file(request, limits)
    except UnreadableError as error:
        return _unreadable(error.reason, error.detail)
    except MemoryError:
        return _unreadable("memory", f"more than {limits.megabytes} MB")
    except OSError as error:
        return _unreadable("file_broken", str(error))
    except RecursionError:
        return _unreadable("too_deep", "it is nested without end")
    except Exception as error:  # a parser's mistake costs its file, with the mistake's name, and not the batch
        return _unreadable("file_broken", f"{type(error).__name__}: {error}")


def _unreadable(reason: str, detail: str) -> dict[str, str]:
    return {"reason": reason, "detail": detail}


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

    def ask(self, request: Request) -> bytes:
        """The answer; empty when the child died or didn't answer in time: :meth:`end` says which."""
        self.files += 1
        with contextlib.suppress(BrokenPipeError):  # it died since; the empty answer tells
            os.write(self._sink, json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + self.limits.seconds
        size = _receive(self._source, SIZE.size, deadline)
        return _receive(self._source, SIZE.unpack(size)[0], deadline) if size else b""

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
        return "memory" if os.WTERMSIG(status) == signal.SIGKILL else "file_broken"


def _serve(limits: Limits, requests: Any, answers: int) -> None:
    """In the child: answer until the parent closes the pipe, then end without the parent's clean-up."""
    megabytes = limits.megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (megabytes, megabytes))
    gc.disable()
    for line in requests:
        # The limit counts from the process's start, so it moves on with every file.
        used = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used + int(limits.seconds) + 1, resource.RLIM_INFINITY))
        data = json.dumps(_answer(Request(*json.loads(line)), limits)).encode()
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

    def read(self, request: Request, limits: Limits) -> bytes:
        """A document's fields, or reason and detail, as JSON."""
        self._load(request.kind)
        child = self._child
        if child is None or child.limits != limits or child.files >= FILES_A_CHILD:
            self.retire()
            child = self._child = Child(limits)
        answer = child.ask(request)
        if not answer:
            self._child, reason = None, child.end()
            detail = f"reading took more than {limits.seconds:g} s or {limits.megabytes} MB"
            return json.dumps(_unreadable(reason, detail)).encode()
        if answer.startswith(b'{"reason"'):
            self.retire()  # who knows what the file left behind
        return answer

    def _load(self, kind: str) -> None:
        """Import a kind's parser before the fork: its children share it."""
        if PARSERS[kind] not in sys.modules:
            self.retire()
            importlib.import_module(PARSERS[kind])
            gc.freeze()

    def retire(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None


def main() -> None:
    """Answer requests until standard input ends."""
    # Libraries write warnings to the descriptor that carries the answers: they get standard error instead.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    keeper = Keeper()
    for line in sys.stdin:
        asked = json.loads(line)
        limits = Limits(asked["pages"], asked["seconds"], asked["megabytes"], asked["ocr_language"])
        answers.write(keeper.read(Request(asked["path"], asked["kind"], asked["fields"]), limits) + b"\n")
        answers.flush()
    keeper.retire()


if __name__ == "__main__":
    main()
