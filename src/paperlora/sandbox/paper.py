"""A sandbox paper as data, and the small markup it is written in.

The body of a paper is plain text in blocks, separated by one blank line:

    # 1 Introduction          a heading (## for one level deeper)
    Prose over one or         a paragraph; ``^[note]`` puts a footnote
    more lines.
    = <i>L</i> + &lambda;<i>R</i>   a displayed formula, in reportlab's paragraph markup
    |= Caption                a table: its caption, then one line a row
    | cell | cell

A planted fact is marked where it stands: ``[[Tidal Replay uses a replay share of 37 percent.|replay share = 37 percent]]``.
Several facts of one sentence are separated by ``;``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple

BlockKind = Literal["paragraph", "heading", "subheading", "formula", "table"]

_FACT = re.compile(r"\[\[(?P<sentence>.*?)\|(?P<marks>[^\[\]|]*)\]\]", re.DOTALL)
_FOOTNOTE = re.compile(r"\^\[(?P<note>[^\]]*)\]")


class Fact(NamedTuple):
    """A planted truth; no model can know it, because its subject was invented for this project."""

    subject: str
    relation: str
    answer: str
    sentence: str
    """Stands verbatim in the paper, before lines are broken and words hyphenated."""


class Block(NamedTuple):
    """One piece of a paper's body."""

    kind: BlockKind
    text: str
    """The prose; a table's caption; a formula in reportlab's markup."""
    footnote: str = ""
    """Note that the paragraph refers to at its end."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Cells of a table, the head first."""


class PaperSection(NamedTuple):
    """The blocks under one heading."""

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class SandboxPaper:
    """One version of one invented paper."""

    title: str
    technique: str
    """The invented name that the paper is about."""
    authors: tuple[str, ...]
    affiliation: str
    abstract: str
    sections: tuple[PaperSection, ...]
    facts: tuple[Fact, ...]
    references: tuple[str, ...]
    published: datetime
    updated: datetime
    arxiv_id: str = ""
    """Without version; empty where arXiv does not have the paper."""
    version: int = 1
    categories: tuple[str, ...] = ("cs.LG", "cs.CL")
    comment: str = ""
    licence: str = "http://creativecommons.org/licenses/by/4.0/"
    s2_id: str = ""
    """40 hex digits; empty where Semantic Scholar does not have the paper."""
    s2_abstract: bool = True
    """Semantic Scholar may show the abstract; where a publisher objects it is null there."""
    doi: str = ""
    withdrawn: bool = False
    hidden_text: str = ""
    """Printed in white where no person sees it."""
    broken: bool = False
    """Its PDF is cut off in the middle of the file."""
    ligatures: bool = False
    """Set in a typeface whose fi and fl are single characters, as TeX does."""
    html: bool = False
    """arXiv shows it as HTML, too."""
    source: Literal["", "tar", "tex", "pdf"] = ""
    """What arXiv hands out as its source: an archive, a single TeX file, the PDF that was all its authors sent, or
    nothing."""

    @property
    def in_semantic_scholar(self) -> bool:
        """Semantic Scholar lists it."""
        return bool(self.s2_id)

    @property
    def key(self) -> str:
        """The paper key PaperLoRA gives it: ``arxiv:9901.00011v2``, ``s2:<40 hex>v1``."""
        return f"arxiv:{self.arxiv_id}v{self.version}" if self.arxiv_id else f"s2:{self.s2_id}v{self.version}"

    @property
    def text(self) -> str:
        """Abstract and prose without headings, tables and formulas; whitespace folded."""
        prose = [block.text for section in self.sections for block in section.blocks if block.kind == "paragraph"]
        return " ".join([self.abstract, *prose])


def day(text: str) -> datetime:
    """``2099-01-04`` as the moment arXiv would name."""
    return datetime.fromisoformat(text).replace(hour=17, minute=59, second=46, tzinfo=UTC)


def write(
    *, title: str, technique: str, authors: str, affiliation: str, abstract: str, body: str, references: str,
    published: str, updated: str | None = None, arxiv_id: str = "", version: int = 1, comment: str = "", s2_id: str = "",
    s2_abstract: bool = True, doi: str = "", categories: tuple[str, ...] = ("cs.LG", "cs.CL"), hidden_text: str = "", broken: bool = False,
    ligatures: bool = False, html: bool = False, source: Literal["", "tar", "tex", "pdf"] = "",
) -> SandboxPaper:  # fmt: skip
    """A paper out of its markup.

    Args:
        abstract: prose, facts may be marked.
        body: blocks, see the module's text.
        references: one a line.
        published: day of the first version, ISO; ``updated`` that of this version where it differs.
    """
    plain_abstract, abstract_facts = _take_facts(fold(abstract), technique)
    sections, body_facts = _parse_body(body, technique)
    return SandboxPaper(
        title=title, technique=technique, authors=tuple(name.strip() for name in authors.split(",")),
        affiliation=affiliation, abstract=plain_abstract, sections=sections, facts=(*abstract_facts, *body_facts),
        references=tuple(line.strip() for line in references.strip().splitlines()), published=day(published),
        updated=day(updated or published), arxiv_id=arxiv_id, version=version, comment=comment, s2_id=s2_id,
        s2_abstract=s2_abstract, doi=doi,
        categories=categories, hidden_text=hidden_text, broken=broken, ligatures=ligatures,
        html=html, source=source,
    )  # fmt: skip


def withdraw(paper: SandboxPaper, when: str, comment: str) -> SandboxPaper:
    """The next version of a paper, by which its authors took it back."""
    return replace(paper, version=paper.version + 1, updated=day(when), comment=comment, withdrawn=True)


def fold(text: str) -> str:
    """All whitespace as single spaces."""
    return " ".join(text.split())


def _parse_body(body: str, technique: str) -> tuple[tuple[PaperSection, ...], tuple[Fact, ...]]:
    sections: list[PaperSection] = []
    facts: list[Fact] = []
    for part in re.split(r"\n\s*\n", body.strip()):
        block = _parse_block(part.strip())
        if block.kind == "heading":
            sections.append(PaperSection(block.text, ()))
            continue
        if block.kind == "paragraph":
            text, found = _take_facts(block.text, technique)
            block = block._replace(text=text)
            facts.extend(found)
        last = sections.pop()
        sections.append(last._replace(blocks=(*last.blocks, block)))
    return tuple(sections), tuple(facts)


def _parse_block(part: str) -> Block:
    if part.startswith("|="):
        caption, *rows = part.splitlines()
        cells = tuple(tuple(cell.strip() for cell in row.strip().lstrip("|").split("|")) for row in rows)
        return Block("table", caption[2:].strip(), rows=cells)
    text = fold(part)
    for sign, kind in (("## ", "subheading"), ("# ", "heading"), ("= ", "formula")):
        if text.startswith(sign):
            return Block(kind, text.removeprefix(sign))  # type: ignore[arg-type]
    note = _FOOTNOTE.search(text)
    return Block("paragraph", _FOOTNOTE.sub("", text), footnote=note["note"] if note else "")


def _take_facts(text: str, technique: str) -> tuple[str, tuple[Fact, ...]]:
    facts: list[Fact] = []
    for match in _FACT.finditer(text):
        for mark in match["marks"].split(";"):
            relation, answer = (part.strip() for part in mark.split("="))
            facts.append(Fact(technique, relation, answer, match["sentence"].strip()))
    return _FACT.sub(lambda match: match["sentence"].strip(), text), tuple(facts)
