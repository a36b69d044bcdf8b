"""A paper's full text is of the best kind there is, whole, chosen once, and never of a worse kind for a passing trouble."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from web import Reply, Request, Web, serving

from paperlora.errors import DocumentUnreadable, SourceAnswerInvalid, SourceRefused, SourceUnavailable
from paperlora.literature import fulltext
from paperlora.literature.fetch import Downloader
from paperlora.literature.fulltext import FullText, address, fetch_fulltext
from paperlora.literature.patience import ATTEMPTS
from paperlora.records import Paper
from paperlora.settings import Settings
from paperlora.store import Store, read_manifest

PAPER = Paper(
    id="arxiv:2405.05904", version=2, title="A paper", external_ids={"arxiv": "2405.05904"}, sources=("arxiv",)
)
HTML = b'<!DOCTYPE html><html><body class="ltx_document"><h1 class="ltx_title">A paper</h1></body></html>\n'
PAGE = b"<!DOCTYPE html><html><body>Checking your browser</body></html>"
PDF = b"%PDF-1.5\n" + bytes(range(256)) * 20
TEX = b"\\documentclass{article}\\begin{document}Hello\\end{document}"
NONE = Reply(b"<html>no such paper</html>", 404, {"Content-Type": "text/html"})
NOT_NOW = Reply(b"later", 503)
HTML_AT, SOURCE_AT, PDF_AT = "/html/2405.05904v2", "/src/2405.05904v2", "/pdf/2405.05904v2"


def tar(**members: bytes) -> bytes:
    """A .tar.gz of files by name; ``__`` stands for a dot."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def serve(web: Web, routes: Mapping[str, Reply | list[Reply]]) -> None:
    """Answer by path; a list in turn, its last one ever after."""

    def answer(request: Request) -> Reply:
        found = routes.get(request.path, NONE)
        if isinstance(found, Reply):
            return found
        return found.pop(0) if len(found) > 1 else found[0]

    web.answer = answer


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


@pytest.fixture
def settings(web: Web, tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path, arxiv={"url": f"{web.url}/api/query", "delay_seconds": 0, "timeout_seconds": 30},
        semantic_scholar={"delay_seconds": 0},
    )  # fmt: skip


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store.at(settings.store_root)


def fetch(settings: Settings, paper: Paper = PAPER, **reading: Any) -> FullText:
    settings = settings.model_copy(update={"reading": settings.reading.model_copy(update=reading)})
    with Downloader(settings) as downloader:
        return fetch_fulltext(paper, settings, Store.at(settings.store_root), downloader)


# --------------------------------------------------------------------------------------------------------------- choice


def test_html_comes_first_and_is_asked_for_once(web: Web, settings: Settings, store: Store) -> None:
    serve(web, {HTML_AT: Reply(HTML)})
    text = fetch(settings)
    assert (text.kind, text.url, text.why) == ("html", f"{web.url}{HTML_AT}", "")
    assert text.path.read_bytes() == HTML
    assert text.sha256 == hashlib.sha256(HTML).hexdigest()
    assert fetch(settings) == text
    assert web.paths == [HTML_AT]
    manifest = read_manifest(store.folders("fulltexts")[0])
    assert manifest.inputs == {f"{web.url}{HTML_AT}": PAPER.key}


def test_source_comes_next_and_the_reason_is_kept(web: Web, settings: Settings) -> None:
    source = tar(figure__png=b"png", main__tex=TEX)
    serve(web, {SOURCE_AT: Reply(source)})
    text = fetch(settings)
    assert (text.kind, text.why, text.path.name) == ("latex", "html: 404", "source.tar.gz")
    assert text.path.read_bytes() == source
    assert fetch(settings) == text
    assert web.paths == [HTML_AT, SOURCE_AT]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (NONE, "404"),
        (Reply(b"gone", 410), "410"),
        (Reply(PDF), "no TeX in the source"),
        (Reply(gzip.compress(PDF)), "no TeX in the source"),
        (Reply(gzip.compress(b"%!PS-Adobe-2.0")), "no TeX in the source"),
        (Reply(tar(paper__pdf=PDF)), "no TeX in the source"),
        (Reply(tar(a__png=b"x", b__bib=b"@article{x}")), "no TeX in the source"),
        (Reply(b'{"error": "not found"}'), "no TeX in the source"),
        (Reply(PAGE), "a web page without it"),
        (Reply(tar(main__tex=TEX)[:60]), "a broken archive"),
    ],
)
def test_pdf_comes_last(source: Reply, why: str, web: Web, settings: Settings) -> None:
    serve(web, {SOURCE_AT: source, PDF_AT: Reply(PDF)})
    text = fetch(settings)
    assert (text.kind, text.path.read_bytes()) == ("pdf", PDF)
    assert text.why == f"html: 404; latex: {why}"


@pytest.mark.parametrize(
    ("body", "headers", "name"),
    [
        (tar(main__tex=TEX), {}, "source.tar.gz"),
        (tar(main__tex=TEX), {"Content-Encoding": "x-gzip"}, "source.tar.gz"),
        (tar(main__tex=TEX), {"Content-Encoding": "gzip"}, "source.tar.gz"),
        (tar(paper2405=TEX), {}, "source.tar.gz"),
        (gzip.compress(TEX, mtime=0), {}, "source.gz"),
        (gzip.compress(TEX, mtime=0), {"Content-Encoding": "gzip"}, "source.gz"),
        (TEX, {}, "source.tex"),
    ],
)
def test_every_form_of_a_source_is_kept_as_it_is(
    body: bytes, headers: dict[str, str], name: str, web: Web, settings: Settings
) -> None:
    serve(web, {SOURCE_AT: Reply(body, headers=headers)})
    text = fetch(settings)
    assert (text.kind, text.path.name, text.path.read_bytes()) == ("latex", name, body)


def test_a_bomb_is_not_unpacked(web: Web, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fulltext, "MOST_UNPACKED", 200_000)
    bomb = tar(a__bin=b"\0" * 30_000_000, main__tex=TEX)
    unpacked: list[int] = []
    real = fulltext._Limited.read

    def read(self: Any, size: int = -1) -> bytes:
        data = real(self, size)
        unpacked.append(len(data))
        return data

    monkeypatch.setattr(fulltext._Limited, "read", read)
    serve(web, {SOURCE_AT: Reply(bomb)})
    assert fetch(settings).kind == "latex"  # the reader, which has limits of its own, is to judge it
    assert sum(unpacked) < 500_000


def test_order_is_a_setting(web: Web, settings: Settings) -> None:
    serve(web, {HTML_AT: Reply(HTML), SOURCE_AT: Reply(gzip.compress(TEX)), PDF_AT: Reply(PDF)})
    assert fetch(settings, prefer=("pdf",)).kind == "pdf"
    assert fetch(settings, prefer=("latex", "pdf")).kind == "pdf"  # chosen once, kept
    assert fetch(settings, prefer=("latex",)).kind == "latex"
    assert web.paths == [PDF_AT, SOURCE_AT]


def test_paper_without_a_text_says_what_was_tried(web: Web, settings: Settings, store: Store) -> None:
    serve(web, {})
    with pytest.raises(DocumentUnreadable, match="html: 404; latex: 404") as caught:
        fetch(settings, prefer=("html", "latex"))
    assert caught.value.reason == "no_full_text"
    with pytest.raises(SourceRefused):
        fetch(settings)
    assert store.folders("fulltexts") == ()


def test_only_papers_of_arxiv_have_more_than_a_pdf(web: Web, settings: Settings) -> None:
    serve(web, {"/reader/1.pdf": Reply(PDF)})
    paper = Paper(id="s2:" + "1" * 40, title="Elsewhere", pdf_url=f"{web.url}/reader/1.pdf")
    assert fetch(settings, paper).kind == "pdf"
    assert web.paths == ["/reader/1.pdf"]
    with pytest.raises(DocumentUnreadable) as caught:
        fetch(settings, paper.model_copy(update={"id": "s2:" + "2" * 40, "pdf_url": None}))
    assert caught.value.reason == "no_full_text"


def test_a_pdf_elsewhere_is_a_reject_that_names_the_setting(web: Web, settings: Settings) -> None:
    paper = Paper(id="s2:" + "1" * 40, title="Elsewhere", pdf_url="https://journal.example.org/1.pdf")
    with pytest.raises(DocumentUnreadable) as caught:
        fetch(settings, paper)
    assert caught.value.reason == "host_not_allowed"
    assert "reading.hosts" in caught.value.message
    assert "reading.hosts" in caught.value.remedy
    assert web.requests == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "x@y", "2405.05904/../../a", "2405.05904?x=1", "", "a" * 500])
def test_what_is_no_arxiv_id_is_not_asked_for(name: str, web: Web, settings: Settings) -> None:
    paper = Paper(id="s2:" + "1" * 40, title="Odd", external_ids={"arxiv": name})
    with pytest.raises(DocumentUnreadable):
        fetch(settings, paper)
    assert web.requests == []


@pytest.mark.parametrize("key", ["arxiv:../../x", "doi:10.1/../../../y", "s2:" + "é" * 200])
def test_an_id_never_leads_a_file_out_of_the_store(key: str, web: Web, settings: Settings, tmp_path: Path) -> None:
    serve(web, {"/a.pdf": Reply(PDF)})
    text = fetch(settings, Paper(id=key, title="Odd", pdf_url=f"{web.url}/a.pdf"))
    assert text.path.resolve().parents[1] == tmp_path.resolve() / "store" / "fulltexts"


# -------------------------------------------------------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (NOT_NOW, SourceUnavailable),
        (Reply(b"", 429), SourceUnavailable),
        (Reply(b"", 403), SourceUnavailable),
        (Reply(HTML, headers={"Content-Length": "9000", "Connection": "close"}), SourceAnswerInvalid),
        (Reply(HTML[:-10]), SourceAnswerInvalid),
    ],
)
def test_passing_trouble_is_an_error_and_no_worse_kind(
    bad: Reply, error: type[Exception], web: Web, settings: Settings, store: Store, tmp_path: Path
) -> None:
    serve(web, {HTML_AT: bad, SOURCE_AT: Reply(TEX), PDF_AT: Reply(PDF)})
    with pytest.raises(error):
        fetch(settings)
    assert web.paths == [HTML_AT] * ATTEMPTS
    assert store.folders("fulltexts") == ()
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
    serve(web, {HTML_AT: Reply(HTML)})
    assert fetch(settings).kind == "html"


@pytest.mark.parametrize(
    "bad",
    [
        NOT_NOW,
        Reply(PAGE),
        Reply(b""),
        Reply(HTML[:-10]),
        Reply(HTML, headers={"Content-Length": "9000", "Connection": "close"}),
        Reply(b"", 429, {"Retry-After": "0"}),
    ],
)
def test_a_bad_moment_is_asked_away(bad: Reply, web: Web, settings: Settings) -> None:
    serve(web, {HTML_AT: [bad, Reply(HTML)]})
    text = fetch(settings)
    assert (text.kind, text.path.read_bytes(), text.why) == ("html", HTML, "")


def test_a_page_in_place_of_the_paper_is_no_paper(web: Web, settings: Settings) -> None:
    serve(web, {HTML_AT: Reply(PAGE), PDF_AT: Reply(PDF)})
    assert fetch(settings).why == "html: a web page without it; latex: 404"


@pytest.mark.parametrize("body", [PAGE, b"", b"%P", b"plain"])
def test_what_is_no_pdf_is_rejected(body: bytes, web: Web, settings: Settings, store: Store) -> None:
    serve(web, {PDF_AT: Reply(body)})
    with pytest.raises(DocumentUnreadable) as caught:
        fetch(settings)
    assert caught.value.reason == "not_a_pdf"
    assert store.folders("fulltexts") == ()


def test_too_large_a_text_is_stopped_and_the_next_kind_taken(web: Web, settings: Settings) -> None:
    large = HTML[:-8] + b"x" * 20_000 + b"</html>"
    serve(web, {HTML_AT: Reply(large), PDF_AT: Reply([PDF] * 1000)})
    with pytest.raises(DocumentUnreadable) as caught:
        fetch(settings, max_megabytes=0.01)
    assert caught.value.reason == "too_large"
    serve(web, {HTML_AT: Reply(large), PDF_AT: Reply(PDF)})
    text = fetch(settings, max_megabytes=0.01)
    assert (text.kind, text.why) == ("pdf", "html: too_large; latex: 404")


def test_what_is_no_pdf_is_known_by_its_first_bytes(web: Web, settings: Settings) -> None:
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        for number in range(20_000):
            sent.append(number)
            yield b"x" * 1000

    web.answer = lambda request: Reply(endless()) if request.path == PDF_AT else NONE
    with pytest.raises(DocumentUnreadable, match="begins with"):
        fetch(settings)
    assert len(sent) < 20_000 * ATTEMPTS


def test_an_altered_text_is_fetched_again(web: Web, settings: Settings) -> None:
    serve(web, {HTML_AT: Reply(HTML)})
    fetch(settings).path.write_bytes(b"other")
    assert fetch(settings).path.read_bytes() == HTML
    assert web.paths == [HTML_AT] * 2


def test_a_redirect_is_followed_and_told(web: Web, settings: Settings) -> None:
    serve(web, {HTML_AT: Reply(b"", 301, {"Location": "/html/elsewhere"}), "/html/elsewhere": Reply(HTML)})
    assert fetch(settings).url == f"{web.url}/html/elsewhere"


# ------------------------------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("html", {}, "https://arxiv.org/html/2405.05904v2"),
        ("latex", {}, "https://arxiv.org/src/2405.05904v2"),
        ("pdf", {}, "https://arxiv.org/pdf/2405.05904v2"),
        ("pdf", {"pdf_url": "https://arxiv.org/pdf/2405.05904"}, "https://arxiv.org/pdf/2405.05904"),
        ("html", {"sources": ("oai",)}, "https://arxiv.org/html/2405.05904v2"),
        ("html", {"sources": ("semantic_scholar",)}, "https://arxiv.org/html/2405.05904"),
        ("latex", {"id": "arxiv:cs/9901001", "version": 1}, "https://arxiv.org/src/cs/9901001v1"),
        ("latex", {"id": "doi:10.1/x"}, "https://arxiv.org/src/2405.05904v2"),
        ("html", {"id": "doi:10.1/x", "external_ids": {}}, None),
    ],
)
def test_where_arxiv_has_its_full_texts(kind: Any, changes: dict[str, Any], expected: str | None) -> None:
    assert address(PAPER.model_copy(update=changes), kind, Settings()) == expected
