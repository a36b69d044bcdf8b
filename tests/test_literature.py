"""Manners of a client in small, sandbox topics that find something, and answers as the sources really gave them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from paperlora.errors import SourceRefused, SourceUnavailable
from paperlora.literature.arxiv_feed import read_feed
from paperlora.literature.polite import Patience, patiently, retry_after
from paperlora.literature.scholar_source import parse_batch, parse_papers
from paperlora.literature.sources import pages
from paperlora.records import Topic
from paperlora.sandbox.corpus import TOPICS
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were to be slept; nobody sleeps."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_topics_of_the_sandbox_find_their_papers(topic: Topic, sandbox: Sandbox, tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path, arxiv={"url": sandbox.arxiv_url, "delay_seconds": 0},
        semantic_scholar={"url": sandbox.semantic_scholar_url, "delay_seconds": 0},
    )  # fmt: skip
    assert any(page.papers for page in pages("arxiv", topic.arxiv, settings))
    assert any(page.papers for page in pages("semantic_scholar", topic.semantic_scholar, settings))


# ---------------------------------------------------------------------- manners


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
    ],
)
def test_retry_after_is_understood(header: str, low: float, high: float) -> None:
    value = retry_after({"retry-after": header})
    assert value is not None
    assert low <= value <= high


def test_retry_after_may_be_a_date() -> None:
    value = retry_after({"retry-after": format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)})
    assert value is not None
    assert 3000 <= value <= 3600


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
    papers, rejects, total, received = read_feed(content, due=15)
    assert (len(papers), rejects, total, received) == (15, (), 214881, 15)
    first = papers[0]
    assert first.key == "arxiv:2202.12139v1"
    assert first.authors == ("Mohit Kumar Ahuja", "Arnaud Gotlieb", "Helge Spieker")
    assert first.external_ids == {"arxiv": "2202.12139", "doi": "10.1109/ICSTW55395.2022.00035"}
    assert all(paper.metadata_status == "complete" and paper.pdf_url for paper in papers)


@pytest.mark.real
def test_recorded_arxiv_single_unknown_and_malformed_id(real_folder: Path) -> None:
    (paper,) = read_feed((real_folder / "arxiv" / "id_1605.08386.xml").read_bytes(), due=1).papers
    assert (paper.id, paper.title) == ("arxiv:1605.08386", "Heat-bath random walks with Markov bases")
    assert read_feed((real_folder / "arxiv" / "id_unknown.xml").read_bytes(), due=0).papers == ()
    with pytest.raises(SourceRefused, match="incorrect id format for abc"):
        read_feed((real_folder / "arxiv" / "id_malformed.xml").read_bytes(), due=1)


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
