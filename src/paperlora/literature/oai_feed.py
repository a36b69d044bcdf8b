"""arXiv's OAI-PMH answers as records.

The format is ``arXivRaw``: alone among arXiv's it carries licence, every version with its time, and what the source of
the newest one is. Its authors are one line as submitted, TeX accents included.
Source of the shapes: arXiv's own server, https://github.com/arXiv/oaipmh.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from pylatexenc.latex2text import LatexNodes2Text

from paperlora.errors import SourceAnswerInvalid, SourceRefused
from paperlora.literature.arxiv_feed import is_withdrawn, pdf_address
from paperlora.literature.asking import xml_root
from paperlora.records import Paper, Reject

SOURCE = "arXiv's OAI-PMH"
OAI = "{http://www.openarchives.org/OAI/2.0/}"
RAW = "{http://arxiv.org/OAI/arXivRaw/}"
FORMAT = "arXivRaw"
WITHDRAWN_FLAG = "I"
"""In source_type: this version has no source, since it was taken back."""
_BRACKETS = re.compile(r"\s*\([^()]*\)")
_BETWEEN_AUTHORS = re.compile(r"\s*(?:,\s+(?:and\s+)?|;\s*|\s+and\s+|\s+\\?&\s+)\s*")
_SUFFIX = re.compile(r"(?:Jr|Sr|II|III|IV)\.?$")
_text_of = LatexNodes2Text(keep_comments=True, math_mode="verbatim")


class TokenExpired(Exception):
    """The server no longer takes the resumption token (badResumptionToken)."""


class Stamped(NamedTuple):
    """A record and the day on which its metadata changed last."""

    paper: Paper
    day: str
    """ISO."""


class OaiPage(NamedTuple):
    """An answer to ListRecords."""

    records: tuple[Stamped, ...]
    rejects: tuple[Reject, ...]
    received: int
    token: str
    """Asks for the next page; empty at the end."""
    total: int | None
    """Size of the whole listing; None where the server doesn't say."""
    response_day: str
    """Day of the server's clock, ISO."""


def read_page(content: bytes, arxiv_url: str, *, resumed: bool) -> OaiPage:
    """An answer to ListRecords.

    Args:
        arxiv_url: address of the query API, beside which the PDFs are.
        resumed: a resumption token was sent.

    Raises:
        SourceAnswerInvalid: no whole OAI-PMH answer, or an empty page although there must be records.
        SourceRefused: the server names a mistake in the request.
        TokenExpired: the server forgot the token.
    """
    root = xml_root(content, SOURCE)
    if root.tag != f"{OAI}OAI-PMH":
        raise SourceAnswerInvalid(f"{SOURCE} sends a document <{root.tag.rpartition('}')[2]}> where OAI-PMH is due.")
    day = _day(root.findtext(f"{OAI}responseDate") or "")
    if nothing := _refused(root, resumed=resumed):
        return OaiPage((), (), 0, "", 0 if nothing else None, day)
    listed = root.find(f"{OAI}ListRecords")
    records = listed.findall(f"{OAI}record") if listed is not None else []
    if listed is None or not records:
        raise SourceAnswerInvalid(f"{SOURCE} sends an empty page where records are due.")
    mark = listed.find(f"{OAI}resumptionToken")
    size = mark.get("completeListSize", "") if mark is not None else ""
    read = [_record(record, arxiv_url) for record in records]
    return OaiPage(
        tuple(item for item in read if isinstance(item, Stamped)), tuple(item for item in read if isinstance(item, Reject)),
        len(records), " ".join((mark.text or "").split()) if mark is not None else "",
        int(size) if size.isdecimal() else None, day,
    )  # fmt: skip


def _refused(root: Any, *, resumed: bool) -> bool:
    """True where nothing matches, False where there is no error."""
    errors = {error.get("code", ""): " ".join((error.text or "").split()) for error in root.findall(f"{OAI}error")}
    if "badResumptionToken" in errors:
        raise TokenExpired(errors["badResumptionToken"])
    if "noRecordsMatch" in errors and not resumed:
        return True
    if errors:
        told = "; ".join(f"{code} {text}".strip() for code, text in errors.items())
        if resumed:
            raise SourceAnswerInvalid(f"{SOURCE} breaks the listing off: {told}.")
        raise SourceRefused(f"{SOURCE} refuses the request: {told}.", "Correct arxiv.sets in the settings.")
    return False


def _day(moment: str) -> str:
    found = re.match(r"\s*(\d{4}-\d{2}-\d{2})", moment)
    if not found:
        raise SourceAnswerInvalid(f"{SOURCE} sends an answer without a date.")
    return found[1]


def _record(record: Any, arxiv_url: str) -> Stamped | Reject:
    header = record.find(f"{OAI}header")
    identifier = (header.findtext(f"{OAI}identifier") or "").strip() if header is not None else ""
    arxiv_id = identifier.removeprefix("oai:arXiv.org:")
    if header is not None and arxiv_id and header.get("status") == "deleted":
        day = _day(header.findtext(f"{OAI}datestamp") or "")
        return Stamped(_tombstone(arxiv_id, day), day)
    raw = record.find(f"{OAI}metadata/{RAW}arXivRaw")
    if header is None or raw is None or not (raw.findtext(f"{RAW}id") or "").strip() or not _line(raw, "title"):
        return Reject(
            stage="ingest", item=f"arxiv:{arxiv_id or 'unnamed'}", reason="metadata_incomplete", detail=SOURCE
        )
    return Stamped(_paper(raw, arxiv_url), _day(header.findtext(f"{OAI}datestamp") or ""))


def _tombstone(arxiv_id: str, day: str) -> Paper:
    """A record that the server removed: nothing is left of it but its id."""
    return Paper(
        id=f"arxiv:{arxiv_id}", title="", withdrawn=True, updated=datetime.fromisoformat(day).replace(tzinfo=UTC),
        external_ids={"arxiv": arxiv_id}, sources=("oai",), metadata_status="partial",
    )  # fmt: skip


def _paper(raw: Any, arxiv_url: str) -> Paper:
    arxiv_id = _line(raw, "id")
    versions = sorted((_version(item) for item in raw.findall(f"{RAW}version")), key=lambda version: version.number)
    first, last = (versions[0], versions[-1]) if versions else (_NO_VERSION, _NO_VERSION)
    title, abstract, comment = plain_text(_line(raw, "title")), _line(raw, "abstract"), _line(raw, "comments")
    names, doi = authors(_line(raw, "authors")), _line(raw, "doi")
    return Paper(
        id=f"arxiv:{arxiv_id}", version=last.number, title=title, abstract=abstract, authors=names,
        licence=_line(raw, "license") or None, published=first.moment, updated=last.moment,
        pdf_url=pdf_address(arxiv_url, f"{arxiv_id}v{last.number}"),
        landing_url=f"https://arxiv.org/abs/{arxiv_id}v{last.number}",
        external_ids={"arxiv": arxiv_id} | ({"doi": doi.split()[0]} if doi else {}), sources=("oai",),
        categories=tuple(_line(raw, "categories").split()), comment=comment, journal=_line(raw, "journal-ref"),
        withdrawn=WITHDRAWN_FLAG in last.source or is_withdrawn(comment, abstract),
        metadata_status="complete" if title and abstract and names and first.moment else "partial",
    )  # fmt: skip


class _Version(NamedTuple):
    number: int
    moment: datetime | None
    source: str


_NO_VERSION = _Version(1, None, "")


def _version(item: Any) -> _Version:
    number = re.fullmatch(r"v?([1-9]\d*)", item.get("version", ""))
    try:
        moment = parsedate_to_datetime(_line(item, "date")).astimezone(UTC)
    except (TypeError, ValueError):
        moment = None
    return _Version(int(number[1]) if number else 1, moment, _line(item, "source_type"))


def _line(element: Any, name: str) -> str:
    return " ".join((element.findtext(f"{RAW}{name}") or "").split())


def authors(line: str) -> tuple[str, ...]:
    """The names in arXiv's line of authors: affiliations in brackets out, TeX accents as letters."""
    before = None
    while before != line:  # brackets in brackets
        before, line = line, _BRACKETS.sub("", line)
    names: list[str] = []
    for part in _BETWEEN_AUTHORS.split(plain_text(line)):
        if names and _SUFFIX.fullmatch(part):
            names[-1] = f"{names[-1]} {part}"
        elif part.strip(" :"):
            names.append(part.strip(" :"))
    return tuple(names)


def plain_text(tex: str) -> str:
    """TeX accents as letters, mathematics left as it is written."""
    return " ".join(_text_of.latex_to_text(tex).split()) if "\\" in tex or "{" in tex else tex
