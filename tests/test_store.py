"""Folders are complete or not there, and nothing altered is believed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paperlora.errors import StoreError
from paperlora.records import Reject
from paperlora.store import Store, fetch, read_manifest, slug, write_folder


def write(store: Store, key: str = "k", text: str = "hello") -> str:
    with store.writing("documents", key) as draft:
        (draft.path / "deep").mkdir()
        (draft.path / "deep" / "a.txt").write_text(text)
        draft.counts["files"] = 1
        draft.rejects.append(Reject(stage="ingest", item="x", reason="pdf_broken"))
    return store.uri("documents", key)


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A folder of this machine, and an fsspec file system that is none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Store.at(tmp_path / "store") if request.param == "local" else Store.at(f"memory://{tmp_path.name}")


def test_what_is_written_can_be_read_with_its_manifest(store: Store) -> None:
    uri = write(store)
    assert store.has("documents", "k")
    assert (fetch(uri) / "deep" / "a.txt").read_text() == "hello"
    manifest = read_manifest(uri)
    assert manifest.counts == {"files": 1}
    assert manifest.rejects[0].reason == "pdf_broken"
    assert list(manifest.files) == ["deep/a.txt"]


def test_folders_lists_complete_ones_only(store: Store) -> None:
    uri = write(store)
    assert [found.rstrip("/") for found in store.folders("documents")] == [uri]
    assert store.folders("ideas") == ()


def test_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    with pytest.raises(ZeroDivisionError), store.writing("documents", "k") as draft:
        (draft.path / "a.txt").write_text("half")
        1 / 0  # noqa: B018
    assert not store.has("documents", "k")
    assert not list((tmp_path / "documents").iterdir())


def test_first_of_two_writers_stays(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    with store.writing("documents", "k") as slow:
        (slow.path / "a.txt").write_text("same")
        with store.writing("documents", "k") as fast:
            (fast.path / "a.txt").write_text("same")
        before = read_manifest(store.uri("documents", "k")).created
    assert read_manifest(store.uri("documents", "k")).created == before
    assert [p.name for p in (tmp_path / "documents").iterdir()] == ["k"]


def test_altered_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    uri = write(Store.at(tmp_path))
    (Path(uri) / "deep" / "a.txt").write_text("hellO")
    with pytest.raises(StoreError, match="was altered"):
        fetch(uri)


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    uri = write(Store.at(tmp_path))
    (Path(uri) / "deep" / "a.txt").unlink()
    with pytest.raises(StoreError, match="is missing"):
        fetch(uri)


def test_unexpected_content_is_refused(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    uri, other = write(store, "k", "hello"), write(store, "l", "other")
    expected = read_manifest(uri).content_hash
    assert fetch(uri, expected)
    with pytest.raises(StoreError, match="not what was asked for"):
        fetch(other, expected)


@pytest.mark.parametrize("point", ["documents:before-manifest", "documents:before-rename", "documents:after-rename"])
def test_kill_at_every_commit_point_leaves_all_or_nothing(tmp_path: Path, point: str) -> None:
    code = (
        "import sys; from paperlora.store import Store\n"
        "with Store.at(sys.argv[1]).writing('documents', 'k') as draft: (draft.path / 'a.txt').write_text('x')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PAPERLORA_FAILPOINT": point}, check=False)
    assert done.returncode == -9
    store = Store.at(tmp_path)
    assert store.has("documents", "k") == (point == "documents:after-rename")
    assert store.folders() == ((store.uri("documents", "k"),) if point == "documents:after-rename" else ())
    with store.writing("documents", "k") as draft:
        (draft.path / "a.txt").write_text("x")
    assert fetch(store.uri("documents", "k"))


def test_half_written_folder_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "documents" / "k"
    target.mkdir(parents=True)
    (target / "torn.txt").write_text("torn")
    with write_folder(target, "documents", "k") as draft:
        (draft.path / "a.txt").write_text("whole")
    assert {p.name for p in target.iterdir()} == {"a.txt", "manifest.json"}


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("arxiv:2405.05904v2", "arxiv-2405.05904v2"), ("s2:" + "0" * 40 + "v1", "s2-" + "0" * 40 + "v1"),
        ("doi:10.1/../../etc", "doi-10.1-..-..-etc-14f48e4c"), ("a b/c", "a-b-c-539138d5"),
    ],
)  # fmt: skip
def test_slug_is_a_readable_name(identifier: str, expected: str) -> None:
    assert slug(identifier) == expected


HOSTILE = [
    "../../etc/passwd", "/etc/passwd", "..\\..\\windows", "a/../b", "a\0b", "arxiv:\0", "~root", ".hidden", "-rf", "a\nb", "con:1:2",
    "é" * 300, "论文" * 200, "x" * 5000, "x" * 4999 + "y", "doi:10.1/a-b", "doi:10.1/a/b", "doi:10.1/a b", "arxiv:cs/9901001v1",
    "arxiv:cs-9901001v1", "a:b", "A:b", "a:b:c", "a\ud800", "a. .", "a.", "a",
]  # fmt: skip


@pytest.mark.parametrize("identifier", HOSTILE, ids=range(len(HOSTILE)))
def test_an_id_never_leaves_the_store(identifier: str, tmp_path: Path) -> None:
    name = slug(identifier)
    target = (tmp_path / "store" / "pdfs" / name).resolve()
    assert target.parent == tmp_path.resolve() / "store" / "pdfs"
    assert not name.startswith((".", "-"))
    store = Store.at(tmp_path / "store")
    with store.writing("pdfs", f"{name}-latex-0123456789ab") as draft:
        (draft.path / "a.txt").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert len(store.folders("pdfs")) == 1


def test_two_ids_never_share_a_name() -> None:
    assert len({slug(identifier) for identifier in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("identifier", ["", "..", "///", ".", ". .", "\ud800", "\0"])
def test_slug_refuses_what_makes_no_name(identifier: str) -> None:
    with pytest.raises(StoreError):
        slug(identifier)
