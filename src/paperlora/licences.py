"""What a paper's licence allows: whether rows made from it may be passed on, and under which name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

UNKNOWN, OTHER = "unknown", "other"
_CREATIVE_COMMONS = re.compile(
    r"(?:creativecommons\.org/licenses/|\bcc[- ])(by(?:-(?:nc|sa|nd))*)(?:[-/ ](\d\.\d))?", re.IGNORECASE
)
_ZERO = re.compile(r"creativecommons\.org/publicdomain/(?:zero|mark)|\bcc0\b|\bpublic[- ]domain\b", re.IGNORECASE)
_ARXIV = re.compile(r"arxiv\.org/licenses|nonexclusive", re.IGNORECASE)
_SOFTWARE = {"mit": "mit", "apache-2.0": "apache-2.0", "bsd-3-clause": "bsd-3-clause", "bsd-2-clause": "bsd-2-clause"}


class Permission(NamedTuple):
    """Whether rows may be published."""

    allowed: bool
    licence: str
    """The hub's id, as of :func:`licence_id`."""
    reason: str
    """Why, in words for a person."""


def licence_id(licence: str | None) -> str:
    """The hub's id of a licence: "cc-by-4.0", "cc0-1.0", "other", or "unknown" where the source names none."""
    if not licence:
        return UNKNOWN
    if _ZERO.search(licence):
        return "cc0-1.0"
    match = _CREATIVE_COMMONS.search(licence)
    if match is None:
        return _SOFTWARE.get(licence.strip().casefold(), OTHER)
    return f"cc-{match[1].lower()}-{match[2] or '4.0'}"


def publishing(licence: str | None) -> Permission:
    """Whether rows made from a paper under this licence may be published.

    Rows adapt the paper's sentences, so what forbids adaptations (ND) forbids them; arXiv's own licence lets arXiv
    alone distribute; where the source names no licence nothing is allowed.
    """
    name = licence_id(licence)
    if name == UNKNOWN:
        return Permission(False, name, "its source names no licence")
    if licence and _ARXIV.search(licence):
        return Permission(False, name, "arXiv's licence lets only arXiv distribute it")
    if name == OTHER:
        return Permission(False, name, f"{licence} is not among the licences known to allow it")
    if "-nd" in name:
        return Permission(False, name, f"{name} forbids adaptations")
    terms = ", non-commercially" if "-nc" in name else ""
    alike = ", under the same licence" if "-sa" in name else ""
    return Permission(True, name, f"{name} allows it{terms}{alike}")


def shared_licence(licences: Iterable[str | None]) -> str:
    """One id for everything together: the only one there is, else "other" (each row names its own)."""
    names = {licence_id(licence) for licence in licences}
    return names.pop() if len(names) == 1 else OTHER
