"""One canonical paper across arXiv, DOI, Semantic Scholar and OpenAlex; versions apart; likely doubles shown, not merged."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from paperlora.literature.identity import candidates, merge, names
from paperlora.records import Paper

S2 = "0" * 39


def arxiv(number: int = 1, version: int = 1, **more: Any) -> Paper:
    return Paper(id=f"arxiv:9901.0000{number}", version=version, title="T", sources=("arxiv",), **more)


def scholar(digit: str = "1", **more: Any) -> Paper:
    return Paper(id=f"s2:{S2}{digit}", title="T", sources=("semantic_scholar",), **more)


def test_same_doi_in_any_case_is_the_same_paper() -> None:
    (one,) = merge([
        arxiv(external_ids={"doi": "10.1/AB"}),
        scholar(abstract="A.", external_ids={"doi": "10.1/ab", "s2": S2 + "1"}),
    ])  # fmt: skip
    assert (one.id, one.abstract, one.sources) == ("arxiv:9901.00001", "A.", ("arxiv", "semantic_scholar"))


def test_ids_join_records_over_several_steps_in_any_order() -> None:
    """arXiv and OpenAlex share nothing but what Semantic Scholar shares with each."""
    records = [
        arxiv(external_ids={"arxiv": "9901.00001"}),
        scholar(external_ids={"arxiv": "9901.00001", "doi": "10.1/x", "s2": S2 + "1"}, licence="CC-BY-4.0"),
        Paper(id="openalex:W7", title="T", sources=("openalex",), external_ids={"doi": "10.1/X", "openalex": "W7"}),
        Paper(id="doi:10.1/x", title="T", sources=("openalex",)),
    ]
    for order in itertools.permutations(records):
        (one,) = merge(order)
        assert one.id == "arxiv:9901.00001"
        assert set(one.external_ids) == {"arxiv", "doi", "s2", "openalex"}
        assert one.licence == "CC-BY-4.0"


def test_arxivs_id_wins_even_where_arxiv_itself_did_not_answer() -> None:
    (one,) = merge([scholar(), scholar(external_ids={"arxiv": "9901.00001", "s2": S2 + "1"})])
    assert one.id == "arxiv:9901.00001"


def test_versions_stay_apart_and_lend_each_other_nothing() -> None:
    old, new = arxiv(abstract="old", licence="CC0", topics=("a",)), arxiv(version=2, abstract="new", topics=("b",))
    for order in ([old, new], [new, old]):
        by_version = {paper.version: paper for paper in merge(order)}
        assert {version: paper.abstract for version, paper in by_version.items()} == {1: "old", 2: "new"}
        assert by_version[2].licence is None
        assert by_version[2].topics == ("b",)


def test_source_without_versions_speaks_of_the_newest() -> None:
    listed = scholar(external_ids={"arxiv": "9901.00001", "s2": S2 + "1"}, licence="CC-BY-4.0")
    papers = {paper.key: paper for paper in merge([listed, arxiv(version=1), arxiv(version=3)])}
    assert set(papers) == {"arxiv:9901.00001v1", "arxiv:9901.00001v3"}
    assert papers["arxiv:9901.00001v3"].licence == "CC-BY-4.0"
    assert papers["arxiv:9901.00001v1"].sources == ("arxiv",)


def test_two_arxiv_papers_are_never_one_whatever_others_say() -> None:
    doubted = [arxiv(1, external_ids={"doi": "10.1/x"}), arxiv(2, external_ids={"doi": "10.1/X"})]
    for order in (doubted, doubted[::-1]):
        assert {paper.id for paper in merge(order)} == {"arxiv:9901.00001", "arxiv:9901.00002"}


def test_merging_again_changes_nothing() -> None:
    found = [arxiv(), scholar(external_ids={"arxiv": "9901.00001", "s2": S2 + "1"}), scholar("2"), arxiv(2, 2)]
    once = merge(found)
    assert merge(once) == once
    assert merge([*once, *found]) == once


def test_withdrawal_and_completeness_are_of_the_whole() -> None:
    day = datetime(2099, 1, 1, tzinfo=UTC)
    whole = scholar(abstract="A.", authors=("B",), published=day, external_ids={"arxiv": "9901.00001"})
    (one,) = merge([arxiv(withdrawn=True, metadata_status="partial"), whole])
    assert one.withdrawn
    assert one.metadata_status == "complete"


@pytest.mark.parametrize("doi", ["10.1/AB", "10.1/ab"])
def test_names_fold_what_has_no_case(doi: str) -> None:
    assert names(scholar(external_ids={"doi": doi})) == (f"s2:{S2}1", "doi:10.1/ab")


# ------------------------------------------------------------------ candidates


def titled(identifier: str, title: str, *authors: str) -> Paper:
    return Paper(id=identifier, title=title, authors=authors, sources=("arxiv",))


def test_nearly_equal_title_of_an_equal_author_is_a_candidate_and_no_merge() -> None:
    ours = titled(
        "arxiv:9901.00001", "Tidal Replay: Continual Fine-Tuning Without Forgetting", "Ana Núñez", "B. Okafor"
    )
    theirs = titled("s2:" + S2 + "1", "Tidal replay - continual fine tuning without forgetting", "Nunez, Ana")
    assert len(merge([ours, theirs])) == 2
    (pair,) = candidates([ours], [theirs])
    assert {pair.a, pair.b} == {ours.id, theirs.id}
    assert 1 >= pair.score > 0.92
    assert "Nunez" in pair.why


def test_pair_is_named_once_though_both_are_new_and_share_several_authors() -> None:
    pair = [titled(f"s2:{S2}{n}", "On the Shape of Memory in Small Models", "A. Li", "B. Wu") for n in "12"]
    assert len(candidates(pair, [])) == 1


@pytest.mark.parametrize(
    ("title", "author"),
    [
        ("Copper Sieve: Choosing Data by Curvature", "Ana Núñez"),
        ("Tidal Replay: Continual Fine-Tuning Without Forgetting", "Somebody Else"),
    ],
)
def test_other_title_or_other_people_is_no_candidate(title: str, author: str) -> None:
    ours = titled("arxiv:9901.00001", "Tidal Replay: Continual Fine-Tuning Without Forgetting", "Ana Núñez")
    assert candidates([ours], [titled("arxiv:9901.00002", title, author)]) == ()


def test_versions_and_known_aliases_are_no_candidates() -> None:
    ours = titled("arxiv:9901.00001", "Tidal Replay", "A. Li").model_copy(update={"external_ids": {"s2": S2 + "1"}})
    others = [ours.model_copy(update={"version": 2}), titled("s2:" + S2 + "1", "Tidal Replay", "A. Li")]
    assert candidates([ours], others) == ()
