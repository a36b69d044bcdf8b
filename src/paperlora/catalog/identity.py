"""One paper under all its ids: arXiv, DOI, Semantic Scholar, OpenAlex.

Every listing of a paper names one or more ids of it, and links them. Linked ids are one paper; its canonical id is the
one under which it was listed first (arXiv's where two are equally old). The result depends on what was listed, not on
the order in which it is taken in. Two arXiv ids are never linked by what others say of them: that pair is a candidate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from paperlora.catalog.tables import aliases
from paperlora.catalog.writing import chunks
from paperlora.records import Paper

# Where two ids were listed at the same moment the left-most of these leads.
PREFERENCE = ("arxiv", "doi", "s2", "openalex")
NEVER = datetime.max.replace(tzinfo=UTC)
_ARXIV_NUMBER = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?", re.IGNORECASE)
_ARXIV_DOI = re.compile(r"10\.48550/arxiv\.(.+)", re.IGNORECASE)
_ADDRESS = re.compile(
    r"https?://(?:(?P<arxiv>[\w.]*arxiv\.org/(?:abs|pdf|html)/)|(?P<doi>(?:dx\.)?doi\.org/)"
    r"|(?P<s2>www\.semanticscholar\.org/paper/(?:[^/]+/)?)|(?P<openalex>(?:api\.)?openalex\.org/(?:works/)?))",
    re.IGNORECASE,
)
_BARE = (
    ("arxiv", _ARXIV_NUMBER), ("doi", re.compile(r"10\.\d{4,9}/\S+")), ("s2", re.compile(r"[0-9a-f]{40}")),
    ("openalex", re.compile(r"W\d{4,}", re.IGNORECASE)),
)  # fmt: skip


def alias_of(scheme: str, value: str) -> str:
    """One spelling of an id: no version, no address around it, DOIs without case, arXiv's own DOIs as arXiv ids."""
    scheme, value = scheme.casefold(), _ADDRESS.sub("", value.strip())
    if scheme == "doi":
        match = _ARXIV_DOI.fullmatch(value)
        return alias_of("arxiv", match[1]) if match else f"doi:{value.casefold()}"
    if scheme == "arxiv":
        return "arxiv:" + re.sub(r"v\d+$", "", value.removesuffix(".pdf"))
    return f"{scheme}:{value.upper() if scheme == 'openalex' else value}"


def guess(text: str) -> str | None:
    """The alias that a person means by what they typed or pasted; None where it looks like no paper's id."""
    text = text.strip()
    address = _ADDRESS.match(text)
    if address is not None and address.lastgroup is not None:
        return alias_of(address.lastgroup, text[address.end() :])
    scheme, colon, rest = text.partition(":")
    if colon and rest and scheme.casefold() in PREFERENCE:
        return alias_of(scheme, rest)
    return next((alias_of(name, text) for name, shape in _BARE if shape.fullmatch(text)), None)


def names(paper: Paper) -> tuple[str, ...]:
    """Every id of a paper, its own first."""
    scheme, _, rest = paper.id.partition(":")
    known = [alias_of(scheme, rest) if scheme.casefold() in PREFERENCE else paper.id]
    known += [alias_of(name, value) for name, value in sorted(paper.external_ids.items()) if name in PREFERENCE and value]
    return tuple(dict.fromkeys(known))


class Conflict(NamedTuple):
    """Two arXiv papers that share another id: one of the sources is wrong."""

    a: str
    b: str
    shared: str


class Links:
    """The ids that these papers touch, as groups; fill it with :meth:`add`, then ask for the canonical ids."""

    def __init__(self, known: Mapping[str, tuple[str, datetime | None]]) -> None:
        """``known``: alias → (canonical id, when it was listed first), whole groups only."""
        self._before = {alias: canonical for alias, (canonical, _) in known.items()}
        self._seen = {alias: seen for alias, (_, seen) in known.items() if seen is not None}
        self._parent: dict[str, str] = {}
        self._arxiv: dict[str, str] = {}
        self.conflicts: list[Conflict] = []
        groups: dict[str, str] = {}
        for alias, canonical in sorted(self._before.items()):
            self._unite(groups.setdefault(canonical, alias), alias)

    def add(self, paper: Paper, seen: datetime) -> None:
        """Link the ids of one listing."""
        own, *others = names(paper)
        self._seen[own] = min(seen, self._seen.get(own, NEVER))
        self._root(own)
        for other in others:
            self._unite(own, other)

    def canonical(self) -> dict[str, str]:
        """Alias → canonical id, for every alias."""
        leader: dict[str, str] = {}
        for alias in self._parent:
            root = self._root(alias)
            leader[root] = min(leader.get(root, alias), alias, key=self._age)
        return {alias: leader[self._root(alias)] for alias in self._parent}

    def changed(self) -> dict[str, str]:
        """Former canonical id → the one that took its place."""
        now = self.canonical()
        return {before: now[before] for before in set(self._before.values()) if now[before] != before}

    def seen(self, alias: str) -> datetime | None:
        """When it was listed first."""
        return self._seen.get(alias)

    def _age(self, alias: str) -> tuple[datetime, int, str]:
        scheme = alias.partition(":")[0]
        rank = PREFERENCE.index(scheme) if scheme in PREFERENCE else len(PREFERENCE)
        return self._seen.get(alias, NEVER), rank, alias

    def _root(self, alias: str) -> str:
        if alias not in self._parent:
            self._parent[alias] = alias
            if alias.startswith("arxiv:"):
                self._arxiv[alias] = alias
        while self._parent[alias] != alias:
            self._parent[alias] = self._parent[self._parent[alias]]
            alias = self._parent[alias]
        return alias

    def _unite(self, a: str, b: str) -> None:
        left, right = self._root(a), self._root(b)
        if left == right:
            return
        ours, theirs = self._arxiv.get(left), self._arxiv.get(right)
        if ours and theirs:
            self.conflicts.append(Conflict(min(ours, theirs), max(ours, theirs), b))
            return
        self._parent[right] = left
        if theirs:
            self._arxiv[left] = theirs


def load_links(connection: Connection, papers: Iterable[Paper]) -> Links:
    """The groups that these papers' ids belong to, as the catalog knows them."""
    wanted = sorted({name for paper in papers for name in names(paper)})
    touched: set[str] = set()
    for part in chunks(wanted):
        touched |= set(connection.scalars(select(aliases.c.canonical).where(aliases.c.alias.in_(part))))
    known: dict[str, tuple[str, datetime | None]] = {}
    for part in chunks(sorted(touched)):
        for alias, canonical, seen in connection.execute(select(aliases).where(aliases.c.canonical.in_(part))):
            known[alias] = (canonical, seen)
    return Links(known)


def canonical(connection: Connection, papers: Sequence[Paper]) -> tuple[Paper, ...]:
    """The papers under the ids that the catalog knows them by; among themselves, new ones are linked too."""
    links = load_links(connection, papers)
    now = datetime.now(UTC)
    for paper in papers:
        links.add(paper, now)
    ids = links.canonical()
    return tuple(renamed(paper, ids[names(paper)[0]]) for paper in papers)


def known(connection: Connection, papers: Sequence[Paper]) -> frozenset[str]:
    """Ids of those of these papers that the catalog has under any of their ids."""
    wanted = sorted({name for paper in papers for name in names(paper)})
    there = {name for part in chunks(wanted) for name in connection.scalars(select(aliases.c.alias).where(aliases.c.alias.in_(part)))}
    return frozenset(paper.id for paper in papers if there & set(names(paper)))


def renamed(paper: Paper, id_: str) -> Paper:
    """The paper under another of its ids; the former one stays among its external ids."""
    if paper.id == id_:
        return paper
    scheme, _, rest = paper.id.partition(":")
    return paper.model_copy(update={"id": id_, "external_ids": {**paper.external_ids, scheme: rest}})
