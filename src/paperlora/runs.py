"""What each run of a stage left: a folder of kind ``runs``, written last of all, and what is still to be taken up.

A stage hands on what it made and what it handed on before that the next stage has not taken up yet. So nothing is lost
where a night broke off between two stages and nobody ran it again: the next night carries it on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import fsspec

from paperlora.records import Reject
from paperlora.store import Store, read_manifest, write_json

KIND = "runs"
NEXT = {"ingest": "distill", "distill": "train", "train": "judge", "judge": "reflect"}
"""Which stage takes up what a stage hands on."""

SUSPICIOUS = 5
"""So many items of which not one comes through are no coincidence."""
_DOCUMENT = re.compile(r"(?P<id>.+)v(?P<version>\d+)(?:-[0-9a-f]{8})?-[0-9a-f]{12}")
"""Folder of a document: the slug of its paper's key, and what decides its content."""


class Done(NamedTuple):
    """What a run did."""

    stage: str
    outputs: Sequence[str]
    """URIs that it made or found made."""
    rejects: Sequence[Reject] = ()
    handled: Sequence[str] = ()
    """Ids of items whose fate it tells: older rejects of them count no more."""
    taken: Sequence[str] = ()
    """URIs that the stage before handed on, and that need not be handed on again."""
    cursors: Mapping[str, Mapping[str, str]] = {}
    """Name → cursor, source and query: how far each listing has come."""
    candidates: Sequence[Mapping[str, Any]] = ()
    """Pairs of papers that may be one."""
    counts: Mapping[str, int] = {}


def run_key(stage: str, run_id: UUID | str, run_count: int) -> str:
    """Folder name of what one attempt of one stage run left."""
    return f"{stage}-{run_id}-{run_count}"


def write_run(store: Store, key: str, done: Done) -> list[str]:
    """Write the folder of a run; its cursors count from then on.

    Returns:
        What it hands on: its outputs, and what nobody has taken up of earlier ones.
    """
    outputs = list({_bare(uri): uri for uri in (*left_over(store, done.stage), *done.outputs)}.values())
    with store.writing(KIND, key) as draft:
        write_json(draft.path / "outputs.json", outputs)
        write_json(draft.path / "handled.json", list(done.handled))
        write_json(draft.path / "taken.json", list(done.taken))
        if done.cursors:
            write_json(draft.path / "cursors.json", dict(done.cursors))
        if done.candidates:
            write_json(draft.path / "candidates.json", [dict(pair) for pair in done.candidates])
        draft.settings = {"stage": done.stage}
        draft.counts = {
            **done.counts, "handled": len(done.handled), "outputs": len(outputs), "rejects": len(done.rejects),
        }  # fmt: skip
        draft.rejects = list(done.rejects)
    return outputs


def with_hash(uri: str) -> str:
    """``uri#hash``: what is handed over is checked by whoever reads it."""
    return f"{_bare(uri)}#{read_manifest(_bare(uri)).content_hash}"


def outputs(store: Store, stage: str, run_id: UUID, run_count: int) -> list[str]:
    """The URIs that a finished run hands on."""
    folder = store.folder(KIND, run_key(stage, run_id, run_count))
    return list(json.loads((folder / "outputs.json").read_text(encoding="utf-8")))


def left_over(store: Store, stage: str) -> list[str]:
    """``uri#hash`` of what this stage made and the next one has not taken up, newest version of each paper."""
    if stage not in NEXT:
        return []
    taken = {_bare(uri) for uri in _listed(store, NEXT[stage], "taken.json")}
    if stage == "ingest":
        # A run that was killed left documents, but no list of them.
        return [with_hash(uri) for uri in _newest(store.folders("documents"), taken) if uri not in taken]
    return [uri for uri in dict.fromkeys(_listed(store, stage, "outputs.json")) if _bare(uri) not in taken]


def _newest(uris: Iterable[str], taken: Container[str]) -> list[str]:
    """Of several versions of a paper the last."""
    best: dict[str, tuple[int, bool, str]] = {}
    for uri in uris:
        named = _DOCUMENT.fullmatch(uri.rsplit("/", 1)[-1])
        name, version = (named["id"], int(named["version"])) if named else (uri, 0)
        best[name] = max(best.get(name, (0, False, "")), (version, uri not in taken, uri))
    return sorted(uri for _, _, uri in best.values())


def _listed(store: Store, stage: str, name: str) -> list[str]:
    """The lines of one file over all runs of a stage."""
    found: list[str] = []
    for uri in store.folders(KIND):
        if uri.rsplit("/", 1)[-1].startswith(f"{stage}-"):
            fs, path = fsspec.core.url_to_fs(f"{uri}/{name}")
            # Runs from before this file was kept took up what they were given; nobody knows any more what that was.
            found += json.loads(fs.cat_file(path)) if fs.exists(path) else []
    return found


def _bare(reference: str) -> str:
    return reference.partition("#")[0]
