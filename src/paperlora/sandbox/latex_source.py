"""Sandbox papers as the LaTeX source that arXiv hands out under ``/src``: an archive of several files, or one file.

The same paper always gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import textwrap
from collections.abc import Iterator

from paperlora.sandbox.markup import tex_of
from paperlora.sandbox.paper import Block, PaperSection, SandboxPaper

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$"} | {
    sign: f"\\{sign}" for sign in "&%$#_{}"
}
_CITATION = re.compile(r"\[(?P<number>\d+)\]")
_NUMBER = re.compile(r"^[\d.]+\s+")


def render_latex(paper: SandboxPaper) -> bytes:
    """What ``/src`` sends: a ``tar.gz`` of several files where the paper's source is ``tar``, a ``gz`` of one otherwise."""
    if paper.source != "tar":
        return gzip.compress("\n".join(_document(paper, apart=False)).encode(), mtime=0)
    body = "\n".join(line for section in paper.sections[1:] for line in _section(section))
    return _archive({
        "main.tex": "\n".join(_document(paper, apart=True)),
        "sections/body.tex": body,
        "main.bbl": "\n".join(_references(paper)),
        "figures/unused.eps": "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
    })  # fmt: skip


def _archive(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def _document(paper: SandboxPaper, *, apart: bool) -> Iterator[str]:
    """The main file; with ``apart``, all but the first section and the references stand in files of their own."""
    yield "\\documentclass[11pt,twocolumn]{article}\n\\usepackage{amsmath,booktabs}\n% Submitted as it is; the figures were drawn elsewhere."
    yield rf"\newcommand{{\technique}}{{{_escaped(paper.technique)}}}"
    yield rf"\title{{{_escaped(paper.title)}}}"
    authors = r" \and ".join(map(_escaped, paper.authors))
    yield rf"\author{{{authors} \\ {_escaped(paper.affiliation)}}}" "\n\\date{}"
    yield "\\begin{document}\n\\maketitle\n\\begin{abstract}"
    yield from _prose(paper.abstract)
    yield "\\end{abstract}"
    for section in paper.sections[:1] if apart else paper.sections:
        yield from _section(section)
    if apart:
        yield "\\input{sections/body}\n\\bibliographystyle{plain}\n\\bibliography{main}"
    else:
        yield from _references(paper)
    yield "\\end{document}\n"


def _section(section: PaperSection) -> Iterator[str]:
    yield rf"\section{{{_escaped(_NUMBER.sub('', section.heading))}}}"
    for block in section.blocks:
        yield ""
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if block.kind == "subheading":
        yield rf"\subsection{{{_escaped(_NUMBER.sub('', block.text))}}}"
    elif block.kind == "formula":
        yield f"\\begin{{equation}}\n  {tex_of(block.text)}\n\\end{{equation}}"
    elif block.kind == "table":
        yield from _table(block)
    else:
        note = rf"\footnote{{{_escaped(block.footnote)}}}" if block.footnote else ""
        yield from _prose(block.text, note)


def _table(block: Block) -> Iterator[str]:
    head, *rows = (" & ".join(map(_escaped, row)) + r" \\" for row in block.rows)
    columns = "l" + "r" * (len(block.rows[0]) - 1)
    yield (
        rf"\begin{{table}}[t]"
        f"\n\\centering\n\\caption{{{_escaped(block.text)}}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule"
    )
    yield "\n".join([head, r"\midrule", *rows])
    yield "\\bottomrule\n\\end{tabular}\n\\end{table}"


def _references(paper: SandboxPaper) -> Iterator[str]:
    yield "\\begin{thebibliography}{9}"
    for number, reference in enumerate(paper.references, start=1):
        yield rf"\bibitem{{ref{number}}} {_escaped(reference)}"
    yield "\\end{thebibliography}"


def _prose(text: str, note: str = "") -> Iterator[str]:
    cited = _CITATION.sub(lambda match: rf"~\cite{{ref{match['number']}}}", _escaped(text)).replace(" ~", "~")
    yield from textwrap.wrap(cited + note, 78, break_long_words=False, break_on_hyphens=False)


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
