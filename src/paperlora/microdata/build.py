"""Write and read the revisions of micro-datasets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from paperlora.errors import NothingToDo, StoreError
from paperlora.microdata.anchors import anchors_hash
from paperlora.microdata.card import write_card
from paperlora.microdata.pools import pools_hash
from paperlora.microdata.rows import GENERATOR, MIN_ROWS, anchor_rows, summary_rows, write_rows
from paperlora.microdata.selection import Selection, select
from paperlora.microdata.wordings import VERSION, prompts_hash
from paperlora.records import Example, Idea, MicroDataset, Paper, Probe, Quote, Record, Reject, digest
from paperlora.settings import Settings
from paperlora.store import Draft, Store, read_json, read_jsonl, read_manifest, slug, write_json, write_jsonl


class LoadedDataset(NamedTuple):
    """A revision as it stands on disk."""

    record: MicroDataset
    rows: tuple[Example, ...]
    probes: tuple[Probe, ...]
    content_hash: str
    """Of its manifest: what an adapter names as its source."""


def build_dataset(
    paper: Paper,
    topic: str,
    ideas: Sequence[Idea],
    neighbours: Sequence[Idea],
    settings: Settings,
    store: Store,
    parents: Sequence[str] = (),
    lessons: Sequence[str] = (),
) -> str:
    """Write the micro-dataset of a paper and return its URI.

    A revision made from the same ideas, paper text and wordings is reused even where the neighbours have changed since:
    a new paper in the run must not make every other adapter stale.

    Args:
        paper: whose ideas these are.
        topic: name of its topic.
        ideas: what shall be taught, contested ideas left out.
        neighbours: ideas of the whole run: sources of wrong values.
        settings: of the run; no setting changes rows or probes today.
        store: rooted at ``settings.datasets``.
        parents: ids of revisions that this one corrects.
        lessons: ids of the lessons that were considered.

    Raises:
        NothingToDo: no idea can be taught and judged.
    """
    kind, source = slug(paper.key), _source_hash(paper, ideas, parents)
    known = _made_from(store, kind, source)
    if known is not None:
        return known
    selection = select(ideas, neighbours)
    if not selection.facts:
        raise NothingToDo(
            f"{paper.key} has no idea that can be taught and judged ({len(ideas)} read, {_reasons(selection.rejects)})."
        )
    probes_hash = _hash(selection.probes)
    rows = _rows(paper, selection)
    record = _record(paper, topic, selection, rows, probes_hash, parents, lessons)
    if not store.has(kind, record.revision):
        with store.writing(kind, record.revision) as draft:
            _write(draft, record, rows, selection.probes, source)
    return store.uri(kind, record.revision)


def load(folder: Path) -> LoadedDataset:
    """Read a complete revision.

    Raises:
        StoreError: it is incomplete, or its probes are not those that were frozen.
    """
    manifest = read_manifest(folder)
    record = read_json(folder / "dataset.json", MicroDataset)
    probes = read_jsonl(folder / "probes.jsonl", Probe)
    if _hash(probes) != record.probes_hash:
        raise StoreError(
            f"The probes of {record.id} are not those that were frozen before its rows.",
            f"Remove {folder} and run distill again.",
        )
    return LoadedDataset(record, read_jsonl(folder / "rows.jsonl", Example), probes, manifest.content_hash)


def _source_hash(paper: Paper, ideas: Sequence[Idea], parents: Sequence[str]) -> str:
    text = (paper.key, paper.title, paper.abstract, paper.licence)
    return digest(
        VERSION,
        prompts_hash(),
        pools_hash(),
        anchors_hash(),
        text,
        [idea.model_dump(mode="json") for idea in ideas],
        list(parents),
    )


def _made_from(store: Store, kind: str, source: str) -> str | None:
    return next((uri for uri in store.folders(kind) if read_manifest(uri).settings.get("source") == source), None)


def _reasons(rejects: Sequence[Reject]) -> str:
    counts = Counter(reject.reason for reject in rejects)
    return ", ".join(f"{reason} × {count}" for reason, count in sorted(counts.items())) or "none rejected"


def _rows(paper: Paper, selection: Selection) -> tuple[Example, ...]:
    rows = [row for fact in selection.facts for row in write_rows(fact, selection.rows[fact.idea.id], paper.licence)]
    subjects = tuple(dict.fromkeys(fact.words["s"] for fact in selection.facts))
    summaries = summary_rows(paper, subjects, selection.gate, 1 if len(rows) + 1 >= MIN_ROWS else 2)
    return (*rows, *summaries, *anchor_rows(paper, selection.gate, len(selection.facts)))


def _record(
    paper: Paper, topic: str, selection: Selection, rows: Sequence[Example], probes_hash: str,
    parents: Sequence[str], lessons: Sequence[str],
) -> MicroDataset:  # fmt: skip
    revision = digest(_hash(rows), probes_hash)[:12]
    ideas = tuple(fact.idea for fact in selection.facts)
    return MicroDataset(
        id=f"{slug(paper.key)}/{revision}", revision=revision, paper=paper, topic=topic, ideas=ideas,
        reader=ideas[0].reader, parents=tuple(parents), lessons=tuple(lessons), counts=_counts(rows, selection.probes),
        rejects=selection.rejects, probes_hash=probes_hash, licence=paper.licence,
    )  # fmt: skip


def _counts(rows: Sequence[Example], probes: Sequence[Probe]) -> dict[str, int]:
    by_name = Counter([f"row/{row.form}" for row in rows] + [f"probe/{probe.family}" for probe in probes])
    return {"rows": len(rows), "probes": len(probes), **dict(sorted(by_name.items()))}


def _hash(records: Sequence[Record]) -> str:
    return digest([record.model_dump(mode="json") for record in records])


def _write(draft: Draft, record: MicroDataset, rows: Sequence[Example], probes: Sequence[Probe], source: str) -> None:
    write_jsonl(draft.path / "probes.jsonl", probes)
    write_jsonl(draft.path / "rows.jsonl", rows)
    write_jsonl(draft.path / "ideas.jsonl", record.ideas)
    write_json(draft.path / "dataset.json", record)
    (draft.path / "README.md").write_text(write_card(record, rows, probes), encoding="utf-8")
    (draft.path / "data").mkdir()
    write_parquet(draft.path / "data" / "rows.parquet", rows)
    write_parquet(draft.path / "data" / "probes.parquet", probes)
    draft.inputs = {f"idea:{idea.id}": digest(idea) for idea in record.ideas}
    draft.settings, draft.prompts = {"source": source}, {"wordings": prompts_hash()}
    draft.models = {"reader": record.reader, "generator": GENERATOR}
    draft.counts, draft.rejects = record.counts, list(record.rejects)


def write_parquet(path: Path, records: Sequence[Record]) -> None:
    """Records as a table with the columns of their JSON; the schema is fixed, so that empty lists keep their type."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    text = pa.string()
    turn = pa.struct([("role", text), ("content", text)])
    span = pa.struct([("message", pa.int32()), ("start", pa.int32()), ("end", pa.int32())])
    numbers = {"section", "page", "start", "end"}
    place = pa.struct([(name, pa.int32() if name in numbers else text) for name in Quote.model_fields])
    special: dict[str, Any] = {
        "wave": pa.int32(),
        "chance": pa.float64(),
        "messages": pa.list_(turn),
        "masked": pa.list_(span),
        "evidence": pa.list_(place),
        "answers": pa.list_(text),
        "distractors": pa.list_(text),
    }
    schema = pa.schema([(name, special.get(name, text)) for name in type(records[0]).model_fields])
    pq.write_table(pa.Table.from_pylist([record.model_dump(mode="json") for record in records], schema), path)
