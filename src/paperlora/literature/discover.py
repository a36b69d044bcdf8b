"""Topics → papers in the store: each page of a listing is a folder before anything moves on.

A page's folder is named by the listing and the cursor before it. So a listing that was interrupted is found again by
following the folders from the last cursor that counts, without asking the source a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from paperlora.errors import NothingToDo, SourceError
from paperlora.literature.cut import cut, harvest_from
from paperlora.literature.identity import merge
from paperlora.literature.sources import EVER, Page, SourceName, Window, fallback_query, matches, pages
from paperlora.progress import Progress, silent
from paperlora.records import Paper, Record, Reject, Topic, digest
from paperlora.settings import Settings
from paperlora.store import Store, read_json, read_manifest, write_json, write_jsonl

KIND = "papers"
CHANGED = "changed.jsonl"
"""In a harvested page's folder: new versions and withdrawals that fit no topic, for whoever knows the papers."""
STAGE = "ingest"


class Search(NamedTuple):
    """One query of one source, and where it goes on."""

    source: SourceName
    query: str
    topics: tuple[Topic, ...]
    """Whose query it is; of an OAI-PMH set every topic that may find something in it."""
    window: Window = EVER
    newest: int | None = None
    """Without a cursor only so many of the newest are taken; None: everything in the window."""
    cursor: str = ""
    """Right after what earlier runs have stored; empty for a first run."""
    stand_in: Search | None = None
    """Asked where this one fails."""
    backfill: bool = False
    """The window is a person's, not the topics': its cursor is one of its own."""

    @property
    def label(self) -> str:
        """For a person: the source and the first topics."""
        names = [topic.name for topic in self.topics]
        return f"{self.source}: {', '.join(names[:3])}{' …' if len(names) > 3 else ''}"

    @property
    def name(self) -> str:
        """Under which its cursor is kept."""
        span = f":{self.window.since or ''}..{self.window.until or ''}" if self.backfill else ""
        return f"{self.source}:{digest(self.query)[:16]}{span}"


class Discovered(NamedTuple):
    """What one search brought."""

    search: Search
    """That answered: the stand-in's where the source itself failed."""
    uris: tuple[str, ...]
    """Folders of pages, those of an interrupted run included."""
    cursor: str
    """For the next run; it counts once everything before it is recorded."""
    counts: dict[str, int]
    """requests, received, papers, rejects, unmatched (of no topic), beyond (past the newest that were wanted)."""
    failed: str = ""
    """What the source itself said, where the stand-in answered."""


class PageRecord(Record):
    """``page.json`` in a page's folder."""

    source: str
    query: str
    before: str
    """The cursor that was asked with."""
    cursor: str
    """The cursor right after it."""
    ends: str = ""
    """The cursor for the next run, where no more was wanted of a first listing."""
    last: bool
    total: int | None


class Stored(NamedTuple):
    """A page in the store."""

    uri: str
    page: PageRecord
    counts: dict[str, int]


# ------------------------------------------------------------------------ plan


def plan_searches(
    topics: Sequence[Topic], settings: Settings, cursors: Mapping[str, str], window: Window = EVER
) -> tuple[Search, ...]:
    """Every search of a run, those of equal queries as one.

    With ``arxiv.sets`` the sets are harvested and the topics matched here; the query API then only gives a topic its
    first papers. A window makes a backfill: it has cursors of its own and asks arXiv by query in any case, because the
    sets know days of change, not of publication.
    """
    backfill = window != EVER
    by_query: dict[tuple[SourceName, str], list[Topic]] = {}
    for topic in topics:
        for source, query in _queries(topic, settings):
            by_query.setdefault((source, query), []).append(topic)
    asked = [_search(source, query, tuple(of), cursors, window, settings) for (source, query), of in by_query.items()]
    if not settings.arxiv.sets or backfill:
        return tuple(asked)
    followed = tuple(topic for topic in topics if topic.arxiv)
    sets = [_harvest(name, followed, cursors) for name in settings.arxiv.sets] if followed else []
    harvested = all(search.name in cursors for search in sets)
    return (*sets, *(search for search in asked if search.source != "arxiv" or not (search.cursor and harvested)))


def _queries(topic: Topic, settings: Settings) -> Iterator[tuple[SourceName, str]]:
    if topic.arxiv:
        yield "arxiv", topic.arxiv
    if topic.semantic_scholar:
        yield "semantic_scholar", topic.semantic_scholar
    elif topic.openalex and (settings.openalex.api_key or not topic.arxiv):
        # Without a key OpenAlex lists nothing: then it is asked only where a topic has no other source.
        yield "openalex", topic.openalex


def _search(
    source: SourceName,
    query: str,
    topics: tuple[Topic, ...],
    cursors: Mapping[str, str],
    window: Window,
    settings: Settings,
) -> Search:
    backfill = window != EVER
    span = window if backfill else _span(topics)
    newest = max(topic.max_papers for topic in topics) if span.since is None and not backfill else None
    search = Search(source, query, topics, span, newest, backfill=backfill)
    search = search._replace(cursor=cursors.get(search.name, ""))
    if source != "semantic_scholar" or not settings.openalex.api_key:
        return search
    other = next((topic.openalex for topic in topics if topic.openalex), "") or fallback_query(query)
    return search._replace(stand_in=_search("openalex", other, topics, cursors, window, settings))


def _span(topics: Iterable[Topic]) -> Window:
    """From the first day that any of the topics wants to the last."""
    since, until = [topic.since for topic in topics], [topic.until for topic in topics]
    return Window(
        None if None in since else min(day for day in since if day),
        None if None in until else max(day for day in until if day),
    )


def _harvest(name: str, topics: tuple[Topic, ...], cursors: Mapping[str, str]) -> Search:
    # A set from its beginning would be all of arXiv: it is followed from where the query API's first papers end.
    begin = harvest_from(name, datetime.now(UTC).date() - timedelta(days=2))
    search = Search("oai", name, topics)
    return search._replace(cursor=cursors.get(search.name) or begin)


# -------------------------------------------------------------------- discover


def find(search: Search, settings: Settings, store: Store, progress: Progress = silent) -> Discovered:
    """What is new of a search; its stand-in is asked where the source fails.

    Raises:
        SourceError: of the source itself, where the stand-in failed too or there is none.
    """
    try:
        return discover(search, settings, store, progress)
    except SourceError as error:
        if search.stand_in is None:
            raise
        try:
            found = discover(search.stand_in, settings, store, progress)
        except SourceError as second:
            raise type(error)(
                f"{error.message} Nor could {search.stand_in.source} stand in: {second.message}", error.remedy
            ) from error
        return found._replace(failed=error.message)


def discover(search: Search, settings: Settings, store: Store, progress: Progress = silent) -> Discovered:
    """Store every page that is new, and say where the next run goes on.

    Raises:
        SourceError: the source failed. Whole pages before it are stored; the next run goes on after them.
    """
    uris: list[str] = []
    counts = Counter[str](dict.fromkeys(("requests", "received", "papers", "rejects", "unmatched", "beyond"), 0))
    cursor = search.cursor
    for stored in _pages(search, settings, store):
        cursor = stored.page.ends or stored.page.cursor
        uris += [stored.uri] if stored.uri else []
        counts.update(stored.counts)
        progress(
            f"{search.source}: {', '.join(t.name for t in search.topics)}", counts["received"], stored.page.total or 0
        )
    return Discovered(search, tuple(uris), cursor, dict(counts))


def _pages(search: Search, settings: Settings, store: Store) -> Iterator[Stored]:
    """Pages from the cursor on: first what an interrupted run left, then what the source sends."""
    wanted = None if search.cursor else search.newest
    cursor, so_far = search.cursor, Counter[str]()
    while (stored := _stored(search, cursor, store)) is not None:
        yield stored
        if stored.page.ends:
            return
        cursor = stored.page.cursor
        so_far.update(stored.counts)
    for page in pages(search.source, search.query, _paged(settings, wanted), cursor, search.window):
        stored = _keep(search, cursor, page, wanted, so_far, store)
        yield stored
        if stored.page.ends:
            return
        cursor = page.cursor
        so_far.update(stored.counts)


def _paged(settings: Settings, wanted: int | None) -> Settings:
    """Settings that ask arXiv for no larger pages than are wanted."""
    if wanted is None or wanted >= settings.arxiv.page_size:
        return settings
    return settings.model_copy(update={"arxiv": settings.arxiv.model_copy(update={"page_size": wanted})})


def _page_key(search: Search, cursor: str) -> str:
    names = [topic.name for topic in search.topics]
    first = None if cursor else search.newest
    span = search.window if not cursor or search.backfill else EVER
    return f"{search.source}-{digest(search.query, names, cursor, [str(day) for day in span], first)[:20]}"


def _stored(search: Search, cursor: str, store: Store) -> Stored | None:
    key = _page_key(search, cursor)
    if not store.has(KIND, key):
        return None
    uri = store.uri(KIND, key)
    return Stored(
        uri, read_json(store.fetch_file(uri, "page.json"), PageRecord), {**read_manifest(uri).counts, "requests": 0}
    )


def _keep(
    search: Search, before: str, page: Page, wanted: int | None, so_far: Mapping[str, int], store: Store
) -> Stored:
    """Store one page. A last page with nothing on it is none: only its cursor counts."""
    told = [_told(paper, search) for paper in page.papers]
    found = [paper for paper in told if paper.topics]
    # A new abstract, or none any more, fits no topic: whether the paper was known before only the catalog can tell.
    changed = [paper for paper in told if not paper.topics and (paper.version > 1 or paper.withdrawn)]
    merged = merge(found)
    taken = merged if wanted is None else merged[: max(wanted - so_far.get("papers", 0), 0)]
    enough = wanted is not None and so_far.get("papers", 0) + len(taken) >= wanted
    ends = cut(search.source, page) if enough else ""
    unseen = max((page.total or 0) - so_far.get("received", 0) - page.received, 0) if ends else 0
    rejects = (*page.rejects, *(_withdrawn(paper) for paper in taken if paper.withdrawn))
    record = PageRecord(
        source=search.source, query=search.query, before=before, cursor=page.cursor, ends=ends, last=page.last,
        total=page.total,
    )  # fmt: skip
    counts = {
        "received": page.received, "papers": len(taken), "rejects": len(page.rejects),
        "unmatched": len(page.papers) - len(found), "beyond": len(merged) - len(taken) + unseen,
    }  # fmt: skip
    key = _page_key(search, before)
    if not taken and not rejects and not changed and page.last:
        return Stored("", record, {**counts, "requests": 1})
    with store.writing(KIND, key) as draft:
        write_jsonl(draft.path / "papers.jsonl", taken)
        write_json(draft.path / "page.json", record)
        if changed:
            write_jsonl(draft.path / CHANGED, changed)
        draft.settings = {"source": search.source, "query": search.query}
        draft.counts, draft.rejects = counts, list(rejects)
    return Stored(store.uri(KIND, key), record, {**counts, "requests": 1})


def _told(paper: Paper, search: Search) -> Paper:
    """The paper with the topics that found it; of a harvested set those whose query it fits."""
    if search.source != "oai":
        return paper.model_copy(update={"topics": tuple(topic.name for topic in search.topics)})
    fitting = [t for t in search.topics if Window(t.since, t.until).holds(paper) and matches(t.arxiv, paper)]
    return paper.model_copy(update={"topics": tuple(topic.name for topic in fitting)})


def _withdrawn(paper: Paper) -> Reject:
    return Reject(stage=STAGE, item=paper.key, reason="withdrawn", detail="Its authors took it back.")


def keep_known(papers: Sequence[Paper], store: Store) -> str:
    """Store records of known papers that came apart from any listing of a topic.

    Returns:
        URI of their folder.
    """
    key = f"known-{digest([paper.model_dump(mode='json') for paper in papers])[:20]}"
    if not store.has(KIND, key):
        with store.writing(KIND, key) as draft:
            write_jsonl(draft.path / "papers.jsonl", papers)
            draft.counts = {"papers": len(papers)}
            draft.rejects = [_withdrawn(paper) for paper in papers if paper.withdrawn]
    return store.uri(KIND, key)


def check_first_runs(found: Iterable[Discovered]) -> None:
    """A topic that has never been searched and finds nothing at all has a wrong query.

    Raises:
        NothingToDo: names those topics and their queries.
    """
    fresh: dict[str, list[Discovered]] = {}
    for one in found:
        for topic in one.search.topics if one.search.source != "oai" else ():
            fresh.setdefault(topic.name, []).append(one)
    empty = {
        name: several for name, several in fresh.items()
        if all(not d.search.cursor and d.search.window == EVER and d.counts["received"] == 0 for d in several)
    }  # fmt: skip
    if empty:
        said = "; ".join(f"{name} ({', '.join(d.search.query for d in several)})" for name, several in empty.items())
        raise NothingToDo(f"No source knows a single paper for: {said}.", "Correct the queries of these topics.")
