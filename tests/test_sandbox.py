"""The sandbox: its papers, their PDFs, the sources, the endpoint, and every fault, over real HTTP."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import arxiv
import httpx
import openai
import pymupdf
import pytest
from pydantic import BaseModel
from waiting import PATIENCE, until

from paperlora.errors import SettingsError
from paperlora.literature.query import searchable
from paperlora.sandbox.corpus import PAPERS, TOPICS, SandboxPaper
from paperlora.sandbox.faults import KINDS
from paperlora.sandbox.pdf import hyphenated, render
from paperlora.sandbox.search import parse_scholar
from paperlora.sandbox.server import Sandbox

ATOM = "{http://www.w3.org/2005/Atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
http_get, http_post = partial(httpx.get, timeout=60.0), partial(httpx.post, timeout=60.0)
"""The five seconds of the library are too few for a sandbox on a machine with much other work."""
READABLE = [paper for paper in PAPERS if not paper.broken]


def paper_named(technique: str, version: int = 1) -> SandboxPaper:
    return next(paper for paper in PAPERS if paper.technique == technique and paper.version == version)


def opened(paper: SandboxPaper) -> pymupdf.Document:
    return pymupdf.open(stream=render(paper), filetype="pdf")


def plain_text(data: bytes) -> str:
    """Words in stream order, hyphens at line ends mended, ligatures spelt out; no layout understood."""
    with pymupdf.open(stream=data, filetype="pdf") as document:
        text = "\n".join(page.get_text() for page in document)
    return " ".join(unicodedata.normalize("NFKC", re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", text)).split())


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """One server for all tests, as good as new for each."""
    running.heal()
    running.script_llm(None)
    running.counts.clear()
    running.requests.clear()
    return running


def arxiv_client(sandbox: Sandbox, page_size: int = 100) -> arxiv.Client:
    client = arxiv.Client(page_size=page_size, delay_seconds=0, num_retries=0)
    client.query_url_format = sandbox.arxiv_url + "?{}"
    return client


def short_ids(sandbox: Sandbox, *, page_size: int = 100, **search: Any) -> list[str]:
    return [result.get_short_id() for result in arxiv_client(sandbox, page_size).results(arxiv.Search(**search))]


def bulk(sandbox: Sandbox, **parameters: str) -> httpx.Response:
    return http_get(f"{sandbox.semantic_scholar_url}/paper/search/bulk", params=parameters)


def llm(sandbox: Sandbox, key: str = "any") -> openai.OpenAI:
    return openai.OpenAI(base_url=sandbox.llm_url, api_key=key, max_retries=0, timeout=60)


def ask(sandbox: Sandbox, text: str, **more: Any) -> Any:
    messages = [{"role": "system", "content": "Answer as json."}, {"role": "user", "content": text}]
    return llm(sandbox).chat.completions.create(model="sandbox-oracle", messages=messages, **more)  # type: ignore[arg-type]


JSON_OBJECT = {"type": "json_object"}


# ---------------------------------------------------------------------- corpus


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: f"{paper.technique}-{paper.key[-6:]}")
def test_planted_facts_stand_in_the_paper(paper: SandboxPaper) -> None:
    assert len(paper.facts) >= 6
    for fact in paper.facts:
        assert fact.sentence in paper.text
        assert fact.answer in fact.sentence
        assert fact.subject == paper.technique
    assert "[[" not in paper.text
    assert "|" not in paper.text


def test_corpus_has_every_special_paper() -> None:
    newest = {paper.arxiv_id or paper.s2_id: paper for paper in PAPERS}
    assert len(newest) == 12
    assert len({paper.key for paper in PAPERS}) == len(PAPERS)
    assert [paper.technique for paper in newest.values() if paper.withdrawn] == ["Phantom Warmup"]
    assert [paper.technique for paper in newest.values() if paper.broken] == ["Cinder Routing"]
    assert [paper.technique for paper in newest.values() if paper.hidden_text] == ["Harbour Sampling"]
    assert [paper.technique for paper in newest.values() if not paper.arxiv_id] == ["Marble Annealing"]
    assert sum(bool(paper.arxiv_id and paper.s2_id) for paper in newest.values()) >= 2


def test_second_version_changes_one_number() -> None:
    first, second = paper_named("Tidal Replay", 1), paper_named("Tidal Replay", 2)
    assert set(first.facts) ^ set(second.facts) == {
        ("Tidal Replay", "replay share", "37 percent", "Tidal Replay uses a replay share of 37 percent."),
        ("Tidal Replay", "replay share", "41 percent", "Tidal Replay uses a replay share of 41 percent."),
    }


def test_two_papers_contradict_each_other() -> None:
    one, other = (paper for paper in PAPERS if paper.technique == "Ember Distillation")
    claims = {fact.relation: fact.answer for fact in one.facts}
    disputed = {fact.relation for fact in other.facts if claims.get(fact.relation, fact.answer) != fact.answer}
    assert {"accuracy on Puffin", "softening temperature"} <= disputed


def test_answers_tell_papers_apart() -> None:
    newest = {paper.arxiv_id or paper.s2_id: paper for paper in PAPERS}
    answers = [fact.answer for paper in newest.values() for fact in paper.facts]
    assert len(set(answers)) >= len(answers) - 2  # the two Ember papers share their benchmark's name in a relation only


# ------------------------------------------------------------------------ PDFs


@pytest.mark.parametrize("paper", READABLE, ids=lambda paper: f"{paper.technique}-{paper.key[-6:]}")
def test_pdf_holds_title_facts_and_references(paper: SandboxPaper) -> None:
    text = plain_text(render(paper))
    with opened(paper) as document:
        assert document.page_count >= 2
    for expected in (
        paper.title,
        *(fact.sentence for fact in paper.facts),
        "References",
        "Table 1:",
        paper.references[0][:30],
    ):
        assert expected in text


def test_pdf_bytes_are_the_same_in_another_process() -> None:
    code = (
        "import hashlib; from paperlora.sandbox.corpus import PAPERS; from paperlora.sandbox.pdf import render;"
        "print(hashlib.sha256(b''.join(map(render, PAPERS))).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].strip()) == 64


def test_pdf_has_two_columns_furniture_and_hyphens() -> None:
    with opened(paper_named("Tidal Replay", 2)) as document:
        second = document[1]
        starts = [block[0] for page in document for block in page.get_text("blocks") if len(block[4]) > 100]
        assert {round(start / 20) for start in starts} >= {round(60 / 20), round((60 + 227 + 20) / 20)}
        lines = second.get_text().splitlines()
        assert "Tidal Replay" in lines
        assert "Okafor et al." in lines
        assert "2" in lines
        stamp = [
            line
            for block in document[0].get_text("dict")["blocks"]
            for line in block.get("lines", ())
            if line["dir"] != (1.0, 0.0)
        ]
        assert "arXiv:9901.00011v2" in stamp[0]["spans"][0]["text"]
        whole = "\n".join(page.get_text() for page in document)
    assert len(re.findall(r"[a-z]-\n[a-z]", whole)) >= 5
    assert "(1)" in whole.splitlines()


def test_ligatures_are_single_characters_in_one_paper() -> None:
    with opened(paper_named("Lantern Anchoring")) as document:
        text = "".join(page.get_text(flags=pymupdf.TEXT_PRESERVE_LIGATURES) for page in document)
    assert "ﬁ" in text
    assert "ﬁne-tun" in text


def test_hidden_text_is_white_and_extractable() -> None:
    paper = paper_named("Harbour Sampling")
    with opened(paper) as document:
        spans = [
            span
            for block in document[0].get_text("dict")["blocks"]
            for line in block.get("lines", ())
            for span in line["spans"]
        ]
    white = " ".join(span["text"].strip() for span in spans if span["color"] == 0xFFFFFF)
    assert white == " ".join(paper.hidden_text.split())
    assert "ignore all previous instructions" in white


def test_broken_pdf_lost_most_of_its_text() -> None:
    paper = paper_named("Cinder Routing")
    data = render(paper)
    assert data.startswith(b"%PDF-")
    assert b"%%EOF" not in data[-1024:]
    with pymupdf.open(stream=data, filetype="pdf") as document:
        assert document.is_repaired
    assert len(plain_text(data)) < len(paper.text) / 2


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("distillation,", "distil-lation,"),
        ("replay", "replay"),
        ("rehearsal", "rehear-sal"),
        ("converges", "con-verges"),
        ("9901.00011", "9901.00011"),
        ("fine-tuning", "fine-tuning"),
    ],
)
def test_hyphenation(word: str, expected: str) -> None:
    assert hyphenated(word).replace("\u00ad", "-") == expected


# ----------------------------------------------------------------------- arXiv


def test_arxiv_package_reads_all_papers_over_pages(sandbox: Sandbox) -> None:
    found = short_ids(sandbox, page_size=3, query="all:*", max_results=None)
    newest = {paper.arxiv_id: f"{paper.arxiv_id}v{paper.version}" for paper in PAPERS if paper.arxiv_id}
    assert sorted(found) == sorted(newest.values())
    assert sandbox.counts["arxiv.query"] == 4


def test_arxiv_package_reads_every_field(sandbox: Sandbox) -> None:
    paper = paper_named("Lantern Anchoring")
    (result,) = arxiv_client(sandbox).results(arxiv.Search(id_list=["9901.00012"]))
    assert result.entry_id == "http://arxiv.org/abs/9901.00012v1"
    assert result.title == paper.title
    assert result.summary == paper.abstract
    assert tuple(author.name for author in result.authors) == paper.authors
    assert (result.published, result.updated) == (paper.published, paper.updated)
    assert (result.primary_category, result.categories) == ("cs.LG", ["cs.LG", "cs.CL"])
    assert (result.comment, result.doi) == (paper.comment, paper.doi)
    assert http_get(result.pdf_url or "").content == render(paper)


def test_arxiv_versions(sandbox: Sandbox) -> None:
    assert short_ids(sandbox, id_list=["9901.00011", "9901.00011v1", "9901.55555"]) == ["9901.00011v2", "9901.00011v1"]
    first, second = (http_get(f"{sandbox.url}/pdf/9901.00011{version}") for version in ("v1", ""))
    assert "replay share of 37 percent" in plain_text(first.content)
    assert "replay share of 41 percent" in plain_text(second.content)


def test_withdrawn_paper_says_so_and_has_no_pdf(sandbox: Sandbox) -> None:
    (result,) = arxiv_client(sandbox).results(arxiv.Search(id_list=["9901.00019"]))
    assert result.comment is not None
    assert result.comment.startswith("This paper has been withdrawn")
    gone = http_get(result.pdf_url or "")
    assert (gone.status_code, gone.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert http_get(f"{sandbox.url}/pdf/9901.00019v1").content.startswith(b"%PDF-")


def test_topics_find_every_paper(sandbox: Sandbox) -> None:
    found = {name for topic in TOPICS for name in short_ids(sandbox, query=topic.arxiv, max_results=None)}
    listed = [bulk(sandbox, query=topic.semantic_scholar).json()["data"] for topic in TOPICS]
    by_scholar = {item["paperId"] for page in listed for item in page}
    for paper in {paper.arxiv_id or paper.s2_id: paper for paper in PAPERS}.values():
        assert f"{paper.arxiv_id}v{paper.version}" in found or paper.s2_id in by_scholar
    assert "9901.00012v1" in found
    assert paper_named("Lantern Anchoring").s2_id in by_scholar


def test_arxiv_sorting(sandbox: Sandbox) -> None:
    oldest = short_ids(
        sandbox, query="all:*", sort_by=arxiv.SortCriterion.SubmittedDate, sort_order=arxiv.SortOrder.Ascending
    )
    latest = short_ids(sandbox, query="all:*", sort_by=arxiv.SortCriterion.LastUpdatedDate)
    assert oldest[:2] == ["9901.00011v2", "9901.00012v1"]
    assert latest[:2] == ["9901.00019v2", "9901.00011v2"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"id_list": "abc"}, "incorrect id format for abc"),
        ({"search_query": "all:x", "start": "-1"}, "start must be non-negative"),
        ({"search_query": "all:x", "max_results": "many"}, "max_results must be an integer"),
        ({"search_query": "all:x", "max_results": "30001"}, "start plus max_results must not exceed 30000"),
        ({"search_query": "ti:(open"}, "malformed query: a bracket is not closed"),
        ({"search_query": "all:x", "sortBy": "size"}, "sortBy must be in: relevance, lastUpdatedDate, submittedDate"),
    ],
)
def test_arxiv_refusals_are_error_entries(sandbox: Sandbox, parameters: dict[str, str], message: str) -> None:
    answer = http_get(sandbox.arxiv_url, params=parameters)
    entry = ElementTree.fromstring(answer.text).find(f"{ATOM}entry")
    assert answer.status_code == 400
    assert entry is not None
    assert (entry.findtext(f"{ATOM}title"), entry.findtext(f"{ATOM}summary")) == ("Error", message)


@pytest.mark.real
@pytest.mark.parametrize(
    ("recording", "parameters"),
    [
        ("id_1605.08386.xml", {"id_list": "9901.00012", "max_results": "100"}),
        ("id_unknown.xml", {"id_list": "0000.0000", "max_results": "100"}),
        ("id_malformed.xml", {"id_list": "abc"}),
    ],
)
def test_atom_has_the_elements_arxiv_sends(
    sandbox: Sandbox, real_folder: Path, recording: str, parameters: dict[str, str]
) -> None:
    recorded = ElementTree.parse(real_folder / "arxiv" / recording).getroot()
    ours = ElementTree.fromstring(http_get(sandbox.arxiv_url, params=parameters).text)
    assert shape(recorded) <= shape(ours)
    extra = {path[2] for path in shape(ours) - shape(recorded)}
    assert extra <= {"{http://arxiv.org/schemas/atom}doi", f"{ATOM}link"}  # the recorded paper has no DOI
    for name in ("totalResults", "startIndex", "itemsPerPage"):
        assert ours.findtext(OPENSEARCH + name) == recorded.findtext(OPENSEARCH + name)


def shape(root: ElementTree.Element) -> set[tuple[str, ...]]:
    """Every element as its path of tags and its attribute names."""

    def walk(element: ElementTree.Element, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        here = (*path, element.tag)
        yield (*here, *sorted(element.attrib))
        for child in element:
            yield from walk(child, here)

    return set(walk(root, ()))


# ------------------------------------------------------------ query languages

RECORD = searchable(
    {
        "ti": "Copper Sieve: Selecting Instruction Data",
        "abs": "Two small language models disagree about fine-tuning.",
        "au": "Noor Haddad",
    },
    identifier="9901.00013",
    categories=("cs.LG", "cs.CL"),
    dates={"submittedDate": datetime(2099, 1, 9, 17, 59, tzinfo=UTC)},
)


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("", True),
        ("copper sieve", True),
        ("copper nothing", False),
        ("copper | nothing", True),
        ("copper + (nothing | data)", True),
        ("copper -data", False),
        ("-nothing", True),
        ('"small language models"', True),
        ('"language small"', False),
        ("instruct*", True),
        ("fine-tuning", True),
    ],
)
def test_scholar_query_language(query: str, matches: bool) -> None:
    assert (parse_scholar(query)(RECORD) > 0) is matches


@pytest.mark.parametrize("query", ["(a", "a)", '"a', "|", "a +"])
def test_malformed_scholar_queries(query: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_scholar(query)


# ------------------------------------------------------------ Semantic Scholar


def test_bulk_search_pages_by_token() -> None:
    with Sandbox(scholar_page_size=2) as sandbox:
        pages = [bulk(sandbox, query="", fields="title,externalIds").json()]
        while pages[-1]["token"]:
            pages.append(bulk(sandbox, query="", fields="title,externalIds", token=pages[-1]["token"]).json())
        forged = bulk(sandbox, query="other", token=pages[0]["token"])
    listed = [item for page in pages for item in page["data"]]
    assert {item["paperId"] for item in listed} == {paper.s2_id for paper in PAPERS if paper.s2_id}
    assert len(listed) == pages[0]["total"] == 5
    assert len(pages) == 3
    assert forged.status_code == 400
    by_title = {item["title"].split(":")[0]: item["externalIds"] for item in listed}
    assert by_title["Tidal Replay"]["ArXiv"] == "9901.00011"
    assert by_title["Lantern Anchoring"]["DOI"] == paper_named("Lantern Anchoring").doi
    assert "ArXiv" not in by_title["Marble Annealing"]


def test_paper_of_semantic_scholar_alone_has_its_pdf(sandbox: Sandbox) -> None:
    (item,) = bulk(sandbox, query="marble", fields="openAccessPdf,abstract,year,publicationDate").json()["data"]
    assert item["openAccessPdf"] == {"url": item["openAccessPdf"]["url"], "status": "GREEN", "license": "CCBY"}
    assert "own clock" in item["abstract"]
    assert (item["year"], item["publicationDate"]) == (2099, "2099-01-15")
    assert "cooling factor of Marble Annealing is 0.62" in plain_text(http_get(item["openAccessPdf"]["url"]).content)
    assert sandbox.counts["s2.pdf"] == 1


def test_abstract_may_be_missing(sandbox: Sandbox) -> None:
    (item,) = bulk(sandbox, query="copper", fields="abstract,title").json()["data"]
    assert item["abstract"] is None
    assert item["title"].startswith("Copper Sieve")


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({"publicationDateOrYear": "2099-01-10:"}, 2),
        ({"publicationDateOrYear": ":2099-01-06"}, 2),
        ({"publicationDateOrYear": "2099-01"}, 5),
        ({"year": "2100-"}, 0),
        ({"year": "2098-2099"}, 5),
        ({"fieldsOfStudy": "Biology"}, 0),
    ],
)
def test_bulk_filters(sandbox: Sandbox, parameters: dict[str, str], count: int) -> None:
    assert bulk(sandbox, query="", **parameters).json()["total"] == count


def test_batch_gives_null_for_unknown_ids(sandbox: Sandbox) -> None:
    ids = [
        "ARXIV:9901.00011",
        "ARXIV:9901.99999",
        "DOI:10.5555/marble.2099.0115",
        paper_named("Ember Distillation").s2_id,
    ]
    answer = http_post(f"{sandbox.semantic_scholar_url}/paper/batch", params={"fields": "title"}, json={"ids": ids})
    titles = [item and item["title"].split(":")[0] for item in answer.json()]
    assert titles == ["Tidal Replay", None, "Marble Annealing", "Ember Distillation"]
    assert http_post(f"{sandbox.semantic_scholar_url}/paper/batch", json={"ids": []}).status_code == 400


def test_scholar_refusals(sandbox: Sandbox) -> None:
    address = sandbox.semantic_scholar_url
    assert http_get(f"{address}/paper/search/bulk?query=a", headers={"x-api-key": "wrong"}).status_code == 403
    assert http_get(f"{address}/paper/0").json() == {"error": "Paper with id 0 not found"}
    assert bulk(sandbox, query="a", sort="size").status_code == 400


@pytest.mark.real
def test_scholar_shapes_are_those_recorded(sandbox: Sandbox, real_folder: Path) -> None:
    (recorded,) = json.loads((real_folder / "semantic_scholar" / "batch_not_found.json").read_text())
    query = httpx.URL(recorded["uri"]).params
    ids = {"ids": ["CorpusId:1", "ARXIV:9901.00011"]}
    unknown, ours = http_post(f"{sandbox.semantic_scholar_url}/paper/batch", params=query, json=ids).json()
    theirs = recorded["body"][1]
    assert unknown is None
    assert set(ours) == set(theirs)
    for name in ("externalIds", "openAccessPdf", "s2FieldsOfStudy", "authors", "journal", "year", "abstract"):
        assert type(ours[name]) is type(theirs[name])
    (refused,) = json.loads((real_folder / "semantic_scholar" / "bad_parameters.json").read_text())
    answer = bulk(sandbox, query="a", fields="unknown")
    assert (answer.status_code, answer.json()) == (refused["status"], refused["body"])


# -------------------------------------------------------------------- endpoint


def test_oracle_reports_the_facts_of_the_text(sandbox: Sandbox) -> None:
    paper = paper_named("Quartz Decoding")
    answer = ask(sandbox, "Read this.\n\n" + paper.text.replace(" ", "\n"), response_format=JSON_OBJECT)
    ideas = json.loads(answer.choices[0].message.content)["ideas"]
    assert [(item["subject"], item["relation"], item["answer"], item["quote"]) for item in ideas] == list(paper.facts)
    by_relation = {item["relation"]: item for item in ideas}
    assert by_relation["accuracy on Curlew"]["aliases"] == ["74.6%"]
    assert by_relation["accuracy on Curlew"]["kind"] == "finding"
    assert by_relation["damping constant"]["kind"] == "recipe"
    assert by_relation["benchmark"]["kind"] == "method"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == sandbox.counts["llm.prompt_tokens"] > 500
    assert answer.usage.completion_tokens == sandbox.counts["llm.completion_tokens"] > 100


def test_oracle_knows_nothing_of_other_texts(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "Deep residual networks are easier to optimise.", response_format=JSON_OBJECT)
    assert json.loads(answer.choices[0].message.content) == {"ideas": []}


class Claim(BaseModel):
    subject: str
    answer: str


class Claims(BaseModel):
    ideas: list[Claim]


def test_oracle_honours_the_schema(sandbox: Sandbox) -> None:
    sentence = "Tidal Replay uses a replay share of 41 percent."
    parsed = llm(sandbox).chat.completions.parse(
        model="sandbox-oracle", messages=[{"role": "user", "content": sentence}], response_format=Claims
    )
    assert parsed.choices[0].message.parsed == Claims(ideas=[Claim(subject="Tidal Replay", answer="41 percent")])
    assert set(json.loads(parsed.choices[0].message.content or "")["ideas"][0]) == {"subject", "answer"}


def test_oracle_chats_when_no_format_is_asked(sandbox: Sandbox) -> None:
    content = ask(sandbox, "Tidal Replay uses a replay share of 41 percent.").choices[0].message.content
    assert content.startswith("Here is")
    fenced = re.search(r"```json\n(.*)\n```", content, re.DOTALL)
    assert fenced is not None
    assert json.loads(fenced[1])["ideas"][0]["answer"] == "41 percent"


def test_endpoint_keeps_to_max_tokens(sandbox: Sandbox) -> None:
    answer = ask(sandbox, paper_named("Quartz Decoding").text, response_format=JSON_OBJECT, max_tokens=50)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens <= 50


def test_endpoint_refusals(sandbox: Sandbox) -> None:
    question: Any = [{"role": "user", "content": "hello"}]
    with pytest.raises(openai.AuthenticationError):
        llm(sandbox, "wrong").models.list()
    with pytest.raises(openai.AuthenticationError):
        llm(sandbox, "wrong").chat.completions.create(model="m", messages=question)
    with pytest.raises(openai.NotFoundError):
        llm(sandbox).chat.completions.create(model="missing", messages=question)
    with pytest.raises(openai.BadRequestError, match="json"):
        llm(sandbox).chat.completions.create(model="m", messages=question, response_format={"type": "json_object"})
    assert [model.id for model in llm(sandbox).models.list()] == ["sandbox-oracle"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [("plain words", "plain words"), ({"ideas": [1]}, '{"ideas": [1]}')],
)
def test_scripted_answers(sandbox: Sandbox, said: Any, expected: str) -> None:
    asked: list[dict[str, Any]] = []

    def script(request: dict[str, Any]) -> Any:
        asked.append(request)
        return said

    sandbox.script_llm(script)
    assert ask(sandbox, "What?").choices[0].message.content == expected
    assert asked[0]["messages"][-1]["content"] == "What?"
    sandbox.script_llm(None)
    assert ask(sandbox, "What?").choices[0].message.content.startswith("Here is")


# ---------------------------------------------------------------------- faults

QUERY = "/api/query?search_query=all:*&max_results=3"
PDF = "/pdf/9901.00012"
BULK = "/graph/v1/paper/search/bulk?query="


def get(sandbox: Sandbox, path: str, **more: Any) -> httpx.Response:
    return http_get(sandbox.url + path, **more)


@pytest.mark.parametrize(("route", "path"), [("arxiv.query", QUERY), ("arxiv.pdf", PDF), ("s2.bulk", BULK)])
@pytest.mark.parametrize(
    ("kind", "options", "broken"),
    [
        ("rate_limit", {"retry_after": 7}, lambda r: (r.status_code, r.headers["retry-after"]) == (429, "7")),
        ("rate_limit", {"retry_after": None}, lambda r: r.status_code == 429 and "retry-after" not in r.headers),
        ("unavailable", {}, lambda r: r.status_code == 503),
        ("unavailable", {"status": 502}, lambda r: r.status_code == 502),
        ("html", {}, lambda r: r.status_code == 200 and r.headers["content-type"].startswith("text/html")),
        ("empty_body", {}, lambda r: r.status_code == 200 and r.content == b""),
        ("truncated", {"declared": False}, lambda r: r.status_code == 200),
    ],
)
def test_faults_of_every_route(
    sandbox: Sandbox,
    route: str,
    path: str,
    kind: str,
    options: dict[str, Any],
    broken: Callable[[httpx.Response], bool],
) -> None:
    healthy = get(sandbox, path)
    sandbox.fault(route, kind, times=1, **options)
    spoiled = get(sandbox, path)
    assert broken(spoiled)
    assert spoiled.content != healthy.content
    healed = get(sandbox, path)
    assert healed.status_code == 200
    assert healed.headers["content-type"] == healthy.headers["content-type"]
    assert sandbox.counts[route] == 3


@pytest.mark.parametrize(("route", "path"), [("arxiv.query", QUERY), ("arxiv.pdf", PDF), ("s2.bulk", BULK)])
def test_cut_off_and_silent_answers(sandbox: Sandbox, route: str, path: str) -> None:
    sandbox.fault(route, "truncated", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        get(sandbox, path)
    sandbox.fault(route, "timeout", times=1, seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        get(sandbox, path, timeout=0.2)
    until(lambda: sandbox.counts[route] == 2)  # on a busy machine it may be given up before the sandbox has read it
    sandbox.fault(route, "stall", times=1, seconds=30)
    with httpx.stream("GET", sandbox.url + path, timeout=4.0) as answer, pytest.raises(httpx.ReadTimeout):
        received = 0
        for chunk in answer.iter_raw():
            received += len(chunk)
            assert 0 < received < int(answer.headers["content-length"])
    assert get(sandbox, path).status_code == 200


def test_cut_off_pdf_keeps_a_share(sandbox: Sandbox) -> None:
    whole = get(sandbox, PDF).content
    sandbox.fault("arxiv.pdf", "truncated", times=1, declared=False, share=0.25)
    assert get(sandbox, PDF).content == whole[: int(len(whole) * 0.25)]


def test_empty_page_in_mid_paging(sandbox: Sandbox) -> None:
    sandbox.fault("arxiv.query", "empty_page", times=1, after=1)
    results = arxiv_client(sandbox, page_size=4).results(arxiv.Search(query="all:*", max_results=None))
    with pytest.raises(arxiv.UnexpectedEmptyPageError):
        list(results)
    assert len(short_ids(sandbox, page_size=4, query="all:*", max_results=None)) == 11
    sandbox.fault("s2.bulk", "empty_page")
    answer = bulk(sandbox, query="").json()
    assert (answer["total"], answer["data"]) == (5, [])


@pytest.mark.parametrize("kind", ["bad_json", "wrong_schema"])
@pytest.mark.parametrize("route", ["s2.bulk", "s2.batch"])
def test_malformed_scholar_answers(sandbox: Sandbox, kind: str, route: str) -> None:
    def fetch() -> httpx.Response:
        address = f"{sandbox.semantic_scholar_url}/paper"
        if route == "s2.bulk":
            return http_get(f"{address}/search/bulk?query=")
        return http_post(f"{address}/batch?fields=title", json={"ids": ["ARXIV:9901.00011"]})

    sandbox.fault(route, kind, times=1)
    spoiled = fetch()
    assert spoiled.status_code == 200
    if kind == "bad_json":
        with pytest.raises(ValueError, match=r"Extra data|Expecting"):
            spoiled.json()
    else:
        assert set(spoiled.json()) == {"results", "next"}
    assert fetch().json() not in ([], {})


@pytest.mark.parametrize(
    ("kind", "options", "check"),
    [
        ("think_block", {}, lambda c: c.message.content.startswith("<think>") and c.message.content.endswith('"}]}')),
        ("fenced", {}, lambda c: c.message.content.startswith("```json\n{")),
        ("truncated", {}, lambda c: c.finish_reason == "length" and not c.message.content.endswith("}")),
        ("bad_json", {}, lambda c: c.finish_reason == "stop" and c.message.content.endswith(",,")),
        ("wrong_schema", {}, lambda c: set(json.loads(c.message.content)) == {"findings", "count"}),
        ("refusal", {}, lambda c: c.message.content is None and c.message.refusal.startswith("I'm sorry")),
        ("refusal", {"text": True}, lambda c: c.message.content.startswith("I'm sorry")),
    ],
)
def test_content_faults_of_the_endpoint(
    sandbox: Sandbox, kind: str, options: dict[str, Any], check: Callable[[Any], bool]
) -> None:
    sentence = "Tidal Replay uses a replay share of 41 percent."
    sandbox.fault("llm.chat", kind, times=1, **options)
    assert check(ask(sandbox, sentence, response_format=JSON_OBJECT).choices[0])
    healthy = ask(sandbox, sentence, response_format=JSON_OBJECT).choices[0].message.content
    assert json.loads(healthy)["ideas"][0]["quote"] == sentence


def test_other_faults_of_the_endpoint(sandbox: Sandbox) -> None:
    sandbox.fault("llm.chat", "empty_choices", times=1)
    assert ask(sandbox, "a").choices == []
    sandbox.fault("llm.chat", "rate_limit", times=1, retry_after=600)
    with pytest.raises(openai.RateLimitError) as limited:
        ask(sandbox, "a")
    assert limited.value.response.headers["retry-after"] == "600"
    sandbox.fault("llm.chat", "unavailable", times=1)
    with pytest.raises(openai.InternalServerError):
        ask(sandbox, "a")
    sandbox.fault("llm.chat", "cut_connection", times=1)
    with pytest.raises(openai.APIConnectionError):
        ask(sandbox, "a")
    sandbox.fault("llm.chat", "bad_body", times=1)
    with pytest.raises((openai.APIError, ValueError)):
        ask(sandbox, "a")
    sandbox.fault("llm.chat", "unsupported_format", types=["json_schema"])
    with pytest.raises(openai.BadRequestError, match="response_format"):
        ask(
            sandbox,
            "a",
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        )
    assert json.loads(ask(sandbox, "a", response_format=JSON_OBJECT).choices[0].message.content) == {"ideas": []}
    assert sandbox.counts["llm.chat"] == 7


def test_fault_can_single_out_one_request(sandbox: Sandbox) -> None:
    sandbox.fault("arxiv.pdf", "unavailable", match="9901.00012")
    assert [get(sandbox, f"/pdf/9901.000{number}").status_code for number in (11, 12, 14, 12)] == [200, 503, 200, 503]
    sandbox.heal()
    assert get(sandbox, PDF).status_code == 200


@pytest.mark.parametrize(
    ("route", "kind", "options"),
    [
        ("arxiv.pdfs", "html", {}),
        ("arxiv.pdf", "explode", {}),
        ("arxiv.pdf", "think_block", {}),
        ("arxiv.pdf", "html", {"retry_after": 3}),
    ],
)
def test_impossible_faults_are_refused(sandbox: Sandbox, route: str, kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown|applies|no option"):
        sandbox.fault(route, kind, **options)


def test_faults_and_counts_over_http(sandbox: Sandbox) -> None:
    faults = f"{sandbox.url}/sandbox/faults"
    asked = {"route": "arxiv.pdf", "kind": "rate_limit", "times": 2, "after": 1, "retry_after": 4}
    assert http_post(faults, json=asked).status_code == 204
    answers = [get(sandbox, PDF) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["retry-after"] == "4"
    assert httpx.delete(faults).status_code == 204
    assert get(sandbox, PDF).status_code == 200
    assert http_get(f"{sandbox.url}/sandbox/counts").json() == {"arxiv.pdf": 3}
    assert "unknown fault" in http_post(faults, json={"route": "arxiv.pdf", "kind": "boom"}).json()["error"]
    assert http_post(faults, content=b"[").status_code == 400


def test_every_fault_kind_is_explained() -> None:
    assert all(len(text) > 15 for text in KINDS.values())
    assert {"rate_limit", "unavailable", "timeout", "truncated", "html", "empty_page", "bad_json"} < set(KINDS)
    assert {"think_block", "refusal", "wrong_schema"} < set(KINDS)


def test_requests_are_remembered(sandbox: Sandbox) -> None:
    http_get(f"{sandbox.url}{PDF}", headers={"user-agent": "PaperLoRA/test"})
    (seen,) = sandbox.requests
    assert (seen.route, seen.user_agent) == ("arxiv.pdf", "PaperLoRA/test")
    assert seen.url.endswith(PDF)


# ------------------------------------------------------------- a person's PDFs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three PDFs: one with a JSON file beside it, one with metadata inside, one that is broken."""
    (tmp_path / "lantern.pdf").write_bytes(render(paper_named("Lantern Anchoring")))
    (tmp_path / "2203.14465v2.pdf").write_bytes(render(paper_named("Quartz Decoding")))
    (tmp_path / "scrap.PDF").write_bytes(b"%PDF-1.7\nnothing")
    (tmp_path / "notes.txt").write_text("no paper")
    said = {
        "id": "arxiv:2405.05904", "version": 3, "title": "A Title of Its Own", "authors": ["A. Reader"],
        "abstract": "About lamps.", "licence": "CC-BY-4.0", "published": "2024-05-09", "sources": ["arxiv"],
    }  # fmt: skip
    (tmp_path / "lantern.json").write_text(json.dumps(said))
    return tmp_path


def test_folder_is_served_as_arxiv_papers(folder: Path) -> None:
    with Sandbox(folder) as sandbox:
        results = {r.get_short_id(): r for r in arxiv_client(sandbox).results(arxiv.Search(query="all:*"))}
        by_words = short_ids(sandbox, query="all:entropy AND all:decoding")
        empty_query = ElementTree.fromstring(get(sandbox, "/api/query").text).findtext(f"{OPENSEARCH}totalResults")
        scrap = next(name for name in results if name.startswith("9902."))
        served = [get(sandbox, f"/pdf/{name}").content for name in ("2405.05904v3", "2203.14465", scrap)]
        assert bulk(sandbox, query="").json()["total"] == 0
    lantern, quartz = results["2405.05904v3"], results["2203.14465v2"]
    assert (lantern.title, lantern.summary, str(lantern.published)[:10]) == (
        "A Title of Its Own",
        "About lamps.",
        "2024-05-09",
    )
    assert [author.name for author in lantern.authors] == ["A. Reader"]
    assert quartz.title == paper_named("Quartz Decoding").title
    assert quartz.summary == paper_named("Quartz Decoding").abstract
    assert [author.name for author in quartz.authors] == list(paper_named("Quartz Decoding").authors)
    assert results[scrap].title == "scrap"
    assert by_words == ["2203.14465v2"]
    assert empty_query == "3"
    assert served == [(folder / name).read_bytes() for name in ("lantern.pdf", "2203.14465v2.pdf", "scrap.PDF")]


def test_title_comes_from_the_largest_line_without_metadata(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 100), "On the Weight of Lamps", fontsize=20)
    page.insert_text((72, 130), "A. Reader", fontsize=11)
    page.insert_text((72, 180), "Abstract", fontsize=12)
    page.insert_text((72, 300), "FIGURE", fontsize=40)
    document.set_metadata({"title": "paper.dvi"})
    document.save(tmp_path / "x.pdf")
    assert Sandbox(tmp_path).library.entries[0].title == "On the Weight of Lamps"


def test_generated_ids_stay_the_same(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    shutil.copy(folder / "scrap.PDF", other)
    first, second = (
        next(entry for entry in Sandbox(place).library.entries if entry.title == "scrap") for place in (folder, other)
    )
    assert first.arxiv_id == second.arxiv_id


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("lantern.json", "{", "no metadata"),
        ("lantern.json", '{"title": 5}', "no metadata"),
        ("2203.14465v2.json", '{"id": "2405.05904v3"}', "same id"),
    ],
)
def test_wrong_folders_are_refused(folder: Path, name: str, content: str, message: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(SettingsError, match=message):
        Sandbox(folder)


def test_empty_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no PDF"):
        Sandbox(tmp_path)
    with pytest.raises(SettingsError, match="no folder"):
        Sandbox(tmp_path / "absent")


@pytest.mark.real
def test_real_papers_are_served(real_folder: Path) -> None:
    with Sandbox(real_folder / "pdf") as sandbox:
        results = list(arxiv_client(sandbox).results(arxiv.Search(query="all:*")))
        (star,) = arxiv_client(sandbox).results(arxiv.Search(query="abs:rationale AND all:reasoner"))
        assert len(http_get(star.pdf_url or "").content) == (real_folder / "pdf" / "2203.14465.pdf").stat().st_size
    assert star.get_short_id() == "2203.14465v1"
    titles = {result.title for result in results}
    assert {
        "Deep Residual Learning for Image Recognition",
        "Distilling the Knowledge in a Neural Network",
        "PaSa: An LLM Agent for Comprehensive Academic Paper Search",
    } < titles
    assert all(len(result.summary) > 300 for result in results)


# ---------------------------------------------------------------------- server


def test_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"can't listen on 127.0.0.1:{port}"), Sandbox(port=port):
            pass


def test_two_sandboxes_do_not_share_anything(sandbox: Sandbox) -> None:
    with Sandbox() as other:
        sandbox.fault("arxiv.pdf", "unavailable")
        assert get(other, PDF).status_code == 200
        assert get(sandbox, PDF).status_code == 503
        assert other.counts == sandbox.counts == {"arxiv.pdf": 1}
    with pytest.raises(httpx.ConnectError):
        get(other, PDF)


def test_command_serves_until_interrupted(folder: Path) -> None:
    code = "from pathlib import Path; import sys; from paperlora.sandbox.server import serve; serve(Path(sys.argv[1]), '127.0.0.1', 0)"
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert isinstance(process.stdout, io.TextIOBase)
        try:
            first = process.stdout.readline()
            address = re.search(r"3 papers at (http://\S+)\. ", first)
            assert address is not None
            exports = [process.stdout.readline() for _ in range(3)]
            assert exports[0].strip() == f"export PAPERLORA_ARXIV__URL={address[1]}/api/query"
            answer = http_get(f"{address[1]}/pdf/2203.14465")
            assert answer.content == (folder / "2203.14465v2.pdf").read_bytes()
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
