"""What a new version or a withdrawal makes stale, and what has to be done about it; what each topic brought."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from shelf import START, Shelf, paper

from paperlora.catalog import Catalog

pytest_plugins = ["postgres"]

KINDS = ["document", "idea", "dataset", "adapter", "verdict", "lesson"]


@pytest.fixture
def catalog(catalog_url: str) -> Catalog:
    return Catalog(catalog_url)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A paper that went all the way, and another that did."""
    shelf = Shelf(tmp_path)
    for id_ in ("arxiv:2405.00001", "arxiv:2405.00002"):
        one = paper(id_)
        shelf.listed(id_[-5:], [one])
        shelf.read(one)
        shelf.made(one)
    return shelf


def test_new_version_makes_everything_of_the_old_one_stale(catalog: Catalog, shelf: Shelf) -> None:
    catalog.refresh(shelf.stores)
    assert catalog.stale() == ()
    assert catalog.status().stale == 0
    shelf.listed("2", [paper("arxiv:2405.00001", 2)])
    catalog.refresh(shelf.stores)
    stale = catalog.stale()
    assert [one.kind for one in stale] == KINDS
    assert {one.because for one in stale} == {"arxiv:2405.00001v2 is newer"}
    assert catalog.status().stale == 6
    old, new, other = (catalog.show(key) for key in ("2405.00001v1", "2405.00001v2", "2405.00002"))
    assert old is not None
    assert new is not None
    assert other is not None
    assert old.state.startswith("superseded by arxiv:2405.00001v2; read on ")
    assert old.redo == tuple(f"paperlora {stage}" for stage in ("ingest", "distill", "train", "judge", "reflect"))
    assert (new.state, new.stale, new.redo, other.stale) == ("waits to be read", old.stale, old.redo, ())
    adapter = catalog.show(next(one.item for one in stale if one.kind == "adapter"))
    assert adapter is not None
    assert adapter.state == "arxiv:2405.00001v2 is newer"
    assert adapter.redo == ("paperlora train", "paperlora judge", "paperlora reflect")


def test_what_was_made_anew_is_stale_no_more(catalog: Catalog, shelf: Shelf) -> None:
    new = paper("arxiv:2405.00001", 2)
    shelf.listed("2", [new])
    shelf.read(new)
    catalog.refresh(shelf.stores)
    assert [one.kind for one in catalog.stale() if not one.replaced] == KINDS[1:]
    entry = catalog.show("2405.00001v1")
    assert entry is not None
    assert entry.redo[0] == "paperlora distill"
    # The new dataset looked at the old lesson and corrects the old dataset; that makes it no part of the old version.
    shelf.made(new, parents=("arxiv-2405.00001v1/0123456789ab",), lessons=("lesson-arxiv-2405.00001v1",))
    catalog.refresh(shelf.stores)
    assert catalog.status().stale == 0
    assert {one.paper for one in catalog.stale()} == {"arxiv:2405.00001v1"}
    assert len(catalog.stale()) == 6
    dataset = catalog.show("arxiv-2405.00001v2/0123456789ab")
    assert dataset is not None
    assert "lesson-arxiv-2405.00001v1" in dataset.ancestors
    assert dataset.stale == ()


def test_withdrawal_leaves_nothing_to_redo(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("2", [paper("arxiv:2405.00001", 2, withdrawn=True)])
    catalog.refresh(shelf.stores)
    stale = catalog.stale()
    assert [one.kind for one in stale] == KINDS
    assert all(one.withdrawn and not one.replaced for one in stale)
    assert catalog.status().stale == 6
    entry = catalog.show("2405.00001v1")
    assert entry is not None
    assert entry.redo == ()
    assert catalog.show("2405.00001").stale == entry.stale  # type: ignore[union-attr]
    assert {one.because for one in entry.stale} == {"arxiv:2405.00001v2 was withdrawn by its authors"}
    shelf.listed("3", [paper("arxiv:2405.00001", 3)])
    catalog.refresh(shelf.stores)
    assert {one.because for one in catalog.stale()} == {"arxiv:2405.00001v3 is newer"}


def test_record_that_a_source_removed_withdraws_every_version(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("3", [paper("arxiv:2405.00001", 3)])
    later = START + timedelta(days=30)
    gone = paper("arxiv:2405.00001", title="", withdrawn=True, metadata_status="partial", topics=(), published=None, updated=later)
    shelf.listed("gone", [gone])
    catalog.refresh(shelf.stores)
    entry = catalog.show("2405.00001")
    assert entry is not None
    assert (entry.id, entry.state) == ("arxiv:2405.00001v3", "withdrawn by its authors; not read")
    assert all(one.withdrawn for one in catalog.stale())
    assert len(catalog.stale()) == 6
    assert catalog.status().waiting == 0
    # An older withdrawal does not outlast the version that came after it.
    shelf.listed("4", [paper("arxiv:2405.00001", 4, updated=later + timedelta(days=1))])
    catalog.refresh(shelf.stores)
    assert not any(one.withdrawn for one in catalog.stale())
    assert catalog.status().waiting == 1


def test_what_was_read_under_another_id_falls_with_the_paper(catalog: Catalog, shelf: Shelf) -> None:
    s2 = paper("s2:" + "a" * 40)
    shelf.listed("s2", [s2])
    shelf.read(s2)
    shelf.listed("link", [paper("arxiv:2405.00009", 2, external_ids={"s2": "a" * 40})])
    catalog.refresh(shelf.stores)
    assert [(one.item, one.because) for one in catalog.stale()] == [(f"document:{s2.key}", f"{s2.id}v2 is newer")]


def test_topics_count_what_came_of_their_papers(catalog: Catalog, shelf: Shelf) -> None:
    both = paper("arxiv:2405.00003", topics=("forgetting", "memory"))
    shelf.listed("3", [both, paper("arxiv:2405.00004"), paper("arxiv:2405.00005", topics=("forgetting",))])
    shelf.read(both)
    shelf.made(both, kind="RESISTED")
    catalog.refresh(shelf.stores)
    forgetting, memory = catalog.topics()
    assert (forgetting.topic, forgetting.papers, forgetting.waiting, forgetting.documents) == ("forgetting", 2, 1, 1)
    assert (forgetting.verdicts, forgetting.absorbed, forgetting.overlaps) == (1, 0, {"memory": 1})
    assert (memory.papers, memory.waiting, memory.documents, memory.ideas, memory.datasets, memory.adapters) == (4, 1, 3, 3, 3, 3)
    assert (memory.verdicts, memory.absorbed, memory.overlaps) == (3, 2, {"forgetting": 1})


def test_two_versions_of_a_paper_are_one_paper_of_its_topic(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("2", [paper("arxiv:2405.00001", 2, topics=("memory", "forgetting"))])
    catalog.refresh(shelf.stores)
    assert {topic.topic: topic.papers for topic in catalog.topics()} == {"forgetting": 1, "memory": 2}
