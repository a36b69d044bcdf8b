"""A document that is written from top to bottom: headings, paragraphs, and what is left out, as plain fields."""

from __future__ import annotations

import re
from typing import Any

from paperlora.literature.characters import mend_characters
from paperlora.literature.limits import UnreadableError

LEAST_CHARACTERS = 200
"""Less text than that is no paper and no guide: a notice, a page that asks for patience, an empty export."""
_SPACE_BEFORE = re.compile(r"\s+([,;!?)\]}](?!\s*=)|[.:](?=\s|$))")
_SPACE_AFTER = re.compile(r"([(\[{])\s+")


def spell(text: str) -> str:
    """Runs of white space as one space, none before a full stop or inside brackets; characters mended."""
    text = " ".join(mend_characters(" ".join(text.split())).split())
    return _SPACE_AFTER.sub(r"\1", _SPACE_BEFORE.sub(r"\1", text))


class Flow:
    """Takes a document's parts in their order. There are no pages: everything stands on page 1."""

    def __init__(self) -> None:
        self.title = ""
        self._sections: list[tuple[str, list[str]]] = [("", [])]
        self._left_out: list[dict[str, Any]] = []

    @property
    def empty(self) -> bool:
        """Nothing has been written yet."""
        return len(self._sections) == 1 and not self._sections[0][1]

    def heading(self, text: str) -> None:
        """Begin a section."""
        words = spell(text)
        if words:
            self._sections.append((words, []))

    def paragraph(self, text: str) -> None:
        """Body text."""
        words = spell(text)
        if any(char.isalnum() for char in words):
            self._sections[-1][1].append(words)

    def leave(self, kind: str, text: str, *, lines: bool = False) -> None:
        """What is no body text.

        Args:
            kind: a ``LeftOutKind``.
            text: as it stands.
            lines: keep its line breaks (tables, listings).
        """
        words = "\n".join(filter(str.strip, map(_line, text.splitlines()))) if lines else spell(text)
        if words:
            self._left_out.append({"kind": kind, "page": 1, "text": words})

    def layout(self, title: str = "") -> dict[str, Any]:
        """The document's fields.

        Args:
            title: where none was found.

        Raises:
            UnreadableError: ``no_text``.
        """
        kept = [(heading, "\n\n".join(paragraphs)) for heading, paragraphs in self._sections]
        characters = sum(len(text) for _, text in kept)
        if characters < LEAST_CHARACTERS:
            raise UnreadableError("no_text", f"{characters} characters of text")
        return {
            "title": spell(self.title) or title,
            "sections": [
                {"heading": heading, "text": text, "page": 1, "page_starts": [{"page": 1, "start": 0}]}
                for heading, text in kept
                if heading or text
            ],
            "left_out": self._left_out,
            "pages": 1,
        }


def _line(text: str) -> str:
    return mend_characters(text.expandtabs(4).rstrip())


def as_text(data: bytes) -> str:
    """Bytes as characters: by their mark of order, else UTF-8, else Windows' Western code page."""
    for mark, code in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(code, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
