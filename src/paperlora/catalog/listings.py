"""What several sources say of one paper → one record that holds whatever any of them knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from paperlora.catalog.identity import renamed
from paperlora.catalog.tables import items, listings, papers
from paperlora.catalog.writing import chunks
from paperlora.records import Paper

FILLED = ("abstract", "authors", "licence", "published", "updated", "pdf_url", "landing_url", "categories", "comment", "journal")
"""What a listing may lack and another one may know."""


class Listing(NamedTuple):
    """One paper as one folder has it."""

    paper: Paper
    uri: str
    created: datetime
    read_at: datetime | None = None
    """When its text was read, where the folder holds a document of it."""

    def row(self) -> dict[str, Any]:
        """Its row in the table: of each source the listing that knows most, then the latest."""
        return {
            "paper": self.paper.key, "source": ",".join(sorted(self.paper.sources)), "uri": self.uri, "created": self.created,
            "rank": rank(self.paper), "record": self.paper.model_dump(mode="json"),
        }  # fmt: skip


def rank(paper: Paper) -> int:
    """How much a listing knows: complete before partial, arXiv's own before others', those with a link before those without."""
    own = bool({"arxiv", "oai"} & set(paper.sources))
    return 4 * (paper.metadata_status == "complete") + 2 * own + bool(paper.pdf_url or paper.landing_url)


def whole(listed: Sequence[Paper]) -> Paper:
    """The first listing, with what it lacks from the others of its version, and with every id, source and topic."""
    best = listed[0]
    same = [paper for paper in listed if paper.version == best.version]
    filled = {name: next((value for paper in same if (value := getattr(paper, name))), getattr(best, name)) for name in FILLED}
    known = all(filled[name] for name in ("abstract", "authors", "published"))
    return best.model_copy(update={
        **filled,
        "external_ids": {name: value for paper in reversed(listed) for name, value in sorted(paper.external_ids.items())},
        "sources": _united(paper.sources for paper in listed), "topics": _united(paper.topics for paper in listed),
        "withdrawn": any(paper.withdrawn for paper in same),
        "metadata_status": "complete" if known or best.metadata_status == "complete" else "partial",
    })  # fmt: skip


def _united(values: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(sorted({value for several in values for value in several}))


def united(connection: Connection, keys: Sequence[str]) -> dict[str, Listing]:
    """Paper key → one listing made of all: it stands where its best one was read."""
    found: dict[str, list[tuple[int, datetime, str, Paper]]] = defaultdict(list)
    for part in chunks(keys):
        for row in connection.execute(select(listings).where(listings.c.paper.in_(part))):
            found[row.paper].append((row.rank, row.created, row.uri, Paper.model_validate(row.record)))
    best_first = {key: sorted(several, key=lambda one: one[:3], reverse=True) for key, several in found.items()}
    return {key: Listing(whole([one[3] for one in several]), several[0][2], several[0][1]) for key, several in best_first.items()}


def canonical_papers(connection: Connection, canonicals: Sequence[str]) -> dict[str, tuple[Paper, ...]]:
    """Canonical id → its papers as the catalog has them, each under its own id: newest version first, the best leading."""
    found: dict[str, list[Paper]] = defaultdict(list)
    query = select(papers.c.canonical, items.c.record).join(items, items.c.id == papers.c.key)
    for part in chunks(canonicals):
        for canonical, record in connection.execute(query.where(papers.c.canonical.in_(part))):
            found[canonical].append(Paper.model_validate(record))
    return {
        canonical: tuple(sorted(several, key=lambda paper: (-paper.version, -rank(paper), paper.id)))
        for canonical, several in found.items()
    }


def one_paper(canonical: str, several: Sequence[Paper]) -> Paper:
    """All of them as one record of the first one's version under the canonical id."""
    return whole([renamed(paper, canonical) for paper in several])
