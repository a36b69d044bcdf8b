"""A confusion matrix as a picture that stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.report import svg

CELL, LEFT, TOP, MARGIN = 46.0, 96.0, 96.0, 16.0
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600}.none{fill:#f6f6f6}.right{fill:#0b6}.wrong{fill:#c50}"
    ".count{font-weight:600}"
)


class Cell(NamedTuple):
    """How many of a row fell into a column."""

    ideas: int
    right: bool
    """Row and column are the same."""


def matrix_plot(rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Cell]], title: str) -> str:
    """SVG of a confusion matrix: each row's shares as depth of colour, counts as numbers.

    Args:
        cells: by row and column.
    """
    parts = [svg.element("style", Markup(STYLE)), svg.text(MARGIN, 24, title, "title")]
    for place, name in enumerate(columns):
        x, y = LEFT + CELL * (place + 0.5), TOP - 8
        parts.append(svg.element("text", name, x=x, y=y, transform=Markup(f"rotate(-45 {x:g} {y:g})")))
    for number, (name, row) in enumerate(zip(rows, cells, strict=True)):
        y, total = TOP + CELL * number, sum(cell.ideas for cell in row)
        parts.append(svg.text(LEFT - 8, y + CELL / 2 + 4, name, anchor="end"))
        parts += [_drawn(LEFT + CELL * place, y, cell, total) for place, cell in enumerate(row)]
    width, height = LEFT + CELL * len(columns) + 3 * MARGIN, TOP + CELL * len(rows) + MARGIN
    drawn = svg.picture(width, height, title, *parts)
    return str(drawn).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def _drawn(x: float, y: float, cell: Cell, total: int) -> Markup:
    """A square; that of the most of its row is the darkest."""
    square = svg.box(x + 1, y + 1, CELL - 2, CELL - 2, "none")
    if not cell.ideas:
        return square
    depth = 0.15 + 0.6 * cell.ideas / total
    filled = svg.element(
        "rect", x=x + 1, y=y + 1, width=CELL - 2, height=CELL - 2, class_="right" if cell.right else "wrong", fill_opacity=depth
    )
    return square + filled + svg.text(x + CELL / 2, y + CELL / 2 + 4, str(cell.ideas), "count", anchor="middle")
