"""A run of ingestion in its four steps: plan, search, record, read. The flow makes tasks of them; benchmarks and tests
run them one after another without a Prefect server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from paperlora.catalog import Catalog, open_catalog, stores
from paperlora.catalog.queue import PASSING_REASONS
from paperlora.errors import NothingToDo, PaperLoraError, SettingsError, SourceError, SourceUnavailable
from paperlora.literature.discover import (
    CHANGED,
    Discovered,
    Search,
    check_first_runs,
    find,
    keep_known,
    plan_searches,
)
from paperlora.literature.identity import Candidate, candidates
from paperlora.literature.ingest import Outcome, read_each, unread_guides
from paperlora.literature.sources import EVER, Window, refresh
from paperlora.progress import Progress, silent
from paperlora.records import Document, Paper, Reject, Topic
from paperlora.runs import KIND, SUSPICIOUS, Done, with_hash, write_run
from paperlora.settings import Settings
from paperlora.store import Store, read_jsonl, read_manifest


class Silence(NamedTuple):
    """A search that brought nothing because its source failed."""

    search: Search
    error: PaperLoraError


class Answers(NamedTuple):
    """What all searches of a run brought."""

    found: tuple[Discovered, ...]
    silent: tuple[Silence, ...]


class Batch(NamedTuple):
    """Papers that are read together, most of them by name alone: their records are looked up when their turn comes."""

    guides: tuple[Paper, ...]
    chosen: dict[str, str]
    """Canonical id → topic for which it is read."""

    @property
    def size(self) -> int:
        """Number of papers."""
        return len(self.guides) + len(self.chosen)


class Work(NamedTuple):
    """What there is to read now."""

    batches: tuple[Batch, ...]
    deferred: dict[str, int]
    """Topic → papers that wait for another day."""
    candidates: tuple[Candidate, ...]
    """Pairs that may be one paper, one of them new."""
    superseded: tuple[Reject, ...]
    """Versions that a newer one overtook before anybody read them."""


class Reading(NamedTuple):
    """What became of papers; grows while they are read."""

    documents: list[str]
    """URIs."""
    rejects: list[Reject]
    handled: list[str]
    """Key of every paper."""

    def add(self, outcome: Outcome) -> None:
        """Take in what became of one paper."""
        self.handled.append(outcome.paper.key)
        if outcome.reject is None:
            self.documents.append(outcome.uri)
        else:
            self.rejects.append(outcome.reject)


class IngestRun(NamedTuple):
    """What a run did."""

    outputs: list[str]
    """``uri#hash`` of documents to work on."""
    answers: Answers
    documents: int
    rejects: tuple[Reject, ...]
    deferred: dict[str, int]


def chosen_topics(settings: Settings, topic: str | None) -> tuple[Topic, ...]:
    """The topics of the settings, or the one of this name.

    Raises:
        SettingsError: there is none.
    """
    if not settings.topics and not settings.guides:
        raise SettingsError(
            "There is no topic to search for.", "Add [[topics]] to paperlora.toml; README.md shows one."
        )
    chosen = tuple(one for one in settings.topics if topic in (None, one.name))
    if topic is not None and not chosen:
        raise SettingsError(
            f"There is no topic {topic!r}.", f"The topics are: {', '.join(one.name for one in settings.topics)}."
        )
    return chosen


def searches(settings: Settings, window: Window = EVER, topic: str | None = None) -> tuple[Search, ...]:
    """Every search of a run, each from where the last run that counts left it."""
    catalog = open_catalog(settings)
    try:
        return plan_searches(chosen_topics(settings, topic), settings, catalog.cursors(), window)
    finally:
        catalog.close()


def search_all(planned: Iterable[Search], settings: Settings, store: Store, progress: Progress = silent) -> Answers:
    """Every search in turn; one that fails doesn't stop the others."""
    found: list[Discovered] = []
    quiet: list[Silence] = []
    for search in planned:
        try:
            found.append(find(search, settings, store, progress))
        except SourceError as error:
            quiet.append(Silence(search, error))
    return Answers(tuple(found), tuple(quiet))


def record(answers: Answers, settings: Settings, store: Store, topic: str | None = None) -> Work:
    """Take every new folder into the catalog, then see what to read: guides first, then the topics' papers."""
    catalog = open_catalog(settings)
    try:
        catalog.refresh(stores(settings))
        _take_changes(answers, catalog, store)
        choice = catalog.choose(chosen_topics(settings, topic))
        pairs = _candidates(answers, catalog, store)
        overtaken = tuple(Reject(stage="ingest", item=key, reason="superseded") for key in catalog.superseded())
    finally:
        catalog.close()
    batches = tuple(_batches(unread_guides(settings, store), choice.chosen, settings.reading.batch))
    return Work(batches, choice.deferred, pairs, overtaken)


def _take_changes(answers: Answers, catalog: Catalog, store: Store) -> None:
    """New versions and withdrawals of known papers, though they fit no topic any more."""
    harvested = [uri for found in answers.found if found.search.source == "oai" for uri in found.uris]
    for uri in harvested:
        path = store.folder("papers", uri.rsplit("/", 1)[-1]) / CHANGED
        changed = read_jsonl(path, Paper) if path.exists() else ()
        known = catalog.known(changed) if changed else frozenset()
        mine = [paper for paper in changed if paper.id in known]
        if mine:
            kept = keep_known(mine, store)
            catalog.add_folder(kept, read_manifest(kept))


def refresh_known(settings: Settings, progress: Progress = silent) -> dict[str, int]:
    """Ask the sources anew for every paper that something was made of: new versions, withdrawals, licences.

    Listings show what changed lately and still fits a query; this finds the rest. 80 arXiv papers are one request.

    Returns:
        Counts: asked, changed, unknown_at_source.

    Raises:
        SourceError: a source can't be reached; what was answered before is kept.
    """
    store, catalog = Store.at(settings.store_root), open_catalog(settings)
    try:
        read = {document.paper for document in catalog.each("document") if isinstance(document, Document)}
        had: set[tuple[str, bool, str | None]] = set()
        ids: dict[str, None] = {}
        for paper in catalog.each("paper"):
            if isinstance(paper, Paper):
                had.add((paper.key, paper.withdrawn, paper.licence))
                if paper.key in read and not paper.id.startswith("guide:"):
                    ids[paper.id] = None
        counts, done = {"asked": len(ids), "changed": 0, "unknown_at_source": 0}, 0
        for page in refresh(list(ids), settings):
            new = [paper for paper in page.papers if (paper.key, paper.withdrawn, paper.licence) not in had]
            counts["changed"] += len(new)
            counts["unknown_at_source"] += sum(reject.reason == "unknown_at_source" for reject in page.rejects)
            if new:
                kept = keep_known(new, store)
                catalog.add_folder(kept, read_manifest(kept))
            done += page.total or 0
            progress("known papers asked for anew", done, counts["asked"])
        return counts
    finally:
        catalog.close()


def _batches(guides: Sequence[Paper], chosen: dict[str, str], size: int) -> Iterator[Batch]:
    for start in range(0, len(guides), size):
        yield Batch(tuple(guides[start : start + size]), {})
    names = list(chosen.items())
    for start in range(0, len(names), size):
        yield Batch((), dict(names[start : start + size]))


def papers_of(batch: Batch, settings: Settings) -> tuple[Paper, ...]:
    """The records of a batch, as the catalog has them now."""
    if not batch.chosen:
        return batch.guides
    catalog = open_catalog(settings)
    try:
        return (*batch.guides, *catalog.chosen(batch.chosen))
    finally:
        catalog.close()


def _candidates(answers: Answers, catalog: Catalog, store: Store) -> tuple[Candidate, ...]:
    uris = [uri for found in answers.found for uri in found.uris]
    new = (paper for uri in uris for paper in read_jsonl(store.fetch_file(uri, "papers.jsonl"), Paper))
    known = (paper for paper in catalog.each("paper") if isinstance(paper, Paper))
    return candidates(new, known) if uris else ()


def close(
    key: str,
    answers: Answers,
    work: Work,
    documents: Sequence[str],
    rejects: Sequence[Reject],
    handled: Sequence[str],
    store: Store,
) -> list[str]:
    """Write the run's folder: from now on the cursors count of every search that was answered.

    A first search that found nothing gets none: it may be wrong, and is asked again from the beginning.
    """
    cursors = {
        found.search.name: {"cursor": found.cursor, "source": found.search.source, "query": found.search.query}
        for found in answers.found
        if found.cursor != found.search.cursor and (found.search.cursor or found.counts["received"])
    }
    return write_run(store, key, Done(
        "ingest", [with_hash(uri) for uri in documents], [*rejects, *work.superseded], handled=handled, cursors=cursors,
        candidates=[pair._asdict() for pair in work.candidates],
        counts={"deferred": sum(work.deferred.values()), "silent": len(answers.silent), **_totals(answers)},
    ))  # fmt: skip


def _totals(answers: Answers) -> dict[str, int]:
    names = ("requests", "received", "papers", "unmatched", "beyond")
    return {name: sum(found.counts[name] for found in answers.found) for name in names}


def check(
    answers: Answers, work: Work, documents: int, rejects: Sequence[Reject], handed_on: Sequence[str] = ()
) -> None:
    """A run is good where every source answered and, of what there was to read, something was read.

    A few papers that are broken themselves are no fault of the run; that nothing can be fetched, or that all of many are
    unreadable, is.

    Raises:
        SourceError: a source was silent; what the others brought is kept.
        NothingToDo: a new topic finds nothing at all, or no paper could be read.
    """
    if answers.silent:
        errors = [quiet.error for quiet in answers.silent]
        said = "; ".join(f"{quiet.search.label}: {quiet.error.message}" for quiet in answers.silent)
        kind = SourceUnavailable if any(error.transient for error in errors) else type(errors[0])
        raise kind(
            f"{len(errors)} of {len(errors) + len(answers.found)} searches failed: {said}",
            "What the others brought is read and kept. Retry the run: it asks only the failed ones again.",
        )
    check_first_runs(answers.found)
    asked = sum(len(batch.chosen) for batch in work.batches)
    unfetched = any(reject.reason in PASSING_REASONS for reject in rejects)
    if asked and not documents and (unfetched or (asked >= SUSPICIOUS and not handed_on)):
        reasons = ", ".join(sorted({reject.reason for reject in rejects}))
        raise NothingToDo(f"None of {asked} papers could be read: {reasons}.")


def run_ingest(
    settings: Settings, key: str, window: Window = EVER, topic: str | None = None, progress: Progress = silent
) -> IngestRun:
    """A whole run, one step after another.

    Args:
        key: of the run's folder; another one for each run.

    Raises:
        SourceError: a source was silent; what the others brought is kept.
        NothingToDo: see :func:`check`.
    """
    store = Store.at(settings.store_root)
    answers = search_all(searches(settings, window, topic), settings, store, progress)
    work = record(answers, settings, store, topic)
    reading = Reading([], [], [])
    for outcome in _outcomes(work, settings, store, progress):
        reading.add(outcome)
    outputs = close(key, answers, work, reading.documents, reading.rejects, reading.handled, store)
    record_run(key, reading.documents, settings, store)
    check(answers, work, len(reading.documents), reading.rejects, outputs)
    return IngestRun(outputs, answers, len(reading.documents), tuple(reading.rejects), work.deferred)


def _outcomes(work: Work, settings: Settings, store: Store, progress: Progress) -> Iterator[Outcome]:
    papers = (paper for batch in work.batches for paper in papers_of(batch, settings))
    total = sum(batch.size for batch in work.batches)
    for number, outcome in enumerate(read_each(papers, settings, store), 1):
        progress("reading papers", number, total)
        yield outcome


def record_run(key: str, documents: Sequence[str], settings: Settings, store: Store) -> None:
    """Take what the run left into the catalog: its documents, and its folder with the cursors."""
    store.sweep()
    uri = store.uri(KIND, key)
    catalog = open_catalog(settings)
    try:
        if documents:
            catalog.refresh(stores(settings))
        else:
            catalog.add_folder(uri, read_manifest(uri))
    finally:
        catalog.close()
