"""The sandbox's OAI-PMH, OpenAlex, HTML pages and LaTeX sources, over real HTTP, with every fault."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from listings import renewed
from lxml import html as lxml_html
from waiting import until

from paperlora.literature.html_reader import read_html
from paperlora.literature.latex_reader import read_latex
from paperlora.sandbox.corpus import PAPERS
from paperlora.sandbox.html_page import render_html
from paperlora.sandbox.latex_source import render_latex
from paperlora.sandbox.markup import mathml_of, tex_of
from paperlora.sandbox.paper import SandboxPaper, fold
from paperlora.sandbox.server import Sandbox

OAI = "{http://www.openarchives.org/OAI/2.0/}"
RAW = "{http://arxiv.org/OAI/arXivRaw/}"
http_get, http_post = partial(httpx.get, timeout=60.0), partial(httpx.post, timeout=60.0)
"""The five seconds of the library are too few for a sandbox on a machine with much other work."""
WITH_HTML = [paper for paper in PAPERS if paper.html]
WITH_TEX = [paper for paper in PAPERS if paper.source in ("tar", "tex")]
ROUTES = {
    "oai": "/oai?verb=ListRecords&metadataPrefix=arXivRaw", "openalex": "/works?api_key=k&cursor=*",
    "arxiv.html": f"/html/{WITH_HTML[0].arxiv_id}", "arxiv.src": f"/src/{WITH_TEX[0].arxiv_id}v1",
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(oai_page_size=4) as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    return renewed(server)


def get(sandbox: Sandbox, path: str, **more: Any) -> httpx.Response:
    return http_get(sandbox.url + path, **more)


def oai(sandbox: Sandbox, **arguments: str) -> ElementTree.Element:
    answer = http_get(sandbox.oai_url, params={name.rstrip("_"): value for name, value in arguments.items()})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    return ElementTree.fromstring(answer.text)


def error_of(root: ElementTree.Element) -> str:
    error = root.find(f"{OAI}error")
    return error.get("code", "") if error is not None else ""


# -------------------------------------------------------------------- OAI-PMH


def test_identify_and_sets(sandbox: Sandbox) -> None:
    said = oai(sandbox, verb="Identify").find(f"{OAI}Identify")
    assert said is not None
    assert (said.findtext(f"{OAI}granularity"), said.findtext(f"{OAI}deletedRecord")) == ("YYYY-MM-DD", "persistent")
    sets = {item.text for item in oai(sandbox, verb="ListSets").iter(f"{OAI}setSpec")}
    assert {"cs", "cs:cs", "cs:cs:CL", "cs:cs:LG"} <= sets


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "badVerb"),
        ({"verb": "Harvest"}, "badVerb"),
        ({"verb": "ListRecords"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "marc"}, "cannotDisseminateFormat"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from_": "yesterday"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "set": "cooking"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from_": "2150-01-01"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "until": "2000-01-01"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "resumptionToken": "made-up"}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "x", "metadataPrefix": "arXiv"}, "badArgument"),
        ({"verb": "GetRecord", "metadataPrefix": "arXiv", "identifier": "oai:arXiv.org:9901.99999"}, "idDoesNotExist"),
        ({"verb": "GetRecord", "metadataPrefix": "arXiv", "identifier": "9901.00011"}, "badArgument"),
        ({"verb": "Identify", "set": "cs"}, "badArgument"),
    ],
)
def test_oai_errors(sandbox: Sandbox, arguments: dict[str, str], code: str) -> None:
    assert error_of(oai(sandbox, **arguments)) == code


def test_oai_record_has_every_version_and_the_licence(sandbox: Sandbox) -> None:
    root = oai(sandbox, verb="GetRecord", metadataPrefix="arXivRaw", identifier="oai:arXiv.org:9901.00011")
    raw = root.find(f"{OAI}GetRecord/{OAI}record/{OAI}metadata/{RAW}arXivRaw")
    assert raw is not None
    assert [item.get("version") for item in raw.findall(f"{RAW}version")] == ["v1", "v2"]
    assert raw.findtext(f"{RAW}version/{RAW}date") == "Sun, 04 Jan 2099 17:59:46 GMT"
    assert raw.findtext(f"{RAW}license") == "http://creativecommons.org/licenses/by/4.0/"
    plain = oai(sandbox, verb="GetRecord", metadataPrefix="arXiv", identifier="oai:arXiv.org:9901.00011")
    assert {item.text for item in plain.iter("{http://arxiv.org/OAI/arXiv/}keyname")} == {
        "Okafor",
        "Verhoeven",
        "Qiaoyu",
    }


def test_oai_lists_by_day_over_tokens(sandbox: Sandbox) -> None:
    days, asked, pages = [], {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "set": "cs"}, 0
    while asked:
        pages += 1
        root = oai(sandbox, **asked)
        days += [str(item.text) for item in root.iter(f"{OAI}datestamp")]
        token = root.find(f"{OAI}ListRecords/{OAI}resumptionToken")
        assert token is not None
        assert token.get("expires", "2099-").startswith("2099-")
        asked = {"verb": "ListRecords", "resumptionToken": token.text} if token.text else {}
    assert pages == 3
    assert days == sorted(days)
    assert len(days) == 11


def test_oai_deleted_record_is_a_header(sandbox: Sandbox) -> None:
    sandbox.remove("9901.00014", on="2099-03-02")
    root = oai(sandbox, verb="ListRecords", metadataPrefix="arXivRaw", from_="2099-03-01")
    (record,) = root.iter(f"{OAI}record")
    header = record.find(f"{OAI}header")
    assert header is not None
    assert (header.get("status"), header.findtext(f"{OAI}datestamp")) == ("deleted", "2099-03-02")
    assert record.find(f"{OAI}metadata") is None
    assert get(sandbox, "/pdf/9901.00014").status_code == 404


# ------------------------------------------------------------------- OpenAlex


def test_openalex_pages_by_cursor(sandbox: Sandbox) -> None:
    asked = {
        "api_key": "k",
        "per_page": "5",
        "cursor": "*",
        "sort": "publication_date:desc",
        "select": "id,publication_date",
    }
    works: list[dict[str, Any]] = []
    while asked["cursor"]:
        body = http_get(f"{sandbox.openalex_url}/works", params=asked).json()
        works += body["results"]
        asked["cursor"] = body["meta"]["next_cursor"]
    assert len({work["id"] for work in works}) == len(works) == body["meta"]["count"] == 12
    assert [work["publication_date"] for work in works] == sorted((w["publication_date"] for w in works), reverse=True)
    assert all(set(work) == {"id", "publication_date"} for work in works)


@pytest.mark.parametrize(
    ("parameters", "status", "message"),
    [
        ({"api_key": "wrong"}, 401, "not valid"),
        ({"cursor": "*"}, 401, "needs an API key"),
        ({"per_page": "500"}, 400, "between 1 and 100"),
        ({"filter": "colour:red"}, 400, "not a valid filter"),
        ({"filter": 'title_and_abstract.search:"half'}, 400, "quotation mark"),
        ({"sort": "beauty"}, 400, "not a valid sort"),
        ({"select": "smell"}, 400, "not a valid select"),
        ({"api_key": "k", "cursor": "forged"}, 400, "Cursor is not valid"),
    ],
)
def test_openalex_refusals(sandbox: Sandbox, parameters: dict[str, str], status: int, message: str) -> None:
    answer = http_get(f"{sandbox.openalex_url}/works", params=parameters)
    assert answer.status_code == status
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("copper sieve", {"Copper Sieve"}),
        ("copper zebra", set()),
        ("copper OR quartz", {"Copper Sieve", "Quartz Decoding"}),
        ("(copper OR quartz) AND NOT decoding", {"Copper Sieve"}),
        ('"quartz decoding"', {"Quartz Decoding"}),
        ('"decoding quartz"', set()),
    ],
)
def test_openalex_search(sandbox: Sandbox, words: str, found: set[str]) -> None:
    body = http_get(f"{sandbox.openalex_url}/works", params={"search": words}).json()
    assert {work["title"].partition(":")[0] for work in body["results"]} == found


def test_openalex_filters_by_day_id_and_doi(sandbox: Sandbox) -> None:
    def count(text: str) -> int:
        return int(http_get(f"{sandbox.openalex_url}/works", params={"filter": text}).json()["meta"]["count"])

    first = http_get(f"{sandbox.openalex_url}/works", params={"per_page": "1"}).json()["results"][0]
    assert count(f"ids.openalex:{first['id'].rpartition('/')[2]}|W1") == 1
    assert count(f"doi:{first['doi']}") == 1
    assert count("from_publication_date:2099-01-10,to_publication_date:2099-01-20") == 5


# ------------------------------------------------------------- HTML and LaTeX


def test_some_papers_have_html_or_source_and_most_have_neither(sandbox: Sandbox) -> None:
    def kinds(route: str) -> dict[str, str]:
        answers = {p.key: get(sandbox, f"/{route}/{p.arxiv_id}v{p.version}") for p in PAPERS if p.arxiv_id}
        return {key: a.headers["content-type"] for key, a in answers.items() if a.status_code == 200}

    assert set(kinds("html")) == {paper.key for paper in WITH_HTML}
    source = kinds("src")
    assert set(source) == {paper.key for paper in PAPERS if paper.source}
    assert sorted(source.values()).count("application/pdf") == sum(paper.source == "pdf" for paper in PAPERS) == 1
    assert 2 * len({*source, *kinds("html")}) < len(PAPERS)
    assert {paper.source for paper in PAPERS} == {"", "tar", "tex", "pdf"}
    for path in ("/html/9901.99999", "/src/nonsense"):
        assert get(sandbox, path).status_code == 404


@pytest.mark.parametrize("paper", WITH_HTML, ids=lambda paper: paper.technique)
def test_html_holds_every_planted_sentence(sandbox: Sandbox, paper: SandboxPaper, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(get(sandbox, f"/html/{paper.arxiv_id}v{paper.version}").content)
    _check_document(read_html(page, paper.key), paper)
    root = lxml_html.fromstring(page.read_bytes())
    (article,) = root.find_class("ltx_document")
    assert article.find_class("ltx_title_document")[0].text_content() == paper.title
    assert len(article.find_class("ltx_section")) == len(paper.sections)
    for name in ("ltx_para", "ltx_role_footnote", "ltx_table", "ltx_equation", "ltx_bibliography", "ltx_cite"):
        assert article.find_class(name)
    assert all(math.get("alttext") for math in article.iter("math"))


@pytest.mark.parametrize("paper", WITH_TEX, ids=lambda paper: paper.technique)
def test_source_holds_every_planted_sentence(sandbox: Sandbox, paper: SandboxPaper, tmp_path: Path) -> None:
    data = get(sandbox, f"/src/{paper.arxiv_id}v{paper.version}").content
    path = tmp_path / "source.tar.gz"
    path.write_bytes(data)
    _check_document(read_latex(path, paper.key), paper)
    if paper.source == "tar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            assert {"main.tex", "sections/body.tex", "main.bbl"} <= set(archive.getnames())
    else:
        assert gzip.decompress(data).startswith(b"\\documentclass")


def _check_document(document: Any, paper: SandboxPaper) -> None:
    text = fold(" ".join(section.text for section in document.sections))
    assert [fact.sentence for fact in paper.facts if fact.sentence not in text] == []
    assert document.title == paper.title
    assert paper.references[0][:20] not in text
    assert {"footnote", "table", "caption", "references"} <= {item.kind for item in document.left_out}


def test_html_and_source_of_every_paper_can_be_made(tmp_path: Path) -> None:
    for paper in PAPERS:
        assert render_html(paper) == render_html(paper)
        assert render_latex(paper) == render_latex(paper)
        assert fold(paper.facts[0].sentence)[:40] in fold(lxml_html.fromstring(render_html(paper)).text_content())


def test_formulas_in_tex_and_mathml() -> None:
    markup = "<i>p</i><sub>d</sub> &prop; <i>n</i><sub>d</sub><super>1/&tau;</super>"
    assert tex_of(markup) == r"p_{d} \propto n_{d}^{1/\tau }"
    math = lxml_html.fragment_fromstring(mathml_of(markup))
    assert math.get("alttext") == tex_of(markup)
    assert [element.tag for element in math.iter("msub", "msup")] == ["msub", "msup", "msub"]


def test_withdrawn_paper_has_neither(sandbox: Sandbox) -> None:
    for route in ("html", "src", "pdf"):
        assert get(sandbox, f"/{route}/9901.00019v2").status_code == 404


# --------------------------------------------------------------------- faults


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize(
    ("kind", "options", "status"),
    [
        ("rate_limit", {"retry_after": 7}, 429),
        ("unavailable", {"status": 502}, 502),
        ("html", {}, 200),
        ("empty_body", {}, 200),
        ("truncated", {"declared": False}, 200),
    ],
)
def test_faults_on_the_new_routes(
    sandbox: Sandbox, route: str, kind: str, options: dict[str, Any], status: int
) -> None:
    whole = get(sandbox, ROUTES[route])
    sandbox.fault(route, kind, times=1, **options)
    spoiled = get(sandbox, ROUTES[route])
    assert spoiled.status_code == status
    assert spoiled.content != whole.content
    assert get(sandbox, ROUTES[route]).content == whole.content
    assert sandbox.counts[route] == 3


@pytest.mark.parametrize("route", list(ROUTES))
def test_cut_and_silent_answers_on_the_new_routes(sandbox: Sandbox, route: str) -> None:
    sandbox.fault(route, "truncated", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        get(sandbox, ROUTES[route])
    sandbox.fault(route, "timeout", times=1, seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        get(sandbox, ROUTES[route], timeout=0.2)
    until(lambda: sandbox.counts[route] == 2)  # no later test is to meet this fault


@pytest.mark.parametrize("route", ["oai", "openalex"])
def test_empty_page_and_expired_token(sandbox: Sandbox, route: str) -> None:
    sandbox.fault(route, "empty_page", times=1)
    assert b"9901.000" not in get(sandbox, ROUTES[route]).content
    sandbox.fault(route, "token_expired", times=1)
    assert b"9901.000" in get(sandbox, ROUTES[route]).content  # a first page needs no token
    further = {
        "oai": "/oai?verb=ListRecords&resumptionToken=metadataPrefix%253DarXivRaw%2526skip%253D4",
        "openalex": "/works?api_key=k&cursor=abc",
    }
    spoiled = get(sandbox, further[route])
    assert b"badResumptionToken" in spoiled.content if route == "oai" else spoiled.status_code == 400
    if route == "oai":
        assert b"9901.000" in get(sandbox, further[route]).content


def test_faults_that_do_not_apply_are_refused(sandbox: Sandbox) -> None:
    for route, kind in (("arxiv.html", "empty_page"), ("oai", "bad_json"), ("arxiv.query", "token_expired")):
        with pytest.raises(ValueError, match="applies to"):
            sandbox.fault(route, kind)


# ------------------------------------------------------------------- changing


def test_papers_appear_and_the_first_stock_returns(sandbox: Sandbox) -> None:
    quartz = next(paper for paper in PAPERS if paper.technique == "Quartz Decoding")
    from dataclasses import replace

    sandbox.publish(replace(quartz, version=2), on="2099-04-01")
    root = oai(sandbox, verb="ListRecords", metadataPrefix="arXivRaw", from_="2099-03-01")
    assert [item.text for item in root.iter(f"{OAI}datestamp")] == ["2099-04-01"]
    assert root.findtext(f"{OAI}responseDate", "").startswith("2099-04-01")
    sandbox.restock()
    assert error_of(oai(sandbox, verb="ListRecords", metadataPrefix="arXivRaw", from_="2099-03-01")) == "noRecordsMatch"
