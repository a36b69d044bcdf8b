"""Folder → what the catalog keeps of it: one reader for each kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, TypeVar

import fsspec

from paperlora.errors import StoreError
from paperlora.records import (
    Adapter,
    AdapterReport,
    Document,
    Idea,
    Lesson,
    Manifest,
    MicroDataset,
    Paper,
    Record,
    Reject,
    Verdict,
)
from paperlora.store import Store

R = TypeVar("R", bound=Record)
ItemKind = Literal["paper", "document", "idea", "dataset", "adapter", "verdict", "lesson"]
RECORDS: dict[ItemKind, type[Record]] = {
    "paper": Paper, "document": Document, "idea": Idea, "dataset": MicroDataset, "adapter": Adapter, "verdict": Verdict,
    "lesson": Lesson,
}  # fmt: skip
PLURALS: dict[ItemKind, str] = {
    "paper": "papers", "document": "documents", "idea": "ideas", "dataset": "datasets", "adapter": "adapters",
    "verdict": "verdicts", "lesson": "lessons",
}  # fmt: skip
# Material that stages keep for themselves: thousands of folders without a record or a reject.
MATERIAL = frozenset({"pdfs", "responses", "fulltexts"})
SHELVES = "placebos"
"""Folder of a store that holds a small store of its own for each recipe's placebos."""
Role = Literal["", "placebo", "repeat"]


class Edge(NamedTuple):
    """``target`` came from ``source``."""

    source: str
    target: str
    role: Literal["made_from", "considered"] = "made_from"


class Cursor(NamedTuple):
    """How far one query of one source has come."""

    name: str
    source: str
    query: str
    cursor: str


class Pair(NamedTuple):
    """Two papers that may be one: shown to a person, never merged by the machine."""

    a: str
    b: str
    score: float
    """0 to 1: likeness of titles and authors; 1 where both are said to bear the same id."""
    why: str


class Taken(NamedTuple):
    """What one folder holds for the catalog."""

    uri: str
    manifest: Manifest
    records: tuple[Record, ...] = ()
    edges: tuple[Edge, ...] = ()
    handled: tuple[str, ...] = ()
    """Items whose fate the run of this folder tells; older rejects of its stage count no more."""
    cursors: tuple[Cursor, ...] = ()
    candidates: tuple[Pair, ...] = ()
    told: tuple[Reject, ...] | None = None
    """Its rejects, where they are not those of the manifest as they stand."""

    @property
    def rejects(self) -> tuple[Reject, ...]:
        """What was dropped on the way into the folder."""
        return self.manifest.rejects if self.told is None else self.told


class Folder:
    """A complete folder, of which only the files that are asked for are read, and checked."""

    def __init__(self, uri: str, manifest: Manifest) -> None:
        self.uri, self.manifest = uri, manifest

    def has(self, name: str) -> bool:
        """The manifest lists this file."""
        return name in self.manifest.files

    def text(self, name: str) -> str:
        """One file.

        Raises:
            StoreError: it is missing, or not what the manifest says.
        """
        fs, path = fsspec.core.url_to_fs(self.uri)
        try:
            data: bytes = fs.cat_file(f"{path.rstrip('/')}/{name}")
        except FileNotFoundError:
            raise StoreError(f"{self.uri}/{name} is missing.", f"Remove {self.uri} and run the stage again.") from None
        if hashlib.sha256(data).hexdigest() != self.manifest.files.get(name):
            raise StoreError(f"{self.uri}/{name} was altered after it was written.", f"Remove {self.uri} and run the stage again.")
        return data.decode("utf-8")

    def json(self, name: str) -> Any:
        """One file of plain JSON."""
        return json.loads(self.text(name))

    def record(self, name: str, kind: type[R]) -> R:
        """One file of one record."""
        return kind.model_validate_json(self.text(name))

    def records(self, name: str, kind: type[R]) -> tuple[R, ...]:
        """One file of records, one a line; only the line feed ends one, whatever a title holds."""
        return tuple(kind.model_validate_json(line) for line in self.text(name).split("\n") if line)


def shelves(store: Store) -> tuple[Store, ...]:
    """The small stores within a store that hold the placebos of one recipe each; in order."""
    fs, base = fsspec.core.url_to_fs(store.root)
    place = f"{base.rstrip('/')}/{SHELVES}"
    names = [path.rstrip("/").rsplit("/", 1)[-1] for path in fs.ls(place, detail=False)] if fs.isdir(place) else []
    return tuple(Store.at(f"{store.root}/{SHELVES}/{name}") for name in sorted(names) if not name.startswith("."))


def read_folder(uri: str, manifest: Manifest) -> Taken:
    """Everything that the catalog keeps of one folder.

    Raises:
        StoreError: a file of it is missing or altered.
    """
    # A dataset's folder stands below its paper's name, so that it is known by what it holds.
    kind = "datasets" if "dataset.json" in manifest.files else manifest.kind
    reader = _READERS.get(kind)
    return Taken(uri, manifest) if reader is None else reader(Folder(uri, manifest))


def item_id(record: Record) -> str:
    """The id under which a record stands in the catalog."""
    if isinstance(record, Paper):
        return record.key
    if isinstance(record, Document):
        return f"document:{record.paper}"
    if isinstance(record, Idea):
        return f"idea:{record.id}"
    return str(record.id)  # type: ignore[attr-defined]


def kind_of(record: Record) -> ItemKind:
    """Its kind among the catalog's items."""
    return next(kind for kind, type_ in RECORDS.items() if isinstance(record, type_))


def role_of(record: Record) -> Role:
    """What it is beside what papers gave: a placebo, or one more trial of what an earlier seed was judged on."""
    if isinstance(record, Adapter | MicroDataset) and _paper_key(record).startswith("placebo:"):
        return "placebo"
    return "repeat" if isinstance(record, Verdict) and "REPEAT" in record.flags else ""


def paper_of(record: Record) -> str:
    """Key of the paper that it rests on; empty for a placebo, which rests on none."""
    return "" if role_of(record) == "placebo" else _paper_key(record)


def _paper_key(record: Record) -> str:
    if isinstance(record, Paper):
        return record.key
    return record.paper.key if isinstance(record, MicroDataset) else str(record.paper)  # type: ignore[attr-defined]


def _papers(folder: Folder) -> Taken:
    return Taken(folder.uri, folder.manifest, folder.records("papers.jsonl", Paper))


def _documents(folder: Folder) -> Taken:
    paper, document = folder.record("paper.json", Paper), folder.record("document.json", Document)
    slim = document.model_copy(update={"sections": (), "left_out": ()})
    return Taken(folder.uri, folder.manifest, (paper, slim), (Edge(paper.key, item_id(document)),))


def _ideas(folder: Folder) -> Taken:
    ideas = folder.records("ideas.jsonl", Idea)
    edges = [Edge(f"document:{idea.paper}", item_id(idea)) for idea in ideas]
    # An idea that several papers state falls with the one it was read in; the others confirm it.
    edges += [Edge(f"document:{source.paper}", item_id(idea), "considered") for idea in ideas for source in idea.sources]
    # What a paper claimed and no gate let pass has a fate of its own: later runs that handle the paper don't end it, a
    # later reading of it does.
    of_ideas = [reject for reject in folder.manifest.rejects if reject.item.startswith("idea:")]
    claims = [reject for reject in folder.manifest.rejects if not reject.item.startswith("idea:")]
    told = (*of_ideas, *(reject.model_copy(update={"item": claims_of(reject.item)}) for reject in claims))
    papers = {idea.paper for idea in ideas} | {reject.item for reject in claims}
    return Taken(folder.uri, folder.manifest, ideas, _once(edges), handled=tuple(map(claims_of, sorted(papers))), told=told)


def claims_of(paper: str) -> str:
    """Item under which the rejected claims of a paper stand."""
    return f"claims:{paper}"


def _readings(folder: Folder) -> Taken:
    # What a reading dropped stands in the ideas made of it, too.
    return Taken(folder.uri, folder.manifest, told=())


def _datasets(folder: Folder) -> Taken:
    dataset = folder.record("dataset.json", MicroDataset)
    if role_of(dataset) == "placebo":
        # Its facts are no ideas of a paper, and what its rows dropped is nothing that a paper lost: the record tells it.
        return Taken(folder.uri, folder.manifest, (dataset,), told=())
    edges = [Edge(item_id(idea), dataset.id) for idea in dataset.ideas]
    edges += [Edge(other, dataset.id, "considered") for other in (*dataset.parents, *dataset.lessons)]
    return Taken(folder.uri, folder.manifest, (dataset,), _once(edges))


def _adapters(folder: Folder) -> Taken:
    adapter = folder.record("adapter.json", Adapter)
    told = () if role_of(adapter) == "placebo" else None
    return Taken(folder.uri, folder.manifest, (adapter,), (Edge(adapter.dataset, adapter.id),), told=told)


def _judgements(folder: Folder) -> Taken:
    verdicts = folder.records("verdicts.jsonl", Verdict)
    edges = [edge for v in verdicts for edge in (Edge(v.adapter, v.id), Edge(f"idea:{v.idea}", v.id))]
    reports = folder.records("reports.jsonl", AdapterReport) if folder.has("reports.jsonl") else ()
    held_against = {report.adapter: report.placebos for report in reports}
    # A verdict doesn't fall with the placebos that its adapter was held against: others give another judgement.
    edges += [Edge(one, v.id, "considered") for v in verdicts for one in held_against.get(v.adapter, ())]
    return Taken(folder.uri, folder.manifest, verdicts, _once(edges))


def _lessons(folder: Folder) -> Taken:
    lessons = folder.records("lessons.jsonl", Lesson)
    return Taken(folder.uri, folder.manifest, lessons, _once(Edge(lesson.verdict, lesson.id) for lesson in lessons))


def _runs(folder: Folder) -> Taken:
    cursors = folder.json("cursors.json") if folder.has("cursors.json") else {}
    pairs = folder.json("candidates.json") if folder.has("candidates.json") else []
    return Taken(
        folder.uri, folder.manifest, handled=tuple(folder.json("handled.json")),
        cursors=tuple(Cursor(name, value["source"], value["query"], value["cursor"]) for name, value in cursors.items()),
        candidates=tuple(Pair(pair["a"], pair["b"], pair["score"], pair["why"]) for pair in pairs),
    )  # fmt: skip


def _once(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    return tuple(dict.fromkeys(edges))


_READERS: dict[str, Callable[[Folder], Taken]] = {
    "papers": _papers, "documents": _documents, "readings": _readings, "ideas": _ideas, "datasets": _datasets, "adapters": _adapters,
    "judgements": _judgements, "lessons": _lessons, "runs": _runs,
}  # fmt: skip
