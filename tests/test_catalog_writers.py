"""Several writers at once lose nothing and double nothing, and the manifests give the same catalog again."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import pytest
from shelf import START, Shelf, paper
from sqlalchemy import select
from waiting import being_made

from paperlora.catalog import Catalog
from paperlora.catalog.database import Database
from paperlora.catalog.tables import metadata
from paperlora.errors import StoreError
from paperlora.records import Paper, Reject
from paperlora.store import Store, read_manifest

pytest_plugins = ["postgres"]

WRITERS = 4
LONGEST = 240.0
"""Seconds: a pool whose processes die while they start makes new ones for ever, and would be waited for as long."""


def contents(url: str) -> dict[str, list[Any]]:
    """Every row of every table."""
    database = Database(url)
    with database.reading() as connection:
        # PostgreSQL keeps the fields of a record in an order of its own.
        found = {
            table.name: sorted(json.dumps(dict(row._mapping), sort_keys=True, default=str) for row in connection.execute(select(table)))
            for table in metadata.sorted_tables
        }
    database.close()
    return found


@pytest.fixture(scope="module")
def processes() -> Iterator[Pool]:
    """Writers with an interpreter of their own each."""
    with multiprocessing.get_context("spawn").Pool(WRITERS) as pool:
        yield pool


@pytest.fixture
def shelf(nights: Path, tmp_path: Path) -> Shelf:
    """A copy of the nights, for a test to do with as it likes."""
    shutil.copytree(nights, tmp_path, dirs_exist_ok=True)
    return Shelf(tmp_path)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year in small: pages, documents, runs that fail and go on, links that are learned late, new versions."""
    root = tmp_path_factory.mktemp("nights")
    shelf, chance = Shelf(root), random.Random(7)
    for night in range(5):
        when = START + timedelta(days=night)
        listed = [_listing(chance) for _ in range(25)]
        for page in range(0, 25, 5):
            shelf.listed(f"{night}-{page}", listed[page : page + 5], when=when + timedelta(minutes=page))
        read = listed[:6]
        for one in read:
            if not Path(shelf.store.uri("documents", one.key.replace(":", "-"))).exists():
                shelf.read(one, when=when + timedelta(minutes=40))
        failed = [Reject(stage="ingest", item=one.key, reason=chance.choice(["pdf_broken", "deferred"])) for one in listed[6:12]]
        cursors = {f"arxiv:{n}": {"source": "arxiv", "query": "q", "cursor": f"{night}"} for n in range(night % 3 + 1)}
        pair = {"a": listed[0].id, "b": listed[1].id, "score": chance.random(), "why": "title"}
        handled = [one.key for one in listed[:12]]
        shelf.run(f"night-{night}", handled, failed, when=when + timedelta(hours=1), cursors=cursors, candidates=[pair])
    shelf.made(read[0])
    return root


def _listing(chance: random.Random) -> Paper:
    number = chance.randrange(40)
    ids = {"arxiv": f"2405.{number:05d}", "doi": f"10.1000/N{number}", "s2": f"{number:040d}"}
    name = chance.choice(["arxiv", "arxiv", "doi", "s2"])
    known = {other: ids[other] for other in ids if other != name and chance.random() < 0.3}
    topics = tuple(chance.sample(["memory", "forgetting", "tools"], chance.randrange(3)))
    status = chance.choice(["complete", "partial"])
    return paper(f"{name}:{ids[name].lower()}", chance.choice([1, 1, 2]) if name == "arxiv" else 1, external_ids=known, topics=topics,
                 withdrawn=chance.random() < 0.1, metadata_status=status, licence=chance.choice([None, "cc-by"]))  # fmt: skip


def _add(url: str, root: Path, seed: int) -> None:
    """One process: every folder, in an order of its own, one transaction each."""
    catalog, shelf = Catalog(url), Shelf(root)
    uris = [uri for store in shelf.stores for uri in store.folders()]
    random.Random(seed).shuffle(uris)
    for uri in uris:
        catalog.add_folder(uri, read_manifest(uri))
    catalog.close()


def test_processes_that_add_the_same_folders_at_once_make_one_catalog(
    catalog_url: str, shelf: Shelf, tmp_path: Path, processes: Pool
) -> None:
    alone = f"sqlite:///{tmp_path / 'alone.sqlite'}"
    catalog = Catalog(alone)
    catalog.refresh(shelf.stores)
    expected = contents(alone)
    assert min(len(expected[name]) for name in ("items", "papers", "aliases", "rejects", "cursors", "candidates")) > 2
    processes.starmap_async(_add, [(catalog_url, tmp_path, seed) for seed in range(WRITERS)], chunksize=1).get(LONGEST)
    found = contents(catalog_url)
    for name, rows in expected.items():
        assert found[name] == rows, name


def _add_own(url: str, writer: int) -> None:
    catalog = Catalog(url)
    for page in range(10):
        catalog.add_papers([paper(f"arxiv:24{writer:02d}.{page:02d}{n:03d}") for n in range(20)])
    catalog.close()


def test_processes_that_add_different_papers_at_once_lose_none(catalog_url: str, processes: Pool) -> None:
    processes.starmap_async(_add_own, [(catalog_url, writer) for writer in range(WRITERS)], chunksize=1).get(LONGEST)
    assert Catalog(catalog_url).status().papers == WRITERS * 200


def test_new_catalog_that_another_process_is_writing_to_is_waited_for(tmp_path: Path) -> None:
    with being_made(tmp_path / "catalog.sqlite"):
        catalog = Catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
        catalog.add_papers([paper("arxiv:2405.00001")])
        assert catalog.status().papers == 1
        catalog.close()


def test_file_that_is_no_catalog_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_text("no database, but long enough to be looked at " * 50)
    with pytest.raises(StoreError, match="can't be opened"):
        Catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")


def test_rebuild_gives_the_same_catalog(catalog_url: str, shelf: Shelf) -> None:
    catalog = Catalog(catalog_url)
    # Night after night, as it happened: each refresh finds what came since the last.
    by_time = sorted((uri for store in shelf.stores for uri in store.folders()), key=lambda uri: read_manifest(uri).created)
    for uri in by_time:
        catalog.add_folder(uri, read_manifest(uri))
    before = contents(catalog_url)
    assert catalog.rebuild(shelf.stores) == len(by_time)
    assert contents(catalog_url) == before
    assert catalog.refresh(shelf.stores) == 0


def test_rebuild_that_was_cut_short_is_finished_by_the_next_refresh(catalog_url: str, shelf: Shelf) -> None:
    catalog = Catalog(catalog_url)
    catalog.refresh(shelf.stores)
    before = contents(catalog_url)
    catalog.rebuild([])
    assert catalog.status().papers == 0
    catalog.refresh(shelf.stores)
    assert contents(catalog_url) == before


def test_rebuild_forgets_what_the_store_no_longer_holds(catalog_url: str, shelf: Shelf) -> None:
    catalog = Catalog(catalog_url)
    catalog.refresh(shelf.stores)
    documents = catalog.status().documents
    shutil.rmtree(shelf.store.folders("documents")[0])
    catalog.rebuild(shelf.stores)
    assert catalog.status().documents == documents - 1


def test_turns_at_the_sources_outlast_a_rebuild(catalog_url: str, shelf: Shelf) -> None:
    from paperlora.pacing import Pacer

    catalog, pacer = Catalog(catalog_url), Pacer(catalog_url)
    with pacer.turn("arxiv", 60.0):
        catalog.rebuild(shelf.stores)
    with Database(catalog_url).reading() as connection:
        assert connection.exec_driver_sql("SELECT host FROM paces").scalars().all() == ["arxiv"]
    pacer.close()


def test_reader_sees_one_state_while_a_writer_is_at_work(catalog_url: str, shelf: Shelf) -> None:
    catalog, database = Catalog(catalog_url), Database(catalog_url)
    catalog.refresh(shelf.stores)
    before = catalog.status()
    with database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM papers")
        assert catalog.status() == before
    assert catalog.status().papers == 0


@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_damaged_folder_is_named_and_leaves_the_others_in_place(catalog_url: str, shelf: Shelf, damage: str) -> None:
    uri = shelf.store.folders("papers")[3]
    file = Path(uri) / "papers.jsonl"
    file.unlink() if damage == "missing" else file.write_text(file.read_text() + " ")
    catalog = Catalog(catalog_url)
    with pytest.raises(StoreError, match=f"{uri}.*{damage}"):
        catalog.refresh(shelf.stores)
    shutil.rmtree(uri)
    assert catalog.refresh(shelf.stores) > 0
    assert catalog.refresh(shelf.stores) == 0


def test_only_what_the_catalog_keeps_is_read(catalog_url: str, tmp_path: Path) -> None:
    shelf, one = Shelf(tmp_path), paper("arxiv:2405.00001")
    shelf.read(one)
    shelf.made(one)
    with Store.at(tmp_path / "store").writing("pdfs", "x") as draft:
        (draft.path / "paper.pdf").write_bytes(b"%PDF")
    # Weights and PDFs may be gigabytes far away: they are neither fetched nor hashed.
    for file in (Path(shelf.store.uri("adapters", "arxiv-2405.00001v1"), "weights.bin"), Path(shelf.store.uri("pdfs", "x"), "paper.pdf")):
        file.unlink()
    assert Catalog(catalog_url).refresh(shelf.stores) == 6
