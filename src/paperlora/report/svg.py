"""SVG by hand: elements with escaped values, so that a chart can carry the words of a paper."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup, escape

from paperlora.report.text import clean

LABEL_LIMIT = 300
"""Characters of a text inside a chart."""


def element(name: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """One element. ``class_`` and ``stroke_width`` become ``class`` and ``stroke-width``; None leaves an attribute out.

    Children and attribute values that are not Markup are escaped and cut.
    """
    pairs = [
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    ]
    inside = [child if isinstance(child, Markup) else _escaped(child) for child in children]
    # strings are joined plainly, since Markup's own formatting is some ten times slower and a report has 10⁵ elements
    return Markup(f"<{name}{''.join(pairs)}>{''.join(inside)}</{name}>")


def _escaped(words: str) -> str:
    return str(escape(clean(words, LABEL_LIMIT)))


def _value(value: str | float) -> str:
    if isinstance(value, Markup):
        return str(value)
    return _escaped(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def picture(
    width: float, height: float, label: str, *children: Markup, css: str = "chart", long: str = ""
) -> Markup:
    """A whole drawing; ``label`` is what a screen reader calls it, ``long`` what it says of it."""
    return element(
        "svg",
        *([element("desc", long)] if long else []),
        *children,
        class_=css,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
    )


def text(x: float, y: float, words: str, css: str = "t", anchor: str = "start") -> Markup:
    """Words at a baseline."""
    return element("text", words, x=x, y=y, class_=css, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=css)


def dot(x: float, y: float, radius: float, css: str) -> Markup:
    """A filled circle."""
    return element("circle", cx=x, cy=y, r=radius, class_=css)


def box(x: float, y: float, width: float, height: float, css: str, *children: Markup) -> Markup:
    """A rectangle, never of negative size."""
    return element("rect", *children, x=x, y=y, width=max(width, 0), height=max(height, 0), class_=css)


def path(d: str, css: str) -> Markup:
    """A path of our own numbers; it may be long."""
    return element("path", d=Markup(d), class_=css)


def link(target: str, *children: Markup) -> Markup:
    """Children that lead to a place in the report."""
    return element("a", *children, href=f"#{target}")


def hint(words: str) -> Markup:
    """What a mouse resting on the parent shows."""
    return element("title", words)


class Scale(NamedTuple):
    """From a value to a place on the drawing; values beyond the ends are drawn at the ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Place of a value."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)
