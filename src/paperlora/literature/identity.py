"""One record for each version of each paper, whoever lists it; likely doubles are shown, never merged."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from rapidfuzz import fuzz, process

from paperlora.records import Paper

PREFIXES = ("arxiv", "s2", "doi", "openalex")
"""Kinds of ids; of a paper's ids the one that stands first here names it."""
VERSIONED = frozenset({"arxiv", "oai", "guide"})
"""Sources that tell versions apart; the records of the others speak of the newest."""
LIKELY = 0.92
"""Least similarity of two titles, 0 to 1, that makes a candidate. Of titles of different papers that share an author
few reach it; a subtitle dropped or a word changed stays above it."""


class Candidate(NamedTuple):
    """Two papers that may be one: shown to a person, never merged."""

    a: str
    """Id of the paper that is new."""
    b: str
    """Id of the other one."""
    score: float
    """Similarity of the titles, 0 to 1, word order aside."""
    why: str


def merge(found: Iterable[Paper]) -> tuple[Paper, ...]:
    """One record for each version of each paper, in the order of their first appearance.

    Records speak of one paper where any id is equal: arXiv, DOI (case aside), Semantic Scholar or OpenAlex, over any
    number of steps. Its id is arXiv's where one of them has it. What a version's record lacks comes from the others of
    that version; a source that knows no versions speaks of the newest. Sources and topics are united.
    """
    papers = list(found)
    groups: dict[int, list[Paper]] = defaultdict(list)
    for paper, group in zip(papers, _groups([names(paper) for paper in papers]), strict=True):
        groups[group].append(paper)
    return tuple(one for group in groups.values() for one in _versions(group))


def names(paper: Paper) -> tuple[str, ...]:
    """Every id under which a source may know the paper, its own first: ``arxiv:…``, ``doi:…`` in lower case, ``s2:…``,
    ``openalex:…``. Equal names mean the same paper."""
    others = (f"{prefix}:{paper.external_ids[prefix]}" for prefix in PREFIXES if paper.external_ids.get(prefix))
    return tuple(dict.fromkeys(_folded(name) for name in (paper.id, *others)))


def _folded(name: str) -> str:
    return name.casefold() if name.startswith(("doi:", "s2:", "openalex:")) else name


def _groups(named: Sequence[Sequence[str]]) -> Iterator[int]:
    """For each record the number of the first one that is the same paper.

    Two arXiv papers are never one: where a third record or a shared DOI says so, a source is wrong.
    """
    parent = list(range(len(named)))
    arxiv = {number: next((name for name in ids if name.startswith("arxiv:")), "") for number, ids in enumerate(named)}

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    home: dict[str, int] = {}
    for number, ids in enumerate(named):
        for name in ids:
            one, other = sorted((root(number), root(home.setdefault(name, number))))
            if one == other or (arxiv[one] and arxiv[other] and arxiv[one] != arxiv[other]):
                continue
            parent[other] = one
            arxiv[one] = arxiv[one] or arxiv[other]
    return (root(number) for number in range(len(named)))


def _versions(papers: Sequence[Paper]) -> Iterator[Paper]:
    identity = _identity(papers)
    told = {paper.version for paper in papers if _tells_version(paper)}
    newest = max(told, default=1)
    by_version: dict[int, list[Paper]] = defaultdict(list)
    for paper in papers:
        by_version[paper.version if _tells_version(paper) or not told else newest].append(paper)
    for version, same in by_version.items():
        yield _one(same, identity, version)


def _tells_version(paper: Paper) -> bool:
    return not VERSIONED.isdisjoint(paper.sources) or paper.version > 1


def _identity(papers: Sequence[Paper]) -> str:
    """The id that stands for all of them. The first of its kind, so that a repeated merge changes nothing."""
    for prefix in PREFIXES:
        for name in (paper.id for paper in papers if paper.id.startswith(f"{prefix}:")):
            return name
        if prefix == "arxiv" and (
            known := next((p.external_ids["arxiv"] for p in papers if p.external_ids.get("arxiv")), None)
        ):
            return f"arxiv:{known}"
    return papers[0].id


def _one(papers: Sequence[Paper], identity: str, version: int) -> Paper:
    # arXiv knows withdrawals and the authors' own abstract; among equals its record leads.
    best = max(papers, key=lambda paper: (_tells_version(paper), len(paper.abstract)))
    whole = [best, *(paper for paper in papers if paper is not best)]
    abstract = next((paper.abstract for paper in whole if paper.abstract), "")
    authors = next((paper.authors for paper in whole if paper.authors), ())
    published = min((paper.published for paper in papers if paper.published), default=None)
    return best.model_copy(update={
        "id": identity, "version": version, "abstract": abstract, "authors": authors, "published": published,
        "licence": next((paper.licence for paper in whole if paper.licence), None),
        "pdf_url": next((paper.pdf_url for paper in whole if paper.pdf_url), None),
        "landing_url": next((paper.landing_url for paper in whole if paper.landing_url), None),
        "categories": next((paper.categories for paper in whole if paper.categories), ()),
        "external_ids": {name: value for paper in reversed(whole) for name, value in paper.external_ids.items()},
        "sources": _united(paper.sources for paper in papers), "topics": _united(paper.topics for paper in papers),
        "withdrawn": any(paper.withdrawn for paper in papers),
        "metadata_status": "complete" if abstract and authors and published else "partial",
    })  # fmt: skip


def _united(values: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for several in values for value in several))


# ------------------------------------------------------------------ candidates


class _Titled(NamedTuple):
    """What is compared of a paper."""

    id: str
    names: frozenset[str]
    title: str
    """Folded."""
    surnames: tuple[str, ...]


def candidates(new: Iterable[Paper], known: Iterable[Paper]) -> tuple[Candidate, ...]:
    """Pairs of a new paper and another one, new or known, that share an author's surname and nearly the title.

    Pairs with an equal id are no candidates: they are one paper already. Each side is read once and nothing of it kept
    but titles and names, of ``known`` only those that share a surname with a new paper.
    """
    fresh = {one.id: one for one in map(_titled, new)}
    wanted = {surname for one in fresh.values() for surname in one.surnames}
    shelves: dict[str, dict[str, str]] = defaultdict(dict)
    for one in chain(fresh.values(), (_titled(paper) for paper in known if fresh)):
        for surname in wanted.intersection(one.surnames):
            shelves[surname].setdefault(one.id, one.title)
    found: dict[tuple[str, ...], Candidate] = {}
    for one in fresh.values():
        for candidate in _alike(one, shelves):
            found.setdefault(tuple(sorted((candidate.a, candidate.b))), candidate)
    return tuple(found.values())


def _titled(paper: Paper) -> _Titled:
    return _Titled(paper.id, frozenset(names(paper)), folded_title(paper.title), surnames(paper))


def _alike(one: _Titled, shelves: dict[str, dict[str, str]]) -> Iterator[Candidate]:
    for surname in one.surnames:
        others = shelves[surname]
        for _, score, other in process.extract(
            one.title, others, scorer=fuzz.token_sort_ratio, score_cutoff=100 * LIKELY, limit=None
        ):
            if other not in one.names:
                why = f"both by {surname.title()}, titles nearly equal"
                yield Candidate(one.id, other, round(score / 100, 3), why)


def surnames(paper: Paper) -> tuple[str, ...]:
    """The authors' last names without accents, in lower case."""
    last = (author.split(",")[0] if "," in author else (author.split() or [""])[-1] for author in paper.authors)
    return tuple(dict.fromkeys(name for name in map(_plain, last) if name))


def folded_title(title: str) -> str:
    """A title for comparison: words without accents, case, markup and punctuation."""
    return " ".join(re.findall(r"\w+", _plain(title)))


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    return "".join(char for char in letters if not unicodedata.combining(char)).casefold()
