"""Readings and ideas as folders of the store.

A reading is what one document gave by itself; it is made once for a document, a prompt and a reader. The ideas of a
paper are its reading after it was held against the other papers: a folder of their own, named by what they became, so
that a new paper makes a new folder only of those papers that it touches.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.ideas.conflicts import Alike, paper_id, settle
from paperlora.ideas.coverage import SectionCoverage
from paperlora.ideas.read import IdeasFound
from paperlora.records import Idea, Lesson, Manifest, Reject, digest
from paperlora.store import Store, fetch, read_jsonl, read_manifest, write_json, write_jsonl

READINGS = "readings"
IDEAS = "ideas"


class SettledFolders(NamedTuple):
    """Where the ideas of each reading stand now."""

    uris: tuple[str, ...]
    """One for each reading, in order."""
    elsewhere: tuple[Idea, ...]
    """Ideas of papers outside this run that are no longer as they were."""


class _Reading(NamedTuple):
    uri: str
    folder: Path
    manifest: Manifest
    ideas: tuple[Idea, ...]


def write_reading(
    store: Store, key: str, document: str, document_hash: str, found: IdeasFound, lessons: Sequence[Lesson]
) -> None:
    """Keep what a document gave.

    Args:
        key: :func:`paperlora.ideas.read.ideas_key`.
        document: URI of the document's folder.
    """
    with store.writing(READINGS, key) as draft:
        write_jsonl(draft.path / "ideas.jsonl", found.ideas)
        write_jsonl(draft.path / "lessons.jsonl", lessons)
        write_json(draft.path / "coverage.json", [one.model_dump(mode="json") for one in found.coverage])
        draft.inputs, draft.prompts, draft.counts = {document: document_hash}, found.prompts, found.counts
        draft.rejects = list(found.rejects)


def read_coverage(folder: Path) -> tuple[SectionCoverage, ...]:
    """The coverage of a reading's or ideas' folder, section by section."""
    lines = json.loads((folder / "coverage.json").read_text(encoding="utf-8"))
    return tuple(SectionCoverage.model_validate(line) for line in lines)


def settle_readings(
    store: Store, readings: Sequence[str], known: Sequence[Idea] = (), alike: Alike | None = None
) -> SettledFolders:
    """Hold the readings against each other and against what is known, and write the ideas of each paper.

    Args:
        readings: URIs of the run's readings.
        known: ideas that stand in the catalog. Those of the run's own papers only tell which of two repetitions stood
            first; of other papers only the newest version counts.
        alike: proposes pairs by meaning.
    """
    mine = [_open(uri) for uri in readings]
    inside = {paper_id(idea.paper) for one in mine for idea in one.ideas}
    others = _newest([idea for idea in known if paper_id(idea.paper) not in inside])
    standing = {idea.id: idea for idea in known}
    read = [_confirmed(idea, standing.get(idea.id), inside) for one in mine for idea in one.ideas]
    every = sorted(
        (*read, *others), key=lambda idea: (idea.id not in standing, paper_id(idea.paper), -_version(idea.paper))
    )
    settled = settle(every, alike)
    now = {idea.id: idea for idea in settled.ideas}
    gone = {reject.item.removeprefix("idea:"): reject for reject in settled.rejects}
    uris = tuple(_write(store, one, now, gone) for one in mine)
    changed = tuple(now[idea.id] for idea in others if idea.id in now and now[idea.id] != idea)
    return SettledFolders(uris, changed)


def rewrite(store: Store, uri: str, changed: Sequence[Idea]) -> str:
    """The folder of a paper's ideas anew, some of which have gained a source or a contradiction.

    Returns:
        The URI of the new folder; the old one stays.
    """
    old = _open(uri)
    now = {idea.id: idea for idea in old.ideas} | {idea.id: idea for idea in changed}
    return _write(store, old, now, {}, base=old.manifest.key.rpartition("-")[0])


def _open(uri: str) -> _Reading:
    folder = fetch(uri)
    return _Reading(uri, folder, read_manifest(uri), read_jsonl(folder / "ideas.jsonl", Idea))


def _confirmed(idea: Idea, before: Idea | None, inside: Collection[str]) -> Idea:
    """With the sources it had outside this run: their own readings are not at hand."""
    sources = tuple(one for one in before.sources if paper_id(one.paper) not in inside) if before else ()
    return idea.model_copy(update={"sources": sources}) if sources else idea


def _newest(ideas: Sequence[Idea]) -> list[Idea]:
    newest: dict[str, int] = {}
    for idea in ideas:
        newest[paper_id(idea.paper)] = max(newest.get(paper_id(idea.paper), 0), _version(idea.paper))
    return [idea for idea in ideas if _version(idea.paper) == newest[paper_id(idea.paper)]]


def _version(key: str) -> int:
    version = key.rpartition("v")[2]
    return int(version) if version.isdigit() else 1


def _write(
    store: Store, reading: _Reading, now: dict[str, Idea], gone: dict[str, Reject], base: str | None = None
) -> str:
    ideas = [now[idea.id] for idea in reading.ideas if idea.id in now and idea.id not in gone]
    rejects = [gone[idea.id] for idea in reading.ideas if idea.id in gone]
    key = f"{base or reading.manifest.key}-{digest([i.model_dump(mode='json') for i in ideas], rejects)[:8]}"
    if not store.has(IDEAS, key):
        with store.writing(IDEAS, key) as draft:
            write_jsonl(draft.path / "ideas.jsonl", ideas)
            for name in ("lessons.jsonl", "coverage.json"):
                (draft.path / name).write_bytes((reading.folder / name).read_bytes())
            draft.inputs = dict(reading.manifest.inputs) | (
                {} if base else {reading.uri: reading.manifest.content_hash}
            )
            draft.prompts = dict(reading.manifest.prompts)
            draft.counts = dict(reading.manifest.counts) | {
                "ideas": len(ideas),
                "duplicates": len(rejects),
                "contested": sum(bool(idea.contested_by) for idea in ideas),
                "with_sources": sum(bool(idea.sources) for idea in ideas),
            }
            draft.rejects = [*reading.manifest.rejects, *rejects]
    return store.uri(IDEAS, key)
