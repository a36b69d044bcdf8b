"""Which elements of a page nobody can see, by their attributes, their style and the page's own style sheet."""

from __future__ import annotations

import re
from typing import Any

_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"[a-z0-9]*[.#][\w-]+", re.I)
_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_GONE = re.compile(r"display:none|visibility:hidden|opacity:0(?:\.0\d*)?(?![\d.])|clip:rect\(0|text-indent:-\d{3,}")
_FONT_SIZE = re.compile(r"font-size:(\d*\.?\d+)(px|pt|%|em|rem)?")
_COLOUR = re.compile(r"(?:^|;)(?:--ltx-fg-)?color:(#[0-9a-f]{3,8}|rgba?\([^)]*\)|white|transparent)")
_GROUND = re.compile(r"background(?:-color)?:(?!transparent|none|inherit|#fff|white)|--ltx-bg-color:(?!#fff|white)")
SMALLEST = {"px": 4.0, "pt": 3.0, "%": 25.0, "em": 0.25, "rem": 0.25}
"""Smaller letters can't be read."""
LIGHT = 0xC8
"""Every colour channel at least this vanishes on white paper."""


class Styles:
    """Knows a page's style sheets (simple selectors: ``.name``, ``#name``, ``tag.name``)."""

    def __init__(self, root: Any) -> None:
        self._rules: dict[str, str] = {}
        for sheet in root.iter("style"):
            for selectors, style in _RULE.findall(_COMMENT.sub("", sheet.text or "")):
                for selector in selectors.split(","):
                    if _SIMPLE.fullmatch(selector.strip()):
                        name = re.sub(r"^[a-z0-9]+", "", selector.strip(), flags=re.I)
                        self._rules[name] = self._rules.get(name, "") + ";" + style

    def hides(self, element: Any) -> bool:
        """No reader of the page sees it; what stands in a coloured frame is taken for seen."""
        if element.get("hidden") is not None or element.get("type") == "hidden":
            return True
        style = self._style(element)
        if not style:
            return False
        return bool(_GONE.search(style)) or _tiny(style) or (_pale(style) and not self._on_ground(element))

    def _style(self, element: Any) -> str:
        names = ["." + name for name in (element.get("class") or "").split()]
        names += ["#" + element.get("id")] if element.get("id") else []
        found = [self._rules[name] for name in names if name in self._rules] if self._rules else []
        return re.sub(r"\s+", "", ";".join([*found, element.get("style") or ""]).casefold()).strip(";")

    def _on_ground(self, element: Any) -> bool:
        return any(_GROUND.search(self._style(e)) for e in [element, *element.iterancestors()])


def _tiny(style: str) -> bool:
    match = _FONT_SIZE.search(style)
    return match is not None and float(match[1]) < SMALLEST.get(match[2], 1.0)


def _pale(style: str) -> bool:
    colours = _COLOUR.findall(style)
    if not colours:
        return False
    colour = colours[-1]
    if colour in ("white", "transparent"):
        return True
    if colour.startswith("#"):
        digits = colour[1:]
        pairs = [c * 2 for c in digits[:3]] if len(digits) in (3, 4) else [digits[n : n + 2] for n in (0, 2, 4)]
        return len(pairs[-1]) == 2 and all(int(pair, 16) >= LIGHT for pair in pairs)
    numbers = re.findall(r"[\d.]+", colour)
    if len(numbers) == 4 and numbers[3].strip(".") and float(numbers[3]) < 0.1:
        return True
    return len(numbers) >= 3 and all(n.isdigit() and int(n) >= LIGHT for n in numbers[:3])
