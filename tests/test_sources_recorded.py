"""Recorded answers of the real sources, served as they were, through the whole way a listing takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from web import Reply, Web, serving

from paperlora.errors import SourceAnswerInvalid, SourceRefused
from paperlora.literature.sources import pages, refresh
from paperlora.settings import Settings

pytestmark = pytest.mark.real


def settings(web: Web, home: Path, page_size: int = 100) -> Settings:
    return Settings(
        home=home, arxiv={"url": f"{web.url}/api/query", "delay_seconds": 0, "page_size": page_size},
        semantic_scholar={"url": web.url, "delay_seconds": 0},
    )  # fmt: skip


def atom(folder: Path, name: str) -> Reply:
    return Reply((folder / "arxiv" / name).read_bytes(), headers={"Content-Type": "application/atom+xml"})


def body(folder: Path, name: str) -> Any:
    return json.loads((folder / "semantic_scholar" / name).read_text())[0]["body"]


def reply(value: Any) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def test_search_of_arxiv(real_folder: Path, tmp_path: Path) -> None:
    with serving() as web:
        web.replies(atom(real_folder, "search_15.xml"))
        # The recording holds 15 of 214,881: a listing whose pages have 15 takes it, one that asked for more doesn't.
        listing = pages("arxiv", "ti:testing AND cat:cs.SE", settings(web, tmp_path, 15))
        with pytest.raises(SourceRefused, match="papers of"):
            next(listing)  # every day would have 214,881: it is split until there is nothing to split
        assert any("submittedDate" in path for path in web.paths)
        few = (real_folder / "arxiv" / "search_15.xml").read_bytes().replace(b"214881", b"29")
        web.replies(Reply(few, headers={"Content-Type": "application/atom+xml"}))
        page = next(pages("arxiv", "all:testing", settings(web, tmp_path, 15)))
        assert (len(page.papers), page.rejects, page.total, page.last) == (15, (), 29, False)
        assert all(paper.categories and paper.metadata_status == "complete" for paper in page.papers)
        with pytest.raises(SourceAnswerInvalid, match="15 of 29"):
            next(pages("arxiv", "all:testing", settings(web, tmp_path, 100)))


def test_papers_of_arxiv_by_id(real_folder: Path, tmp_path: Path) -> None:
    with serving() as web:
        web.replies(atom(real_folder, "id_1605.08386.xml"))
        (page,) = refresh(["arxiv:1605.08386", "arxiv:1605.99999"], settings(web, tmp_path))
        assert [paper.key for paper in page.papers] == ["arxiv:1605.08386v1"]
        assert [reject.item for reject in page.rejects] == ["arxiv:1605.99999"]
        web.replies(atom(real_folder, "id_unknown.xml"))
        (page,) = refresh(["arxiv:0000.0000"], settings(web, tmp_path))
        assert [(reject.item, reject.reason) for reject in page.rejects] == [("arxiv:0000.0000", "unknown_at_source")]
        web.replies(atom(real_folder, "id_malformed.xml")._replace(status=400))
        with pytest.raises(SourceRefused, match="incorrect id format"):
            list(refresh(["arxiv:1605.08386"], settings(web, tmp_path)))


def test_bulk_search_of_semantic_scholar(real_folder: Path, tmp_path: Path) -> None:
    first = body(real_folder, "search_bulk.json")
    rest = {
        "total": 2674,
        "token": None,
        "data": [{**item, "paperId": item["paperId"][::-1]} for item in first["data"]],
    }
    with serving() as web:
        web.replies(reply(first), reply(rest))
        found = list(pages("semantic_scholar", "kubernetes", settings(web, tmp_path)))
        assert [(len(page.papers), page.total, page.last) for page in found] == [
            (1000, 2674, False),
            (1000, 2674, True),
        ]
        assert f"token={first['token']}" in web.paths[1]
        again = list(pages("semantic_scholar", "kubernetes", settings(web, tmp_path), found[0].cursor))
        assert [len(page.papers) for page in again] == [1000]
        web.replies(reply({**first, "token": None, "data": first["data"][:100]}))
        with pytest.raises(SourceAnswerInvalid, match="ends a listing of about 2674 papers after 100"):
            list(pages("semantic_scholar", "kubernetes", settings(web, tmp_path)))


def test_batch_of_semantic_scholar_with_an_unknown_id(real_folder: Path, tmp_path: Path) -> None:
    items = body(real_folder, "batch_not_found.json")
    names = [f"s2:{number:040x}" for number in range(len(items))]
    with serving() as web:
        web.replies(reply(items))
        (page,) = refresh(names, settings(web, tmp_path))
        assert len(page.papers) == sum(item is not None for item in items)
        assert [(reject.item, reject.reason) for reject in page.rejects] == [
            (name, "unknown_at_source") for name, item in zip(names, items, strict=True) if item is None
        ]
        assert json.loads(web.requests[0].body) == {"ids": [name.removeprefix("s2:") for name in names]}
        web.replies(reply(items[1:]))
        with pytest.raises(SourceAnswerInvalid, match="another shape than a batch"):
            list(refresh(names, settings(web, tmp_path)))


def test_refusals_of_semantic_scholar_in_its_words(real_folder: Path, tmp_path: Path) -> None:
    refusal = body(real_folder, "bad_parameters.json")
    with serving() as web:
        web.replies(reply(refusal)._replace(status=400))
        with pytest.raises(SourceRefused, match="Unrecognized or unsupported fields"):
            list(pages("semantic_scholar", "x", settings(web, tmp_path)))
        assert len(web.requests) == 1
