"""Any number of invented papers at once: for trials of scale, not of reading.

Short one-column papers with unique text. The same number and seed always give the same papers, and a larger crowd
begins with the papers of a smaller one, so that growing it is what a night of new submissions looks like.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from textwrap import wrap
from typing import NamedTuple

from paperlora.records import Topic, digest
from paperlora.sandbox.library import Entry, Library

THEMES = ("memory", "reasoning", "curation", "tokenisation", "forgetting", "grounding", "planning", "routing")
"""Each paper is about one of them; its abstract names it, so that a topic's query can."""
FIRST_DAY = datetime(2098, 1, 1, 9, tzinfo=UTC)
PER_DAY = 12
"""Papers a day: 2,000 of them fill half a year."""
_CATEGORIES = ("cs.LG", "cs.CL", "cs.AI", "cs.CV", "cs.NE", "stat.ML")
_LICENCES = ("http://creativecommons.org/licenses/by/4.0/", "http://creativecommons.org/licenses/by-nc-nd/4.0/",
             "http://arxiv.org/licenses/nonexclusive-distrib/1.0/")  # fmt: skip


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words("Ada Bruno Chidi Dara Emre Femi Greta Hana Ivo Jun Kofi Lena Mio Nia Omar Pia Ravi Sara Tomas Uma")
_LAST = _words(
    "Abara Brandt Castillo Dube Eriksen Fontaine Goto Haddad Ito Jansen Kowalski Lindqvist Moreau Nakamura Okafor"
)
_THINGS = _words(
    "anchor basin carrier drift echo filter gate hinge index junction kernel ladder margin needle orbit prism"
)
_MANNERS = _words("amber brisk cobalt dormant even frozen gilded hollow idle jagged keen lunar mossy narrow opal plain")
_DEEDS = _words(
    "aligns balances compresses delays extends folds guides halves isolates keeps limits mirrors orders prunes"
)


class Shares(NamedTuple):
    """How many papers of a hundred are awkward, and how."""

    second_version: float = 6
    withdrawn: float = 2
    broken: float = 1
    """Their PDF is cut off."""
    in_both: float = 35
    """arXiv and Semantic Scholar list them."""
    scholar_alone: float = 4
    """arXiv does not have them."""
    with_doi: float = 10


@dataclass(frozen=True)
class CrowdPaper:
    """What one PDF of the crowd is printed from."""

    title: str
    authors: tuple[str, ...]
    abstract: str
    sections: tuple[tuple[str, str], ...]
    """Heading and text."""
    broken: bool = False

    def pdf_bytes(self) -> bytes:
        """One or two pages; the same bytes each time."""
        data = _print(self)
        return data[: len(data) // 3] if self.broken else data


def crowd(papers: int, seed: int = 0, shares: Shares = Shares()) -> Library:  # noqa: B008 - a frozen tuple
    """A library of that many papers, some of them in two versions."""
    return Library([entry for number in range(papers) for entry in _versions(number, seed, shares)])


def crowd_topics(count: int = len(THEMES), max_papers: int = 100_000) -> tuple[Topic, ...]:
    """A topic for each of the first themes; together they find every paper of the crowd.

    Args:
        count: topics, at most as many as there are themes.
        max_papers: of each topic a day.
    """
    return tuple(
        Topic(name=theme, arxiv=f"abs:{theme}", semantic_scholar=theme, openalex=theme, max_papers=max_papers)
        for theme in THEMES[:count]
    )


def _versions(number: int, seed: int, shares: Shares) -> Iterator[Entry]:
    chance = random.Random(f"{seed}:{number}")
    alone = _happens(chance, shares.scholar_alone)
    scholar = alone or _happens(chance, shares.in_both)
    again, withdrawn = _happens(chance, shares.second_version), _happens(chance, shares.withdrawn)
    broken = _happens(chance, shares.broken)
    published = FIRST_DAY + timedelta(days=number // PER_DAY, minutes=7 * (number % PER_DAY))
    paper = _paper(number, chance, broken=broken)
    first = Entry(
        title=paper.title, abstract=paper.abstract, authors=paper.authors, published=published, updated=published, pdf=paper,
        arxiv_id="" if alone else f"{9000 + number // 90_000 + 3}.{number % 90_000 + 1:05d}",
        categories=tuple(chance.sample(_CATEGORIES, 2)), licence=chance.choice(_LICENCES),
        doi=f"10.5555/crowd.{seed}.{number}" if alone or _happens(chance, shares.with_doi) else "",
        s2_id=digest("crowd", seed, number)[:40] if scholar else "", s2_abstract=chance.random() > 0.1,
    )  # fmt: skip
    yield first
    if not alone and (again or withdrawn):
        yield _second(first, withdrawn=withdrawn)


def _second(first: Entry, *, withdrawn: bool) -> Entry:
    assert isinstance(first.pdf, CrowdPaper)
    return replace(
        first, version=2, updated=first.updated + timedelta(days=3), withdrawn=withdrawn,
        comment="This paper has been withdrawn by its authors." if withdrawn else "Corrected.",
        pdf=replace(first.pdf, sections=(*first.pdf.sections, ("Correction", "The second margin was given too wide before."))),
    )  # fmt: skip


def _happens(chance: random.Random, percent: float) -> bool:
    return chance.random() * 100 < percent


def _paper(number: int, chance: random.Random, *, broken: bool) -> CrowdPaper:
    theme, name = THEMES[number % len(THEMES)], f"{chance.choice(_MANNERS)} {chance.choice(_THINGS)}".title()
    title = f"{name} {number}: {theme.title()} with {chance.randint(2, 90)} {chance.choice(_THINGS)}s"
    authors = tuple(f"{chance.choice(_FIRST)} {chance.choice(_LAST)}" for _ in range(chance.randint(1, 4)))
    opening = (
        f"We study {theme} in small models. {name} {number} {chance.choice(_DEEDS)} every {chance.choice(_THINGS)}."
    )
    sections = tuple((heading, _prose(chance, name, number)) for heading in ("1 Introduction", "2 Method", "3 Results"))
    return CrowdPaper(title, authors, f"{opening} {_prose(chance, name, number, 2)}", sections, broken)


def _prose(chance: random.Random, name: str, number: int, sentences: int = 9) -> str:
    said = (
        f"The {chance.choice(_MANNERS)} {chance.choice(_THINGS)} of {name} {number} {chance.choice(_DEEDS)} "
        f"{chance.randint(2, 997)} {chance.choice(_THINGS)}s at a rate of {chance.randint(1, 99)} percent."
        for _ in range(sentences)
    )
    return " ".join(said)


def _print(paper: CrowdPaper) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=(595, 842), invariant=1)
    canvas.setTitle(paper.title)
    height = 780.0
    for size, text in _lines(paper):
        if height < 70:
            canvas.showPage()
            height = 780.0
        canvas.setFont("Times-Bold" if size > 10 else "Times-Roman", size)
        canvas.drawString(60, height, text)
        height -= size * 1.3 + (6 if not text else 0)
    canvas.save()
    return buffer.getvalue()


def _lines(paper: CrowdPaper) -> Iterator[tuple[float, str]]:
    """Font size in points and text of each line; an empty text makes room."""
    yield from ((17.0, line) for line in wrap(paper.title, 58))
    yield 10.0, ""
    yield from ((9.5, line) for line in wrap(", ".join(paper.authors), 100))
    for heading, text in (("Abstract", paper.abstract), *paper.sections):
        yield 10.0, ""
        yield 12.0, heading
        yield from ((10.0, line) for line in wrap(text, 98))
