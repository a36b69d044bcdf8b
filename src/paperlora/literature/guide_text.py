"""Plain text: paragraphs by empty lines, headings where a line is underlined, numbered or in capitals."""

from __future__ import annotations

import re

from paperlora.literature.flow import Flow

_UNDERLINE = re.compile(r"[=\-~^*#]{3,}\s*")
_NUMBERED = re.compile(r"(?:\d{1,2}(?:\.\d{1,2})*\.?|[IVX]{1,5}\.)\s+[A-Z][^.!?]{2,80}")
_BULLET = re.compile(r"\s*(?:[-*•+]|\d{1,2}[.)])\s+")


def write_text(text: str, flow: Flow) -> None:
    """Write the paragraphs of a plain text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            _block(block, flow)
            block = []


def _block(lines: list[str], flow: Flow) -> None:
    if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1]) and len(lines[0].strip()) <= 120:
        _head(lines[0], flow)
        lines = lines[2:]
    elif len(lines) == 1 and _is_heading(lines[0].strip()):
        _head(lines[0], flow)
        return
    paragraph: list[str] = []
    for line in lines:
        if _BULLET.match(line) and paragraph:
            flow.paragraph(" ".join(paragraph))
            paragraph = []
        paragraph.append(line)
    flow.paragraph(" ".join(paragraph))


def _head(line: str, flow: Flow) -> None:
    if not flow.title and flow.empty:
        flow.title = line
    else:
        flow.heading(line)


def _is_heading(line: str) -> bool:
    words = line.split()
    shouted = line.isupper() and 1 <= len(words) <= 12 and len(line) > 3
    return shouted or bool(_NUMBERED.fullmatch(line))
