"""Folders by content key under one root, local or any fsspec URL.

A folder is written aside, flushed to disk, then renamed; ``manifest.json`` is written last and means "complete".
Whoever finds a complete folder may use it without asking where it came from.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeVar

import fsspec
from pydantic import BaseModel

from paperlora import __version__
from paperlora.errors import StoreError
from paperlora.records import Manifest, Record, Reject

MANIFEST = "manifest.json"
LONGEST_NAME = 120
"""Characters of a folder name that is made of an id; what is added to it stays below the 255 bytes of file systems."""
R = TypeVar("R", bound=Record)


class Draft:
    """A folder being written. Fill ``path``, then set what the manifest shall say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inputs: dict[str, str] = {}
        self.settings: dict[str, Any] = {}
        self.prompts: dict[str, str] = {}
        self.models: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.rejects: list[Reject] = []


class Store:
    """Folders by kind and key: ``<root>/<kind>/<key>/``."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    @classmethod
    def at(cls, root: str | Path) -> Self:
        """The store under ``root``."""
        return cls(str(root))

    @cached_property
    def _fs(self) -> Any:
        return fsspec.core.url_to_fs(self.root)[0]

    @property
    def is_local(self) -> bool:
        """Its folders are folders of this machine."""
        return "://" not in self.root or self.root.startswith("file://")

    def uri(self, kind: str, key: str) -> str:
        """Address of a folder, whether it is there or not."""
        return f"{self.root}/{kind}/{key}"

    def has(self, kind: str, key: str) -> bool:
        """The folder is there and complete."""
        return bool(self._fs.exists(f"{self.uri(kind, key)}/{MANIFEST}"))

    def folder(self, kind: str, key: str) -> Path:
        """A local path of a complete folder; a remote one is fetched into a cache and checked."""
        return fetch(self.uri(kind, key))

    def folders(self, kind: str = "*") -> tuple[str, ...]:
        """URIs of every complete folder of a kind (of all kinds by default), in order; half-written ones are not seen."""
        base = fsspec.core.url_to_fs(self.root)[1].rstrip("/")
        if self.is_local:
            return tuple(sorted(f"{self.root}/{name}" for name in _complete(base, kind)))
        found = (PurePosixPath(path).parent for path in self._fs.glob(f"{base}/{kind}/*/{MANIFEST}"))
        return tuple(sorted(self.root + str(path).removeprefix(base) for path in found if not path.name.startswith(".")))

    def fetch_file(self, uri: str, name: str) -> Path:
        """A local path of one file of a complete folder."""
        return fetch(uri) / name

    def remove(self, kind: str, key: str) -> None:
        """Take a folder away, whole or not; nothing where there is none. Only for what can be had again."""
        with contextlib.suppress(FileNotFoundError):
            # The manifest goes first: a folder that is half removed counts as incomplete.
            self._fs.rm(f"{self.uri(kind, key)}/{MANIFEST}")
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(self.uri(kind, key), recursive=True)

    def sweep(self, hours: float = 24.0) -> int:
        """Remove what killed writers left aside that long ago; no reader ever sees it. Local stores only.

        Returns:
            Number of half-written folders removed.
        """
        root = Path(self.root.removeprefix("file://"))
        oldest = time.time() - hours * 3600
        left = [path for path in root.glob("*/.*.part") if path.stat().st_mtime <= oldest] if self.is_local else []
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        return len(left)

    @contextmanager
    def writing(self, kind: str, key: str) -> Iterator[Draft]:
        """Write a folder: yields a draft aside; on success it gets its manifest and its name, on error it is removed.

        Where another process was faster the first folder stays: equal keys mean equal content.
        """
        if self.is_local:
            with write_folder(Path(self.uri(kind, key).removeprefix("file://")), kind, key) as draft:
                yield draft
            return
        aside = Path(os.environ.get("TMPDIR", "/tmp")) / f"paperlora-{uuid.uuid4().hex}" / key
        try:
            with write_folder(aside, kind, key) as draft:
                yield draft
            self._upload(aside, self.uri(kind, key))
        finally:
            shutil.rmtree(aside.parent, ignore_errors=True)

    def _upload(self, source: Path, target: str) -> None:
        names = [path for path in sorted(source.rglob("*")) if path.is_file() and path.name != MANIFEST]
        for path in [*names, source / MANIFEST]:
            self._fs.put_file(str(path), f"{target}/{path.relative_to(source).as_posix()}")


def _complete(base: str, kind: str) -> Iterator[str]:
    """``kind/key`` of every complete local folder. fsspec's glob would look at each file of each folder."""
    kinds = [entry.name for entry in os.scandir(base) if entry.is_dir()] if kind == "*" and Path(base).is_dir() else [kind]
    for name in kinds:
        if (Path(base) / name).is_dir():
            with os.scandir(f"{base}/{name}") as entries:
                keys = [entry.name for entry in entries if not entry.name.startswith(".")]
            yield from (f"{name}/{key}" for key in keys if Path(f"{base}/{name}/{key}/{MANIFEST}").is_file())


@contextmanager
def write_folder(target: Path, kind: str, key: str) -> Iterator[Draft]:
    """Write one local folder the way :meth:`Store.writing` does, at a place of the caller's choice."""
    aside = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.part"
    aside.mkdir(parents=True)
    draft = Draft(aside)
    try:
        yield draft
        fail_point(f"{kind}:before-manifest")
        _seal(draft, kind, key)
        fail_point(f"{kind}:before-rename")
        _rename(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    fail_point(f"{kind}:after-rename")


def _seal(draft: Draft, kind: str, key: str) -> None:
    files = {path.relative_to(draft.path).as_posix(): path for path in sorted(draft.path.rglob("*")) if path.is_file()}
    for path in files.values():
        _flush(path)
    manifest = Manifest(
        kind=kind, key=key, created=datetime.now(UTC), code_version=__version__, inputs=draft.inputs,
        settings=draft.settings, prompts=draft.prompts, models=draft.models, counts=draft.counts,
        rejects=tuple(draft.rejects), files={name: file_hash(path) for name, path in files.items()},
    )
    path = draft.path / MANIFEST
    path.write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    _flush(path)


def _rename(aside: Path, target: Path) -> None:
    if target.exists() and not (target / MANIFEST).exists():
        shutil.rmtree(target)
    try:
        aside.rename(target)
    except OSError:
        if not (target / MANIFEST).exists():
            raise
    _flush(target.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_hash(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a folder by path or URL.

    Raises:
        StoreError: the folder is missing or incomplete.
    """
    fs, path = fsspec.core.url_to_fs(str(folder))
    try:
        return Manifest.model_validate_json(fs.cat_file(f"{path.rstrip('/')}/{MANIFEST}"))
    except FileNotFoundError:
        raise StoreError(f"{folder} is missing or incomplete: it has no {MANIFEST}.") from None


def fetch(uri: str, expected_hash: str | None = None) -> Path:
    """A local, verified copy of a complete folder.

    Args:
        uri: path or fsspec URL of the folder.
        expected_hash: ``Manifest.content_hash`` that it must have; None to accept any.

    Raises:
        StoreError: missing, incomplete, altered, or not what was expected.
    """
    manifest = read_manifest(uri)
    if expected_hash is not None and manifest.content_hash != expected_hash:
        raise StoreError(f"{uri} is not what was asked for: its content hash is {manifest.content_hash[:12]}, expected {expected_hash[:12]}.")
    local = Path(uri.removeprefix("file://"))
    if "://" in uri and not uri.startswith("file://"):
        local = _download(uri, manifest)
    verify(local, manifest)
    return local


def _download(uri: str, manifest: Manifest) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "paperlora" / "store"
    target = cache / manifest.kind / manifest.content_hash
    if (target / MANIFEST).exists():
        return target
    fs, path = fsspec.core.url_to_fs(uri)
    aside = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.part"
    try:
        for name in [*manifest.files, MANIFEST]:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(f"{path}/{name}", str(aside / name))
        _rename(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def verify(folder: Path, manifest: Manifest) -> None:
    """Check every file of a folder against its manifest.

    Raises:
        StoreError: names the first file that is missing or altered.
    """
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise StoreError(f"{path} is missing, although its manifest lists it.", f"Remove {folder} and run the stage again.")
        if file_hash(path) != expected:
            raise StoreError(f"{path} was altered after it was written.", f"Remove {folder} and run the stage again.")


def slug(identifier: str) -> str:
    """A folder name for an id: ``arxiv:2405.05904v2`` → ``arxiv-2405.05904v2``; never empty, never leaves its parent.

    Two ids never share a name: one that can't be read back from it (other characters, too long) ends with eight digits of
    its SHA-256.

    Raises:
        StoreError: nothing of the id can stand in a name.
    """
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in identifier)
    name = kept.strip(".-")
    if not any(map(str.isalnum, identifier)):
        raise StoreError(f"The id {identifier[:60]!r} makes no folder name.")
    if name != identifier.replace(":", "-", 1) or len(name) > LONGEST_NAME:
        mark = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        name = f"{name[: LONGEST_NAME - 9]}-{mark}".lstrip("-")
    return name


def write_json(path: Path, value: BaseModel | Mapping[str, Any] | Sequence[Any]) -> None:
    """Write one record or plain value as JSON."""
    text = value.model_dump_json(indent=1) if isinstance(value, BaseModel) else json.dumps(value, indent=1, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")


def write_jsonl(path: Path, records: Iterable[BaseModel]) -> None:
    """Write records, one a line."""
    path.write_text("".join(record.model_dump_json() + "\n" for record in records), encoding="utf-8")


def read_jsonl(path: Path, kind: type[R]) -> tuple[R, ...]:
    """Read records written by :func:`write_jsonl`."""
    return tuple(kind.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines() if line)


def read_json(path: Path, kind: type[R]) -> R:
    """Read one record written by :func:`write_json`."""
    return kind.model_validate_json(path.read_text(encoding="utf-8"))


def fail_point(name: str) -> None:
    """Die as by SIGKILL where PAPERLORA_FAILPOINT names this point: the crash tests stand on it."""
    if os.environ.get("PAPERLORA_FAILPOINT") == name:
        os.kill(os.getpid(), 9)
