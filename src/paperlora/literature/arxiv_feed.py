"""arXiv's Atom feeds: checked as a whole, then read by the ``arxiv`` package, then a record of ours.

arxiv.py 4.0.2 takes a web page or an empty page for "no results" and a cut-off feed for a whole one, so that a feed is
doubted here before the package sees it.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import arxiv

from paperlora.errors import SourceAnswerInvalid, SourceRefused
from paperlora.literature.asking import xml_root
from paperlora.records import Paper, Reject

SOURCE = "arXiv"
ATOM = "{http://www.w3.org/2005/Atom}"
TOTAL_RESULTS = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
_ENTRY_ID = re.compile(r"arxiv\.org/abs/(?P<id>.+?)(?:v(?P<version>\d+))?$")
_WITHDRAWN = re.compile(r"\b(?:withdrawn|retracted)\b", re.I)
_WITHDRAWN_ABSTRACT = re.compile(
    r"\s*this (?:paper|article|submission|manuscript|work) (?:has been|is|was) (?:withdrawn|retracted)\b", re.I
)


class FeedFacts(NamedTuple):
    """What a feed says of itself."""

    total: int
    entries: int
    incomplete: tuple[str, ...]
    """Ids of entries without the fields that every record needs; the arxiv package drops them without a word."""


class Feed(NamedTuple):
    """A page of arXiv's listing as records."""

    papers: tuple[Paper, ...]
    rejects: tuple[Reject, ...]
    total: int
    received: int


def read_feed(content: bytes, due: int) -> Feed:
    """A whole feed.

    Args:
        due: entries that there must be at least.

    Raises:
        SourceAnswerInvalid: no whole Atom feed, or fewer entries than its total promises.
        SourceRefused: the feed carries an error.
    """
    facts = check_feed(content)
    if facts.entries < due:
        raise SourceAnswerInvalid(
            f"{SOURCE} sends {facts.entries} of {due} entries, although {facts.total} papers match."
        )
    results = arxiv._feed.parse(content).results
    papers = tuple(paper_of(result) for result in results if _ENTRY_ID.search(result.entry_id))
    nameless = [result.entry_id for result in results if not _ENTRY_ID.search(result.entry_id)]
    rejects = tuple(
        Reject(stage="ingest", item=item, reason="metadata_incomplete", detail=SOURCE)
        for item in [*facts.incomplete, *nameless]
    )
    if len(papers) + len(rejects) != facts.entries:
        raise SourceAnswerInvalid(f"{SOURCE} sends {facts.entries} entries, of which {len(papers)} can be read.")
    return Feed(papers, rejects, facts.total, facts.entries)


def is_withdrawn(comment: str, abstract: str) -> bool:
    """What the authors write says that they took the paper back."""
    return bool(_WITHDRAWN.search(comment) or _WITHDRAWN_ABSTRACT.match(abstract))


def pdf_address(arxiv_url: str, identifier: str) -> str:
    """Where arXiv's PDF of an id lies: beside the query API."""
    parts = urlsplit(arxiv_url)
    return urlunsplit((parts.scheme, parts.netloc, f"/pdf/{identifier}", "", ""))


def paper_of(result: arxiv.Result) -> Paper:
    """arXiv's record in ours. The query API names no licence."""
    match = _ENTRY_ID.search(result.entry_id)
    if not match:
        raise SourceAnswerInvalid(f"{SOURCE} names a paper by {result.entry_id!r}, which is none of its ids.")
    abstract, authors = " ".join(result.summary.split()), tuple(author.name for author in result.authors)
    comment = " ".join((result.comment or "").split())
    return Paper(
        id=f"arxiv:{match['id']}",
        version=int(match["version"] or 1),
        title=" ".join(result.title.split()),
        abstract=abstract,
        authors=authors,
        published=result.published,
        updated=result.updated,
        pdf_url=result.pdf_url,
        landing_url=f"https://arxiv.org/abs/{match['id']}v{match['version'] or 1}",
        external_ids={"arxiv": match["id"]} | ({"doi": result.doi} if result.doi else {}),
        sources=("arxiv",),
        categories=tuple(dict.fromkeys([result.primary_category, *result.categories]))
        if result.primary_category
        else (),
        comment=comment,
        journal=" ".join((result.journal_ref or "").split()),
        withdrawn=is_withdrawn(comment, abstract),
        metadata_status="complete" if result.title.strip() and abstract and authors else "partial",
    )


def check_feed(content: bytes) -> FeedFacts:
    """What the feed says of itself.

    Raises:
        SourceAnswerInvalid: no whole Atom feed.
        SourceRefused: the feed carries an error.
    """
    root = xml_root(content, SOURCE)
    if root.tag != f"{ATOM}feed":
        raise SourceAnswerInvalid(f"{SOURCE} sends a document <{root.tag.rpartition('}')[2]}> where a feed is due.")
    entries = root.findall(f"{ATOM}entry")
    for entry in entries:
        if "/api/errors" in (entry.findtext(f"{ATOM}id") or ""):
            raise SourceRefused(f"{SOURCE} refuses the query: {(entry.findtext(f'{ATOM}summary') or '').strip()}.")
    total = (root.findtext(TOTAL_RESULTS) or "").strip()
    if not total.isdecimal():
        raise SourceAnswerInvalid(f"{SOURCE} sends a feed without totalResults.")
    return FeedFacts(int(total), len(entries), tuple(filter(None, map(_incomplete, entries))))


def _incomplete(entry: Any) -> str | None:
    needed = all((entry.findtext(f"{ATOM}{name}") or "").strip() for name in ("id", "updated", "published"))
    return None if needed else (entry.findtext(f"{ATOM}id") or "arxiv:unnamed").strip()
