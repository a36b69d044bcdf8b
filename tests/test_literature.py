"""Sources are searched politely, doubted thoroughly, and every paper ends as a document or as one reject."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from paperlora.errors import SourceAnswerInvalid, SourceError, SourceRefused, SourceUnavailable
from paperlora.literature.arxiv_source import check_feed, parse_feed
from paperlora.literature.ingest import ingest_papers
from paperlora.literature.polite import Pace, Patience, patiently, retry_after
from paperlora.literature.scholar_source import parse_batch, parse_papers
from paperlora.literature.sources import Found, merge, search_arxiv, search_semantic_scholar
from paperlora.records import Document, Paper, Topic
from paperlora.sandbox.corpus import PAPERS, TOPICS
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings
from paperlora.store import Store, read_json, slug

EVERYTHING = Topic(name="everything", arxiv="all:*", semantic_scholar="*", max_papers=50)


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    """The sandbox without faults, its counts at zero."""
    server.heal()
    server.counts.clear()
    return server


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were to be slept; nobody sleeps."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.fixture
def settings(sandbox: Sandbox) -> Settings:
    return Settings(
        arxiv={"url": sandbox.arxiv_url, "delay_seconds": 0, "timeout_seconds": 1, "page_size": 5},
        semantic_scholar={"url": sandbox.semantic_scholar_url, "delay_seconds": 0, "timeout_seconds": 1},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path / "store")


def newest() -> list[Any]:
    """The newest version of every paper that the sandbox's arXiv has."""
    latest = {paper.arxiv_id: paper for paper in sorted(PAPERS, key=lambda paper: paper.version) if paper.arxiv_id}
    return list(latest.values())


def paper_named(found: Found, technique: str) -> Paper:
    return next(paper for paper in found.papers if paper.title.startswith(technique))


# ---------------------------------------------------------------------- arXiv


def test_arxiv_is_paged_to_its_end(sandbox: Sandbox, settings: Settings) -> None:
    found = search_arxiv(EVERYTHING, settings)
    assert {paper.key for paper in found.papers} == {paper.key for paper in newest()}
    assert sandbox.counts["arxiv.query"] == -(-len(newest()) // 5)
    assert (found.asked, found.beyond, found.rejects) == (len(newest()), 0, ())


def test_arxiv_record_in_ours(settings: Settings) -> None:
    source = next(paper for paper in newest() if paper.version == 2 and not paper.withdrawn)
    paper = next(p for p in search_arxiv(EVERYTHING, settings).papers if p.key == source.key)
    assert (paper.title, paper.authors, paper.version) == (source.title, source.authors, 2)
    assert paper.abstract == " ".join(source.abstract.split())
    assert (paper.published, paper.updated) == (source.published, source.updated)
    assert paper.pdf_url and paper.pdf_url.endswith(f"/pdf/{source.arxiv_id}v2")
    assert paper.topics == ("everything",)
    assert paper.licence is None


def test_withdrawn_paper_is_marked(settings: Settings) -> None:
    marked = [paper.id for paper in search_arxiv(EVERYTHING, settings).papers if paper.withdrawn]
    assert marked == [f"arxiv:{paper.arxiv_id}" for paper in newest() if paper.withdrawn]


def test_what_lies_beyond_the_limit_is_counted(settings: Settings) -> None:
    found = search_arxiv(EVERYTHING.model_copy(update={"max_papers": 3}), settings)
    assert len(found.papers) == 3
    assert found.beyond == len(newest()) - 3
    days = [paper.published for paper in found.papers if paper.published]
    assert days == sorted(days, reverse=True)


@pytest.mark.parametrize("search", [search_arxiv, search_semantic_scholar])
def test_only_papers_since_a_day(search: Any, settings: Settings) -> None:
    since = date(2099, 1, 10)
    every = search(EVERYTHING, settings)
    some = search(EVERYTHING.model_copy(update={"since": since}), settings)
    late = {paper.key for paper in every.papers if paper.published.date() >= since}
    assert {paper.key for paper in some.papers} == late
    assert 0 < len(late) < len(every.papers)


@pytest.mark.parametrize("kind", ["unavailable", "html", "empty_page", "truncated", "empty_body", "timeout"])
def test_arxiv_has_a_bad_moment(kind: str, sandbox: Sandbox, settings: Settings) -> None:
    options = {"seconds": 3} if kind == "timeout" else {}
    sandbox.fault("arxiv.query", kind, times=1, after=1, **options)
    found = search_arxiv(EVERYTHING, settings)
    assert len(found.papers) == len(newest())


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unavailable", SourceUnavailable),
        ("html", SourceAnswerInvalid),
        ("empty_page", SourceAnswerInvalid),
        ("truncated", SourceAnswerInvalid),
    ],
)
def test_arxiv_has_a_bad_day(kind: str, error: type[SourceError], sandbox: Sandbox, settings: Settings) -> None:
    sandbox.fault("arxiv.query", kind)
    with pytest.raises(error) as caught:
        search_arxiv(EVERYTHING, settings)
    assert caught.value.transient
    assert sandbox.counts["arxiv.query"] == 4


def test_retry_after_is_obeyed(sandbox: Sandbox, settings: Settings, slept: list[float]) -> None:
    sandbox.fault("arxiv.query", "rate_limit", times=1, retry_after=7)
    assert search_arxiv(EVERYTHING, settings).papers
    assert 7 in slept


def test_retry_after_of_an_hour_ends_the_attempt_and_is_passed_on(sandbox: Sandbox, settings: Settings) -> None:
    sandbox.fault("arxiv.query", "rate_limit", retry_after=3600)
    with pytest.raises(SourceUnavailable) as caught:
        search_arxiv(EVERYTHING, settings)
    assert caught.value.retry_after == 3600
    assert sandbox.counts["arxiv.query"] == 1


def test_wrong_query_is_refused_with_arxivs_words(sandbox: Sandbox, settings: Settings) -> None:
    with pytest.raises(SourceRefused, match="quotation mark"):
        search_arxiv(Topic(name="wrong", arxiv='ti:"half a phrase'), settings)
    assert sandbox.counts["arxiv.query"] == 1


def test_unreachable_arxiv_gives_one_clear_line(settings: Settings) -> None:
    closed = settings.model_copy(
        update={"arxiv": settings.arxiv.model_copy(update={"url": "http://127.0.0.1:9/api/query"})}
    )
    with pytest.raises(SourceUnavailable, match=r"can't be reached at http://127\.0\.0\.1:9") as caught:
        search_arxiv(EVERYTHING, closed)
    assert "\n" not in str(caught.value)


def test_query_without_a_match_is_no_error(settings: Settings) -> None:
    assert search_arxiv(Topic(name="none", arxiv="all:zzyzx"), settings) == Found((), (), 0, 0)


# ------------------------------------------------------------- Semantic Scholar


def test_semantic_scholar_is_followed_by_its_tokens(settings: Settings) -> None:
    with Sandbox(scholar_page_size=2) as small:
        own = settings.model_copy(
            update={
                "semantic_scholar": settings.semantic_scholar.model_copy(update={"url": small.semantic_scholar_url})
            }
        )
        found = search_semantic_scholar(EVERYTHING, own)
        listed = {paper.s2_id for paper in PAPERS if paper.s2_id}
        assert {paper.external_ids["s2"] for paper in found.papers} == listed
        assert small.counts["s2.bulk"] == -(-len(listed) // 2)


def test_semantic_scholar_record_in_ours(settings: Settings) -> None:
    found = search_semantic_scholar(EVERYTHING, settings)
    alone = next(paper for paper in PAPERS if paper.s2_id and not paper.arxiv_id)
    paper = next(p for p in found.papers if p.id == f"s2:{alone.s2_id}")
    assert (paper.title, paper.authors) == (alone.title, alone.authors)
    assert paper.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert paper.pdf_url and paper.pdf_url.endswith(".pdf")
    shared = [p for p in found.papers if p.id.startswith("arxiv:")]
    assert {p.id for p in shared} == {f"arxiv:{p.arxiv_id}" for p in PAPERS if p.s2_id and p.arxiv_id}
    assert all("/pdf/" in (p.pdf_url or "") for p in shared)


@pytest.mark.parametrize(
    "kind", ["unavailable", "html", "empty_page", "truncated", "bad_json", "wrong_schema", "rate_limit", "timeout"]
)
def test_semantic_scholar_has_a_bad_moment(kind: str, sandbox: Sandbox, settings: Settings) -> None:
    options: dict[str, Any] = {"rate_limit": {"retry_after": 0}, "timeout": {"seconds": 3}}.get(kind, {})
    sandbox.fault("s2.bulk", kind, times=1, **options)
    assert len(search_semantic_scholar(EVERYTHING, settings).papers) == len({p.s2_id for p in PAPERS if p.s2_id})


def test_wrong_key_is_refused_and_never_shown(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERLORA_SEMANTIC_SCHOLAR__API_KEY", "wrong")
    own = Settings(semantic_scholar={"url": settings.semantic_scholar.url, "delay_seconds": 0})
    with pytest.raises(SourceRefused, match="The key was not accepted") as caught:
        search_semantic_scholar(EVERYTHING, own)
    assert "wrong" not in str(caught.value)
    assert not caught.value.transient


# ------------------------------------------------------------------------ merge


def test_one_record_for_a_paper_of_both_sources(settings: Settings) -> None:
    found = [*search_arxiv(EVERYTHING, settings).papers, *search_semantic_scholar(EVERYTHING, settings).papers]
    merged = merge(found)
    assert len({paper.id for paper in merged}) == len(merged)
    assert len(merged) == len({paper.arxiv_id or paper.s2_id for paper in PAPERS})
    both = next(paper for paper in merged if len(paper.sources) == 2 and paper.version == 2)
    assert both.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert set(both.external_ids) >= {"arxiv", "s2"}
    assert both.abstract


def test_newest_version_wins_in_any_order() -> None:
    old = Paper(
        id="arxiv:9901.00001", version=1, title="T", abstract="old", sources=("arxiv",), topics=("a",), licence="CC0"
    )
    new = Paper(id="arxiv:9901.00001", version=2, title="T", abstract="new", sources=("arxiv",), topics=("b",))
    for order in ([old, new], [new, old]):
        (one,) = merge(order)
        assert (one.version, one.abstract, one.licence, set(one.topics)) == (2, "new", "CC0", {"a", "b"})


def test_same_doi_is_the_same_paper() -> None:
    first = Paper(id="arxiv:9901.00001", title="T", external_ids={"doi": "10.1/AB"}, sources=("arxiv",))
    second = Paper(
        id="s2:" + "0" * 40,
        title="T",
        abstract="A.",
        external_ids={"doi": "10.1/ab", "s2": "0" * 40},
        sources=("semantic_scholar",),
    )
    (one,) = merge([first, second])
    assert (one.id, one.abstract, one.sources) == ("arxiv:9901.00001", "A.", ("arxiv", "semantic_scholar"))


# ----------------------------------------------------------------------- ingest


@pytest.fixture
def found(settings: Settings) -> tuple[Paper, ...]:
    """Every paper of the sandbox, merged."""
    return merge([*search_arxiv(EVERYTHING, settings).papers, *search_semantic_scholar(EVERYTHING, settings).papers])


def test_every_paper_is_accounted_for(found: tuple[Paper, ...], settings: Settings, store: Store) -> None:
    seen: list[tuple[int, int]] = []
    result = ingest_papers(found, settings, store, lambda label, done, total: seen.append((done, total)))
    assert len(result.documents) + len(result.rejects) == len(found)
    reasons = {reject.item: reject.reason for reject in result.rejects}
    broken = next(paper.key for paper in PAPERS if paper.broken)
    withdrawn = next(paper.key for paper in newest() if paper.withdrawn)
    assert reasons == {broken: "pdf_broken", withdrawn: "withdrawn"}
    assert seen[-1] == (len(found), len(found))
    for uri in result.documents:
        document = read_json(Path(uri) / "document.json", Document)
        paper = read_json(Path(uri) / "paper.json", Paper)
        assert document.paper == paper.key
        assert document.title == paper.title


def test_second_run_reads_and_asks_nothing(
    found: tuple[Paper, ...], sandbox: Sandbox, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ingest_papers(found, settings, store)
    asked = sandbox.counts["arxiv.pdf"] + sandbox.counts["s2.pdf"]
    monkeypatch.setattr("paperlora.literature.ingest._keep", lambda *_: pytest.fail("a document was written again"))
    second = ingest_papers(found, settings, store)
    assert second.documents == first.documents
    assert second.reused == len(first.documents)
    assert sandbox.counts["arxiv.pdf"] + sandbox.counts["s2.pdf"] == asked


def test_one_bad_paper_never_fails_the_batch_and_is_tried_again(
    found: tuple[Paper, ...], sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    some = [paper for paper in found if not paper.withdrawn][:4]
    victim = next(paper for paper in some if paper.id.startswith("arxiv:"))
    sandbox.fault("arxiv.pdf", "unavailable", match=victim.external_ids["arxiv"])
    first = ingest_papers(some, settings, store)
    assert [(reject.item, reject.reason) for reject in first.rejects if reject.reason != "pdf_broken"] == [
        (victim.key, "source_unavailable")
    ]
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
    paper = next(paper for paper in found if paper.title.startswith("Copper Sieve"))
    sandbox.fault("arxiv.pdf", "html")
    (reject,) = ingest_papers([paper], settings, store).rejects
    assert (reject.stage, reject.item, reject.reason) == ("ingest", paper.key, "not_a_pdf")


@pytest.mark.parametrize("point", ["fulltexts:before-rename", "documents:before-manifest", "documents:after-rename"])
def test_killed_run_goes_on_without_repeating_or_losing(
    point: str, found: tuple[Paper, ...], sandbox: Sandbox, settings: Settings, store: Store
) -> None:
    some = [paper for paper in found if not paper.withdrawn and paper.id.startswith("arxiv:")][:2]
    code = (
        "import json, sys\nfrom paperlora.literature.ingest import ingest_papers\nfrom paperlora.records import Paper\n"
        "from paperlora.settings import Settings\nfrom paperlora.store import Store\n"
        "papers, settings, root = json.load(sys.stdin)\n"
        "ingest_papers([Paper(**p) for p in papers], Settings(**settings), Store.at(root))\n"
    )
    own = {"arxiv": {"url": sandbox.arxiv_url, "delay_seconds": 0}}
    given = json.dumps([[paper.model_dump(mode="json") for paper in some], own, store.root])
    killed = subprocess.run(
        [sys.executable, "-c", code], input=given, text=True, env={**os.environ, "PAPERLORA_FAILPOINT": point}
    )
    assert killed.returncode == -9
    fetched = {Path(uri).name for uri in store.folders("fulltexts")}
    before = len(sandbox.requests)
    result = ingest_papers(some, settings, store)
    assert len(result.documents) + len(result.rejects) == len(some)
    asked = "\n".join(seen.url for seen in sandbox.requests[before:])
    for paper in some:
        there = any(name.startswith(slug(paper.key)) for name in fetched)
        assert (paper.external_ids["arxiv"] in asked) != there


# ---------------------------------------------------------------------- manners


def test_pace_keeps_requests_apart(slept: list[float]) -> None:
    pace = Pace(5)
    pace.wait()
    pace.wait()
    assert slept[0] == 0
    assert slept[1] == pytest.approx(5, abs=1)


def test_waits_double_and_end(slept: list[float]) -> None:
    def fail() -> None:
        raise SourceUnavailable("not now")

    with pytest.raises(SourceUnavailable):
        patiently(fail, Patience(3))
    assert slept == [3, 6, 12]


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        (format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), 3000, 3600),
    ],
)
def test_retry_after_is_understood(header: str, low: float, high: float) -> None:
    value = retry_after({"retry-after": header})
    assert value is not None
    assert low <= value <= high


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}])
def test_retry_after_that_says_nothing(headers: dict[str, str]) -> None:
    assert retry_after(headers) is None


def test_what_is_refused_is_not_asked_again() -> None:
    calls: list[int] = []

    def refuse() -> None:
        calls.append(1)
        raise SourceRefused("no")

    with pytest.raises(SourceRefused):
        patiently(refuse, Patience(0))
    assert len(calls) == 1


# ------------------------------------------------------------- recorded answers


@pytest.mark.real
def test_recorded_arxiv_search(real_folder: Path) -> None:
    content = (real_folder / "arxiv" / "search_15.xml").read_bytes()
    papers = list(parse_feed(content))
    assert (len(papers), check_feed(content).total) == (15, 214881)
    first = papers[0]
    assert first.key == "arxiv:2202.12139v1"
    assert first.authors == ("Mohit Kumar Ahuja", "Arnaud Gotlieb", "Helge Spieker")
    assert first.external_ids == {"arxiv": "2202.12139", "doi": "10.1109/ICSTW55395.2022.00035"}
    assert all(paper.metadata_status == "complete" and paper.pdf_url for paper in papers)


@pytest.mark.real
def test_recorded_arxiv_single_unknown_and_malformed_id(real_folder: Path) -> None:
    (paper,) = parse_feed((real_folder / "arxiv" / "id_1605.08386.xml").read_bytes())
    assert (paper.id, paper.title) == ("arxiv:1605.08386", "Heat-bath random walks with Markov bases")
    assert list(parse_feed((real_folder / "arxiv" / "id_unknown.xml").read_bytes())) == []
    with pytest.raises(SourceRefused, match="incorrect id format for abc"):
        list(parse_feed((real_folder / "arxiv" / "id_malformed.xml").read_bytes()))


@pytest.mark.real
def test_recorded_semantic_scholar_search(real_folder: Path) -> None:
    (answer,) = json.loads((real_folder / "semantic_scholar" / "search_bulk.json").read_text())
    batch = parse_batch(json.dumps(answer["body"]).encode())
    assert (batch.total, len(batch.items), bool(batch.token)) == (2674, 1000, True)
    parsed = parse_papers(batch.items)
    assert (len(parsed.papers), parsed.rejects) == (1000, ())
    assert all(paper.metadata_status == "partial" for paper in parsed.papers)


@pytest.mark.real
def test_recorded_semantic_scholar_batch_with_unknown_ids(real_folder: Path) -> None:
    (answer,) = json.loads((real_folder / "semantic_scholar" / "batch_not_found.json").read_text())
    parsed = parse_papers(answer["body"])
    assert len(parsed.papers) + len(parsed.rejects) == len(answer["body"])
    paper = parsed.papers[0]
    assert paper.title == "How Much Should We Trust Differences-in-Differences Estimates?"
    assert paper.external_ids["doi"] == "10.2139/ssrn.288970"
    assert paper.published == datetime(2001, 10, 1, tzinfo=UTC)
    assert paper.pdf_url == "http://papers.nber.org/papers/w8841.pdf"


def test_topics_of_the_sandbox_find_their_papers(settings: Settings) -> None:
    for topic in TOPICS:
        assert search_arxiv(topic, settings).papers
        assert search_semantic_scholar(topic, settings).papers
