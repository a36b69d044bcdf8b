"""OpenAlex: its records in ours, its search, the queries translated for it, and a key that nobody sees."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from listings import KEY, invented, listing, renewed, settings_for

from paperlora.errors import SourceAnswerInvalid, SourceError, SourceRefused
from paperlora.literature import openalex_source
from paperlora.literature.openalex_source import abstract_of, licence_of, parse_page, parse_works
from paperlora.literature.sources import fallback_query, refresh
from paperlora.sandbox.corpus import PAPERS, TOPICS
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    return renewed(server)


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    return settings_for(sandbox, tmp_path)


WORK: dict[str, Any] = {
    "id": "https://openalex.org/W4396815622",
    "doi": "https://doi.org/10.18653/v1/2024.emnlp-main.444",
    "display_name": "Does  Fine-Tuning Encourage Hallucinations?",
    "publication_date": "2024-05-09",
    "publication_year": 2024,
    "authorships": [
        {"author": {"display_name": "Zorik G."}, "raw_author_name": "Z. G."},
        {"author": None, "raw_author_name": "Gal Yona"},
        {"author": {"display_name": None}},
    ],
    "abstract_inverted_index": {"When": [0], "large": [1], "models": [2, 5], "meet": [3], "other": [4]},
    "best_oa_location": {
        "license": "cc-by-nc-nd",
        "pdf_url": "https://aclanthology.org/2024.emnlp-main.444.pdf",
        "landing_page_url": "https://aclanthology.org/2024.emnlp-main.444",
    },
    "locations": [{"landing_page_url": "http://arxiv.org/abs/2405.05904", "pdf_url": None}, None],
    "is_retracted": False,
}


# -------------------------------------------------------------------- records


def test_work_on_arxiv_gets_arxivs_id() -> None:
    (paper,), rejects = parse_works([WORK], "https://export.arxiv.org/api/query")
    assert rejects == ()
    assert (paper.id, paper.version, paper.sources) == ("arxiv:2405.05904", 1, ("openalex",))
    assert paper.title == "Does Fine-Tuning Encourage Hallucinations?"
    assert paper.abstract == "When large models meet other models"
    assert paper.authors == ("Zorik G.", "Gal Yona")
    assert paper.licence == "https://creativecommons.org/licenses/by-nc-nd/4.0/"
    assert paper.published == datetime(2024, 5, 9, tzinfo=UTC)
    assert paper.pdf_url == "https://export.arxiv.org/pdf/2405.05904"
    assert paper.external_ids == {"arxiv": "2405.05904", "doi": "10.18653/v1/2024.emnlp-main.444", "openalex": "W4396815622"}  # fmt: skip
    assert paper.metadata_status == "complete"


def test_work_elsewhere_keeps_openalexs_id_and_its_open_copy() -> None:
    work = {**WORK, "locations": [], "abstract_inverted_index": None, "publication_date": None, "is_retracted": True}
    (paper,), _ = parse_works([work], "https://export.arxiv.org/api/query")
    assert paper.id == "openalex:W4396815622"
    assert paper.pdf_url == "https://aclanthology.org/2024.emnlp-main.444.pdf"
    assert paper.landing_url == "https://aclanthology.org/2024.emnlp-main.444"
    assert (paper.withdrawn, paper.metadata_status, paper.published) == (
        True,
        "partial",
        datetime(2024, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"doi": "https://doi.org/10.48550/arXiv.2405.05904", "locations": []},
        {"doi": None, "best_oa_location": {"pdf_url": "https://arxiv.org/pdf/2405.05904v3"}, "locations": None},
    ],
)
def test_arxiv_id_is_found_in_doi_and_addresses(changes: dict[str, Any]) -> None:
    (paper,), _ = parse_works([{**WORK, **changes}])
    assert paper.id == "arxiv:2405.05904"


@pytest.mark.parametrize("item", [None, {}, {"id": "https://openalex.org/W5", "display_name": None}, "W5"])
def test_nameless_work_is_one_reject(item: Any) -> None:
    papers, (reject,) = parse_works([item])
    assert papers == ()
    assert reject.reason == "metadata_incomplete"
    assert reject.item in ("openalex:W5", "openalex:record-0")


def test_abstract_of_an_inverted_index() -> None:
    assert abstract_of({"b": [1], "a": [0, 2]}) == "a b a"
    assert abstract_of({"a": [10**9]}) == "a"  # no room is made for the places between
    assert abstract_of(None) == abstract_of([]) == ""


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("cc-by", "https://creativecommons.org/licenses/by/4.0/"),
        ("cc-by-nc-sa", "https://creativecommons.org/licenses/by-nc-sa/4.0/"),
        ("public-domain", "https://creativecommons.org/publicdomain/mark/1.0/"),
        ("publisher-specific-oa", "publisher-specific-oa"),
        (None, None),
    ],
)
def test_licences(name: str | None, licence: str | None) -> None:
    assert licence_of(name) == licence


def test_records_of_the_sandbox(settings: Settings) -> None:
    found = listing("openalex", settings).papers
    marble = next(paper for paper in PAPERS if paper.technique == "Marble Annealing")
    alone = next(paper for paper in found.values() if paper.id.startswith("openalex:"))
    assert (alone.title, alone.authors, alone.abstract) == (marble.title, marble.authors, marble.abstract)
    assert alone.pdf_url and alone.pdf_url.endswith(f"/reader/{marble.s2_id}.pdf")
    assert found["arxiv:9901.00012"].licence == "https://creativecommons.org/licenses/by/4.0/"


# --------------------------------------------------------------------- search


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("forgetting", "forgetting"),
        ('forgetting | "fine-tuning"', 'forgetting OR "fine-tuning"'),
        ("data + (sieve | curriculum)", "data AND (sieve OR curriculum)"),
        ("copper -data", "copper AND NOT data"),
        ('(a | b) -"c d"', '(a OR b) AND NOT "c d"'),
        ("a + -b", "a AND NOT b"),
        ("fine-tuning distil*", "fine-tuning distil"),
        ('"memory model"~3', '"memory model"'),
        ("*", ""),
    ],
)
def test_translated_query(query: str, expected: str) -> None:
    assert fallback_query(query) == expected


def test_topics_find_the_same_papers_as_semantic_scholar(settings: Settings) -> None:
    for topic in TOPICS:
        there = set(listing("semantic_scholar", settings, query=topic.semantic_scholar).papers)
        here = listing("openalex", settings, query=fallback_query(topic.semantic_scholar)).papers
        by_scholar = {name for name in there if not name.startswith("s2:")}
        assert by_scholar <= set(here)
        assert here


def test_what_means_something_in_a_filter_is_left_out(sandbox: Sandbox, settings: Settings) -> None:
    found = listing("openalex", settings, query="copper, sieve")
    assert [paper.title.partition(":")[0] for paper in found.papers.values()] == ["Copper Sieve"]
    assert "title_and_abstract.search%3Acopper+sieve" in sandbox.requests[-1].url


def test_many_pages_and_a_night_without_news_is_one_request(sandbox: Sandbox, settings: Settings) -> None:
    sandbox.publish(*(invented(number, "2099-03-01") for number in range(250)))
    first = listing("openalex", settings)
    assert (len(first.pages), len(first.keys)) == (3, 262)
    sandbox.counts.clear()
    again = listing("openalex", settings, first.cursor)
    assert (again.keys, sandbox.counts["openalex"]) == ([], 1)
    sandbox.publish(invented(900, "2099-01-03"), on="2099-03-02")
    assert listing("openalex", settings, again.cursor).keys == ["arxiv:9903.00900v1"]


def test_list_that_ends_early_is_none() -> None:
    def page(count: int, works: int, cursor: str | None) -> bytes:
        return json.dumps({"meta": {"count": count, "next_cursor": cursor}, "results": [WORK] * works}).encode()

    assert parse_page(page(3, 3, "more")).cursor == "more"
    assert parse_page(page(300, 0, None), received=299).works == []  # one was merged meanwhile
    for content, received in ((page(3, 2, None), 0), (page(3, 0, "more"), 0), (page(300, 50, None), 200)):
        with pytest.raises(SourceAnswerInvalid, match="ends a list"):
            parse_page(content, received)
    for content in (b"", b"<html></html>", b"[]", b'{"meta": {}, "results": []}', b'{"meta": {"count": 1}}'):
        with pytest.raises(SourceAnswerInvalid):
            parse_page(content)


# ------------------------------------------------------------------------ key


def test_key_is_sent_and_stands_nowhere_else(
    sandbox: Sandbox, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    first = listing("openalex", settings)
    list(refresh(["openalex:W1"], settings))
    assert all(f"api_key={KEY}" in seen.url for seen in sandbox.requests)
    told = [first.cursor]
    for kind in ("html", "unavailable", "truncated", "empty_body", "bad_json"):
        sandbox.heal()
        sandbox.fault("openalex", kind)
        with pytest.raises(SourceError) as caught:
            listing("openalex", settings)
        told += [str(caught.value), repr(caught.value.__cause__)]
    assert KEY not in "".join(told)
    assert KEY not in repr(settings)
    logged = [record.getMessage() for record in caplog.records]
    assert any("api_key=…" in line for line in logged)
    assert not [line for line in logged if KEY in line]
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if KEY.encode() in path.read_bytes()]


def test_openalex_without_a_key_is_refused_with_a_remedy(sandbox: Sandbox, tmp_path: Path) -> None:
    bare = Settings(home=tmp_path, openalex={"url": sandbox.openalex_url, "delay_seconds": 0})
    with pytest.raises(SourceRefused, match="401"):
        listing("openalex", bare)
    assert sandbox.counts["openalex"] == 1


def test_page_size_is_within_openalexs_limit() -> None:
    assert openalex_source.PER_PAGE <= 100
