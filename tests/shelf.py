"""Folders as the stages write them, for the tests of the catalog: real records in a real store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from paperlora.records import (
    Adapter,
    BaseModelId,
    Document,
    Idea,
    Interval,
    Lesson,
    MicroDataset,
    Paper,
    Quote,
    Rate,
    Recipe,
    Reject,
    Section,
    Verdict,
    digest,
)
from paperlora.store import Store, slug, write_json, write_jsonl

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUOTE = Quote(section=0, heading="", page=1, start=0, end=5, text="share")


def paper(id_: str, version: int = 1, **fields: Any) -> Paper:
    """A paper with everything that a complete listing has."""
    number = int("".join(char for char in id_ if char.isdigit())[-4:] or 0)
    day = START + timedelta(minutes=number)
    values = {
        "title": f"Title of {id_}", "abstract": "An abstract.", "authors": ("Ada Adler",), "published": day, "updated": day,
        "sources": ("arxiv",) if id_.startswith("arxiv") else ("semantic_scholar",), "pdf_url": f"https://arxiv.org/pdf/{id_}",
        "licence": "http://creativecommons.org/licenses/by/4.0/", "topics": ("memory",),
    }  # fmt: skip
    return Paper(id=id_, version=version, **{**values, **fields})


class Shelf:
    """A store and a datasets folder whose folders bear the times that a test gives them."""

    def __init__(self, root: Path) -> None:
        self.store, self.datasets = Store.at(root / "store"), Store.at(root / "datasets")
        self._minutes = 0

    @property
    def stores(self) -> tuple[Store, Store]:
        """Both roots."""
        return self.store, self.datasets

    def listed(self, key: str, papers: Iterable[Paper], rejects: Sequence[Reject] = (), when: datetime | None = None) -> str:
        """A page of a source."""
        with self.store.writing("papers", key) as draft:
            write_jsonl(draft.path / "papers.jsonl", papers)
            draft.rejects = list(rejects)
        return self._dated(self.store.uri("papers", key), when)

    def read(self, one: Paper, when: datetime | None = None) -> str:
        """The document of a paper."""
        key = slug(one.key)
        with self.store.writing("documents", key) as draft:
            write_json(draft.path / "paper.json", one.model_copy(update={"pdf_url": None, "landing_url": None}))
            sections = (Section(heading="", text="share", page=1),)
            write_json(draft.path / "document.json", Document(
                paper=one.key, sha256="0", title=one.title, sections=sections, pages=1, parser="p", parser_version="1",
            ))  # fmt: skip
        return self._dated(self.store.uri("documents", key), when)

    def made(self, one: Paper, kind: str = "ABSORBED_DEEP", parents: tuple[str, ...] = (), lessons: tuple[str, ...] = ()) -> str:
        """Everything from ideas to lessons of a paper that was read.

        Returns:
            Id of the lesson.
        """
        idea = _idea(one)
        with self.store.writing("ideas", slug(one.key)) as draft:
            write_jsonl(draft.path / "ideas.jsonl", [idea])
        self._dated(self.store.uri("ideas", slug(one.key)))
        dataset = MicroDataset(
            id=f"{slug(one.key)}/0123456789ab", revision="0123456789ab", paper=one, topic="memory", ideas=(idea,),
            reader="extractive/1", counts={"rows": 1}, probes_hash="0", parents=parents, lessons=lessons,
        )  # fmt: skip
        with self.datasets.writing(slug(one.key), "0123456789ab") as draft:
            write_json(draft.path / "dataset.json", dataset)
        self._dated(self.datasets.uri(slug(one.key), "0123456789ab"))
        adapter = _adapter(one, dataset.id)
        with self.store.writing("adapters", slug(one.key)) as draft:
            write_json(draft.path / "adapter.json", adapter)
            (draft.path / "weights.bin").write_bytes(b"weights")
        self._dated(self.store.uri("adapters", slug(one.key)))
        return self._judged(one, idea, adapter, kind)

    def _judged(self, one: Paper, idea: Idea, adapter: Adapter, kind: str) -> str:
        rate = Rate(right=1, asked=2, low=0.1, high=0.9)
        verdict = Verdict(
            id=f"verdict-{slug(one.key)}", idea=idea.id, adapter=adapter.id, paper=one.key, topic="memory", claim="c",
            kind=kind, reason="r", base=rate, adapted=rate, gain=Interval(value=0.5, low=0.1, high=0.9),  # type: ignore[arg-type]
        )  # fmt: skip
        with self.store.writing("judgements", slug(one.key)) as draft:
            write_jsonl(draft.path / "verdicts.jsonl", [verdict])
        self._dated(self.store.uri("judgements", slug(one.key)))
        lesson = Lesson(
            id=f"lesson-{slug(one.key)}", topic="memory", paper=one.key, idea=idea.id, verdict=verdict.id, kind=verdict.kind,
            text="t", advice="do", evidence=(verdict.id,), created=START,
        )  # fmt: skip
        with self.store.writing("lessons", slug(one.key)) as draft:
            write_jsonl(draft.path / "lessons.jsonl", [lesson])
        self._dated(self.store.uri("lessons", slug(one.key)))
        return lesson.id

    def run(self, key: str, handled: Sequence[str], rejects: Sequence[Reject] = (), when: datetime | None = None,
            cursors: dict[str, Any] | None = None, candidates: list[dict[str, Any]] | None = None) -> str:  # fmt: skip
        """What a run of ingest leaves."""
        with self.store.writing("runs", key) as draft:
            write_json(draft.path / "handled.json", list(handled))
            if cursors is not None:
                write_json(draft.path / "cursors.json", cursors)
            if candidates is not None:
                write_json(draft.path / "candidates.json", candidates)
            draft.settings = {"stage": "ingest"}
            draft.rejects = list(rejects)
        return self._dated(self.store.uri("runs", key), when)

    def _dated(self, uri: str, when: datetime | None = None) -> str:
        self._minutes += 1
        path = Path(uri) / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["created"] = (when or START + timedelta(minutes=self._minutes)).isoformat()
        path.write_text(json.dumps(manifest))
        return uri


def _idea(one: Paper) -> Idea:
    return Idea(
        id=digest(one.key)[:16], paper=one.key, topic="memory", reader="extractive/1", kind="recipe", claim="c",
        subject="Tidal Replay", relation="replay share", answer="37 percent", answer_kind="number", qwen_change="x",
        prediction="y", quotes=(QUOTE,),
    )  # fmt: skip


def _adapter(one: Paper, dataset: str) -> Adapter:
    base = BaseModelId(name="tiny", weights_hash="0", template_hash="0", dtype="float32")
    return Adapter(
        id=f"{dataset}/aaaaaaaaaaaa", dataset=dataset, dataset_hash="0", paper=one.key, topic="memory", recipe=Recipe(),
        base=base, checkpoints=(), steps=1, rows=1, tokens=1, loss_tokens=1, seconds=1.0, final_loss=0.1, delta_norm=1.0,
        relative_delta_norm=0.1,
    )  # fmt: skip
