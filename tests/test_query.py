"""arXiv's query language on records: what matches, and where a query is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from paperlora.errors import SourceRefused
from paperlora.literature.arxiv_feed import read_feed
from paperlora.literature.query import QueryError, matches, parse, tokens
from paperlora.records import Paper
from paperlora.sandbox.corpus import TOPICS
from paperlora.sandbox.library import sandbox_library

PAPER = Paper(
    id="arxiv:9901.00013",
    title="Copper Sieve: Selecting Instruction Data",
    abstract="Two small language models disagree about fine-tuning. Naïve methods were studied.",
    authors=("Noor Haddad", "José Ångström"),
    categories=("cs.LG", "cs.CL", "stat.ML"),
    comment="12 pages, accepted at Heron 2099",
    journal="Letters on Language Models 5 (2)",
    external_ids={"arxiv": "9901.00013"},
    published=datetime(2099, 1, 9, 17, 59, tzinfo=UTC),
    updated=datetime(2099, 2, 1, 8, 0, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", True),
        ("all:*", True),
        ("ti:sieve", True),
        ("ti:SIEVE", True),
        ("abs:sieve", False),
        ("au:haddad AND cat:cs.LG", True),
        ("au:hadda", False),
        ("au:angstrom", True),
        ("au:Noor_Haddad", True),
        ("au:Haddad_Noor", False),
        ("abs:naive", True),
        ("cat:cs.*", True),
        ("cat:stat.ML", True),
        ("cat:CS.cl", True),
        ("cat:cs", False),
        ("cat:(math.ST OR cs.CL)", True),
        ("ti:sieve ANDNOT abs:models", False),
        ("ANDNOT ti:sieve", False),
        ("ti:nothing OR abs:model", True),
        ("ti:nothing abs:model", True),
        ("ti:(nothing sieve)", True),
        ("ti:(copper AND data)", True),
        ("ti:(copper AND models)", False),
        ("(ti:nothing OR ti:copper) AND au:nobody", False),
        ("ti:copper OR ti:nothing AND au:nobody", True),
        ('abs:"language model disagree"', True),
        ('abs:"disagree language"', False),
        ('all:"data two"', False),
        ("all:fine-tuning", True),
        ("abs:study", True),
        ("all:select*", True),
        ("ti:s*eve", True),
        ("ti:s?eve", True),
        ("ti:s?ve", False),
        ("co:accepted", True),
        ('jr:"Letters on Language"', True),
        ("rn:LA-123", False),
        ("id:9901.00013", True),
        ("id:9901.00013v2", True),
        ("id:9901.00014", False),
        ("submittedDate:[209901010000 TO 20990131]", True),
        ("submittedDate:[* TO 209901091758]", False),
        ("submittedDate:[209901091759 TO 209901091759]", True),
        ("lastUpdatedDate:[20990201 TO 20990201]", True),
        ("ti:sieve AND submittedDate:[209902010000 TO *]", False),
    ],
)
def test_query_matches(query: str, expected: bool) -> None:
    assert matches(query, PAPER) is expected


@pytest.mark.parametrize(
    ("query", "at", "says"),
    [
        ("ti:copper (a", 11, "a bracket is not closed"),
        ("ti:copper)", 10, "unexpected '\\)'"),
        ('ti:copper AND ti:"a', 18, "a quotation mark is missing"),
        ("AND", 1, "AND has nothing to join"),
        ("ti:a OR OR ti:b", 9, "OR has nothing to join"),
        ("ti:a AND", 9, "a term is missing"),
        ("ti:()", 5, "a term is missing"),
        ("ti:a AND xx:b", 10, "unknown field xx"),
        ("ti:a AND NOT ti:b", 10, "write ANDNOT"),
        ("ti:", 4, "a term is missing"),
        ("submittedDate:[soon TO later]", 1, "needs a range"),
        ("submittedDate:2099", 1, "needs a range"),
        ("ti:a AND [1999 TO 2000]", 10, "before it"),
        ('ti:"--"', 4, "no letter"),
    ],
)
def test_malformed_query_is_refused_with_the_place(query: str, at: int, says: str) -> None:
    with pytest.raises(SourceRefused, match=rf"at character {at}: .*{says}") as caught:
        matches(query, PAPER)
    assert not caught.value.transient
    assert repr(query) in str(caught.value)


def test_paper_without_dates_lies_in_no_range() -> None:
    bare = PAPER.model_copy(update={"published": None, "updated": None})
    assert matches("ti:copper", bare)
    assert not matches("submittedDate:[* TO *]", bare)


def test_positions_of_tokens() -> None:
    query = 'ti:(copper  "tin foil")'
    assert [query[token.at - 1] for token in tokens(query)] == ["t", "(", "c", '"', ")"]


def test_topics_of_the_sandbox_match_the_same_as_its_search() -> None:
    library = sandbox_library()
    for topic in TOPICS:
        found = {entry.arxiv_id for entry in library.search(parse(topic.arxiv), source="arxiv")}
        papers = [
            Paper(id=f"arxiv:{e.arxiv_id}", title=e.title, abstract=e.abstract, authors=e.authors, categories=e.categories)
            for e in library.newest
            if e.arxiv_id
        ]  # fmt: skip
        here = {paper.id.removeprefix("arxiv:") for paper in papers if matches(topic.arxiv, paper)}
        # The sandbox's all: also finds the name of the technique.
        assert here <= found
        assert here


@pytest.mark.real
def test_recorded_search_fits_its_query(real_folder: Path) -> None:
    papers = read_feed((real_folder / "arxiv" / "search_15.xml").read_bytes(), 15).papers
    assert len(papers) == 15
    assert all(matches("all:testing", paper) for paper in papers)
    assert sum(matches("cat:cs.SE", paper) for paper in papers) >= 1


def test_query_error_is_a_value_error() -> None:
    with pytest.raises(QueryError, match="nothing to join"):
        parse("OR")
