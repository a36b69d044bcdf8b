"""An older catalog is taken over whole, a newer one is left alone, and many may open a new one at once."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from shelf import Shelf, paper

from paperlora.catalog import Catalog
from paperlora.catalog.database import MIGRATIONS, Database
from paperlora.catalog.tables import REVISION, metadata
from paperlora.errors import StoreError
from paperlora.records import Reject

pytest_plugins = ["postgres"]

ROOT = Path(__file__).parents[1]
# The tables of the version without migrations, as it made them.
FIRST = """
CREATE TABLE items (
    id VARCHAR NOT NULL, kind VARCHAR NOT NULL, label VARCHAR NOT NULL, uri VARCHAR NOT NULL, created {time} NOT NULL,
    record JSON NOT NULL, PRIMARY KEY (id)
);
CREATE INDEX ix_items_label ON items (label);
CREATE INDEX ix_items_kind ON items (kind);
CREATE TABLE edges (source VARCHAR NOT NULL, target VARCHAR NOT NULL, PRIMARY KEY (source, target));
CREATE INDEX ix_edges_target ON edges (target);
CREATE TABLE rejects (
    stage VARCHAR NOT NULL, item VARCHAR NOT NULL, reason VARCHAR NOT NULL, detail VARCHAR NOT NULL, uri VARCHAR NOT NULL,
    PRIMARY KEY (stage, item, reason)
);
CREATE INDEX ix_rejects_uri ON rejects (uri);
CREATE TABLE folders (uri VARCHAR NOT NULL, content_hash VARCHAR NOT NULL, PRIMARY KEY (uri));
"""


def first_version(url: str) -> sa.Engine:
    """A catalog of the version without migrations, with a paper that was read, one that was rejected, and lineage."""
    engine = sa.create_engine(url)
    read, waits = paper("arxiv:2405.00001"), paper("arxiv:2405.00002", 3, topics=("memory", "forgetting"))
    rows = [
        (read.key, "paper", read.model_dump(mode="json")),
        (waits.key, "paper", waits.model_dump(mode="json")),
        (f"document:{read.key}", "document", {
            "paper": read.key, "sha256": "0", "title": "t", "sections": [], "pages": 1, "parser": "p", "parser_version": "1",
        }),
        ("lesson-1", "lesson", {"paper": read.key}),
        ("d/1", "dataset", {"paper": read.model_dump(mode="json")}),
        ("d/2", "dataset", {"paper": read.model_dump(mode="json")}),
    ]  # fmt: skip
    statement = "INSERT INTO items VALUES (:id, :kind, '', 'u', :created, :record)"
    if engine.dialect.name == "postgresql":
        statement = statement.replace(":record", "CAST(:record AS JSON)").replace(":created", "CAST(:created AS TIMESTAMPTZ)")
    time = "TIMESTAMP WITH TIME ZONE" if engine.dialect.name == "postgresql" else "DATETIME"
    with engine.begin() as connection:
        for table in filter(str.strip, FIRST.format(time=time).split(";")):
            connection.execute(sa.text(table))
        for id_, kind, record in rows:
            values = {"id": id_, "kind": kind, "created": "2026-01-05 10:00:00.000000", "record": json.dumps(record)}
            connection.execute(sa.text(statement), values)
        for edge in ((read.key, f"document:{read.key}"), ("lesson-1", "d/2"), ("d/1", "d/2")):
            connection.execute(sa.text("INSERT INTO edges VALUES (:a, :b)"), {"a": edge[0], "b": edge[1]})
        connection.execute(sa.text("INSERT INTO rejects VALUES ('ingest', 'arxiv:9v1', 'pdf_broken', 'd', 'u')"))
        connection.execute(sa.text("INSERT INTO folders VALUES ('u', 'h')"))
    return engine


def test_catalog_of_the_first_version_is_taken_over_without_loss(catalog_url: str, tmp_path: Path) -> None:
    first_version(catalog_url).dispose()
    catalog = Catalog(catalog_url)
    status = catalog.status()
    assert (status.papers, status.documents, status.datasets, status.lessons, status.waiting) == (2, 1, 2, 1, 1)
    assert catalog.rejects() == (Reject(stage="ingest", item="arxiv:9v1", reason="pdf_broken", detail="d"),)
    assert {record.key for record in catalog.records("paper")} == {"arxiv:2405.00001v1", "arxiv:2405.00002v3"}  # type: ignore[attr-defined]
    entry = catalog.show("2405.00001")
    assert entry is not None
    assert entry.state == "read on 2026-01-05"
    assert entry.descendants == ("document:arxiv:2405.00001v1",)
    with Database(catalog_url).reading() as connection:
        roles = dict(connection.execute(sa.text("SELECT source, role FROM edges")).tuples().all())
        assert roles == {"arxiv:2405.00001v1": "made_from", "lesson-1": "considered", "d/1": "considered"}
        assert connection.execute(sa.text("SELECT count(*) FROM items WHERE paper = ''")).scalar() == 0
    # A run of the present version tells of the old reject, and a listing goes on where the old catalog stood.
    shelf = Shelf(tmp_path)
    shelf.run("r", ["arxiv:9v1"])
    shelf.listed("1", [paper("doi:10.1000/x", external_ids={"arxiv": "2405.00002"})])
    catalog.refresh(shelf.stores)
    assert catalog.rejects() == ()
    assert catalog.status().papers == 3
    assert catalog.canonical([paper("doi:10.1000/x")])[0].id == "arxiv:2405.00002"


def test_verdicts_of_later_seeds_are_found_in_a_catalog_from_before(catalog_url: str) -> None:
    """Two thousand verdicts, every third of another seed: no folder is read again for that."""
    first_version(catalog_url).dispose()
    engine = sa.create_engine(catalog_url)
    flags = [["REPEAT", "ONE_WAY"] if number % 3 == 2 else ["ONE_WAY"] for number in range(2100)]
    cast = "CAST(:record AS JSON)" if engine.dialect.name == "postgresql" else ":record"
    with engine.begin() as connection:
        rows = [{"id": f"v{number}", "record": json.dumps({"paper": "arxiv:2405.00001v1", "flags": own})} for number, own in enumerate(flags)]
        statement = f"INSERT INTO items VALUES (:id, 'verdict', 'PARTIAL', 'u', '2026-01-05 10:00:00.000000', {cast})"
        connection.execute(sa.text(statement), rows)
    engine.dispose()
    status = Catalog(catalog_url).status()
    assert (status.verdicts, status.repeats, status.placebos) == ({"PARTIAL": 1400}, 700, 0)


def test_tables_are_what_the_migrations_make(catalog_url: str) -> None:
    database = Database(catalog_url)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [difference for difference in compare_metadata(context, metadata) if "paces" not in str(difference)]
        assert sa.inspect(connection).has_table("paces")
    assert differences == []
    database.close()


def test_newest_migration_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_newer_catalog_is_left_alone(catalog_url: str) -> None:
    Catalog(catalog_url).close()
    engine = sa.create_engine(catalog_url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer PaperLoRA.*9999") as caught:
        Catalog(catalog_url)
    assert "Update PaperLoRA" in caught.value.remedy
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def _open(url: str) -> int:
    catalog = Catalog(url)
    papers = catalog.status().papers
    catalog.close()
    return papers


@pytest.mark.parametrize("old", [False, True])
def test_several_processes_open_it_for_the_first_time_at_once(catalog_url: str, old: bool) -> None:
    if old:
        first_version(catalog_url).dispose()
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        # Bounded: a pool whose processes die while they start makes new ones for ever.
        assert pool.map_async(_open, [catalog_url] * 8, chunksize=1).get(240) == [2 * old] * 8


def test_a_failed_migration_leaves_the_catalog_as_it_was(catalog_url: str) -> None:
    engine = first_version(catalog_url)
    with engine.begin() as connection:
        # What no version ever wrote: the migration can't say which paper this rests on.
        connection.execute(sa.text("UPDATE items SET record = '{}' WHERE id = 'lesson-1'"))
    with pytest.raises(KeyError):
        Catalog(catalog_url)
    names = set(sa.inspect(engine).get_table_names())
    assert names == {"items", "edges", "rejects", "folders"}
    assert {column["name"] for column in sa.inspect(engine).get_columns("items")} == {
        "id", "kind", "label", "uri", "created", "record",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////proc/nowhere/catalog.sqlite", "folder can't be made"),
        ("postgresql+psycopg://nobody@127.0.0.1:9/none", "can't be opened"),
        ("not a url", "no SQLAlchemy URL"),
        ("oracle+oracledb://x/y", "can't be kept in oracle"),
        ("postgresql+pg8000://x/y", "needs pg8000"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_clear_error(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        Catalog(url)


def test_a_file_that_is_no_catalog_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_text("This is no database. " * 100)
    with pytest.raises(StoreError, match="can't be opened: DatabaseError"):
        Catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")


def test_times_come_back_in_utc(catalog_url: str, tmp_path: Path) -> None:
    shelf, when = Shelf(tmp_path), datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    shelf.listed("1", [paper("arxiv:2405.00001")], when=when)
    catalog = Catalog(catalog_url)
    catalog.refresh(shelf.stores)
    with Database(catalog_url).reading() as connection:
        from paperlora.catalog.tables import items

        assert connection.execute(sa.select(items.c.created)).scalar() == when


@pytest.mark.slow
def test_wheel_carries_migrations_and_topics(tmp_path: Path) -> None:
    for name in ("src", "flows", "tasks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", "wheel", "."]
    subprocess.run(build, check=True, capture_output=True, cwd=tmp_path)
    names = set(zipfile.ZipFile(next((tmp_path / "wheel").glob("*.whl"))).namelist())
    expected = {path.relative_to(ROOT / "src").as_posix() for path in MIGRATIONS.rglob("*.py")}
    assert expected | {"paperlora/topics/starter.toml"} <= names
