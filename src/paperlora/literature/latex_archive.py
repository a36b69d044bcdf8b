"""The text files of a LaTeX source as arXiv serves it: tar.gz, gzipped file, tar or bare .tex; nothing is written."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from paperlora.literature.flow import as_text
from paperlora.literature.limits import UnreadableError

MOST_UNPACKED = 200_000_000
"""Bytes of a whole archive, its pictures included."""
CHUNK = 1 << 16
MOST_TEXT = 20_000_000
"""Bytes of one text file."""
MOST_MEMBERS = 20_000
TEXT_ENDINGS = (".tex", ".ltx", ".latex", ".bbl", ".sty", ".cls", ".def", ".txt")
READMES = ("00README.json", "00README.yaml", "00README.XXX", "00README")
"""Where arXiv notes which file is the paper's."""
_CLASS = re.compile(r"^[^%\n]*\\document(?:class|style)\b", re.M)
_BODY = re.compile(r"^[^%\n]*\\begin\s*\{document\}", re.M)
_TEX = re.compile(r"\\(?:documentclass|documentstyle|begin\s*\{|section|input|title|usepackage|magnification|bye)")
_TOPLEVEL = re.compile(r"^(\S+\.tex)\s+toplevelfile", re.M)


class Source(NamedTuple):
    """The text files of one paper."""

    files: Mapping[str, str]
    """By name inside the archive."""
    main: str
    """Name of the file that is the paper."""


def open_source(data: bytes, name: str) -> Source:
    """Unpack what arXiv's /src serves.

    Args:
        data: the file's bytes.
        name: of the file, for a bare .tex.

    Raises:
        UnreadableError: ``not_latex``, ``file_broken``, ``unsafe_archive`` or ``too_large``.
    """
    packed = data[:2] == b"\x1f\x8b"
    stream = _Inflating(data) if packed else io.BytesIO(data)
    if _Inflating(data).read(512)[257:262] == b"ustar" if packed else data[257:262] == b"ustar":
        files = _members(stream)
    else:
        files = {PurePosixPath(name).with_suffix(".tex").name: _single(stream.read(MOST_TEXT + 1))}
    return Source(files, _main(files))


class _Inflating:
    """Unpacks gzip as it is read: a bomb is noticed before it fills the memory."""

    def __init__(self, data: bytes) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._data = memoryview(data)
        self._left = b""
        self._total = 0

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end.

        Raises:
            UnreadableError: ``unsafe_archive`` past the limit, ``file_broken`` where the data ends too early.
        """
        parts = bytearray()
        while len(parts) < size and not self._stream.eof:
            if not self._left:
                self._left, self._data = bytes(self._data[:CHUNK]), self._data[CHUNK:]
            if not self._left:
                raise UnreadableError("file_broken", "it is cut off")
            try:
                parts += self._stream.decompress(self._left, size - len(parts))
            except zlib.error as error:
                raise UnreadableError("file_broken", f"its compression is broken: {error}") from error
            self._left = self._stream.unconsumed_tail
        self._total += len(parts)
        if self._total > MOST_UNPACKED:
            raise UnreadableError("unsafe_archive", f"it unpacks to more than {MOST_UNPACKED // 1_000_000} MB")
        return bytes(parts)


def _single(data: bytes) -> str:
    if data[:5] == b"%PDF-" or data[:4] == b"%!PS" or b"\0" in data[:4096] or not data.strip():
        raise UnreadableError("not_latex", f"it begins with {data[:16]!r}")
    if len(data) > MOST_TEXT:
        raise UnreadableError("too_large", f"more than {MOST_TEXT // 1_000_000} MB of text")
    text = as_text(data)
    if not _TEX.search(text):
        raise UnreadableError("not_latex", f"it holds no LaTeX and begins with {text[:16]!r}")
    return text


def _members(stream: Any) -> dict[str, str]:
    files: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20) as archive:
            for count, member in enumerate(archive):
                if count >= MOST_MEMBERS:
                    raise UnreadableError("unsafe_archive", f"it holds more than {MOST_MEMBERS} files")
                name = _safe_name(member.name)
                if (
                    member.isreg()
                    and not member.issparse()
                    and (name.casefold().endswith(TEXT_ENDINGS) or name in READMES)
                ):
                    files[name] = _member_text(archive, member)
    except tarfile.TarError as error:
        raise UnreadableError("file_broken", f"its archive is broken: {error}") from error
    return files


def _safe_name(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise UnreadableError("unsafe_archive", f"it names a file outside itself: {name[:80]}")
    return str(path)


def _member_text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    if member.size > MOST_TEXT:
        raise UnreadableError("unsafe_archive", f"{member.name[:80]} claims {member.size} bytes of text")
    file = archive.extractfile(member)
    return as_text(file.read(MOST_TEXT)) if file else ""


def _main(files: Mapping[str, str]) -> str:
    """The paper's file: as arXiv notes it, else the longest whole document that no other file includes."""
    noted = _noted(files)
    if noted in files:
        return noted
    whole = [name for name, text in files.items() if name.endswith((".tex", ".ltx", ".latex")) and _CLASS.search(text)]
    bodies = [name for name in whole if _BODY.search(files[name])] or whole
    if not bodies:
        bodies = [name for name, text in files.items() if name.endswith(".tex") and _TEX.search(text)]
    if not bodies:
        raise UnreadableError("not_latex", f"none of its {len(files)} text files is a LaTeX document")
    return max(bodies, key=lambda name: (_is_paper(name), _reach(name, files)))


def _noted(files: Mapping[str, str]) -> str:
    for name in READMES:
        text = files.get(name, "")
        if name.endswith(".json") and text:
            try:
                sources = json.loads(text).get("sources", [])
            except (ValueError, AttributeError):
                continue
            return next(
                (s.get("filename", "") for s in sources if isinstance(s, dict) and s.get("usage") == "toplevel"), ""
            )
        match = _TOPLEVEL.search(text)
        if match:
            return match[1]
    return ""


def _is_paper(name: str) -> bool:
    return not re.search(r"supp|rebuttal|response|cover|template|sample|poster|slides", name, re.I)


def _reach(name: str, files: Mapping[str, str]) -> int:
    """Characters of a file and of those that it includes itself."""
    text = files[name]
    included = re.findall(r"\\(?:input|include|subfile)\s*\{?\s*([^\s{}%]+)", text)
    return len(text) + sum(len(files.get(part, files.get(f"{part}.tex", ""))) for part in included)
