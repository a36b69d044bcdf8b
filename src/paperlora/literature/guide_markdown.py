"""Markdown: rendered to HTML by markdown-it, then read as every page is; front matter and code are left out."""

from __future__ import annotations

import re
from typing import Any

from lxml import html

from paperlora.literature.flow import Flow
from paperlora.literature.html_file import write_page
from paperlora.literature.math_text import tex_to_text

_FRONT = re.compile(r"\A\ufeff?(---|\+\+\+)[ \t]*\n(.*?)\n(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_TITLE = re.compile(r"^title\s*[:=]\s*[\"']?(.*?)[\"']?\s*$", re.M | re.I)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)|`+[^`]*`+", re.S | re.M)
_DISPLAY = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]", re.S)
_INLINE = re.compile(r"(?<![\\$\w])\$(?=\S)([^$\n]{1,300}?)(?<=\S)\$(?![\d\w$])|\\\((.+?)\\\)")


def write_markdown(text: str, flow: Flow) -> None:
    """Write a Markdown text; its first heading of the first rank is the title."""
    from markdown_it import MarkdownIt

    text = text.replace("\r\n", "\n")
    front = _FRONT.match(text)
    if front:
        flow.leave("front", front[2], lines=True)
        title = _TITLE.search(front[2])
        flow.title = title[1] if title else ""
        text = text[front.end() :]
    parser: Any = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    page = parser.render(_formulas(text, flow))
    write_page(html.document_fromstring(f"<html><body>{page}</body></html>"), flow)


def _formulas(text: str, flow: Flow) -> str:
    """Formulas as legible text, except in code."""
    parts: list[str] = []
    end = 0
    for code in _FENCE.finditer(text):
        parts += [_legible(text[end : code.start()], flow), code[0]]
        end = code.end()
    return "".join([*parts, _legible(text[end:], flow)])


def _legible(text: str, flow: Flow) -> str:
    def display(match: re.Match[str]) -> str:
        flow.leave("formula", tex_to_text(match[1] or match[2]))
        return "\n\n"

    def inline(match: re.Match[str]) -> str:
        return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", tex_to_text(match[1] or match[2]))

    return _INLINE.sub(inline, _DISPLAY.sub(display, text))
