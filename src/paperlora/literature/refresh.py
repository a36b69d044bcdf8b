"""Known papers, asked for anew: new versions, withdrawals, licences and abstracts that came later."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from paperlora.literature.arxiv_feed import SOURCE as ARXIV
from paperlora.literature.arxiv_source import ask_feed
from paperlora.literature.found import Page
from paperlora.literature.openalex_source import PER_PAGE, works_by_id
from paperlora.literature.polite import Polite
from paperlora.literature.scholar_source import MOST_BATCH, papers_by_id
from paperlora.records import Paper, Reject
from paperlora.settings import Settings

IDS_A_FEED = 80
"""arXiv ids of one request: its address stays shorter than 2,000 characters."""
_ARXIV_ID = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}")
_OPENALEX_ID = re.compile(r"W\d+")


class Told(NamedTuple):
    """What a source says of some ids."""

    papers: tuple[Paper, ...]
    rejects: tuple[Reject, ...]


def refresh(ids: Sequence[str], settings: Settings) -> Iterator[Page]:
    """Papers by their canonical ids, each asked of the source that named it, in as few requests as the sources allow.

    Every id ends as a paper or as a reject ``unknown_at_source``. The pages' cursors are empty: there is nothing to go
    on with.

    Raises:
        SourceError: a source can't be reached or its answers don't fit together.
    """
    wanted = list(dict.fromkeys(ids))
    known = {
        kind: [name for name in wanted if name.startswith(f"{kind}:")] for kind in ("arxiv", "s2", "doi", "openalex")
    }
    named = {name for names in known.values() for name in names}
    if others := [name for name in wanted if name not in named]:
        yield _page(Told((), tuple(map(_unknown, others))), len(others))
    if known["arxiv"]:
        with Polite("arxiv", settings) as polite:
            yield from _chunks(known["arxiv"], IDS_A_FEED, partial(_arxiv, polite, settings))
    if known["s2"] or known["doi"]:
        with Polite("semantic_scholar", settings) as polite:
            yield from _chunks([*known["s2"], *known["doi"]], MOST_BATCH, partial(_scholar, polite, settings))
    if known["openalex"]:
        with Polite("openalex", settings) as polite:
            yield from _chunks(known["openalex"], PER_PAGE, partial(_openalex, polite, settings))


def _chunks(names: Sequence[str], size: int, ask: Callable[[Sequence[str]], Told]) -> Iterator[Page]:
    for start in range(0, len(names), size):
        chunk = names[start : start + size]
        yield _page(ask(chunk), len(chunk))


def _page(told: Told, asked: int) -> Page:
    return Page(told.papers, told.rejects, len(told.papers), asked, "", last=True)


def _unknown(name: str, detail: str = "") -> Reject:
    return Reject(stage="ingest", item=name, reason="unknown_at_source", detail=detail)


def _arxiv(polite: Polite, settings: Settings, names: Sequence[str]) -> Told:
    # One malformed id makes arXiv refuse the whole request.
    asked = [name for name in (name.partition(":")[2] for name in names) if _ARXIV_ID.fullmatch(name)]
    parameters = {"id_list": ",".join(asked), "start": "0", "max_results": str(len(asked))}
    feed = ask_feed(polite, settings, parameters) if asked else None
    papers, rejects = (feed.papers, feed.rejects) if feed else ((), ())
    there = {paper.id for paper in papers} | {
        f"arxiv:{r.item.rpartition('/abs/')[2].partition('v')[0]}" for r in rejects
    }
    return Told(papers, (*rejects, *(_unknown(name, ARXIV) for name in names if name not in there)))


def _scholar(polite: Polite, settings: Settings, names: Sequence[str]) -> Told:
    spelt = {
        name.partition(":")[2] if name.startswith("s2:") else f"DOI:{name.partition(':')[2]}": name for name in names
    }
    papers, rejects = papers_by_id(polite, list(spelt), settings)
    ours = (
        r.model_copy(update={"item": spelt.get(r.item.removeprefix("s2:"), r.item)})
        if r.reason == "unknown_at_source"
        else r
        for r in rejects
    )
    return Told(papers, tuple(ours))


def _openalex(polite: Polite, settings: Settings, names: Sequence[str]) -> Told:
    asked = [name for name in (name.partition(":")[2] for name in names) if _OPENALEX_ID.fullmatch(name)]
    papers, rejects = works_by_id(polite, asked, settings) if asked else ((), ())
    malformed = (_unknown(name) for name in names if not _OPENALEX_ID.fullmatch(name.partition(":")[2]))
    return Told(papers, (*rejects, *malformed))
