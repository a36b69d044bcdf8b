"""Sandbox papers as the HTML that arXiv shows: what LaTeXML makes of a source, inside arXiv's own frame.

Classes and nesting follow arXiv's pages (``article.ltx_document``, ``section.ltx_section``, ``div.ltx_para``,
``span.ltx_note``, ``figure.ltx_table``, ``table.ltx_equation``, ``section.ltx_bibliography``). The same paper always
gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from itertools import count

from paperlora.sandbox.markup import mathml_of
from paperlora.sandbox.paper import Block, PaperSection, SandboxPaper

_NUMBERED = re.compile(r"(?P<number>[\d.]+)\s+(?P<text>.+)")
_CITATION = re.compile(r"\[(?P<number>\d+)\]")


def render_html(paper: SandboxPaper) -> bytes:
    """The page of a paper."""
    numbers = {kind: count(1) for kind in ("formula", "table", "note")}
    sections = [_section(section, index, numbers) for index, section in enumerate(paper.sections, start=1)]
    return "\n".join([*_head(paper), *sections, *_bibliography(paper), *_foot()]).encode()


def _head(paper: SandboxPaper) -> Iterator[str]:
    yield f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(paper.title)}</title>'
    yield '<link rel="stylesheet" href="/static/browse/0.3.4/css/ar5iv.0.7.9.min.css">\n<style>.ltx_hidden { color: black; }</style>\n</head>'
    yield '<body>\n<header class="desktop_header"><nav class="html-header-nav"><a href="#myForm">Report Issue</a>'
    yield '<a href="/abs">Back to Abstract</a></nav></header>'
    yield '<nav class="ltx_page_navbar"><nav class="ltx_TOC"><ol class="ltx_toclist">'
    yield "\n".join(
        f'<li class="ltx_tocentry ltx_tocentry_section"><a class="ltx_ref" href="#S{index}">{escape(section.heading)}</a></li>'
        for index, section in enumerate(paper.sections, start=1)
    )
    yield '</ol></nav></nav>\n<div class="ltx_page_main">\n<div class="ltx_page_content">'
    yield '<article class="ltx_document ltx_authors_1line">'
    yield f'<h1 class="ltx_title ltx_title_document">{escape(paper.title)}</h1>\n<div class="ltx_authors">'
    for author in paper.authors:
        yield f'<span class="ltx_creator ltx_role_author"><span class="ltx_personname">{escape(author)}</span></span>'
    yield f'<span class="ltx_contact ltx_role_affiliation">{escape(paper.affiliation)}</span>\n</div>'
    yield '<div class="ltx_abstract">\n<h6 class="ltx_title ltx_title_abstract">Abstract</h6>'
    yield f'<p class="ltx_p">{_prose(paper.abstract)}</p>\n</div>'


def _section(section: PaperSection, index: int, numbers: dict[str, count[int]]) -> str:
    lines = [f'<section id="S{index}" class="ltx_section">', _heading(section.heading, "section", "h2")]
    inside, paragraphs, parts = False, count(1), count(1)
    for block in section.blocks:
        if block.kind == "subheading":
            lines += ["</section>"] if inside else []
            lines += [
                f'<section id="S{index}.SS{next(parts)}" class="ltx_subsection">',
                _heading(block.text, "subsection", "h3"),
            ]
            inside = True
        else:
            lines.append(_block(block, f"S{index}.p{next(paragraphs)}", numbers))
    return "\n".join([*lines, *(["</section>"] if inside else []), "</section>"])


def _heading(text: str, kind: str, tag: str) -> str:
    match = _NUMBERED.fullmatch(text)
    number = f'<span class="ltx_tag ltx_tag_{kind}">{match["number"]} </span>' if match else ""
    return f'<{tag} class="ltx_title ltx_title_{kind}">{number}{escape(match["text"] if match else text)}</{tag}>'


def _block(block: Block, name: str, numbers: dict[str, count[int]]) -> str:
    if block.kind == "formula":
        return _formula(block, next(numbers["formula"]))
    if block.kind == "table":
        return _table(block, next(numbers["table"]))
    note = _note(block.footnote, next(numbers["note"])) if block.footnote else ""
    return f'<div id="{name}" class="ltx_para">\n<p class="ltx_p">{_prose(block.text)}{note}</p>\n</div>'


def _note(text: str, number: int) -> str:
    return (
        f'<span id="footnote{number}" class="ltx_note ltx_role_footnote"><sup class="ltx_note_mark">{number}</sup>'
        f'<span class="ltx_note_outer"><span class="ltx_note_content"><sup class="ltx_note_mark">{number}</sup>'
        f'<span class="ltx_tag ltx_tag_note">{number}</span>{_prose(text)}</span></span></span>'
    )


def _formula(block: Block, number: int) -> str:
    return (
        f'<table id="E{number}" class="ltx_equation ltx_eqn_table"><tbody><tr class="ltx_equation ltx_eqn_row ltx_align_baseline">'
        f'<td class="ltx_eqn_cell ltx_eqn_center_padleft"></td><td class="ltx_eqn_cell ltx_align_center">{mathml_of(block.text)}</td>'
        f'<td class="ltx_eqn_cell ltx_eqn_center_padright"></td><td class="ltx_eqn_cell ltx_eqn_eqno ltx_align_middle ltx_align_right">'
        f'<span class="ltx_tag ltx_tag_equation ltx_align_right">({number})</span></td></tr></tbody></table>'
    )


def _table(block: Block, number: int) -> str:
    rows = [
        '<tr class="ltx_tr">'
        + "".join(f'<td class="ltx_td ltx_align_left">{escape(cell)}</td>' for cell in row)
        + "</tr>"
        for row in block.rows
    ]
    return "\n".join([
        f'<figure id="T{number}" class="ltx_table">',
        f'<figcaption class="ltx_caption ltx_centering"><span class="ltx_tag ltx_tag_table">Table {number}: </span>'
        f"{_prose(block.text)}</figcaption>",
        '<table class="ltx_tabular ltx_centering ltx_guessed_headers ltx_align_middle">\n<tbody class="ltx_tbody">', *rows,
        "</tbody>\n</table>\n</figure>",
    ])  # fmt: skip


def _bibliography(paper: SandboxPaper) -> Iterator[str]:
    yield '<section id="bib" class="ltx_bibliography">\n<h2 class="ltx_title ltx_title_bibliography">References</h2>\n<ul class="ltx_biblist">'
    for number, reference in enumerate(paper.references, start=1):
        yield f'<li id="bib.bib{number}" class="ltx_bibitem"><span class="ltx_tag ltx_role_refnum ltx_tag_bibitem">[{number}]</span>'
        yield f'<span class="ltx_bibblock">{escape(reference)}</span></li>'
    yield "</ul>\n</section>"


def _foot() -> Iterator[str]:
    yield '</article>\n</div>\n<footer class="ltx_page_footer"><div class="ltx_page_logo">Generated by'
    yield '<a href="https://math.nist.gov/~BMiller/LaTeXML/">LaTeXML</a></div></footer>'
    yield "</div>\n</body>\n</html>"


def _prose(text: str) -> str:
    return _CITATION.sub(
        lambda match: (
            f'<cite class="ltx_cite ltx_citemacro_cite">[<a href="#bib.bib{match["number"]}" class="ltx_ref">{match["number"]}</a>]</cite>'
        ),
        escape(text, quote=False),
    )
