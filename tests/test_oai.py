"""arXiv over OAI-PMH: licences, versions and withdrawals, tokens that expire, and answers that can't be believed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from listings import Listing, invented, listing, renewed, settings_for, some

from paperlora.errors import SourceAnswerInvalid, SourceRefused
from paperlora.literature.oai_feed import TokenExpired, authors, plain_text, read_page
from paperlora.literature.sources import Window, matches, pages
from paperlora.sandbox.corpus import PAPERS, TOPICS
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings

NEWEST = {paper.arxiv_id: paper for paper in PAPERS if paper.arxiv_id}


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(oai_page_size=3) as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    return renewed(server)


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    return settings_for(sandbox, tmp_path)


def answer(body: str, *, day: str = "2099-03-01") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>{day}T00:10:00Z</responseDate><request>x</request>{body}</OAI-PMH>"
    ).encode()


def record(inside: str, header: str = "", name: str = "2604.00001") -> str:
    return (
        f"<record><header{header}><identifier>oai:arXiv.org:{name}</identifier><datestamp>2026-04-02</datestamp></header>"
        f'<metadata><arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>{name}</id>{inside}</arXivRaw></metadata></record>'
    )


VERSIONS = (
    '<version version="v10"><date>Wed, 01 Apr 2026 09:30:00 GMT</date><size>12kb</size><source_type>D</source_type></version>'
    '<version version="v2"><date>Fri, 13 Mar 2026 08:00:00 GMT</date><size>9kb</size></version>'
    '<version version="v1"><date>Mon, 2 Mar 2026 17:59:01 GMT</date><size>8kb</size></version>'
)


def only(body: str) -> Any:
    (item,) = read_page(
        answer(f"<ListRecords>{body}</ListRecords>"), "https://export.arxiv.org/api/query", resumed=False
    ).records
    return item.paper


# -------------------------------------------------------------------- records


def test_record_carries_licence_versions_and_dates(settings: Settings) -> None:
    found = listing("oai", settings).papers
    assert set(found) == {f"arxiv:{name}" for name in NEWEST}
    for name, source in NEWEST.items():
        paper = found[f"arxiv:{name}"]
        assert (paper.title, paper.abstract, paper.authors) == (source.title, source.abstract, source.authors)
        assert (paper.version, paper.licence, paper.withdrawn) == (source.version, source.licence, source.withdrawn)
        assert (paper.published, paper.updated) == (source.published, source.updated)
        assert (paper.categories, paper.comment) == (source.categories, source.comment)
        assert paper.pdf_url and paper.pdf_url.endswith(f"/pdf/{name}v{source.version}")
        assert paper.metadata_status == "complete"


def test_newest_version_by_number_not_by_place() -> None:
    paper = only(record(f"{VERSIONS}<title>A  title</title><authors>A. Author</authors><categories>cs.LG stat.ML</categories>"
                        "<license>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</license><doi>10.1/a 10.1/b</doi>"
                        "<journal-ref>Letters 5</journal-ref><abstract> In  two\n lines. </abstract>"))  # fmt: skip
    assert (paper.key, paper.title, paper.abstract) == ("arxiv:2604.00001v10", "A title", "In two lines.")
    assert paper.published == datetime(2026, 3, 2, 17, 59, 1, tzinfo=UTC)
    assert paper.updated == datetime(2026, 4, 1, 9, 30, tzinfo=UTC)
    assert paper.external_ids == {"arxiv": "2604.00001", "doi": "10.1/a"}
    assert (paper.journal, paper.categories) == ("Letters 5", ("cs.LG", "stat.ML"))


@pytest.mark.parametrize(
    ("inside", "withdrawn"),
    [
        ('<version version="v2"><date>Fri, 13 Mar 2026 08:00:00 GMT</date><size>0kb</size><source_type>I</source_type></version>', True),
        ("<comments>This paper has been withdrawn by the author due to an error</comments>", True),
        ("<abstract>This paper has been withdrawn.</abstract>", True),
        ("<abstract>We study withdrawn drugs.</abstract>", False),
        ("<comments>12 pages</comments>", False),
    ],
)  # fmt: skip
def test_withdrawal_is_recognised(inside: str, withdrawn: bool) -> None:
    assert only(record(f"<title>T</title><authors>A</authors>{inside}")).withdrawn is withdrawn


def test_deleted_record_is_a_withdrawn_paper_without_content(sandbox: Sandbox, settings: Settings) -> None:
    cursor = listing("oai", settings).cursor
    sandbox.remove("9901.00014", on="2099-03-02")
    (gone,) = listing("oai", settings, cursor).papers.values()
    assert (gone.id, gone.title, gone.withdrawn, gone.metadata_status) == ("arxiv:9901.00014", "", True, "partial")
    assert gone.updated == datetime(2099, 3, 2, tzinfo=UTC)


def test_record_without_title_is_one_reject() -> None:
    page = read_page(
        answer(f"<ListRecords>{record('<authors>A</authors>')}{record('<title>T</title>', name='2604.00002')}</ListRecords>"),
        "https://x/api", resumed=False,
    )  # fmt: skip
    assert [(reject.item, reject.reason) for reject in page.rejects] == [("arxiv:2604.00001", "metadata_incomplete")]
    assert [item.paper.metadata_status for item in page.records] == ["partial"]
    assert page.received == 2


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Ada Ito, Bo Li", ("Ada Ito", "Bo Li")),
        ("Ada Ito and Bo Li", ("Ada Ito", "Bo Li")),
        ("Ada Ito, Bo Li, and Cy Ode", ("Ada Ito", "Bo Li", "Cy Ode")),
        ("A. Ito (Heron Institute (HI), Lake), B. Li (2) ((1) One, (2) Two)", ("A. Ito", "B. Li")),
        (r"C. Bal\'azs, M. M{\"u}ller", ("C. Balázs", "M. Müller")),
        ("Waldyr Rodrigues, Jr., Bo Li", ("Waldyr Rodrigues Jr.", "Bo Li")),
        ("Sand Anderson", ("Sand Anderson",)),
        ("", ()),
    ],
)
def test_line_of_authors(line: str, names: tuple[str, ...]) -> None:
    assert authors(line) == names


def test_tex_in_titles() -> None:
    assert plain_text(r"G\"odel and $\alpha_{3}$ at 50\%") == "Gödel and $\\alpha_{3}$ at 50%"
    assert plain_text("100% recall") == "100% recall"


# -------------------------------------------------------------------- harvest


def test_set_is_harvested_from_a_day(sandbox: Sandbox, settings: Settings) -> None:
    whole = listing("oai", settings)
    assert len(whole.pages) == 4
    assert sandbox.requests[0].url.endswith("?verb=ListRecords&metadataPrefix=arXivRaw&set=cs")
    assert all("&" not in seen.url.partition("resumptionToken=")[2] for seen in sandbox.requests[1:])
    sandbox.requests.clear()
    listing("oai", settings, whole.cursor)
    assert [seen.url.partition("?")[2] for seen in sandbox.requests] == [
        "verb=ListRecords&metadataPrefix=arXivRaw&set=cs&from=2099-02-20"
    ]


def test_topics_find_their_papers_in_a_harvest(settings: Settings) -> None:
    harvest = listing("oai", settings).papers
    for topic in TOPICS:
        there = set(listing("arxiv", settings, query=topic.arxiv).papers)
        here = {name for name, paper in harvest.items() if matches(topic.arxiv, paper)}
        assert here <= there  # the sandbox also finds the names of techniques
        assert len(here) >= len(there) - 1


def test_other_sets_are_left_out(sandbox: Sandbox, settings: Settings) -> None:
    sandbox.publish(
        invented(
            1,
            "2099-03-01",
        ),
        on="2099-03-01",
    )
    from dataclasses import replace

    sandbox.publish(replace(invented(2, "2099-03-01"), categories=("stat.ML", "cs.LG")))
    sandbox.publish(replace(invented(3, "2099-03-01"), categories=("stat.ML",)))
    assert listing("oai", settings, query="stat").keys == ["arxiv:9903.00002v1", "arxiv:9903.00003v1"]
    assert listing("oai", settings, query="stat:stat:ML").keys == ["arxiv:9903.00002v1", "arxiv:9903.00003v1"]
    assert "arxiv:9903.00003v1" not in listing("oai", settings, query="cs:cs:LG").keys


def test_nothing_matches_is_nothing_new(sandbox: Sandbox, settings: Settings) -> None:
    found = listing("oai", settings, window=Window(date(2150, 1, 1), None))
    assert [(page.papers, page.received, page.last) for page in found.pages] == [((), 0, True)]
    assert sandbox.counts["oai"] == 1


def test_several_changes_on_the_day_of_the_last_harvest(sandbox: Sandbox, settings: Settings) -> None:
    sandbox.publish(*(invented(number, "2099-03-01") for number in range(5)))
    cursor = listing("oai", settings).cursor
    sandbox.publish(invented(7, "2099-03-01"))
    second = listing("oai", settings, cursor)
    assert second.keys == ["arxiv:9903.00007v1"]
    sandbox.publish(invented(8, "2099-03-02"))
    assert listing("oai", settings, second.cursor).keys == ["arxiv:9903.00008v1"]


# --------------------------------------------------------------------- tokens


@pytest.mark.parametrize("stored", [1, 2, 3])
def test_expired_token_loses_and_repeats_nothing(stored: int, sandbox: Sandbox, settings: Settings) -> None:
    before = some("oai", settings, stored)
    sandbox.fault("oai", "token_expired", times=1)
    after = listing("oai", settings, before.cursor)
    found = [*before.keys, *after.keys]
    assert len(found) == len(set(found)) == len(NEWEST)
    assert listing("oai", settings, after.cursor).keys == []


def test_token_that_expires_under_way_costs_one_request(sandbox: Sandbox, settings: Settings) -> None:
    whole = listing("oai", settings)
    asked = sandbox.counts["oai"]
    sandbox.fault("oai", "token_expired", times=1, after=1)
    assert listing("oai", settings).keys == whole.keys
    assert sandbox.counts["oai"] - asked <= asked + 2


def test_restart_goes_back_to_the_day_reached_only(sandbox: Sandbox, settings: Settings) -> None:
    before = some("oai", settings, 2)
    sandbox.requests.clear()
    sandbox.fault("oai", "token_expired", times=1)
    listing("oai", settings, before.cursor)
    assert "from=2099-01-" in sandbox.requests[1].url


def test_what_changes_while_a_token_expires_is_not_lost(sandbox: Sandbox, settings: Settings) -> None:
    before = some("oai", settings, 2)
    sandbox.publish(invented(1, "2099-03-01"))
    sandbox.fault("oai", "token_expired", times=1)
    after = listing("oai", settings, before.cursor)
    assert set(before.keys) | set(after.keys) >= {"arxiv:9903.00001v1", *(f"arxiv:{p.arxiv_id}v{p.version}" for p in NEWEST.values())}  # fmt: skip


def test_one_day_larger_than_a_page_and_a_token_that_expires(sandbox: Sandbox, settings: Settings) -> None:
    sandbox.publish(*(invented(number, "2099-03-01") for number in range(10)))
    whole = listing("oai", settings)
    for stored in range(1, len(whole.pages)):
        before = Listing(whole.pages[:stored])
        sandbox.fault("oai", "token_expired", times=1)
        after = listing("oai", settings, before.cursor)
        assert sorted([*before.keys, *after.keys]) == sorted(whole.keys)


def test_tokens_that_always_expire_end_in_an_error(sandbox: Sandbox, settings: Settings) -> None:
    sandbox.publish(*(invented(number, "2099-03-01") for number in range(10)))
    sandbox.fault("oai", "token_expired")
    came = []
    with pytest.raises(SourceAnswerInvalid, match="forgets its tokens"):
        for page in pages("oai", "cs", settings):
            came.append(page)
    assert sandbox.counts["oai"] < 20
    sandbox.heal()
    rest = listing("oai", settings, came[-1].cursor)
    assert len(set(Listing(tuple(came)).keys) | set(rest.keys)) == len(NEWEST) + 10


# ------------------------------------------------------------ doubtful answers


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('<error code="badArgument">No</error>', SourceRefused),
        ('<error code="cannotDisseminateFormat">No</error>', SourceRefused),
        ('<error code="badResumptionToken">No</error>', TokenExpired),
        ("<ListRecords></ListRecords>", SourceAnswerInvalid),
        ("<ListRecords><resumptionToken>more</resumptionToken></ListRecords>", SourceAnswerInvalid),
        ("", SourceAnswerInvalid),
    ],
)
def test_answers_without_records(body: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_page(answer(body), "https://x/api", resumed=False)


def test_listing_that_breaks_off_is_not_the_end() -> None:
    for code in ("noRecordsMatch", "badArgument"):
        with pytest.raises(SourceAnswerInvalid, match="breaks the listing off"):
            read_page(answer(f'<error code="{code}">No</error>'), "https://x/api", resumed=True)


@pytest.mark.parametrize(
    "content",
    [
        b"<html><body>Just a moment</body></html>",
        b"",
        b"{}",
        answer("<ListRecords>")[:-20],
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><OAI-PMH>&b;</OAI-PMH>',
        b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><OAI-PMH/>',
        b'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords/></OAI-PMH>',
    ],
)
def test_what_is_no_answer_is_none(content: bytes) -> None:
    with pytest.raises(SourceAnswerInvalid):
        read_page(content, "https://x/api", resumed=False)


def test_complete_list_size_is_believed(settings: Settings, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from paperlora.sandbox import oai_api

    honest = oai_api.answer

    def short(*args: Any, **kwargs: Any) -> str:
        xml = honest(*args, **kwargs)
        return xml.replace("<resumptionToken/>", '<resumptionToken completeListSize="99"></resumptionToken>')

    monkeypatch.setattr(oai_api, "answer", short)
    with pytest.raises(SourceAnswerInvalid, match="ends a listing of 99 after 11"):
        listing("oai", settings)
