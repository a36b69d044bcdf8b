"""The bytes of one LaTeX source as a document's plain fields."""

from __future__ import annotations

import re
from typing import Any

from paperlora.literature.latex_archive import Source, open_source
from paperlora.literature.latex_macros import DEFINING, PLAIN_DEFINING
from paperlora.literature.latex_references import merged
from paperlora.literature.latex_tokens import Tokens
from paperlora.literature.latex_writer import Paper, Writer
from paperlora.literature.limits import Limits

LARGEST_STYLE = 200_000
"""Characters of a style file in which the paper's own macros are looked for."""
_PACKAGES = re.compile(r"^[^%\n]*\\(?:usepackage|RequirePackage)\s*(?:\[[^\]]*\])?\s*\{([^}]*)\}", re.M)


def read(data: bytes, limits: Limits, name: str) -> dict[str, Any]:
    """The text of one source.

    Args:
        data: the file's bytes: tar.gz, gzipped file, tar or .tex.
        limits: not needed here.
        name: of the file.

    Raises:
        UnreadableError: ``not_latex``, ``file_broken``, ``unsafe_archive``, ``too_deep``, ``too_large`` or ``no_text``.
    """
    source = open_source(data, name)
    text = source.files[source.main]
    paper = Paper(source.files, merged(source.files, source.main))
    _learn_styles(source, text, paper)
    paper.in_body = not re.search(r"\\begin\s*\{document\}", text)
    Writer(paper, text, source.main).run()
    return _resolved(paper.flow.layout(source.main.rsplit("/", 1)[-1].removesuffix(".tex")), paper)


def _learn_styles(source: Source, text: str, paper: Paper) -> None:
    """Macros of style files that come with the paper."""
    for names in _PACKAGES.findall(text):
        for name in names.split(","):
            style = source.files.get(f"{name.strip()}.sty", "")
            if 0 < len(style) < LARGEST_STYLE:
                tokens = Tokens(style, paper.spent)
                while token := tokens.next():
                    if token[1:] in DEFINING or token[1:] in PLAIN_DEFINING:
                        paper.macros.define(token[1:], tokens)


def _resolved(layout: dict[str, Any], paper: Paper) -> dict[str, Any]:
    """With the numbers of references filled in."""
    resolve = paper.numbers.resolve
    for section in layout["sections"]:
        section["heading"], section["text"] = resolve(section["heading"]), resolve(section["text"])
    for part in layout["left_out"]:
        part["text"] = resolve(part["text"])
    return layout
