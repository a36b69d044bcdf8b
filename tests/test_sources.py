"""Listings by cursors: complete, only what is new, resumed in mid-listing, and never fooled by a broken answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from listings import EVERYTHING, KEY, ROUTES, Listing, invented, listing, renewed, settings_for, some

from paperlora.errors import SourceAnswerInvalid, SourceError, SourceRefused, SourceUnavailable
from paperlora.literature import arxiv_source
from paperlora.literature.sources import SourceName, Window, pages, refresh
from paperlora.records import Topic
from paperlora.sandbox.corpus import PAPERS
from paperlora.sandbox.library import entry_of
from paperlora.sandbox.paper import withdraw
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings

ALL: tuple[SourceName, ...] = ("arxiv", "oai", "semantic_scholar", "openalex")
NEWEST = {paper.arxiv_id or paper.s2_id: paper for paper in PAPERS}
ON_ARXIV = {paper.key for paper in NEWEST.values() if paper.arxiv_id}
COUNTS = {
    "arxiv": len(ON_ARXIV), "oai": len(ON_ARXIV), "openalex": len(NEWEST),
    "semantic_scholar": len({paper.s2_id for paper in PAPERS if paper.s2_id}),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    """A sandbox whose pages are small, so that every listing has several."""
    with Sandbox(scholar_page_size=2, oai_page_size=3) as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    """As it was at first."""
    return renewed(server)


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr("paperlora.literature.openalex_source.PER_PAGE", 5)
    return settings_for(sandbox, tmp_path)


def hasty(settings: Settings, seconds: float) -> Settings:
    """The settings with a short time-out."""
    groups = {name: getattr(settings, name) for name in ("arxiv", "semantic_scholar", "openalex")}
    short = {name: group.model_copy(update={"timeout_seconds": seconds}) for name, group in groups.items()}
    return settings.model_copy(update=short)


def asked(sandbox: Sandbox, source: SourceName) -> int:
    """Requests since the last call."""
    number = sandbox.counts[ROUTES[source]]
    sandbox.counts.clear()
    return number


# ---------------------------------------------------------------------- whole


@pytest.mark.parametrize("source", ALL)
def test_first_listing_has_everything_once(source: SourceName, settings: Settings) -> None:
    found = listing(source, settings)
    assert len(found.keys) == len(set(found.keys)) == COUNTS[source]
    assert len(found.pages) > 1
    assert [page.last for page in found.pages] == [False] * (len(found.pages) - 1) + [True]
    assert all(paper.sources == (source,) and not paper.topics for paper in found.papers.values())
    assert sum(page.received for page in found.pages) == COUNTS[source]


@pytest.mark.parametrize("source", ALL)
def test_nothing_new_is_one_request_and_one_empty_page(
    source: SourceName, sandbox: Sandbox, settings: Settings
) -> None:
    cursor = listing(source, settings).cursor
    asked(sandbox, source)
    for _ in range(2):
        again = listing(source, settings, cursor)
        assert asked(sandbox, source) == 1
        assert [(page.papers, page.rejects, page.last) for page in again.pages] == [((), (), True)]
        cursor = again.cursor


@pytest.mark.parametrize("source", ALL)
def test_nothing_new_survives_another_port(source: SourceName, settings: Settings, tmp_path: Path) -> None:
    cursor = listing(source, settings).cursor
    with Sandbox(scholar_page_size=2, oai_page_size=3) as other:
        assert listing(source, settings_for(other, tmp_path), cursor).keys == []


@pytest.mark.parametrize("source", ALL)
def test_new_paper_appears_alone(source: SourceName, sandbox: Sandbox, settings: Settings) -> None:
    cursor = listing(source, settings).cursor
    sandbox.publish(invented(1, "2099-03-01"))
    second = listing(source, settings, cursor)
    assert second.keys == ["arxiv:9903.00001v1"]
    assert listing(source, settings, second.cursor).keys == []


@pytest.mark.parametrize("source", ALL)
def test_paper_that_is_shown_days_after_its_date_is_not_lost(
    source: SourceName, sandbox: Sandbox, settings: Settings
) -> None:
    newest = max(paper.updated for paper in PAPERS)
    cursor = listing(source, settings).cursor
    held = replace(invented(1, "2099-02-15"), updated=newest.replace(day=newest.day - 3))
    sandbox.publish(held, on="2099-02-25")
    assert listing(source, settings, cursor).keys == ["arxiv:9903.00001v1"]


@pytest.mark.parametrize("source", ["arxiv", "oai"])
def test_new_version_and_withdrawal_are_seen(source: SourceName, sandbox: Sandbox, settings: Settings) -> None:
    first = listing(source, settings)
    quartz = next(paper for paper in PAPERS if paper.technique == "Quartz Decoding")
    second = replace(quartz, version=2, updated=quartz.updated.replace(month=3))
    sandbox.publish(second)
    found = listing(source, settings, first.cursor)
    assert found.keys == [f"arxiv:{quartz.arxiv_id}v2"]
    assert not found.papers[f"arxiv:{quartz.arxiv_id}"].withdrawn
    assert found.papers[f"arxiv:{quartz.arxiv_id}"].published == quartz.published
    sandbox.publish(withdraw(second, "2099-03-20", "This paper has been withdrawn by its authors"))
    third = listing(source, settings, found.cursor)
    assert third.keys == [f"arxiv:{quartz.arxiv_id}v3"]
    assert third.papers[f"arxiv:{quartz.arxiv_id}"].withdrawn


@pytest.mark.parametrize("source", ["semantic_scholar", "openalex"])
def test_abstract_that_comes_later_is_seen(source: SourceName, sandbox: Sandbox, settings: Settings) -> None:
    sandbox.publish(invented(1, "2099-03-01", s2_abstract=False))
    first = listing(source, settings)
    assert first.papers["arxiv:9903.00001"].metadata_status == "partial"
    sandbox.publish(replace(invented(1, "2099-03-01"), version=2))
    second = listing(source, settings, first.cursor)
    assert [paper.metadata_status for paper in second.papers.values()] == ["complete"]
    assert list(second.papers) == ["arxiv:9903.00001"]


@pytest.mark.parametrize("source", ALL)
def test_window_of_days(source: SourceName, settings: Settings) -> None:
    window = Window(date(2099, 1, 7), date(2099, 1, 15))
    inside = {paper.id for paper in listing(source, settings).papers.values() if window.holds(paper)}
    found = listing(source, settings, window=window)
    assert set(found.papers) == inside
    assert 0 < len(inside) < COUNTS[source]


@pytest.mark.parametrize("source", ALL)
def test_closed_window_is_resumed_and_then_has_nothing_new(
    source: SourceName, sandbox: Sandbox, settings: Settings
) -> None:
    window = Window(date(2099, 1, 1), date(2099, 1, 25))
    whole = listing(source, settings, window=window)
    under_way = pages(source, EVERYTHING[source], settings, "", window)
    first = next(under_way)
    rest = listing(source, settings, first.cursor, window)
    assert [paper.key for paper in first.papers] + rest.keys == whole.keys
    sandbox.publish(invented(1, "2099-03-01"))
    assert listing(source, settings, rest.cursor, window).keys == []


@pytest.mark.parametrize("source", ALL)
def test_other_query_or_window_begins_anew(source: SourceName, settings: Settings) -> None:
    cursor = listing(source, settings).cursor
    other = "all:the OR all:*" if source == "arxiv" else "cs:cs" if source == "oai" else "model | models"
    assert listing(source, settings, cursor, query=other).keys
    assert listing(source, settings, cursor, Window(date(2099, 1, 1), None)).keys


def test_cursor_that_is_none_is_refused_with_a_remedy(settings: Settings) -> None:
    for wrong in ("{", '{"scope": 1}', '{"scope": "x", "whatever": 1}'):
        with pytest.raises(SourceRefused, match="Delete it"):
            listing("arxiv", settings, wrong)


def test_no_match_is_no_error(sandbox: Sandbox, settings: Settings) -> None:
    for source in ("arxiv", "semantic_scholar", "openalex"):
        found = listing(source, settings, query="zzyzx")  # type: ignore[arg-type]
        assert [(page.papers, page.total, page.last) for page in found.pages] == [((), 0, True)]
    sandbox.publish(invented(1, "2099-03-01", keywords=""))
    assert listing("arxiv", settings, found.cursor, query="zzyzx").keys == []


# ----------------------------------------------------------------- resumption


@pytest.mark.parametrize("source", ALL)
def test_every_page_can_be_the_last_one_stored(source: SourceName, settings: Settings) -> None:
    whole = listing(source, settings)
    for number in range(1, len(whole.pages)):
        before = some(source, settings, number)
        after = listing(source, settings, before.cursor)
        assert before.keys + after.keys == whole.keys
        assert listing(source, settings, after.cursor).keys == []


@pytest.mark.parametrize("source", ALL)
def test_what_appears_while_a_listing_waits_is_found_by_this_or_the_next(
    source: SourceName, sandbox: Sandbox, settings: Settings
) -> None:
    before = some(source, settings, 1)
    sandbox.publish(invented(1, "2099-03-01"))
    sandbox.publish(invented(2, "2099-01-02"), on="2099-03-01")
    after = listing(source, settings, before.cursor)
    later = listing(source, settings, after.cursor)
    found = [*before.keys, *after.keys, *later.keys]
    assert {"arxiv:9903.00001v1"} <= set(found)
    assert len(set(found)) >= COUNTS[source] + 1
    if source in ("oai", "semantic_scholar", "openalex"):
        assert "arxiv:9903.00002v1" in found


def test_papers_that_leave_an_arxiv_listing_take_no_other_with_them(sandbox: Sandbox, settings: Settings) -> None:
    whole = listing("arxiv", settings).keys
    before = some("arxiv", settings, 2)
    gone = before.keys[0]
    sandbox.remove(gone.removeprefix("arxiv:").partition("v")[0], on="2099-03-01")
    after = listing("arxiv", settings, before.cursor)
    assert set(before.keys) | set(after.keys) == set(whole)


def test_update_in_mid_listing_is_seen_by_the_next_one(sandbox: Sandbox, settings: Settings) -> None:
    before = some("arxiv", settings, 1)
    oldest = min((paper for paper in NEWEST.values() if paper.arxiv_id), key=lambda paper: paper.updated)
    sandbox.publish(replace(oldest, version=oldest.version + 1, updated=oldest.updated.replace(month=4)))
    after = listing("arxiv", settings, before.cursor)
    later = listing("arxiv", settings, after.cursor)
    assert f"arxiv:{oldest.arxiv_id}v{oldest.version + 1}" in [*after.keys, *later.keys]


def test_more_than_arxiv_lists_is_split_by_days(
    settings: Settings, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    this_year = Window(date(2099, 1, 1), None)
    whole = set(listing("arxiv", settings, window=this_year).keys)
    monkeypatch.setattr(arxiv_source, "MOST_A_QUERY", 4)
    found = listing("arxiv", settings, window=this_year)
    assert sorted(found.keys) == sorted(whole)
    assert all("submittedDate" in seen.url for seen in sandbox.requests[-len(found.pages) :])
    asked(sandbox, "arxiv")
    assert listing("arxiv", settings, found.cursor, this_year).keys == []
    for page in found.pages[:-1]:
        rest = listing("arxiv", settings, page.cursor, this_year)
        before = Listing(found.pages[: found.pages.index(page) + 1])
        assert sorted([*before.keys, *rest.keys]) == sorted(whole)


def test_a_day_that_is_too_large_is_refused(
    settings: Settings, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arxiv_source, "MOST_A_QUERY", 4)
    sandbox.publish(*(invented(number, "2099-03-01") for number in range(6)))
    with pytest.raises(SourceRefused, match="6 papers of 2099-03-01"):
        listing("arxiv", settings, window=Window(date(2099, 2, 1), None))


# --------------------------------------------------------------------- faults

FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("html", {}), ("empty_body", {}), ("empty_page", {}), ("truncated", {}), ("truncated", {"declared": False}),
    ("unavailable", {}), ("rate_limit", {"retry_after": 0}), ("timeout", {"seconds": 3}), ("stall", {"seconds": 3}),
]  # fmt: skip


@pytest.mark.parametrize("source", ALL)
@pytest.mark.parametrize(("kind", "options"), FAULTS)
def test_bad_moment_in_mid_listing_changes_nothing(
    source: SourceName, kind: str, options: dict[str, Any], sandbox: Sandbox, settings: Settings
) -> None:
    sandbox.fault(ROUTES[source], kind, times=1, after=1, **options)
    found = listing(source, hasty(settings, 1.5) if options.get("seconds") else settings)
    assert len(found.keys) == len(set(found.keys)) == COUNTS[source]


@pytest.mark.parametrize("source", ALL)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("html", SourceAnswerInvalid),
        ("empty_page", SourceAnswerInvalid),
        ("truncated", SourceAnswerInvalid),
        ("unavailable", SourceUnavailable),
    ],
)
def test_bad_day_gives_no_page_and_no_cursor(
    source: SourceName, first: bool, kind: str, error: type[SourceError], sandbox: Sandbox, settings: Settings
) -> None:
    sandbox.fault(ROUTES[source], kind, after=0 if first else 1)
    came = []
    with pytest.raises(error) as caught:
        for page in pages(source, EVERYTHING[source], settings):
            came.append(page)
    assert caught.value.transient
    assert len(came) == (0 if first else 1)
    sandbox.heal()
    rest = listing(source, settings, came[-1].cursor if came else "")
    assert len({*rest.keys, *Listing(tuple(came)).keys}) == COUNTS[source]


@pytest.mark.parametrize("source", ALL)
def test_one_request_in_five_fails_and_the_same_papers_arrive(
    source: SourceName, sandbox: Sandbox, settings: Settings
) -> None:
    quick = hasty(settings, 0.8)  # the storm's silences last a second
    whole = listing(source, settings)
    sandbox.storm(0.2, seed=7)
    found, cursor = [], ""
    for _night in range(20):
        try:
            for page in pages(source, EVERYTHING[source], quick, cursor):
                found += [paper.key for paper in page.papers]
                cursor = page.cursor
                last = page.last
        except SourceError:
            continue
        if last:
            break
    assert sorted(found) == sorted(whole.keys)
    sandbox.heal()
    assert listing(source, settings, cursor).keys == []


@pytest.mark.parametrize("source", ["semantic_scholar", "openalex"])
@pytest.mark.parametrize("kind", ["bad_json", "wrong_schema"])
def test_broken_json_is_asked_for_again(source: SourceName, kind: str, sandbox: Sandbox, settings: Settings) -> None:
    sandbox.fault(ROUTES[source], kind, times=1)
    assert len(listing(source, settings).keys) == COUNTS[source]


@pytest.mark.parametrize("source", ["semantic_scholar", "openalex"])
def test_expired_token_loses_and_repeats_nothing(source: SourceName, sandbox: Sandbox, settings: Settings) -> None:
    before = some(source, settings, 1)
    sandbox.fault(ROUTES[source], "token_expired", times=1)
    after = listing(source, settings, before.cursor)
    found = [*before.keys, *after.keys]
    assert len(found) == len(set(found)) == COUNTS[source]
    assert listing(source, settings, after.cursor).keys == []
    sandbox.fault(ROUTES[source], "token_expired", times=1, after=1)
    assert len(set(listing(source, settings).keys)) == COUNTS[source]


def test_tokens_that_always_expire_are_done_without_or_end_in_an_error(sandbox: Sandbox, settings: Settings) -> None:
    sandbox.fault("openalex", "token_expired")
    assert len(listing("openalex", settings).keys) == COUNTS["openalex"]  # each restart gets further
    sandbox.publish(*(invented(number, "2099-03-01") for number in range(6)))
    for source in ("semantic_scholar", "openalex"):
        sandbox.fault(ROUTES[source], "token_expired")  # type: ignore[index]
        with pytest.raises(SourceRefused, match=r"token|[Cc]ursor"):  # one day fills more than a page
            listing(source, settings)  # type: ignore[arg-type]
    assert sandbox.counts["s2.bulk"] + sandbox.counts["openalex"] < 20


def test_incomplete_record_is_one_reject_and_reported_once(sandbox: Sandbox, settings: Settings) -> None:
    sandbox.publish(invented(1, "2099-03-01"))
    nameless = replace(
        entry_of(PAPERS[3]), arxiv_id="", s2_id="f" * 40, title=" ", published=invented(1, "2099-03-01").published
    )
    sandbox.publish(nameless)
    first = listing("semantic_scholar", settings)
    rejects = [reject for page in first.pages for reject in page.rejects]
    assert [(reject.item, reject.reason) for reject in rejects] == [(f"s2:{'f' * 40}", "metadata_incomplete")]
    again = listing("semantic_scholar", settings, first.cursor)
    assert [page.rejects for page in again.pages] == [()]


def test_wrong_query_is_refused_once_in_the_source_s_words(sandbox: Sandbox, settings: Settings) -> None:
    with pytest.raises(SourceRefused, match="quotation mark"):
        listing("arxiv", settings, query='ti:"half a phrase')
    with pytest.raises(SourceRefused, match="Set does not exist"):
        listing("oai", settings, query="physics")
    assert asked(sandbox, "arxiv") == 1


def test_wrong_keys_are_refused_and_never_shown(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERLORA_SEMANTIC_SCHOLAR__API_KEY", "wrong")
    monkeypatch.setenv("PAPERLORA_OPENALEX__API_KEY", "wrong")
    own = Settings(
        home=tmp_path,
        semantic_scholar={"url": sandbox.semantic_scholar_url, "delay_seconds": 0},
        openalex={"url": sandbox.openalex_url, "delay_seconds": 0},
    )
    for source in ("semantic_scholar", "openalex"):
        with pytest.raises(SourceRefused, match="The key was not accepted") as caught:
            listing(source, own)  # type: ignore[arg-type]
        assert "wrong" not in str(caught.value)


# -------------------------------------------------------------------- refresh


def test_refresh_asks_each_source_once(sandbox: Sandbox, settings: Settings) -> None:
    quartz = next(paper for paper in PAPERS if paper.technique == "Quartz Decoding")
    marble = next(paper for paper in PAPERS if paper.technique == "Marble Annealing")
    work = next(paper for paper in listing("openalex", settings).papers.values() if paper.id.startswith("openalex:"))
    sandbox.publish(replace(quartz, version=2, updated=quartz.updated.replace(month=3)))
    asked(sandbox, "arxiv")
    names = [
        f"arxiv:{quartz.arxiv_id}", "arxiv:9901.99999", "arxiv:nonsense", f"s2:{marble.s2_id}", f"s2:{'0' * 40}",
        work.id, "openalex:W1", "openalex:nonsense", "doi:10.5555/lantern.2099.0106", "doi:10.1/none", "guide:talk",
    ]  # fmt: skip
    told = list(refresh(names, settings))
    found = [paper.key for page in told for paper in page.papers]
    assert sorted(found) == sorted(
        [f"arxiv:{quartz.arxiv_id}v2", f"s2:{marble.s2_id}v1", work.key, "arxiv:9901.00012v1"]
    )
    rejects = {reject.item: reject.reason for page in told for reject in page.rejects}
    unknown = ["arxiv:9901.99999", "arxiv:nonsense", f"s2:{'0' * 40}", "openalex:W1", "openalex:nonsense", "doi:10.1/none", "guide:talk"]  # fmt: skip
    assert rejects == dict.fromkeys(unknown, "unknown_at_source")
    assert dict(sandbox.counts) == {"arxiv.query": 1, "s2.batch": 1, "openalex": 1}


def test_refresh_goes_in_chunks(sandbox: Sandbox, settings: Settings) -> None:
    names = [f"arxiv:9903.{number:05d}" for number in range(450)]
    sandbox.publish(*(invented(number, "2099-03-01") for number in range(0, 450, 50)))
    told = list(refresh([*names, names[0]], settings))
    assert [page.total for page in told] == [80] * 5 + [50]
    assert sum(len(page.papers) for page in told) == 9
    assert sum(len(page.rejects) for page in told) == 441
    scholar = list(refresh([f"s2:{number:040x}" for number in range(501)], settings))
    assert [page.total for page in scholar] == [500, 1]


def test_refresh_believes_no_broken_answer(sandbox: Sandbox, settings: Settings) -> None:
    for route, name in (
        ("arxiv.query", "arxiv:9901.00011"),
        ("s2.batch", f"s2:{'0' * 40}"),
        ("openalex", "openalex:W1"),
    ):
        sandbox.fault(route, "html", times=1)
        assert len(list(refresh([name], settings))) == 1
        sandbox.fault(route, "html")
        with pytest.raises(SourceAnswerInvalid):
            list(refresh([name], settings))
    sandbox.heal()
    sandbox.fault("arxiv.query", "empty_page", times=1)
    assert [paper.key for page in refresh(["arxiv:9901.00011"], settings) for paper in page.papers] == [
        "arxiv:9901.00011v2"
    ]


# ------------------------------------------------------------------- contents


def test_arxiv_record_names_categories_and_comment(settings: Settings) -> None:
    tidal = listing("arxiv", settings).papers["arxiv:9901.00011"]
    assert tidal.categories == ("cs.LG", "cs.CL")
    assert "corrects the replay share" in tidal.comment
    assert tidal.version == 2


def test_settings_keep_the_new_secret_out_of_files(tmp_path: Path) -> None:
    from paperlora.errors import SettingsError
    from paperlora.settings import load_settings

    config = tmp_path / "p.toml"
    config.write_text(f'[openalex]\napi_key = "{KEY}"\n')
    with pytest.raises(SettingsError, match="PAPERLORA_OPENALEX__API_KEY") as caught:
        load_settings(config)
    assert KEY not in str(caught.value)
    assert Topic(name="t", openalex="memory", priority=3, until=date(2099, 1, 1)).priority == 3


def test_cursor_holds_a_few_bytes_for_each_recent_paper(tmp_path: Path) -> None:
    with Sandbox() as large:
        large.publish(*(invented(number, "2099-03-01") for number in range(300)))
        own = settings_for(large, tmp_path, page_size=200)
        for source in ALL:
            found = listing(source, own)
            assert len(found.keys) == COUNTS[source] + 300
            assert len(found.cursor) < (COUNTS[source] + 300) * 45 + 200
            assert json.loads(found.cursor)["scope"]
