"""Right answers by two properties of the question: order of the options, wording, place of the fact."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.records import GridCell
from paperlora.report import heat, svg
from paperlora.report.heat import At, Box
from paperlora.report.picture import Picture, counted, table, words
from paperlora.report.text import number

_SIZE = 52.0
LONGEST = 26
"""Characters of a name beside a grid."""


class _Words(NamedTuple):
    title: str
    down: str
    across: str
    caption: str


_WORDS = {
    "position": _Words(
        "Where the fact stood in its text",
        "place of the fact",
        "form of the question",
        "Rows: the third of the longest trained text in which the fact stands; columns: the form that was asked. Facts late in a text "
        "are often harder to recall.",
    ),
    "template": _Words(
        "Wording trained × wording asked",
        "wording trained",
        "form of the question",
        "Rows: a wording that the idea's rows train; columns: the form that was asked. An idea counts in the row of every wording it "
        "was trained in, so that rows are not independent.",
    ),
    "option_order": _Words(
        "Order of the options",
        "letter of the right option",
        "letter that came",
        "Multiple choice with the right option in every place: shares of the letters that came. A full diagonal is knowledge, a full "
        "column is a habit of one letter.",
    ),
}


class _Sum(NamedTuple):
    right: int
    asked: int


def grid_pictures(cells: Sequence[GridCell]) -> tuple[Picture, ...]:
    """One for each grid that has cells, pooled over all adapters."""
    kinds = ("position", "template", "option_order")
    return tuple(_picture(kind, own) for kind in kinds if (own := [cell for cell in cells if cell.grid == kind]))


def _picture(kind: str, cells: Sequence[GridCell]) -> Picture:
    pooled: dict[tuple[str, str], list[GridCell]] = defaultdict(list)
    for cell in cells:
        pooled[cell.row, cell.column].append(cell)
    sums = {key: _Sum(sum(c.right for c in found), sum(c.asked for c in found)) for key, found in pooled.items()}
    said = _WORDS[kind]
    return Picture(
        f"grid-{kind}",
        said.title,
        _draw(sums, said),
        words(
            said.caption,
            f"Pooled over {counted(len({cell.adapter for cell in cells}), 'adapter')}; n counts answers, and answers about one idea are not independent:",
            "small differences between cells mean nothing. Blank with a dash: never asked.",
        ),
        table(
            (said.down, said.across, "Answers", "Share"),
            [
                (row, column, f"{one.right}/{one.asked}", number(one.right / one.asked))
                for (row, column), one in sorted(sums.items(), key=lambda pair: -pair[1].asked)
                if one.asked
            ],
            "most asked first",
        ),
        wide=True,
    )


def _draw(sums: Mapping[tuple[str, str], _Sum], said: _Words) -> Markup:
    rows, columns = (_ordered({key[side] for key in sums}) for side in (0, 1))
    left = 16 + 6.4 * max(len(_cut(row)) for row in rows)
    box = Box(left, 34 + 6.2 * (max(len(_cut(c)) for c in columns) if _slanted(columns) else 1), _SIZE)
    shares = {
        At(rows.index(row), columns.index(column)): one.right / one.asked for (row, column), one in sums.items() if one.asked
    }
    numbers = [_cell(sums.get((row, column)), x, y, box) for y, row in enumerate(rows) for x, column in enumerate(columns)]
    width = box.left + _SIZE * len(columns)
    return svg.picture(
        max(width + (50 if _slanted(columns) else 8), 300), box.top + _SIZE * len(rows) + 8, said.title,
        svg.text(0, 12, f"↓ {said.down}   → {said.across}", "t small"),
        heat.frame(len(rows), len(columns), box), *heat.grid(shares, 1.0, box),
        *_heads(columns, box), *heat.names([_cut(row) for row in rows], box, down=True), *numbers,
    )  # fmt: skip


def _cell(one: _Sum | None, x: int, y: int, box: Box) -> Markup:
    middle, down = box.left + _SIZE * (x + 0.5), box.top + _SIZE * (y + 0.5)
    if one is None or not one.asked:
        return svg.text(middle, down + 4, "–", "t small", "middle")
    return svg.element(
        "g",
        svg.text(middle, down + 1, number(one.right / one.asked), "t strong", "middle"),
        svg.text(middle, down + 15, f"n {one.asked}", "t", "middle"),
    )


def _heads(columns: Sequence[str], box: Box) -> list[Markup]:
    if not _slanted(columns):
        return heat.names(columns, box, down=False)
    return [
        svg.element(
            "text", _cut(name), class_="t small",
            transform=f"translate({box.left + _SIZE * (n + 0.4):g} {box.top - 5:g}) rotate(-50)",
        )
        for n, name in enumerate(columns)
    ]  # fmt: skip


def _slanted(columns: Sequence[str]) -> bool:
    return max(map(len, columns)) > 7


def _cut(name: str) -> str:
    plain = name.replace("_", " ")
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def _ordered(names: set[str]) -> list[str]:
    """Places in their own order, everything else by name, numbers in it by their size."""
    places = ("first", "middle", "last")
    return sorted(names, key=lambda name: (places.index(name) if name in places else len(places), _by_size(name)))


def _by_size(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
