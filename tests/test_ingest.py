"""Every paper ends as a document or as one reject, whatever happens on the way; nothing between two stages is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from paperlora.catalog import open_catalog
from paperlora.control.ingest import Answers, Batch, IngestRun, Work, check, run_ingest
from paperlora.errors import NothingToDo, SourceError
from paperlora.literature.ingest import ingest_papers
from paperlora.literature.sources import pages
from paperlora.records import Document, Paper, Reject
from paperlora.runs import Done, left_over, with_hash, write_run
from paperlora.sandbox.corpus import PAPERS, TOPICS
from paperlora.sandbox.crowd import Shares, crowd, crowd_topics
from paperlora.sandbox.library import sandbox_library
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings
from paperlora.store import Store, read_json, write_json


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    """The invented papers, no faults, counts at zero."""
    server.heal()
    server.counts.clear()
    server.requests.clear()
    server.library = sandbox_library()
    return server


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    return settings_for(sandbox, tmp_path)


def settings_for(sandbox: Sandbox, home: Path, timeout: float = 30.0, **more: Any) -> Settings:
    own = {"delay_seconds": 0, "timeout_seconds": timeout}
    return Settings(**{
        "home": home, "datasets": home / "datasets", "topics": TOPICS, "reading": {"prefer": ["pdf"]},
        "arxiv": {"url": sandbox.arxiv_url, "oai_url": sandbox.oai_url, **own},
        "semantic_scholar": {"url": sandbox.semantic_scholar_url, **own}, "openalex": {"url": sandbox.openalex_url, **own},
        **more,
    })  # fmt: skip


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store.at(settings.store_root)


@pytest.fixture
def found(settings: Settings) -> tuple[Paper, ...]:
    """The papers of the sandbox's arXiv, newest versions."""
    return tuple(paper for page in pages("arxiv", "all:*", settings) for paper in page.papers)


def paper_named(papers: tuple[Paper, ...], technique: str) -> Paper:
    return next(paper for paper in papers if paper.title.startswith(technique))


# --------------------------------------------------------------------- a batch


def test_every_paper_is_a_document_or_a_reject(found: tuple[Paper, ...], settings: Settings, store: Store) -> None:
    seen: list[tuple[int, int]] = []
    result = ingest_papers(found, settings, store, lambda label, done, total: seen.append((done, total)))
    assert len(result.documents) + len(result.rejects) == len(found)
    broken = next(paper.key for paper in PAPERS if paper.broken)
    withdrawn = next(paper.key for paper in PAPERS if paper.withdrawn)
    assert {r.item: r.reason for r in result.rejects} == {broken: "pdf_broken", withdrawn: "withdrawn"}
    assert seen[-1] == (len(found), len(found))
    keys = [paper.key for paper in found if paper.key not in (broken, withdrawn)]
    assert [read_json(Path(uri) / "paper.json", Paper).key for uri in result.documents] == keys
    for uri in result.documents:
        document, paper = read_json(Path(uri) / "document.json", Document), read_json(Path(uri) / "paper.json", Paper)
        assert (document.paper, document.title) == (paper.key, paper.title)


def test_document_tells_where_it_came_from(found: tuple[Paper, ...], settings: Settings, store: Store) -> None:
    licensed = paper_named(found, "Quartz Decoding").model_copy(update={"licence": "CC0-1.0"})
    wanting = settings.model_copy(
        update={"reading": settings.reading.model_copy(update={"prefer": ("html", "latex", "pdf")})}
    )
    (uri,) = ingest_papers([licensed], wanting, store).documents
    origin = read_json(Path(uri) / "document.json", Document).origin
    assert origin is not None
    assert (origin.kind, origin.licence) == ("html", "CC0-1.0")
    assert (
        origin.url
        == f"{settings.arxiv.url.removesuffix('/api/query')}/html/{licensed.external_ids['arxiv']}v{licensed.version}"
    )


def test_damaged_page_leaves_the_next_kind_to_be_read(
    found: tuple[Paper, ...], settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hollow = b'<!DOCTYPE html><html><body><article class="ltx_document"><h1 class="ltx_title_document">Gone</h1></article></body></html>'
    monkeypatch.setattr("paperlora.sandbox.library.Entry.html_bytes", lambda entry: hollow if entry.title.startswith("Quartz") else None)
    wanting = settings.model_copy(update={"reading": settings.reading.model_copy(update={"prefer": ("html", "pdf")})})
    quartz = paper_named(found, "Quartz Decoding")
    result = ingest_papers([quartz], wanting, store)
    assert not result.rejects
    document = read_json(Path(result.documents[0]) / "document.json", Document)
    assert document.origin is not None and document.origin.kind == "pdf" and "html can't be read (no_text)" in document.origin.why
    only = settings.model_copy(update={"reading": settings.reading.model_copy(update={"prefer": ("html",)})})
    assert [reject.reason for reject in ingest_papers([quartz], only, store).rejects] == ["no_text"]


def test_second_run_reads_and_asks_nothing(
    found: tuple[Paper, ...], sandbox: Sandbox, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = found[:3]
    first = ingest_papers(some, settings, store)
    asked = sandbox.counts["arxiv.pdf"]
    monkeypatch.setattr("paperlora.literature.ingest._keep", lambda *_: pytest.fail("a document was written again"))
    second = ingest_papers(some, settings, store)
    assert second.documents == first.documents
    assert second.reused == len(first.documents)
    assert sandbox.counts["arxiv.pdf"] == asked


def test_one_bad_paper_never_fails_the_batch_and_is_tried_again(
    found: tuple[Paper, ...], sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    some = tuple(paper for paper in found if not paper.withdrawn)[:4]
    victim = paper_named(found, "Lantern Anchoring") if paper_named(found, "Lantern Anchoring") in some else some[0]
    sandbox.fault("arxiv.pdf", "unavailable", match=victim.external_ids["arxiv"])
    first = ingest_papers(some, settings, store)
    assert (victim.key, "source_unavailable") in {(reject.item, reject.reason) for reject in first.rejects}
    sandbox.heal()
    second = ingest_papers(some, settings, store)
    assert victim.key in {read_json(Path(uri) / "paper.json", Paper).key for uri in second.documents}


def test_superseded_missing_and_refused_papers_have_their_reasons(
    found: tuple[Paper, ...], sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    new = next(paper for paper in found if paper.version == 2 and not paper.withdrawn)
    old = new.model_copy(update={"version": 1})
    bare = Paper(id="s2:" + "1" * 40, title="No full text", pdf_url=None)
    gone = Paper(id="s2:" + "2" * 40, title="Gone", pdf_url=f"{sandbox.url}/reader/{'2' * 40}.pdf")
    result = ingest_papers([old, new, bare, gone], settings, store)
    assert [read_json(Path(uri) / "paper.json", Paper).key for uri in result.documents] == [new.key]
    reasons = {reject.item: reject.reason for reject in result.rejects}
    assert reasons == {old.key: "superseded", bare.key: "no_full_text", gone.key: "source_refused"}


def test_web_page_instead_of_a_pdf_is_one_reject(
    sandbox: Sandbox, found: tuple[Paper, ...], settings: Settings, store: Store
) -> None:
    paper = paper_named(found, "Copper Sieve")
    sandbox.fault("arxiv.pdf", "html")
    (reject,) = ingest_papers([paper], settings, store).rejects
    assert (reject.stage, reject.item, reject.reason) == ("ingest", paper.key, "not_a_pdf")


@pytest.mark.parametrize("point", ["fulltexts:before-rename", "documents:after-rename"])
def test_killed_batch_goes_on_without_repeating_or_losing(
    point: str, found: tuple[Paper, ...], sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    some = [paper for paper in found if not paper.withdrawn][:2]
    code = (
        "import json, sys\nfrom paperlora.literature.ingest import ingest_papers\nfrom paperlora.records import Paper\n"
        "from paperlora.settings import Settings\nfrom paperlora.store import Store\n"
        "papers, settings, root = json.load(sys.stdin)\n"
        "ingest_papers([Paper(**p) for p in papers], Settings(**settings), Store.at(root))\n"
    )
    own = {
        "home": str(settings.home),
        "arxiv": {"url": sandbox.arxiv_url, "delay_seconds": 0},
        "reading": {"prefer": ["pdf"]},
    }
    given = json.dumps([[paper.model_dump(mode="json") for paper in some], own, store.root])
    killed = subprocess.run(
        [sys.executable, "-c", code], input=given, text=True, env={**os.environ, "PAPERLORA_FAILPOINT": point}
    )
    assert killed.returncode == -9
    fetched, before = len(store.folders("fulltexts")), sandbox.counts["arxiv.pdf"]
    result = ingest_papers(some, settings, store)
    assert len(result.documents) + len(result.rejects) == len(some)
    assert sandbox.counts["arxiv.pdf"] - before == len(some) - fetched


# ------------------------------------------------------------------ a whole run


def fates(settings: Settings) -> tuple[set[str], dict[str, str]]:
    """Papers that were read, and those that were not with their reason, as the catalog tells."""
    catalog, store = open_catalog(settings), Store.at(settings.store_root)
    try:
        rejects = {reject.item: reject.reason for reject in catalog.rejects() if reject.stage == "ingest"}
        status = catalog.status()
    finally:
        catalog.close()
    read = {read_json(Path(uri) / "paper.json", Paper).key for uri in store.folders("documents")}
    assert status.papers == len(read) + len(rejects) + status.waiting
    return read, rejects


def test_sandbox_papers_are_all_accounted_for(settings: Settings) -> None:
    run = run_ingest(settings, "one")
    read, rejects = fates(settings)
    assert not read & set(rejects)
    assert run.documents == len(read) == len(run.outputs)
    assert set(rejects.values()) == {"pdf_broken", "withdrawn", "superseded"}
    assert all("#" in reference for reference in run.outputs)


def test_new_version_is_read_beside_the_old_one_and_only_the_new_is_handed_on(sandbox: Sandbox, tmp_path: Path) -> None:
    shares = Shares(0, 0, 0, 0, 0, 0)
    settings = settings_for(sandbox, tmp_path, topics=crowd_topics(8))
    sandbox.library = crowd(8, shares=shares)
    assert run_ingest(settings, "one").documents == 8
    sandbox.library = crowd(8, shares=shares._replace(second_version=50))
    changed = {f"arxiv:{entry.arxiv_id}v2" for entry in sandbox.library.newest if entry.version == 2}
    run = run_ingest(settings, "two")
    assert run.documents == len(changed) > 0
    assert len(run.outputs) == 8
    assert {key for key in fates(settings)[0] if key.endswith("v2")} == changed


def test_daily_cap_defers_and_the_next_day_reads_on(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.library = crowd(16, shares=Shares(0, 0, 0, 0, 0, 0))
    (topic,) = crowd_topics(1)
    settings = settings_for(
        sandbox,
        tmp_path,
        topics=[topic.model_copy(update={"arxiv": "abs:study", "max_papers": 3, "since": date(2098, 1, 1)})],
    )
    run = run_ingest(settings, "one")
    assert (run.documents, run.deferred) == (3, {"memory": 13})
    read, rejects = fates(settings)
    assert (len(read), rejects) == (3, {})


def test_guide_is_read_once_and_again_when_it_was_edited(sandbox: Sandbox, tmp_path: Path) -> None:
    guide = tmp_path / "pipelines" / "how-we-do-it.md"
    guide.parent.mkdir()
    guide.write_text("# How we do it\n\n" + "We deduplicate by hash and train for three epochs. " * 20)
    settings = settings_for(sandbox, tmp_path / "home", topics=[], guides=[str(guide.parent)])
    first = run_ingest(settings, "one")
    document = read_json(Path(first.outputs[0].partition("#")[0]) / "document.json", Document)
    assert (document.paper, document.origin and document.origin.kind) == ("guide:how-we-do-itv1", "guide")
    taken = write_run(Store.at(settings.store_root), "distill-1-1", Done("distill", [], taken=first.outputs))
    assert (taken, run_ingest(settings, "two").outputs) == ([], [])
    guide.write_text(guide.read_text() + "\n\n" + "Since June we train for four epochs. " * 20)
    third = run_ingest(settings, "three")
    assert (third.documents, len(third.outputs)) == (1, 1)
    assert third.outputs != first.outputs


def test_nothing_fetched_is_never_a_good_run_and_is_made_up_for(sandbox: Sandbox, settings: Settings) -> None:
    for route in ("arxiv.pdf", "s2.pdf"):
        sandbox.fault(route, "unavailable")
    with pytest.raises(NothingToDo, match="source_unavailable"):
        run_ingest(settings, "one")
    sandbox.heal()
    assert run_ingest(settings, "two").documents == len(fates(settings)[0]) > 5
    assert "source_unavailable" not in fates(settings)[1].values()


def work_of(papers: int) -> Work:
    return Work((Batch((), {f"arxiv:9901.{number:05d}": "memory" for number in range(papers)}),), {}, (), ())


def dropped(papers: int, reason: str) -> list[Reject]:
    return [Reject(stage="ingest", item=f"arxiv:9901.{number:05d}v1", reason=reason) for number in range(papers)]


@pytest.mark.parametrize(("papers", "reason"), [(1, "source_unavailable"), (8, "not_a_pdf")])
def test_run_that_reads_nothing_though_there_was_much_is_not_good(papers: int, reason: str) -> None:
    with pytest.raises(NothingToDo, match=reason):
        check(Answers((), ()), work_of(papers), 0, dropped(papers, reason))


@pytest.mark.parametrize(
    ("papers", "documents", "handed_on"),
    [(0, 0, []), (1, 0, []), (8, 1, ["uri"]), (8, 0, ["left over from a killed run"])],
)
def test_run_without_news_or_with_a_few_broken_papers_is_good(
    papers: int, documents: int, handed_on: list[str]
) -> None:
    check(Answers((), ()), work_of(papers), documents, dropped(papers - documents, "pdf_broken"), handed_on)


def test_one_request_in_ten_fails_and_the_same_papers_arrive(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.library = crowd(32, seed=3)
    given = {"topics": crowd_topics(4), "reading": {"prefer": ["html", "latex", "pdf"]}}
    # The storm's silences last a second.
    clean, spoiled = settings_for(sandbox, tmp_path / "a", **given), settings_for(sandbox, tmp_path / "b", timeout=0.9, **given)
    run_ingest(clean, "one")
    sandbox.storm(0.1, seed=5)
    done: IngestRun | None = None
    for attempt in range(10):
        try:
            done = run_ingest(spoiled, f"try-{attempt}")
        except (SourceError, NothingToDo):
            continue
        if "source_unavailable" not in fates(spoiled)[1].values():
            break
    assert done is not None
    assert fates(spoiled) == fates(clean)


# -------------------------------------------------------------- between stages


def document(store: Store, key: str) -> str:
    with store.writing("documents", key) as draft:
        write_json(draft.path / "document.json", {"key": key})
    return with_hash(store.uri("documents", key))


def test_what_no_stage_took_up_is_handed_on_again(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    one, two = (document(store, f"arxiv-9901.0000{number}v1-{'a' * 12}") for number in "12")
    assert write_run(store, "ingest-1-1", Done("ingest", [one])) == [one, two]
    write_run(store, "distill-1-1", Done("distill", ["d1"], taken=[one]))
    assert left_over(store, "ingest") == [two]
    assert left_over(store, "distill") == ["d1"]
    write_run(store, "train-1-1", Done("train", [], taken=["d1#hash"]))
    assert left_over(store, "distill") == []
    assert write_run(store, "ingest-2-1", Done("ingest", [])) == [two]


def test_of_two_versions_only_the_newer_is_left_over(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    document(store, f"doi-10.1-abv1-{'0' * 8}-{'a' * 12}")
    new = document(store, f"doi-10.1-abv2-{'1' * 8}-{'a' * 12}")
    assert left_over(store, "ingest") == [new]


def test_run_keeps_rejects_and_counts(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    reject = Reject(stage="ingest", item="arxiv:1v1", reason="no_text")
    write_run(store, "ingest-1-1", Done("ingest", [], [reject], ["arxiv:1v1"], counts={"deferred": 4}))
    from paperlora.store import read_manifest

    manifest = read_manifest(store.uri("runs", "ingest-1-1"))
    assert manifest.rejects == (reject,)
    assert manifest.counts == {"deferred": 4, "handled": 1, "outputs": 0, "rejects": 1}
