"""Papers beside each other: what repeats is one idea with several sources, what contradicts is contested on all sides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from paperlora.catalog import Catalog
from paperlora.errors import LlmRefused, LlmUnavailable
from paperlora.ideas.answers import aliases, answer_kind
from paperlora.ideas.conflicts import settle, teachable
from paperlora.ideas.folders import read_coverage, rewrite, settle_readings, write_reading
from paperlora.ideas.likeness import near_claims, same_value
from paperlora.ideas.meaning import by_meaning
from paperlora.ideas.numbers import same_number, unsupported
from paperlora.ideas.read import IdeasFound
from paperlora.records import Document, Idea, Paper, Quote, Section, digest
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings
from paperlora.store import Store, read_jsonl, read_manifest, write_json

A, B, C = "arxiv:9901.00001v1", "arxiv:9902.00002v1", "s2:abcv1"


def idea(
    paper: str = A,
    relation: str = "replay share",
    answer: str = "37 percent",
    subject: str = "Tidal Replay",
    claim: str = "",
    **more: object,
) -> Idea:
    said = claim or f"{subject} uses a {relation} of {answer}."
    return Idea(
        id=digest(paper, subject, relation, answer)[:16], paper=paper, topic="t", reader="llm/m", kind="recipe",
        claim=said, subject=subject, relation=relation, answer=answer, answer_kind=answer_kind(answer),
        aliases=aliases(answer), qwen_change="Replay more.", prediction="It remembers.",
        quotes=(Quote(section=0, heading="1", page=1, start=0, end=len(said), text=said),), **more,
    )  # fmt: skip


SAME = [
    ("37 percent", "37%"),
    ("37 percent", "0.37"),
    ("0.37 share", "37%"),
    ("90 minutes", "1.5 hours"),
    ("1,024 tokens", "1024"),
    ("1e-5", "0.00001"),
    ("1.5B tokens", "1.5 billion tokens"),
    ("three", "3"),
    ("10−6", "1e-6"),
    ("cosine", "cosine schedule"),
    ("Kelpie", "kelpie"),
]
OTHER = [("37 percent", "41%"), ("37 percent", "0.41"), ("640 steps", "64 steps"), ("Kelpie", "Puffin"), ("three", "4")]
INCOMPARABLE = [("640 steps", "3 epochs"), ("37 percent", "37 points"), ("37 percent", "Kelpie"), ("10 to 20 steps", "5")]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(*pair, True) for pair in SAME] + [(*pair, False) for pair in OTHER] + [(*pair, None) for pair in INCOMPARABLE],
)
def test_answers_are_compared_with_units_normalised(left: str, right: str, expected: bool | None) -> None:
    assert same_value(idea(answer=left), idea(B, answer=right)) is expected
    assert same_value(idea(B, answer=right), idea(answer=left)) is expected


@pytest.mark.parametrize(("left", "right"), SAME[:4])
def test_one_idea_of_several_papers_keeps_all_sources(left: str, right: str) -> None:
    settled = settle([idea(answer=left), idea(B, "the Replay Fraction", right), idea(C, "fraction of replay", left)])
    (kept,) = settled.ideas
    assert kept.paper == A
    assert [source.paper for source in kept.sources] == [B, C]
    assert all(source.quotes for source in kept.sources)
    assert kept.contested_by == ()
    assert [(reject.reason, f"idea:{kept.id} of {A}" in reject.detail) for reject in settled.rejects] == [
        ("duplicate", True)
    ] * 2
    assert teachable(settled.ideas).kept == (kept,)


def test_contradicting_papers_are_all_kept_and_none_is_taught() -> None:
    settled = settle([idea(), idea(B, "share of replay", "41%"), idea(C, answer="0.37"), idea(B, "batch size", "8")])
    first, second, other = settled.ideas
    assert (first.contested_by, second.contested_by, other.contested_by) == ((second.id,), (first.id,), ())
    assert [source.paper for source in first.sources] == [C]
    taught = teachable(settled.ideas)
    assert taught.kept == (other,)
    assert {(reject.item, reject.reason) for reject in taught.rejects} == {
        (f"idea:{first.id}", "contested"), (f"idea:{second.id}", "contested"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        idea(B, "replay share on Puffin", "41 percent"),
        idea(B, subject="Harbour Replay", answer="41 percent"),
        idea(B, "number of replayed epochs", "3 epochs"),
        idea(A.replace("v1", "v2"), answer="41 percent"),
        idea(A, answer="41 percent"),
        idea(B, answer="a rising schedule"),
    ],
)
def test_what_asks_something_else_or_stands_in_the_same_paper_contests_nothing(other: Idea) -> None:
    settled = settle([idea(), other])
    assert len(settled.ideas) == 2
    assert not any(one.contested_by for one in settled.ideas)
    assert teachable(settled.ideas).kept == settled.ideas


def test_who_stands_first_changes_nothing_but_who_leads() -> None:
    every = [idea(), idea(B, "fraction of replay", "0.37"), idea(C, answer="41%"), idea(B, "batch size", "8")]
    for order in itertools.permutations(every):
        settled = settle(order)
        assert len(settled.ideas) + len(settled.rejects) == 4
        assert sorted(one.answer for one in settled.ideas if one.contested_by)[-1] == "41%"
        assert len([one for one in settled.ideas if one.contested_by]) == 2


CLAIMS = (
    "Tidal Replay spends a large share of 37 percent of every batch on replay of old tasks.",
    "Tidal Replay spends a large share, 37 percent, of every batch on the replay of old tasks.",
)


def test_nearly_equal_claims_are_one_idea_only_where_subject_and_answer_agree() -> None:
    one = idea(relation="share of every batch for replay", claim=CLAIMS[0])
    same = idea(B, "share of the batch spent on replay", claim=CLAIMS[1])
    assert list(near_claims([one, same])) == [(0, 1)]
    assert [reject.reason for reject in settle([one, same]).rejects] == ["duplicate"]
    another_answer = idea(B, same.relation, "41 percent", claim=CLAIMS[1].replace("37", "41"))
    another_subject = idea(B, same.relation, subject="Harbour Sampling", claim=CLAIMS[1])
    another_thing = idea(B, "warmup steps", claim=CLAIMS[1])
    for other in (another_answer, another_subject, another_thing):
        assert settle([one, other]).rejects == ()


def test_relations_that_name_other_data_are_not_one_idea() -> None:
    on = [idea(p, f"accuracy on {data}", "71 percent", claim=f"Tidal Replay reaches an accuracy of 71 percent on {data}.")
          for p, data in ((A, "Puffin"), (B, "Curlew"))]  # fmt: skip
    assert len(settle(on).ideas) == 2


def test_guides_contest_no_paper_and_are_not_taught_before_somebody_read_them() -> None:
    guide = idea("guide:talkv1", answer="80 percent", guide=True)
    echo = idea("guide:postv1", "replay fraction", "0.37", guide=True)
    alone = idea("guide:postv1", "batch size", "8", guide=True)
    settled = settle([echo, guide, alone, idea()])
    fact = next(one for one in settled.ideas if one.paper == A)
    assert fact.contested_by == ()
    assert [source.paper for source in fact.sources] == ["guide:postv1"]
    assert next(one for one in settled.ideas if one.id == guide.id).contested_by == (fact.id,)
    taught = teachable(settled.ideas)
    assert taught.kept == (fact,)
    assert sorted(reject.reason for reject in taught.rejects) == ["contested", "guide_unreviewed"]
    assert teachable(settled.ideas, reviewed={alone.id, guide.id}).kept == (alone, fact)


# ------------------------------------------------------------------ by meaning


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def embeddings(sandbox: Sandbox, **more: object) -> Settings:
    return Settings(embeddings={"provider": "openai", "base_url": sandbox.llm_url, "model": "sandbox", **more})


def test_an_embeddings_endpoint_finds_the_same_idea_in_other_words(sandbox: Sandbox) -> None:
    pair = [idea(), idea(B, "rehearsed portion", claim="A portion of 37 percent is rehearsed by Tidal Replay.")]
    assert settle(pair).rejects == ()
    alike = by_meaning(embeddings(sandbox))
    assert [reject.reason for reject in settle(pair, alike).rejects] == ["duplicate"]
    wrong = [pair[0], idea(B, "rehearsed portion", "41 percent"), idea(C, "rehearsed portion", subject="Quartz Decoding")]
    assert settle(wrong, alike).rejects == ()


def test_ideas_whose_subject_nobody_shares_are_never_embedded(sandbox: Sandbox) -> None:
    settle([idea(), idea(B, subject="Quartz Decoding")], by_meaning(embeddings(sandbox)))
    assert sandbox.counts["llm.embeddings"] == 0


def test_the_base_model_can_stand_in_for_an_endpoint(tmp_path: Path) -> None:
    import torch

    from paperlora.model.tiny import tiny_base

    torch.set_num_threads(1)
    tiny_base(tmp_path)
    settings = Settings(base_model=str(tmp_path), models=tmp_path, embeddings={"provider": "local", "threshold": 0.99})
    alike = by_meaning(settings)
    assert alike is not None
    same, other = idea(B, claim="x y z w"), idea(C, "number of layers in the encoder of the teacher", "12 layers")
    assert list(alike([idea(), same, other])) == [(0, 1)]


def test_likeness_by_meaning_is_off_by_default() -> None:
    assert by_meaning(Settings()) is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [("html", LlmUnavailable), ("empty_body", LlmUnavailable), ("unavailable", LlmUnavailable), (None, LlmRefused)],
)
def test_an_embeddings_endpoint_that_fails_says_so(
    sandbox: Sandbox, fault: str | None, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperlora.ideas.meaning.RETRIES", 0)
    if fault:
        sandbox.fault("llm.embeddings", fault)
    alike = by_meaning(embeddings(sandbox, api_key="wrong"))
    with pytest.raises(error) as caught:
        settle([idea(), idea(B, "rehearsed portion")], alike)
    assert "wrong" not in str(caught.value)


# --------------------------------------------------------------------- folders


def reading(store: Store, paper: str, ideas: Sequence[Idea]) -> str:
    key = f"{paper.replace(':', '-')}-{digest([one.id for one in ideas])[:6]}"
    write_reading(store, key, f"documents/{paper}", "0" * 64, IdeasFound(tuple(ideas), (), {"ideas": len(ideas)}, {}), ())
    return store.uri("readings", key)


def folder_of(store: Store, uri: str) -> tuple[Idea, ...]:
    return read_jsonl(store.fetch_file(uri, "ideas.jsonl"), Idea)


def record(catalog: Catalog, store: Store) -> None:
    catalog.refresh([store])


def test_one_folder_a_paper_tells_what_became_of_its_reading(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    uris = [
        reading(store, A, [idea(), idea(A, "batch size", "8")]),
        reading(store, B, [idea(B, "fraction of replay", "0.37"), idea(B, "batch size", "16")]),
    ]
    settled = settle_readings(store, uris)
    first, second = (folder_of(store, uri) for uri in settled.uris)
    assert [(one.relation, [s.paper for s in one.sources], len(one.contested_by)) for one in first] == [
        ("replay share", [B], 0), ("batch size", [], 1),
    ]  # fmt: skip
    assert [one.relation for one in second] == ["batch size"]
    manifest = read_manifest(settled.uris[1])
    assert [reject.reason for reject in manifest.rejects] == ["duplicate"]
    assert {name: manifest.counts[name] for name in ("ideas", "duplicates", "contested")} == {
        "ideas": 1, "duplicates": 1, "contested": 1,
    }  # fmt: skip
    assert read_coverage(store.fetch_file(settled.uris[0], "coverage.json").parent) == ()
    assert settle_readings(store, uris).uris == settled.uris


def test_a_paper_that_touches_no_other_keeps_its_folder(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    mine = reading(store, A, [idea()])
    alone = settle_readings(store, [mine]).uris[0]
    beside = settle_readings(store, [mine, reading(store, B, [idea(B, "batch size", "8")])]).uris[0]
    touched = settle_readings(store, [mine, reading(store, C, [idea(C, answer="41%")])]).uris[0]
    assert alone == beside != touched


def test_a_later_paper_contests_what_the_catalog_knows_and_show_finds_both(tmp_path: Path) -> None:
    store, catalog = Store.at(tmp_path / "store"), Catalog(f"sqlite:///{tmp_path / 'c.sqlite'}")
    for paper in (A, B, C):
        add_document(store, paper)
    (old,) = settle_readings(store, [reading(store, A, [idea()])]).uris
    record(catalog, store)
    known = [one for one in catalog.records("idea") if isinstance(one, Idea)]
    late = settle_readings(
        store, [reading(store, B, [idea(B, answer="41%")]), reading(store, C, [idea(C, "replay fraction", "0.37")])], known
    )
    (changed,) = late.elsewhere
    assert [source.paper for source in changed.sources] == [C]
    assert len(changed.contested_by) == 1
    new = rewrite(store, old, late.elsewhere)
    assert new != old
    assert folder_of(store, new) == (changed,)
    record(catalog, store)
    shown = catalog.show(f"idea:{changed.id}")
    assert shown is not None
    assert shown.record["contested_by"] == list(changed.contested_by)
    assert {A, C} <= set(shown.ancestors)
    assert folder_of(store, late.uris[1]) == ()
    catalog.close()


def test_sources_outside_the_run_are_not_forgotten_when_a_paper_is_read_again(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    both = settle([idea(), idea(B, answer="0.37")]).ideas
    again = settle_readings(store, [reading(store, A, [idea()])], known=both)
    assert [source.paper for source in folder_of(store, again.uris[0])[0].sources] == [B]


def test_only_the_newest_version_of_a_known_paper_counts(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    known = [idea(B, answer="41%"), idea(B.replace("v1", "v2"), answer="37%")]
    settled = settle_readings(store, [reading(store, A, [idea()])], known)
    assert folder_of(store, settled.uris[0]) == ()
    (changed,) = settled.elsewhere
    assert changed.paper.endswith("v2")
    assert changed.contested_by == ()


def add_document(store: Store, paper: str) -> None:
    text = Section(heading="1", text="Text.", page=1)
    document = Document(
        paper=paper, sha256="0" * 64, title="T", sections=(text,), pages=1, parser="t", parser_version="1"
    )
    with store.writing("documents", paper.replace(":", "-")) as draft:
        write_json(draft.path / "document.json", document)
        write_json(draft.path / "paper.json", Paper(id=paper.rpartition("v")[0], title="T"))


@pytest.mark.parametrize(
    ("claim", "evidence", "missing"),
    [
        ("It uses a share of 37 percent.", "a share of 0.37 was used", ()),
        ("It takes 90 minutes.", "a run takes 1.5 hours", ()),
        ("It has two gates.", "It has 2 gates and 3 doors.", ()),
        ("A rate of 1e-6.", "a rate of 10−6", ()),
        ("It uses 38 percent.", "It uses 37 percent.", ("38 percent",)),
        ("It uses 37 points.", "It uses 37 percent.", ("37 point",)),
        ("It runs 640 steps over 3 seeds.", "It runs 640 steps.", ("3",)),
        ("From 10-20 steps.", "from 10-25 steps", ("20 step",)),
        ("Qwen3 gains 4 points.", "Qwen3 gains 4 points.", ()),
        ("Layer 2 Gating uses 5.", "Layer 2 Gating uses 5.", ()),
    ],
)
def test_numbers_of_a_claim_stand_in_its_evidence(claim: str, evidence: str, missing: tuple[str, ...]) -> None:
    assert unsupported(claim, evidence, "Layer 2 Gating") == missing


def test_two_numbers_are_no_single_amount() -> None:
    assert same_number("10 to 20 steps", "10 steps") is None
