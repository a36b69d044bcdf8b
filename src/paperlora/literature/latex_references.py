"""Numbers and names that LaTeX works out: sections, floats and formulas counted, citations named by the bibliography."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from paperlora.literature.latex_names import CITES_IN_TEXT, REFERENCE_NAMES

_ITEM = re.compile(r"\\bibitem\s*(?:\[((?:[^\[\]{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\])?\s*\{([^{}]+)\}")
_ENTRY = re.compile(r"\\entry\{([^{}]+)\}\{[^{}]*\}\{.*?\\endentry", re.S)
_FAMILY = re.compile(r"family=\{([^{}]*)\}")
_YEAR = re.compile(r"\\field\{(?:labelyear|year)\}\{([^{}]*)\}")
_LABEL = re.compile(r"^(.*?)\s*\((\d{4}[a-z]?|n\.d\.)\)", re.S)
_MARK = re.compile(r"⟦ref:(\w+):([^⟦⟧]*)⟧")
_DASHES = re.compile(r"\s*\\(?:BBOP|BBCP|protect|natexlab)\b\s*")


class Label:
    """What a citation prints: a number, or author and year."""

    def __init__(self, number: int, author: str = "", year: str = "") -> None:
        self.number = number
        self.author = author
        self.year = year


class Bibliography:
    """Labels of the works cited, from a .bbl file or a ``thebibliography``."""

    def __init__(self, text: str, plain: Callable[[str], str]) -> None:
        self._labels = dict(_labels(text, plain))

    def cite(self, command: str, keys: str, before: str = "", after: str = "") -> str:
        """As printed, nearly: ``[3, 5]``, ``(Ada et al., 2020)`` or ``Ada et al. (2020)``."""
        names = [key.strip() for key in keys.split(",") if key.strip()]
        labels = [self._labels.get(name) for name in names]
        known = [label for label in labels if label is not None]
        lead, tail = (f"{before} " if before else ""), (f", {after}" if after else "")
        if not known or not all(label.author for label in known):
            numbers = [str(label.number) if label else name for label, name in zip(labels, names, strict=True)]
            return f"[{lead}{', '.join(numbers)}{tail}]"
        if command.startswith("citeauthor"):
            return ", ".join(label.author for label in known)
        if command.startswith("citeyear"):
            return ", ".join(label.year for label in known)
        if command in CITES_IN_TEXT:
            return ", ".join(f"{label.author} ({label.year}{tail})" for label in known)
        inner = "; ".join(f"{label.author}, {label.year}" for label in known)
        return f"{lead}{inner}{tail}" if command == "citealp" else f"({lead}{inner}{tail})"


def bibliography_items(text: str) -> Iterator[str]:
    """The works of a ``thebibliography``, each as LaTeX."""
    starts = [match.start() for match in _ITEM.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield _ITEM.sub("", text[start:end], count=1).split("\\end{thebibliography}")[0]


def _labels(text: str, plain: Callable[[str], str]) -> Iterator[tuple[str, Label]]:
    for number, match in enumerate(_ITEM.finditer(text), 1):
        raw = _DASHES.sub(" ", match[1] or "")
        parts = _LABEL.match(plain(raw)) if raw else None
        yield match[2].strip(), Label(number, parts[1].strip() if parts else "", parts[2] if parts else "")
    for number, match in enumerate(_ENTRY.finditer(text), 1):
        family, year = (
            _FAMILY.findall(match[0].split("\\name{", 2)[-1].split("}\n", 1)[0] or match[0]),
            _YEAR.search(match[0]),
        )
        author = plain(family[0] if len(family) == 1 else f"{family[0]} et al.") if family else ""
        yield match[1].strip(), Label(number, author if year else "", year[1] if year else "")


class Numbers:
    """Counts sections, floats and formulas, and remembers what each label means."""

    def __init__(self) -> None:
        self._section = [0, 0, 0, 0]
        self._appendix = False
        self._counts: dict[str, int] = {}
        self._labels: dict[str, tuple[str, str]] = {}
        self.current = ("section", "")

    def appendix(self) -> None:
        """From here on sections are lettered."""
        self._appendix = True
        self._section = [0, 0, 0, 0]

    def section(self, level: int) -> str:
        """The number of the next heading of this level (1 section, 2 subsection …)."""
        self._section[level] += 1
        self._section[level + 1 :] = [0] * (3 - level)
        first = chr(64 + min(self._section[1], 26)) if self._appendix else str(self._section[1])
        number = ".".join([first, *map(str, self._section[2 : level + 1])])
        self.current = ("appendix" if self._appendix else "section", number)
        return number

    def next(self, counter: str) -> str:
        """The next number of a float or a formula."""
        self._counts[counter] = self._counts.get(counter, 0) + 1
        self.current = (counter, str(self._counts[counter]))
        return self.current[1]

    def label(self, name: str) -> None:
        """A label for what was numbered last."""
        self._labels[name.strip()] = self.current

    @staticmethod
    def mark(command: str, names: str) -> str:
        """A place for the numbers of labels that may come later; :meth:`resolve` fills it."""
        return f"⟦ref:{command.rstrip('*')}:{names}⟧"

    def resolve(self, text: str) -> str:
        """With every reference as printed; a label that isn't there leaves ``??``, as LaTeX does."""
        return _MARK.sub(lambda m: self._printed(m[1], m[2]), text) if "⟦ref:" in text else text

    def _printed(self, command: str, names: str) -> str:
        found = [self._labels.get(name.strip(), ("", "??")) for name in names.split(",")]
        numbers = " and ".join(number for _, number in found) if len(found) < 3 else ", ".join(n for _, n in found)
        if command == "eqref":
            return f"({numbers})"
        if command not in ("autoref", "cref", "Cref", "fref", "Fref", "vref"):
            return numbers
        name = REFERENCE_NAMES.get(found[0][0], found[0][0].capitalize())
        name = name + "s" if len(found) > 1 and name else name
        return f"{name.lower() if command == 'cref' else name} {numbers}".strip()


def merged(sources: Mapping[str, str], main: str) -> str:
    """The bibliography that goes with the paper: of its own name, else the only one, else the longest."""
    own = main.rsplit(".", 1)[0] + ".bbl"
    found = {name: text for name, text in sources.items() if name.endswith(".bbl")}
    if own in found:
        return found[own]
    return max(found.values(), key=len, default="")
