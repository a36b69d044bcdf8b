"""The bytes of one guide as a document's plain fields; the end of its name says how it is read."""

from __future__ import annotations

from typing import Any

from paperlora.literature import html_file
from paperlora.literature.flow import Flow, as_text
from paperlora.literature.guide_markdown import write_markdown
from paperlora.literature.guide_subtitles import write_subtitles
from paperlora.literature.guide_text import write_text
from paperlora.literature.limits import Limits, UnreadableError

WRITERS = {
    ".md": write_markdown,
    ".markdown": write_markdown,
    ".txt": write_text,
    ".srt": write_subtitles,
    ".vtt": write_subtitles,
}


def read(data: bytes, limits: Limits, name: str) -> dict[str, Any]:
    """The text of one guide.

    Args:
        data: the file's bytes.
        limits: not needed here.
        name: of the file.

    Raises:
        UnreadableError: ``not_text`` (``not_html`` for a page), ``no_text`` or ``too_deep``.
    """
    stem, _, ending = name.rpartition(".")
    writer = WRITERS.get(f".{ending.casefold()}")
    if writer is None:
        return html_file.read(data, limits, name)
    text = as_text(data)
    if "\0" in text or not text.strip():
        raise UnreadableError("not_text", f"it begins with {data[:16]!r}")
    flow = Flow()
    writer(text, flow)
    return flow.layout(stem.replace("_", " ").replace("-", " ").strip() or name)
