"""“Why did it answer that?”: every failed probe in one table, packed so that a browser unpacks it and shows it by pages.

The rows travel as columns of numbers over one list of texts, gzipped, in base64: some fifty bytes a row. What would take
more than :data:`WHY_BYTES` is cut, evenly over the verdicts, and the page says how many rows it holds.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.records import Why
from paperlora.report.kinds import KINDS
from paperlora.report.text import clean
from paperlora.report.views import Index

WHY_BYTES = 4_000_000
"""Bytes of the packed rows in the page."""
FIRST = 25
"""Rows that are written out, for readers without JavaScript."""
LONGEST = 400
"""Characters of one text."""
ANSWER_KINDS = {
    "other_idea": "another idea's answer",
    "denied_value": "a value its rows deny",
    "row_echo": "an answer out of its rows",
    "base_answer": "what the base says too",
    "refusal": "a refusal",
    "loop": "a loop",
    "empty": "nothing",
    "right": "right, unlike the base",
    "other": "something else",
}


class WhyLine(NamedTuple):
    """One failed probe in words; the fields are the columns of the packed table."""

    code: str
    """Of its verdict; empty where there is none."""
    verdict: str
    adapter: str
    idea: str
    """Its claim."""
    family: str
    question: str
    accepted: str
    kind: str
    said: str
    base: str
    row: str
    row_question: str
    row_answer: str
    origin: str
    """Whose answer it gave; empty where it is nobody's."""
    likeness: int
    """Of the nearest row, in thousandths."""


class WhyTable(NamedTuple):
    """What the page holds of it."""

    first: tuple[WhyLine, ...]
    packed: Markup
    held: int
    """Rows in ``packed``."""
    total: int
    kinds: tuple[tuple[str, int], ...]
    """How many answers are of which kind, of all."""
    by_verdict: dict[str, int]
    """Code of the verdict → failed probes, of all."""


def why_table(index: Index) -> WhyTable:
    """Pack as many rows as fit."""
    lines = [_line(why, index) for why in index.data.whys]
    kept, packed = _fit(lines)
    kinds = Counter(line.kind for line in lines)
    return WhyTable(
        first=tuple(kept[:FIRST]),
        packed=Markup(packed),
        held=len(kept),
        total=len(lines),
        kinds=tuple(kinds.most_common()),
        by_verdict=dict(Counter(line.code for line in lines if line.code)),
    )


def _line(why: Why, index: Index) -> WhyLine:
    verdict = index.verdict_of.get((why.idea, why.adapter))
    return WhyLine(
        code=index.verdict_codes.get((why.idea, why.adapter), ""),
        verdict=KINDS[verdict.kind].label if verdict else "no verdict",
        adapter=_clean(index.code(why.adapter)),
        idea=_clean(index.claim(why.idea)),
        family=why.family.replace("_", " "),
        question=_clean(why.question),
        accepted=_clean(" · ".join(why.accepted)),
        kind=ANSWER_KINDS[why.kind],
        said=_clean(why.said),
        base=_clean(why.base_said),
        row=_clean(why.row),
        row_question=_clean(why.row_question),
        row_answer=_clean(why.row_answer),
        origin=_clean(_origin(why, index)),
        likeness=round(1000 * why.likeness),
    )


def _clean(text: str) -> str:
    return clean(text, LONGEST)


def _origin(why: Why, index: Index) -> str:
    if not why.from_idea:
        return ""
    claim = index.claim(why.from_idea)
    return f"{index.code(why.from_adapter)}: {claim}" if why.from_adapter else claim


# ------------------------------------------------------------------ packing


class _Fitted(NamedTuple):
    lines: list[WhyLine]
    packed: str


def _fit(lines: Sequence[WhyLine]) -> _Fitted:
    """All of them or, where they are too many bytes, an even share of every verdict's."""
    kept = list(lines)
    while True:
        packed = pack(kept)
        if len(packed) <= WHY_BYTES or not kept:
            return _Fitted(kept, packed)
        kept = share(kept, int(len(kept) * min(0.9, 0.95 * WHY_BYTES / len(packed))))


def share(lines: Sequence[WhyLine], count: int) -> list[WhyLine]:
    """So many lines, the first ones of every verdict, in their order."""
    seen: Counter[tuple[str, str]] = Counter()
    turns = []
    for place, line in enumerate(lines):
        seen[line.adapter, line.idea] += 1
        turns.append((seen[line.adapter, line.idea], place))
    return [lines[place] for place in sorted(place for _, place in sorted(turns)[:count])]


def pack(lines: Iterable[WhyLine]) -> str:
    """Columns over one list of texts, as gzipped JSON in base64; equal lines give an equal string."""
    texts: dict[str, int] = {}
    columns: dict[str, list[int]] = {name: [] for name in WhyLine._fields}
    for line in lines:
        columns["likeness"].append(line.likeness)
        for name in WhyLine._fields[:-1]:
            columns[name].append(texts.setdefault(getattr(line, name), len(texts)))
    plain = json.dumps({"texts": [*texts], "columns": columns}, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(plain.encode(), 6, mtime=0)).decode()
