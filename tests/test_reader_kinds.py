"""One paper as PDF, as HTML and as LaTeX source reads alike: what is taught must not hang on what a source offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from paperlora.literature import html_file, latex_file, pdf_file
from paperlora.literature.limits import Limits
from paperlora.sandbox.corpus import PAPERS
from paperlora.sandbox.html_page import render_html
from paperlora.sandbox.latex_source import render_latex
from paperlora.sandbox.paper import SandboxPaper
from paperlora.sandbox.pdf import render

LIMITS = Limits(300, 60.0, 1500)
KINDS: dict[str, tuple[Callable[[SandboxPaper], bytes], Callable[..., dict[str, Any]], str]] = {
    "pdf": (render, pdf_file.read, "paper.pdf"),
    "html": (render_html, html_file.read, "paper.html"),
    "latex": (render_latex, latex_file.read, "paper.tar.gz"),
}
WHOLE = [paper for paper in PAPERS if not paper.broken]


def words(text: str) -> str:
    """Without typographic differences between the kinds."""
    return " ".join(text.replace("’", "'").replace("“", '"').replace("”", '"').split())


@pytest.fixture(scope="module", params=KINDS)
def read(request: pytest.FixtureRequest) -> list[tuple[SandboxPaper, dict[str, Any]]]:
    write, parse, name = KINDS[request.param]
    return [(paper, parse(write(paper), LIMITS, name)) for paper in WHOLE]


def body(layout: dict[str, Any]) -> str:
    return words(" ".join(section["text"] for section in layout["sections"]))


def left_out(layout: dict[str, Any], kind: str) -> str:
    return words(" ".join(part["text"] for part in layout["left_out"] if part["kind"] == kind))


def test_title(read: list[tuple[SandboxPaper, dict[str, Any]]]) -> None:
    assert [words(layout["title"]) for _, layout in read] == [words(paper.title) for paper, _ in read]


def test_headings(read: list[tuple[SandboxPaper, dict[str, Any]]]) -> None:
    for paper, layout in read:
        found = [section["heading"].lstrip("0123456789. ") for section in layout["sections"] if section["heading"]]
        wanted = [section.heading.lstrip("0123456789. ") for section in paper.sections]
        assert [heading for heading in found if heading in wanted] == wanted
        assert found[0] == "Abstract"


def test_paragraphs_and_planted_facts(read: list[tuple[SandboxPaper, dict[str, Any]]]) -> None:
    for paper, layout in read:
        text = body(layout)
        blocks = [block for section in paper.sections for block in section.blocks]
        assert not [b.text for b in blocks if b.kind == "paragraph" and words(b.text) not in text]
        assert not [fact.sentence for fact in paper.facts if words(fact.sentence) not in text]


def test_what_is_no_body_text(read: list[tuple[SandboxPaper, dict[str, Any]]]) -> None:
    for paper, layout in read:
        text = body(layout)
        for block in (block for section in paper.sections for block in section.blocks):
            if block.kind == "table":
                assert words(block.text) in left_out(layout, "caption")
                assert " | ".join(words(cell) for cell in block.rows[1]) in left_out(layout, "table")
            if block.footnote:
                assert words(block.footnote) in left_out(layout, "footnote")
                assert words(block.footnote) not in text
        assert all(words(reference)[:30] not in text for reference in paper.references)
        if paper.references:
            assert words(paper.references[0])[:25] in left_out(layout, "references")


def test_orders_to_the_reader_are_no_body_text(read: list[tuple[SandboxPaper, dict[str, Any]]]) -> None:
    for paper, layout in read:
        assert not paper.hidden_text or words(paper.hidden_text) not in body(layout)
