"""What is read tonight, what waits for another day, and what never will be read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from shelf import START, Shelf, paper

from paperlora.catalog import Catalog
from paperlora.records import Reject, Topic

pytest_plugins = ["postgres"]

MEMORY, FORGETTING = Topic(name="memory", max_papers=3), Topic(name="forgetting", max_papers=3, priority=5)
TODAY = START.date()
TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
def catalog(catalog_url: str) -> Catalog:
    return Catalog(catalog_url)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def keys(catalog: Catalog, *topics: Topic, limit: int | None = None, today: date = TODAY) -> list[str]:
    return [one.key for one in catalog.queue(topics or (MEMORY,), limit, today).papers]


def reject(key: str, reason: str) -> Reject:
    return Reject(stage="ingest", item=key, reason=reason)


def test_newest_papers_come_first_and_the_rest_waits(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper(f"arxiv:2405.0000{n}") for n in range(1, 6)])
    catalog.refresh(shelf.stores)
    found = catalog.queue([MEMORY], today=TODAY)
    assert [one.id for one in found.papers] == ["arxiv:2405.00005", "arxiv:2405.00004", "arxiv:2405.00003"]
    assert found.deferred == {"memory": 2}
    assert catalog.status().waiting == 5


def test_what_was_tried_today_counts_and_tomorrow_brings_the_rest(catalog: Catalog, shelf: Shelf) -> None:
    listed = [paper(f"arxiv:2405.0000{n}") for n in range(1, 6)]
    shelf.listed("1", listed)
    for one in listed[3:]:
        shelf.read(one)
    shelf.run("r", [listed[2].key], [reject(listed[2].key, "pdf_broken")])
    catalog.refresh(shelf.stores)
    assert keys(catalog) == []
    assert catalog.queue([MEMORY], today=TODAY).deferred == {"memory": 2}
    assert keys(catalog, today=TOMORROW) == ["arxiv:2405.00002v1", "arxiv:2405.00001v1"]


def test_only_the_newest_version_is_read(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001", 1), paper("arxiv:2405.00001", 2), paper("arxiv:2405.00002", 1)])
    shelf.read(paper("arxiv:2405.00001", 1))
    shelf.read(paper("arxiv:2405.00002", 1))
    catalog.refresh(shelf.stores)
    assert keys(catalog) == ["arxiv:2405.00001v2"]


def test_new_version_without_a_topic_is_read_for_the_topics_of_the_old_one(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001", 1)])
    shelf.listed("2", [paper("arxiv:2405.00001", 2, topics=())])
    catalog.refresh(shelf.stores)
    (one,) = catalog.queue([MEMORY], today=TODAY).papers
    assert (one.key, one.topics) == ("arxiv:2405.00001v2", ("memory",))


@pytest.mark.parametrize(
    ("reason", "waits"),
    [("source_unavailable", True), ("deferred", True), ("pdf_broken", False), ("source_refused", False), ("no_text", False)],
)
def test_lasting_rejects_are_not_tried_again(catalog: Catalog, shelf: Shelf, reason: str, waits: bool) -> None:
    one = paper("arxiv:2405.00001")
    shelf.listed("1", [one])
    shelf.run("r", [one.key], [reject(one.key, reason)])
    catalog.refresh(shelf.stores)
    assert bool(keys(catalog, today=TOMORROW)) is waits
    entry = catalog.show(one.key)
    assert entry is not None
    assert entry.state == (f"waits to be read (last time: {reason})" if waits else f"rejected: {reason}")


def test_reject_of_an_old_version_does_not_keep_the_new_one_out(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001", 1)])
    shelf.run("r", ["arxiv:2405.00001v1"], [reject("arxiv:2405.00001v1", "pdf_broken")])
    shelf.listed("2", [paper("arxiv:2405.00001", 2)])
    catalog.refresh(shelf.stores)
    assert keys(catalog) == ["arxiv:2405.00001v2"]


def test_withdrawn_papers_are_never_read(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001", 1), paper("arxiv:2405.00002", 1)])
    shelf.listed("2", [paper("arxiv:2405.00001", 2, withdrawn=True)])
    catalog.refresh(shelf.stores)
    assert keys(catalog) == ["arxiv:2405.00002v1"]
    assert catalog.status().waiting == 1
    # A third version that stands is read after all.
    shelf.listed("3", [paper("arxiv:2405.00001", 3)])
    catalog.refresh(shelf.stores)
    assert "arxiv:2405.00001v3" in keys(catalog)


def test_topics_share_by_priority_and_no_paper_is_read_twice(catalog: Catalog, shelf: Shelf) -> None:
    both = [paper(f"arxiv:2405.0000{n}", topics=("memory", "forgetting")) for n in range(1, 5)]
    alone = [paper(f"arxiv:2405.0001{n}") for n in range(1, 4)]
    shelf.listed("1", [*both, *alone])
    catalog.refresh(shelf.stores)
    found = catalog.queue([MEMORY, FORGETTING], today=TODAY)
    assert [one.key[-7:] for one in found.papers] == ["00004v1", "00003v1", "00002v1", "00013v1", "00012v1", "00011v1"]
    assert [one.topics[0] for one in found.papers] == ["forgetting"] * 3 + ["memory"] * 3
    assert found.papers[0].topics == ("forgetting", "memory")
    assert found.deferred == {"forgetting": 1}
    assert keys(catalog, MEMORY, FORGETTING, limit=4) == [one.key for one in found.papers[:4]]
    assert catalog.queue([MEMORY, FORGETTING], 4, TODAY).deferred == {"forgetting": 1, "memory": 2}
    assert keys(catalog, Topic(name="other")) == []


def test_dates_of_a_topic_hold_for_the_queue_too(catalog: Catalog, shelf: Shelf) -> None:
    days = {f"arxiv:2405.0000{n}": datetime(2026, n, 1, tzinfo=UTC) for n in range(1, 5)}
    shelf.listed("1", [paper(id_, published=day, updated=day) for id_, day in days.items()])
    catalog.refresh(shelf.stores)
    window = Topic(name="memory", since=date(2026, 2, 1), until=date(2026, 3, 1))
    assert keys(catalog, window) == ["arxiv:2405.00003v1", "arxiv:2405.00002v1"]


def test_paper_read_under_another_id_is_not_read_again(catalog: Catalog, shelf: Shelf) -> None:
    s2 = "s2:" + "a" * 40
    shelf.listed("1", [paper(s2)])
    shelf.read(paper(s2))
    shelf.listed("2", [paper("arxiv:2405.00001", external_ids={"s2": "a" * 40})])
    catalog.refresh(shelf.stores)
    assert keys(catalog, today=TOMORROW) == []
    # Its second version is news, and is read under the id that the paper has here.
    shelf.listed("3", [paper("arxiv:2405.00001", 2, external_ids={"s2": "a" * 40})])
    catalog.refresh(shelf.stores)
    (one,) = catalog.queue([MEMORY], today=TOMORROW).papers
    assert (one.key, one.external_ids["arxiv"], one.pdf_url) == (f"{s2}v2", "2405.00001", "https://arxiv.org/pdf/arxiv:2405.00001")
    shelf.run("r", [one.key], [reject(one.key, "pdf_broken")])
    catalog.refresh(shelf.stores)
    assert keys(catalog, today=TOMORROW) == []


def test_record_of_the_queue_holds_what_any_source_knows(catalog: Catalog, shelf: Shelf) -> None:
    own = paper("arxiv:2405.00001", licence=None)
    other = paper("arxiv:2405.00001", sources=("openalex",), licence="cc-by", external_ids={"doi": "10.1000/one"}, topics=())
    shelf.listed("1", [own])
    shelf.listed("2", [other])
    catalog.refresh(shelf.stores)
    (one,) = catalog.queue([MEMORY], today=TODAY).papers
    assert (one.licence, one.external_ids, one.sources) == ("cc-by", {"doi": "10.1000/one"}, ("arxiv", "openalex"))


def test_cursors_are_those_of_the_last_run_whichever_is_taken_in_last(catalog: Catalog, shelf: Shelf) -> None:
    def cursor(text: str) -> dict[str, dict[str, str]]:
        return {"arxiv:1234": {"source": "arxiv", "query": "all:memory", "cursor": text}}

    shelf.run("late", [], cursors=cursor("page 2"), when=START + timedelta(hours=2))
    catalog.refresh(shelf.stores)
    shelf.run("early", [], cursors=cursor("page 1") | {"oai:5678": {"source": "oai", "query": "cs", "cursor": "x"}}, when=START)
    catalog.refresh(shelf.stores)
    assert catalog.cursors() == {"arxiv:1234": "page 2", "oai:5678": "x"}


def test_fate_told_by_a_later_run_stands_whichever_is_taken_in_last(catalog: Catalog, shelf: Shelf) -> None:
    one = paper("arxiv:2405.00001")
    shelf.run("second", [one.key], [reject(one.key, "no_text")], when=START + timedelta(hours=2))
    catalog.refresh(shelf.stores)
    shelf.run("first", [one.key], [reject(one.key, "pdf_broken")], when=START)
    catalog.refresh(shelf.stores)
    assert catalog.rejects() == (reject(one.key, "no_text"),)
