"""Subtitles of talks (.srt, .vtt) as running text: time stamps go, rolling captions are merged, sentences made whole."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from paperlora.literature.flow import Flow

PAUSE_SECONDS = 4.0
"""Silence after which a new paragraph begins, if the sentence is over."""
LONG_PARAGRAPH = 900
"""Characters after which the next sentence begins a new paragraph."""
_TIME = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})\s*-->\s*(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})")
_TAG = re.compile(r"<[^<>\n]*>|\{\\[^{}\n]*\}")
_NOISE = re.compile(
    r"[\[(](?:music|applause|laughter|inaudible|silence|noise|cheering|crosstalk|foreign)[^\])]*[\])]|[♪♫]", re.I
)
_SPEAKER = re.compile(r"^\s*(?:>>+\s*|-\s+(?=[A-Z]))")
_END = re.compile(r"[.!?…][\"”')\]]*$")
_CHAPTER = re.compile(r"^(?:NOTE|REGION|STYLE|WEBVTT)\b")


class Cue(NamedTuple):
    """One caption."""

    start: float
    """Seconds."""
    end: float
    lines: tuple[str, ...]


def write_subtitles(text: str, flow: Flow) -> None:
    """Write what is said as paragraphs; sounds in brackets and notes are left out."""
    paragraph, last = "", 0.0
    for cue in _unrolled(_cues(text, flow)):
        over = not paragraph or _END.search(paragraph)
        if paragraph and over and (cue.start - last > PAUSE_SECONDS or len(paragraph) > LONG_PARAGRAPH):
            flow.paragraph(paragraph)
            paragraph = ""
        paragraph = f"{paragraph} {' '.join(cue.lines)}".strip()
        last = cue.end
    flow.paragraph(paragraph)


def _cues(text: str, flow: Flow) -> Iterator[Cue]:
    """The captions, their marks of style removed."""
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip("\n").split("\n")
        place = next((n for n, line in enumerate(lines) if _TIME.search(line)), None)
        if place is None:
            flow.leave("margin", " ".join(lines) if _CHAPTER.match(lines[0]) else "\n".join(lines))
            continue
        match = _TIME.search(lines[place])
        assert match is not None  # by the line above
        spoken = tuple(filter(None, (_spoken(line, flow) for line in lines[place + 1 :])))
        if spoken:
            yield Cue(_seconds(match.groups()[:4]), _seconds(match.groups()[4:]), spoken)


def _spoken(line: str, flow: Flow) -> str:
    plain = html.unescape(_TAG.sub("", line))
    for noise in _NOISE.findall(plain):
        flow.leave("margin", noise)
    return " ".join(_SPEAKER.sub("", _NOISE.sub(" ", plain)).split())


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _unrolled(cues: Iterator[Cue]) -> Iterator[Cue]:
    """Every line once: automatic captions show each line again while the next one grows below it."""
    shown: tuple[str, ...] = ()
    for cue in cues:
        fresh = [line for line in cue.lines if line not in shown]
        if fresh and shown:
            fresh[0] = _rest(shown[-1], fresh[0])
        shown = cue.lines if any(line in shown for line in cue.lines) or fresh else shown
        lines = tuple(filter(None, fresh))
        if lines:
            yield cue._replace(lines=lines)


def _rest(before: str, line: str) -> str:
    """What a line adds to the one before it, which it may repeat or continue word by word."""
    if line.startswith(before + " "):
        return line[len(before) :].strip()
    words, said = line.split(), before.split()
    for count in range(min(len(words), len(said)), 2, -1):
        if said[-count:] == words[:count]:
            return " ".join(words[count:])
    return line
