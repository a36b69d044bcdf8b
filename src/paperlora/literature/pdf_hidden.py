"""Which lines of a page nobody can see: invisible ink, white on white, covered, too small, off the page.

Such text is a known way to instruct automatic readers; it is kept apart and never taught from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from paperlora.literature.pdf_engine import pymupdf

PAINTED = 16 | 32
"""MuPDF's character flags: filled, stroked."""
TINY_POINTS = 2.6
SMALL_POINTS = 4.0
SMALL_WORDS = 6
LIGHT = 0xC8
"""Every colour channel at least this: may vanish on white paper."""
LEAST_CONTRAST = 40
"""Of 255 grey levels, between the darkest and the lightest dot of a line."""
LEAST_OPACITY = 26
"""Of 255."""
OPAQUE = 200
OCR_SHARE = 0.9
OCR_PICTURE = 0.6


class Placed(NamedTuple):
    """A line and its place in the order of drawing."""

    order: int
    line: dict[str, Any]
    """As ``page.get_text("dict")`` gives it."""


class Drawing(NamedTuple):
    """A vector drawing and its place in the order of drawing."""

    order: int
    x0: float
    y0: float
    x1: float
    y1: float
    colour: int
    fills: bool
    """An opaque filled rectangle."""

    @classmethod
    def of(cls, order: int, block: dict[str, Any]) -> Drawing:
        """From a vector block of ``page.get_text("dict", flags=TEXT_COLLECT_VECTORS)``."""
        fills = bool(block["isrect"] and not block["stroked"] and block["alpha"] >= OPAQUE)
        x0, y0, x1, y1 = block["bbox"]
        return cls(order, x0, y0, x1, y1, block["color"], fills)


def hidden_lines(page: Any, lines: list[Placed], drawings: list[Drawing], images: list[dict[str, Any]]) -> set[int]:
    """Indices of the lines that can't be seen.

    Args:
        page: the PyMuPDF page, drawn only where a line is suspicious.
        lines: every line of the page.
        drawings: every vector drawing of the page.
        images: ``page.get_image_info()``.
    """
    rect, fills = page.rect, [d for d in drawings if d.fills and d.y1 - d.y0 >= 5.0 and d.x1 - d.x0 >= 12.0]
    doubtful = list(_doubtful(lines, fills, rect))
    unpainted = {n for n in doubtful if _unpainted(lines[n].line["spans"])}
    if unpainted and _is_scan_with_text_layer(page, lines, unpainted, images):
        unpainted = set()
    hidden = unpainted | {n for n in doubtful if _too_small(lines[n].line) or _off_page(lines[n].line, rect)}
    suspects = {n for n in doubtful if _is_suspect(lines[n], fills)} | _under_images(page, lines, images)
    return hidden | (_without_contrast(page, lines, suspects - hidden) if suspects - hidden else set())


def _doubtful(lines: list[Placed], fills: list[Drawing], rect: Any) -> Iterator[int]:
    """Lines that are not plainly seen: dark, painted, large enough, on the page and away from every filled box."""
    bottom, top = (max(d.y1 for d in fills), min(d.y0 for d in fills)) if fills else (-1.0, 0.0)
    left, right, upper, lower = rect.x0, rect.x1, rect.y0, rect.y1
    for number, (_, line) in enumerate(lines):
        x0, y0, x1, y1 = line["bbox"]
        first = line["spans"][0] if line["spans"] else None
        if (
            first is None
            or first["color"]
            or first["size"] < SMALL_POINTS
            or not first["char_flags"] & PAINTED
            or first.get("alpha", 255) < LEAST_OPACITY
            or first["text"].isspace()
            or (top <= y1 and y0 <= bottom)
            or not (left <= (x0 + x1) / 2 <= right and upper <= (y0 + y1) / 2 <= lower)
        ):
            yield number


def _unpainted(spans: list[dict[str, Any]]) -> bool:
    for span in spans:
        if span["char_flags"] & PAINTED and span.get("alpha", 255) >= LEAST_OPACITY and not span["text"].isspace():
            return False
    return True


def _too_small(line: dict[str, Any]) -> bool:
    spans = line["spans"]
    if spans and spans[0]["size"] >= SMALL_POINTS:
        return False
    size = max((span["size"] for span in spans), default=0.0)
    if size >= SMALL_POINTS:
        return False
    words = sum(len(span["text"].split()) for span in line["spans"])
    return size < TINY_POINTS or words >= SMALL_WORDS


def _off_page(line: dict[str, Any], rect: Any) -> bool:
    x0, y0, x1, y1 = line["bbox"]
    return not (rect.x0 <= (x0 + x1) / 2 <= rect.x1 and rect.y0 <= (y0 + y1) / 2 <= rect.y1)


def _is_scan_with_text_layer(page: Any, lines: list[Placed], unpainted: set[int], images: list[dict[str, Any]]) -> bool:
    # A scanned page carries its recognised text as invisible ink over the picture: there it is the text.
    sizes = [sum(len(span["text"]) for span in line["spans"]) for _, line in lines]
    if sum(sizes[n] for n in unpainted) < OCR_SHARE * sum(sizes):
        return False
    area = page.rect.width * page.rect.height
    return any((x1 - x0) * (y1 - y0) > OCR_PICTURE * area for x0, y0, x1, y1 in (info["bbox"] for info in images))


def _is_suspect(placed: Placed, fills: list[Drawing]) -> bool:
    """In light ink, under a later drawing, or in the colour of the drawing it stands on."""
    order, line = placed
    colour = next((span["color"] for span in line["spans"] if not span["text"].isspace()), 0)
    return _is_light(colour) or _on_or_under(fills, line["bbox"], order, colour)


def _on_or_under(fills: list[Drawing], box: tuple[float, float, float, float], order: int, colour: int) -> bool:
    return any(_holds(d, box) and (d.order > order or _alike(d.colour, colour)) for d in fills)


def _under_images(page: Any, lines: list[Placed], images: list[dict[str, Any]]) -> set[int]:
    boxes = [_cover(0, info["bbox"]) for info in images]
    inside = {n for n, (_, line) in enumerate(lines) if any(_holds(box, line["bbox"]) for box in boxes)}
    if not inside:
        return set()
    log = page.get_bboxlog()
    covers = [_cover(n, box) for n, (kind, box) in enumerate(log) if kind == "fill-image"]
    last_text = max((n for n, (kind, _) in enumerate(log) if "text" in kind), default=0)
    covers = [cover for cover in covers if cover.order > last_text or _text_before(log, cover)]
    return {n for n in inside if any(_holds(cover, lines[n].line["bbox"]) for cover in covers)}


def _cover(order: int, box: tuple[float, float, float, float]) -> Drawing:
    x0, y0, x1, y1 = box
    return Drawing(order, x0, y0, x1, y1, 0, True)


def _text_before(log: list[Any], cover: Drawing) -> bool:
    return any("text" in kind and _holds(cover, box) for kind, box in log[: cover.order])


def _is_light(colour: int) -> bool:
    return colour >= LIGHT << 16 and colour >> 8 & 255 >= LIGHT and colour & 255 >= LIGHT


def _alike(first: int, second: int) -> bool:
    return (
        abs((first >> 16 & 255) - (second >> 16 & 255)) < LEAST_CONTRAST
        and abs((first >> 8 & 255) - (second >> 8 & 255)) < LEAST_CONTRAST
        and abs((first & 255) - (second & 255)) < LEAST_CONTRAST
    )


def _holds(drawing: Drawing, box: tuple[float, float, float, float]) -> bool:
    x0, y0, x1, y1 = box
    third = (y1 - y0) / 3
    return drawing.x0 <= x0 + 1 and drawing.x1 >= x1 - 1 and drawing.y0 <= y0 + third and drawing.y1 >= y1 - third


def _without_contrast(page: Any, lines: list[Placed], suspects: set[int]) -> set[int]:
    """Those of the suspects that leave no trace in a picture of the page."""
    clip = pymupdf.Rect()
    for number in suspects:
        clip |= pymupdf.Rect(lines[number].line["bbox"])
    picture = page.get_pixmap(colorspace=pymupdf.csGRAY, alpha=False, annots=False, clip=clip & page.rect)
    dots, width = picture.samples, picture.width
    hidden = set()
    for number in suspects:
        x0, y0, x1, y1 = lines[number].line["bbox"]
        left, right = max(int(x0) - picture.x, 0), min(int(x1) + 1 - picture.x, width)
        top, bottom = max(int(y0) - picture.y, 0), min(int(y1) + 1 - picture.y, picture.height)
        area = b"".join(dots[y * width + left : y * width + right] for y in range(top, bottom))
        if not area or max(area) - min(area) < LEAST_CONTRAST:
            hidden.add(number)
    return hidden
