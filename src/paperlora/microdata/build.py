"""Write and read the revisions of micro-datasets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from paperlora.errors import NothingToDo, StoreError
from paperlora.microdata.anchors import anchors_hash
from paperlora.microdata.answerability import VERSION as ANSWERABILITY
from paperlora.microdata.answerability import check_answerable
from paperlora.microdata.card import write_card
from paperlora.microdata.facts import Fact
from paperlora.microdata.pools import pools_hash
from paperlora.microdata.probe_wordings import prompts_hash
from paperlora.microdata.quiz import quiz, quiz_key, quizzed
from paperlora.microdata.refusals import properties_hash
from paperlora.microdata.replay import Replays, known, replays_key, replays_of
from paperlora.microdata.rows import GENERATOR, write_rows
from paperlora.microdata.selection import NO_BASE, Answerability, Asked, Gates, Selection, select
from paperlora.microdata.shared_rows import Material, shared_rows
from paperlora.microdata.wordings import VERSION
from paperlora.progress import Progress, silent
from paperlora.records import (
    BaseModelId,
    Example,
    Idea,
    KnowledgeState,
    MicroDataset,
    Paper,
    Probe,
    Quote,
    Record,
    Reject,
    digest,
)
from paperlora.settings import Settings
from paperlora.store import Draft, Store, read_json, read_jsonl, read_manifest, slug, write_json, write_jsonl

if TYPE_CHECKING:
    from paperlora.model.base import Base


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
    base: Base | None = None,
    *,
    text: str = "",
    dropped: list[Reject] | None = None,
    progress: Progress = silent,
) -> str:
    """Write the micro-dataset of a paper and return its URI.

    A revision made from the same ideas, paper text, wordings and base is reused even where the neighbours have changed
    since: a new paper in the run must not make every other adapter stale.

    Args:
        paper: whose ideas these are.
        topic: name of its topic.
        ideas: what shall be taught; contested ones among them are rejected.
        neighbours: ideas of the whole run: sources of wrong values.
        settings: of the run; ``microdata`` counts, and the store that keeps the base's own answers.
        store: rooted at ``settings.datasets``.
        parents: ids of revisions that this one corrects.
        lessons: ids of the lessons that were considered.
        base: the loaded base, for replay, the quiz, answerability and leaks by meaning; None for a dataset without them.
        text: of the whole paper, for questions that it leaves open and for passages wider than a quote; empty for none.
        dropped: takes the rejects where nothing is left to write; else they stand in the revision's manifest.
        progress: told of the base's answers.

    Raises:
        NothingToDo: no idea can be taught and judged.
    """
    found = find_dataset(paper, ideas, settings, store, parents, None if base is None else base.id, text)
    if found is not None:
        return found
    replays = _replays(settings, base, progress)
    selection = select(ideas, neighbours, _gates(settings, base, replays, text, progress))
    if not selection.taught:
        if dropped is not None:
            dropped += selection.rejects
        raise NothingToDo(
            f"{paper.key} has no idea that can be taught and judged ({len(ideas)} read, {_reasons(selection.rejects)})."
        )
    probes_hash = hash_of(selection.probes)
    made = _rows(Material(paper, text, replays, settings.microdata.replay_share), selection)
    record = _record(paper, topic, selection, made, probes_hash, parents, lessons)
    source = _source_hash(paper, ideas, settings, parents, None if base is None else base.id, text)
    models = {"reader": record.reader, "generator": GENERATOR} | (
        {} if base is None else {"base": base.id.weights_hash}
    )
    prompts = {"wordings": prompts_hash()}
    return write_revision(record, made.rows, selection.probes, store, source=source, prompts=prompts, models=models)


def write_revision(
    record: MicroDataset, rows: Sequence[Example], probes: Sequence[Probe], store: Store, *, source: str,
    prompts: Mapping[str, str], models: Mapping[str, str],
) -> str:  # fmt: skip
    """Write a revision unless one of the same rows, probes and states is there; its id and counts come from these.

    Args:
        record: of the revision; id, revision and the counts of what is kept are filled in here.
        source: digest of everything it was made from, by which it is found again.
        prompts: prompt name → hash.
        models: role → model.

    Returns:
        Its URI.
    """
    states = [hash_of(record.states)] if record.states else []
    revision, kind = digest(hash_of(rows), record.probes_hash, *states)[:12], slug(record.paper.key)
    whole = record.model_copy(update={
        "id": f"{kind}/{revision}", "revision": revision, "counts": record.counts | _counts(rows, probes),
    })  # fmt: skip
    if not store.has(kind, revision):
        with store.writing(kind, revision) as draft:
            _write(draft, whole, rows, probes, source)
            draft.prompts, draft.models = dict(prompts), dict(models)
    return store.uri(kind, revision)


def find_dataset(
    paper: Paper,
    ideas: Sequence[Idea],
    settings: Settings,
    store: Store,
    parents: Sequence[str] = (),
    base: BaseModelId | None = None,
    text: str = "",
) -> str | None:
    """The revision that :func:`build_dataset` would make of the same things, where it is there already.

    Args:
        base: the base that would take part; None without one.
    """
    source = _source_hash(paper, ideas, settings, parents, base, text)
    folders = store.folders(slug(paper.key))
    return next((uri for uri in folders if read_manifest(uri).settings.get("source") == source), None)


def load(folder: Path) -> LoadedDataset:
    """Read a complete revision.

    Raises:
        StoreError: it is incomplete, or its probes are not those that were frozen.
    """
    manifest = read_manifest(folder)
    record = read_json(folder / "dataset.json", MicroDataset)
    probes = read_jsonl(folder / "probes.jsonl", Probe)
    if hash_of(probes) != record.probes_hash:
        raise StoreError(
            f"The probes of {record.id} are not those that were frozen before its rows.",
            f"Remove {folder} and run distill again.",
        )
    return LoadedDataset(record, read_jsonl(folder / "rows.jsonl", Example), probes, manifest.content_hash)


def _source_hash(
    paper: Paper, ideas: Sequence[Idea], settings: Settings, parents: Sequence[str], base: BaseModelId | None, text: str
) -> str:
    written = (paper.key, paper.title, paper.abstract, paper.licence)
    pools = (VERSION, prompts_hash(), pools_hash(), anchors_hash(), properties_hash())
    shaped = None if base is None else (replays_key(base), quiz_key(), ANSWERABILITY, settings.microdata)
    return digest(*pools, written, digest(text), shaped, [i.model_dump(mode="json") for i in ideas], list(parents))


def _gates(settings: Settings, base: Base | None, replays: Replays | None, text: str, progress: Progress) -> Gates:
    """What the base is asked while ideas, probes and rows are chosen."""
    if base is None:
        return NO_BASE

    def embed(texts: Sequence[str]) -> Any:
        from paperlora.model.embedding import embed as embed_texts

        return embed_texts(base, texts)

    def check(waiting: Sequence[Asked]) -> Answerability:
        return check_answerable(waiting, base, text)

    def ask(facts: Sequence[Fact]) -> Mapping[str, KnowledgeState]:
        return quiz([quizzed(fact) for fact in facts], base, progress)

    sure = None if replays is None else known(replays.kept, "locality")
    micro = settings.microdata
    return Gates(
        embed if micro.meaning else None, check if micro.answerability else None, sure, ask if micro.quiz else None
    )


def _replays(settings: Settings, base: Base | None, progress: Progress) -> Replays | None:
    return None if base is None else replays_of(base, Store.at(settings.store_root), progress)


def _reasons(rejects: Sequence[Reject]) -> str:
    counts = Counter(reject.reason for reject in rejects)
    return ", ".join(f"{reason} × {count}" for reason, count in sorted(counts.items())) or "none rejected"


class _Made(NamedTuple):
    """All rows, and what became of the others."""

    rows: tuple[Example, ...]
    rejects: tuple[Reject, ...]
    book: Counter[str]


def _rows(material: Material, selection: Selection) -> _Made:
    licence = material.paper.licence
    own = [row for fact in selection.taught for row in write_rows(fact, selection.rows[fact.idea.id], licence)]
    shared = shared_rows(material, selection.taught, len(own), selection.gate)
    book = selection.book.copy()
    book["proposed/row"] += len(shared.rows) + len(shared.rejects)
    book.update(f"dropped/row/{reject.reason}" for reject in shared.rejects)
    return _Made((*own, *shared.rows), shared.rejects, book)


def _record(
    paper: Paper, topic: str, selection: Selection, made: _Made, probes_hash: str, parents: Sequence[str],
    lessons: Sequence[str],
) -> MicroDataset:  # fmt: skip
    ideas = tuple(fact.idea for fact in selection.facts)
    return MicroDataset(
        id="", revision="", paper=paper, topic=topic, ideas=ideas, reader=ideas[0].reader, parents=tuple(parents),
        lessons=tuple(lessons), counts=dict(sorted(made.book.items())),
        rejects=(*selection.rejects, *made.rejects), probes_hash=probes_hash, states=selection.states,
        licence=paper.licence,
    )  # fmt: skip


def _counts(rows: Sequence[Example], probes: Sequence[Probe]) -> dict[str, int]:
    by_name = Counter([f"row/{row.form}" for row in rows] + [f"probe/{probe.family}" for probe in probes])
    return {"rows": len(rows), "probes": len(probes), **dict(sorted(by_name.items()))}


def hash_of(records: Sequence[Record]) -> str:
    """Digest of records in their order."""
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
    draft.settings = {"source": source}
    draft.counts, draft.rejects = record.counts, list(record.rejects)


def write_parquet(path: Path, records: Sequence[Record]) -> None:
    """Records as a table with the columns of their JSON; the schema is fixed, so that empty lists keep their type."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    text = pa.string()
    turn = pa.struct([("role", text), ("content", text)])
    span = pa.struct([("message", pa.int32()), ("start", pa.int32()), ("end", pa.int32())])
    plain = {int: pa.int32(), float: pa.float64(), bool: pa.bool_()}

    def column(annotation: Any) -> Any:
        return plain.get(annotation, text)

    place = pa.struct([(name, column(field.annotation)) for name, field in Quote.model_fields.items()])
    special: dict[str, Any] = {
        "messages": pa.list_(turn),
        "masked": pa.list_(span),
        "evidence": pa.list_(place),
        "answers": pa.list_(text),
        "distractors": pa.list_(text),
    }
    fields = type(records[0]).model_fields
    schema = pa.schema([(name, special.get(name, column(field.annotation))) for name, field in fields.items()])
    pq.write_table(pa.Table.from_pylist([record.model_dump(mode="json") for record in records], schema), path)
