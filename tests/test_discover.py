"""Listings become folders page by page; cursors count only what is stored; nothing is asked or taken twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from paperlora.catalog import open_catalog
from paperlora.control.ingest import IngestRun, refresh_known, run_ingest, searches
from paperlora.errors import (
    NothingToDo,
    SettingsError,
    SourceAnswerInvalid,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from paperlora.literature.discover import Search, discover, plan_searches
from paperlora.literature.sources import Window
from paperlora.records import Paper, Topic
from paperlora.sandbox.crowd import FIRST_DAY, PER_DAY, Shares, crowd, crowd_topics
from paperlora.sandbox.library import Entry, Library
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings
from paperlora.store import Store, read_jsonl, read_manifest

PLAIN = Shares(second_version=0, withdrawn=0, broken=0, in_both=0, scholar_alone=0, with_doi=0)
EVERYTHING = Topic(name="everything", arxiv="abs:study", max_papers=1000)


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(scholar_page_size=5, oai_page_size=7) as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    """A crowd of 30 papers, no faults, counts at zero."""
    server.heal()
    server.counts.clear()
    server.library = crowd(30, shares=PLAIN)
    return server


def settings_for(sandbox: Sandbox, home: Path, *topics: Topic, **arxiv: Any) -> Settings:
    return Settings(
        home=home, datasets=home / "datasets", topics=topics,
        arxiv={"url": sandbox.arxiv_url, "oai_url": sandbox.oai_url, "delay_seconds": 0, "timeout_seconds": 30, "page_size": 5, **arxiv},
        semantic_scholar={"url": sandbox.semantic_scholar_url, "delay_seconds": 0, "timeout_seconds": 30},
        openalex={"url": sandbox.openalex_url, "api_key": "key", "delay_seconds": 0, "timeout_seconds": 30},
        reading={"prefer": ["pdf"]},
    )  # fmt: skip


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    return settings_for(sandbox, tmp_path, EVERYTHING)


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store.at(settings.store_root)


def papers_of(uris: tuple[str, ...], store: Store) -> list[Paper]:
    return [paper for uri in uris for paper in read_jsonl(store.fetch_file(uri, "papers.jsonl"), Paper)]


def arxiv_ids(library: Library) -> set[str]:
    return {f"arxiv:{entry.arxiv_id}" for entry in library.newest if entry.arxiv_id}


def one_search(settings: Settings, **more: Any) -> Search:
    (search,) = plan_searches(settings.topics, settings, more.pop("cursors", {}), **more)
    return search


# ----------------------------------------------------------------------- pages


def test_every_page_is_a_folder_with_its_topic_and_its_counts(
    sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    found = discover(one_search(settings), settings, store)
    assert len(found.uris) == 6 == sandbox.counts["arxiv.query"]
    papers = papers_of(found.uris, store)
    assert {paper.id for paper in papers} == arxiv_ids(sandbox.library)
    assert {paper.topics for paper in papers} == {("everything",)}
    assert sum(read_manifest(uri).counts["received"] for uri in found.uris) == found.counts["received"] == 30


def test_listing_that_breaks_off_goes_on_after_its_last_whole_page(
    sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    sandbox.fault("arxiv.query", "unavailable", after=3)
    with pytest.raises(SourceUnavailable):
        discover(one_search(settings), settings, store)
    assert len(store.folders("papers")) == 3
    sandbox.heal()
    sandbox.counts.clear()
    found = discover(one_search(settings), settings, store)
    assert sandbox.counts["arxiv.query"] == 3
    papers = papers_of(found.uris, store)
    assert len(papers) == 30
    assert {paper.id for paper in papers} == arxiv_ids(sandbox.library)


def test_what_is_new_comes_alone_and_missed_nights_are_caught_up(
    sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    first = discover(one_search(settings), settings, store)
    name = first.search.name
    for size in (33, 36, 44):
        sandbox.library = crowd(size, shares=PLAIN)
    sandbox.counts.clear()
    found = discover(one_search(settings, cursors={name: first.cursor}), settings, store)
    assert {paper.id for paper in papers_of(found.uris, store)} == arxiv_ids(sandbox.library) - arxiv_ids(
        crowd(30, shares=PLAIN)
    )
    sandbox.counts.clear()
    again = discover(one_search(settings, cursors={name: found.cursor}), settings, store)
    assert again.uris == ()
    assert sandbox.counts["arxiv.query"] == 1


def test_new_version_and_withdrawal_arrive_as_news(sandbox: Sandbox, settings: Settings, store: Store) -> None:
    first = discover(one_search(settings), settings, store)
    sandbox.library = crowd(30, shares=PLAIN._replace(second_version=20, withdrawn=10))
    found = discover(one_search(settings, cursors={first.search.name: first.cursor}), settings, store)
    second = {f"arxiv:{entry.arxiv_id}": entry.withdrawn for entry in sandbox.library.newest if entry.version == 2}
    assert 0 < sum(second.values()) < len(second)
    assert {paper.id: paper.withdrawn for paper in papers_of(found.uris, store)} == second
    rejected = {
        reject.item for uri in found.uris for reject in read_manifest(uri).rejects if reject.reason == "withdrawn"
    }
    assert rejected == {f"{identifier}v2" for identifier, withdrawn in second.items() if withdrawn}


# ------------------------------------------------------------------- first run


def test_first_run_takes_the_newest_and_counts_the_rest(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path, EVERYTHING.model_copy(update={"max_papers": 4}))
    store = Store.at(settings.store_root)
    found = discover(one_search(settings), settings, store)
    papers = papers_of(found.uris, store)
    days = sorted((entry.updated for entry in sandbox.library.newest), reverse=True)
    assert sorted((paper.updated for paper in papers), reverse=True) == days[:4]
    assert found.counts["beyond"] == 26
    cursors = {found.search.name: found.cursor}
    assert discover(one_search(settings, cursors=cursors), settings, store).uris == ()
    sandbox.library = crowd(32, shares=PLAIN)
    found = discover(one_search(settings, cursors=cursors), settings, store)
    assert {paper.id for paper in papers_of(found.uris, store)} == arxiv_ids(sandbox.library) - arxiv_ids(
        crowd(30, shares=PLAIN)
    )


def test_first_listing_is_cut_once_it_has_passed_the_days_looked_at_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """240 papers fill 20 days; arXiv may still add to the last seven of them."""
    sandbox.library = crowd(240, shares=PLAIN)
    settings = settings_for(sandbox, tmp_path, EVERYTHING.model_copy(update={"max_papers": 4}))
    store = Store.at(settings.store_root)
    found = discover(one_search(settings), settings, store)
    looked_at = 7 * PER_DAY / 4
    assert looked_at <= sandbox.counts["arxiv.query"] < 240 / 4
    assert len(papers_of(found.uris, store)) == 4
    assert found.counts["beyond"] == 236
    sandbox.counts.clear()
    assert discover(one_search(settings, cursors={found.search.name: found.cursor}), settings, store).uris == ()
    assert sandbox.counts["arxiv.query"] == 1


def test_first_day_of_a_topic_brings_everything_since(sandbox: Sandbox, tmp_path: Path) -> None:
    since = (FIRST_DAY + timedelta(days=1)).date()
    settings = settings_for(sandbox, tmp_path, EVERYTHING.model_copy(update={"max_papers": 4, "since": since}))
    store = Store.at(settings.store_root)
    found = discover(one_search(settings), settings, store)
    assert {p.id for p in papers_of(found.uris, store)} == {
        f"arxiv:{entry.arxiv_id}" for entry in sandbox.library.newest if entry.published.date() >= since
    }


def test_equal_queries_of_two_topics_are_asked_once(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path, EVERYTHING, EVERYTHING.model_copy(update={"name": "all"}))
    found = discover(one_search(settings), settings, Store.at(settings.store_root))
    assert {paper.topics for paper in papers_of(found.uris, Store.at(settings.store_root))} == {("everything", "all")}


# -------------------------------------------------------------------- backfill


def test_backfill_is_stopped_and_resumed_and_leaves_the_nightly_cursor_alone(
    sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    window = Window(FIRST_DAY.date(), (FIRST_DAY + timedelta(days=1)).date())
    nightly, search = one_search(settings), one_search(settings, window=window)
    assert search.name != nightly.name
    sandbox.fault("arxiv.query", "unavailable", after=2)
    with pytest.raises(SourceError):
        discover(search, settings, store)
    sandbox.heal()
    sandbox.counts.clear()
    found = discover(search, settings, store)
    assert sandbox.counts["arxiv.query"] == -(-2 * PER_DAY // 5) - 2
    wanted = {f"arxiv:{e.arxiv_id}" for e in sandbox.library.newest if e.published.date() <= window.until}  # type: ignore[operator]
    assert {paper.id for paper in papers_of(found.uris, store)} == wanted
    assert one_search(settings, cursors={search.name: found.cursor}).cursor == ""


# -------------------------------------------------------------------- stand-in


def scholar_settings(sandbox: Sandbox, home: Path) -> Settings:
    sandbox.library = crowd(30, shares=PLAIN._replace(in_both=100))
    return settings_for(sandbox, home, *crowd_topics(1))


def by_source(run: IngestRun) -> dict[str, str]:
    return {found.search.source: found.failed for found in run.answers.found}


def test_openalex_stands_in_for_semantic_scholar(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = scholar_settings(sandbox, tmp_path)
    sandbox.fault("s2.bulk", "rate_limit", retry_after=3600)
    run = run_ingest(settings, "one")
    told = by_source(run)
    assert set(told) == {"arxiv", "openalex"}
    assert "429" in told["openalex"] or "pause" in told["openalex"]
    assert not any(name.startswith("semantic_scholar") for name in cursors(settings))


def test_both_silent_is_no_green_run(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = scholar_settings(sandbox, tmp_path)
    sandbox.fault("s2.bulk", "rate_limit", retry_after=3600)
    sandbox.fault("openalex", "unavailable")
    with pytest.raises(SourceUnavailable, match="semantic_scholar"):
        run_ingest(settings, "one")
    assert set(cursors(settings)) == {search.name for search in searches(settings) if search.source == "arxiv"}


def cursors(settings: Settings) -> dict[str, str]:
    catalog = open_catalog(settings)
    try:
        return catalog.cursors()
    finally:
        catalog.close()


# ------------------------------------------------------------------------ sets


def test_harvest_matches_topics_here_and_counts_the_rest(sandbox: Sandbox, tmp_path: Path) -> None:
    topics = crowd_topics(2)
    settings = settings_for(
        sandbox, tmp_path, *(t.model_copy(update={"semantic_scholar": "", "openalex": ""}) for t in topics), sets=["cs"]
    )
    run = run_ingest(settings, "one")
    found = {one.search.source: one for one in run.answers.found}
    # The first run: the harvest begins now, each topic gets its newest papers by query.
    assert set(found) == {"oai", "arxiv"}
    harvest = found["oai"].counts
    matched = len(papers_of(found["oai"].uris, Store.at(settings.store_root)))
    assert harvest["unmatched"] > matched > 0
    assert harvest["received"] >= harvest["unmatched"] + matched
    sandbox.counts.clear()
    sandbox.library = crowd(46, shares=PLAIN)
    run = run_ingest(settings, "two")
    assert {one.search.source for one in run.answers.found} == {"oai"}
    assert sandbox.counts["arxiv.query"] == 0
    new = papers_of(run.answers.found[0].uris, Store.at(settings.store_root))
    assert {topic for paper in new for topic in paper.topics} == {"memory", "reasoning"}
    assert {paper.id for paper in new} <= arxiv_ids(sandbox.library) - arxiv_ids(crowd(30, shares=PLAIN))
    assert all(paper.licence for paper in new)


# ------------------------------------------------------------- honest endings


@pytest.mark.parametrize(
    ("kind", "error"),
    [("html", SourceAnswerInvalid), ("empty_page", SourceAnswerInvalid), ("truncated", SourceAnswerInvalid), ("unavailable", SourceUnavailable)],
)  # fmt: skip
def test_bad_answer_ends_a_listing_with_its_own_error(
    kind: str, error: type[SourceError], sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    sandbox.fault("arxiv.query", kind, after=2)
    with pytest.raises(error):
        discover(one_search(settings), settings, store)
    sandbox.heal()
    assert len(papers_of(discover(one_search(settings), settings, store).uris, store)) == 30


def test_silent_source_moves_no_cursor_stops_no_other_and_makes_no_green_run(sandbox: Sandbox, tmp_path: Path) -> None:
    topics = (EVERYTHING, Topic(name="planning", arxiv="abs:planning", max_papers=100))
    settings = settings_for(sandbox, tmp_path, *topics)
    planning = sum("planning" in entry.abstract for entry in sandbox.library.newest)
    sandbox.fault("arxiv.query", "html", match="study")
    with pytest.raises(SourceError, match="1 of 2 searches failed") as caught:
        run_ingest(settings, "one")
    assert caught.value.transient
    failed, good = searches(settings)
    assert (failed.cursor, bool(good.cursor)) == ("", True)
    assert len(Store.at(settings.store_root).folders("documents")) == planning
    sandbox.heal()
    assert run_ingest(settings, "two").documents == 30 - planning


def test_night_without_news_is_good_and_costs_one_request_a_query(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.library = crowd(20)
    settings = settings_for(sandbox, tmp_path, *crowd_topics(3), page_size=100)
    run_ingest(settings, "one")
    sandbox.counts.clear()
    run = run_ingest(settings, "two")
    assert (run.documents, run.rejects, run.deferred) == (0, (), {})
    assert dict(sandbox.counts) == {"arxiv.query": 3, "s2.bulk": 3}


def test_topic_that_never_found_anything_is_a_wrong_query(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path, EVERYTHING, Topic(name="typo", arxiv="abs:zzyzx"))
    for key in ("one", "two"):
        with pytest.raises(NothingToDo, match=r"typo \(abs:zzyzx\)"):
            run_ingest(settings, key)
    assert len(Store.at(settings.store_root).folders("documents")) == 30
    assert len(cursors(settings)) == 1


def test_refused_query_is_told_as_such(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path, Topic(name="wrong", arxiv='abs:"half a phrase'))
    with pytest.raises(SourceRefused, match="wrong"):
        run_ingest(settings, "one")


def test_unknown_topic_names_the_topics(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="everything"):
        searches(settings, topic="nothing")


def test_window_of_a_backfill_is_read_by_its_days(settings: Settings) -> None:
    (search,) = searches(settings, Window(date(2098, 1, 1), None))
    assert (search.newest, search.window) == (None, Window(date(2098, 1, 1), None))


# ------------------------------------------------------------- known papers anew


def withdrawn_copy(entry: Entry) -> Entry:
    """The next version, by which its authors take it back: no word of the paper is left."""
    return replace(
        entry, version=entry.version + 1, withdrawn=True, title="Gone", abstract="This paper has been withdrawn.", keywords="",
        comment="This paper has been withdrawn by its authors", updated=entry.updated + timedelta(days=90),
    )  # fmt: skip


def test_withdrawal_that_fits_no_topic_any_more_is_seen_in_a_harvest(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its abstract is gone, so that no query finds it: what was made of it must become stale all the same."""
    topic = crowd_topics(1)[0].model_copy(update={"semantic_scholar": "", "openalex": ""})
    settings = settings_for(sandbox, tmp_path, topic, sets=["cs"])
    run_ingest(settings, "one")
    catalog = open_catalog(settings)
    read = {d.paper for d in catalog.records("document")}
    entry = next(e for e in sandbox.library.newest if e.arxiv_id and f"arxiv:{e.arxiv_id}v{e.version}" in read)
    assert not catalog.stale()
    sandbox.publish(withdrawn_copy(entry))
    run_ingest(settings, "two")
    stale = [one for one in catalog.stale() if one.kind == "document"]
    assert [one.item for one in stale] == [f"document:arxiv:{entry.arxiv_id}v{entry.version}"]
    catalog.close()


def test_refresh_finds_what_no_listing_shows(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:
    run_ingest(settings, "one")
    entry = next(e for e in sandbox.library.newest if e.arxiv_id)
    sandbox.publish(withdrawn_copy(entry))
    sandbox.counts.clear()
    counts = refresh_known(settings)
    assert counts == {"asked": 30, "changed": 1, "unknown_at_source": 0} and sandbox.counts["arxiv.query"] == 1
    catalog = open_catalog(settings)
    assert [one.paper for one in catalog.stale() if one.kind == "document"] == [f"arxiv:{entry.arxiv_id}v{entry.version}"]
    catalog.close()
    assert refresh_known(settings)["changed"] == 0
