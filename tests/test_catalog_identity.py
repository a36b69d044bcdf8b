"""One paper under all its ids, in whatever order the sources tell of them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

import pytest
from shelf import Shelf, paper

from paperlora.catalog import Catalog
from paperlora.catalog.identity import Links, alias_of, guess
from paperlora.errors import StoreError
from paperlora.records import Paper

pytest_plugins = ["postgres"]

S2 = "s2:" + "a" * 40
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def catalog(catalog_url: str) -> Catalog:
    return Catalog(catalog_url)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2405.05904", "arxiv:2405.05904"),
        ("2405.05904v2", "arxiv:2405.05904"),
        ("arXiv:2405.05904", "arxiv:2405.05904"),
        ("cs.CL/0405059", "arxiv:cs.CL/0405059"),
        ("https://arxiv.org/abs/2405.05904v2", "arxiv:2405.05904"),
        ("https://arxiv.org/pdf/2405.05904.pdf", "arxiv:2405.05904"),
        ("10.1000/ABC.5", "doi:10.1000/abc.5"),
        ("https://doi.org/10.1000/ABC.5", "doi:10.1000/abc.5"),
        ("10.48550/arXiv.2405.05904", "arxiv:2405.05904"),
        ("a" * 40, S2),
        ("https://www.semanticscholar.org/paper/Some-Title/" + "a" * 40, S2),
        ("https://openalex.org/W2741809807", "openalex:W2741809807"),
        ("w2741809807", "openalex:W2741809807"),
        ("idea:1234", None),
        ("tidal", None),
    ],
)
def test_whatever_a_person_pastes_is_understood(typed: str, meant: str | None) -> None:
    assert guess(typed) == meant


def test_addresses_and_spellings_are_one_id() -> None:
    assert alias_of("openalex", "https://openalex.org/W12345") == alias_of("openalex", "w12345") == "openalex:W12345"
    assert alias_of("doi", "https://doi.org/10.1/X") == "doi:10.1/x"


def test_later_knowledge_links_earlier_ids(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper(S2), paper("arxiv:2405.00002")])
    catalog.refresh(shelf.stores)
    assert catalog.status().papers == 2
    # A third source knows both: from now on they are one, under the id that is older there.
    shelf.listed("2", [paper("arxiv:2405.00001", external_ids={"s2": "a" * 40, "doi": "10.1000/ONE"})])
    catalog.refresh(shelf.stores)
    assert catalog.status().papers == 2
    known = catalog.canonical([paper("arxiv:2405.00001"), paper("doi:10.1000/one"), paper(S2)])
    assert [one.id for one in known] == [S2, S2, S2]
    assert known[0].external_ids["arxiv"] == "2405.00001"
    for typed in ("2405.00001", "10.1000/one", S2, "https://doi.org/10.1000/ONE"):
        entry = catalog.show(typed)
        assert entry is not None
        assert entry.aliases == (S2, "arxiv:2405.00001", "doi:10.1000/one"), typed


def test_two_ids_that_were_both_known_keep_their_items_and_get_one_canonical(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001")])
    shelf.listed("2", [paper("doi:10.1000/one", sources=("openalex",))])
    shelf.read(paper("doi:10.1000/one"))
    catalog.refresh(shelf.stores)
    assert catalog.status().papers == 2
    shelf.listed("3", [paper("openalex:W12345", external_ids={"doi": "10.1000/one", "arxiv": "2405.00001"})])
    catalog.refresh(shelf.stores)
    assert catalog.status().papers == 1
    entry = catalog.show("doi:10.1000/onev1")
    assert entry is not None
    assert entry.id == "doi:10.1000/onev1"
    assert entry.aliases[0] == "arxiv:2405.00001"
    assert entry.descendants == ("document:doi:10.1000/onev1",)
    assert set(entry.versions) == {"arxiv:2405.00001v1", "doi:10.1000/onev1", "openalex:W12345v1"}


def test_arxiv_leads_where_both_ids_are_new(catalog: Catalog) -> None:
    one, two = catalog.canonical([paper("doi:10.1000/one"), paper("arxiv:2405.00001", external_ids={"doi": "10.1000/ONE"})])
    assert one.id == two.id == "arxiv:2405.00001"


def test_papers_are_known_under_any_of_their_ids(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001", external_ids={"doi": "10.1000/ONE"})])
    catalog.refresh(shelf.stores)
    asked = [paper("doi:10.1000/one"), paper(S2, external_ids={"arxiv": "2405.00001"}), paper("arxiv:2405.00002")]
    assert catalog.known(asked) == {"doi:10.1000/one", S2}


def test_two_arxiv_papers_are_never_linked_by_what_others_say(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001", external_ids={"doi": "10.1000/one"})])
    shelf.listed("2", [paper("arxiv:2405.00002", external_ids={"doi": "10.1000/one"})])
    catalog.refresh(shelf.stores)
    assert catalog.status().papers == 2
    pair = catalog.candidates()[0]
    assert (pair.a, pair.b) == ("arxiv:2405.00001", "arxiv:2405.00002")
    assert "doi:10.1000/one" in pair.why
    entry = catalog.show("2405.00002")
    assert entry is not None
    assert entry.candidates == (pair,)


def test_candidates_are_shown_until_they_are_one_paper(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001"), paper(S2)])
    shelf.run("r", [], candidates=[{"a": S2, "b": "arxiv:2405.00001", "score": 0.93, "why": "title 0.95, first author"}])
    catalog.refresh(shelf.stores)
    assert [(pair.a, pair.b, pair.score) for pair in catalog.candidates()] == [("arxiv:2405.00001", S2, 0.93)]
    assert catalog.status().papers == 2
    shelf.listed("2", [paper("arxiv:2405.00001", external_ids={"s2": "a" * 40})])
    catalog.refresh(shelf.stores)
    assert catalog.candidates() == ()
    assert catalog.status().papers == 1


def test_the_order_of_the_listings_decides_nothing() -> None:
    listings = [
        (Paper(id=S2, title="t"), NOON),
        (Paper(id="arxiv:1", title="t", external_ids={"doi": "10.1/a"}), LATER),
        (Paper(id="doi:10.1/a", title="t", external_ids={"s2": "a" * 40}), LATER),
        (Paper(id="arxiv:2", title="t"), NOON),
    ]
    results = set()
    for order in itertools.permutations(listings):
        links = Links({})
        for one, seen in order:
            links.add(one, seen)
        results.add(tuple(sorted(links.canonical().items())))
    assert results == {(("arxiv:1", S2), ("arxiv:2", "arxiv:2"), ("doi:10.1/a", S2), (S2, S2))}


def test_version_that_is_asked_for_is_shown(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001", version) for version in (1, 2, 11)])
    catalog.refresh(shelf.stores)
    shown = {typed: entry.id for typed in ("2405.00001", "2405.00001v1", "2405.00001v2") if (entry := catalog.show(typed))}
    assert shown == {
        "2405.00001": "arxiv:2405.00001v11", "2405.00001v1": "arxiv:2405.00001v1", "2405.00001v2": "arxiv:2405.00001v2",
    }  # fmt: skip


def test_beginning_that_fits_several_ids_is_said_to(catalog: Catalog, shelf: Shelf) -> None:
    shelf.read(paper("arxiv:2405.00001"))
    shelf.read(paper("arxiv:2405.00002"))
    catalog.refresh(shelf.stores)
    with pytest.raises(StoreError, match=r"document:arxiv:2405\.00001v1, document:arxiv:2405\.00002v1"):
        catalog.show("document:arxiv:2405")


def test_best_listing_stands_whichever_came_last(catalog: Catalog, shelf: Shelf) -> None:
    own = paper("arxiv:2405.00001")
    poor = own.model_copy(update={
        "sources": ("semantic_scholar",), "abstract": "", "licence": None, "metadata_status": "partial", "topics": ("forgetting",),
    })  # fmt: skip
    shelf.listed("1", [own])
    shelf.listed("2", [poor])
    catalog.refresh(shelf.stores)
    entry = catalog.show("2405.00001")
    assert entry is not None
    assert entry.record["licence"] == own.licence
    assert entry.record["metadata_status"] == "complete"
    assert entry.record["topics"] == ["forgetting", "memory"]


def test_text_with_a_nul_character_is_kept_without_it(catalog: Catalog, shelf: Shelf) -> None:
    shelf.listed("1", [paper("arxiv:2405.00001", title="Ti\0dal \\u0000 replay", authors=("A\0da",))])
    catalog.refresh(shelf.stores)
    entry = catalog.show("2405.00001")
    assert entry is not None
    assert (entry.record["title"], entry.record["authors"]) == ("Tidal \\u0000 replay", ["Ada"])
