"""Pages a CPU second of the reader beside other people's, on the same papers in one run.

Each side runs in a process of its own, its start included; processor time is that of the process and of all its
children (``wait4``). What the sides give differs: plain text, positions and fonts, or a document in sections; a ratio
says what the understanding costs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from paperlora.bench.result import Result, Row
from paperlora.errors import SettingsError

READER = """
import json, sys
from pathlib import Path
from paperlora.literature.reader import PdfReader, ReadRequest
from paperlora.settings import ReadingSettings
workers, paths = int(sys.argv[1]), sys.argv[2:]
with PdfReader(ReadingSettings(timeout_seconds=600), workers=workers) as reader:
    read = list(reader.read_many([ReadRequest(Path(path)) for path in paths]))
kept = [document for document in read if not isinstance(document, Exception)]
print(json.dumps([sum(d.pages for d in kept), sum(d.characters for d in kept), len(kept)]))
"""
PYMUPDF = """
import json, sys
import pymupdf
pages = characters = 0
for path in sys.argv[1:]:
    with pymupdf.open(path) as document:
        for page in document:
            characters += {count}
            pages += 1
print(json.dumps([pages, characters, len(sys.argv) - 1]))
"""
PYPDF = """
import json, logging, sys
import pypdf
logging.disable(logging.CRITICAL)
pages = characters = 0
for path in sys.argv[1:]:
    for page in pypdf.PdfReader(path).pages:
        characters += len(page.extract_text())
        pages += 1
print(json.dumps([pages, characters, len(sys.argv) - 1]))
"""
PDFMINER = """
import json, logging, sys
from pdfminer.high_level import extract_pages
from pdfminer.layout import LTTextContainer
logging.disable(logging.CRITICAL)
pages = characters = 0
for path in sys.argv[1:]:
    for page in extract_pages(path):
        characters += sum(len(part.get_text()) for part in page if isinstance(part, LTTextContainer))
        pages += 1
print(json.dumps([pages, characters, len(sys.argv) - 1]))
"""
TEXT = PYMUPDF.format(count="len(page.get_text())")
PLAIN = "PyMuPDF, plain text"


class Side(NamedTuple):
    """Something that reads the papers."""

    name: str
    code: str
    arguments: tuple[str, ...] = ()
    package: str = "pymupdf"
    """That must be importable."""
    slow: bool = False
    """Reads the papers once, whatever the number of repeats."""


class Measured(NamedTuple):
    """One run of one side."""

    cpu: float
    """Seconds of processor, children included."""
    wall: float
    """Seconds."""
    pages: int
    characters: int
    files: int


def sides(cores: int) -> tuple[Side, ...]:
    """The readers that are compared.

    Args:
        cores: of the machine.
    """
    return (
        Side(PLAIN, TEXT),
        Side("PyMuPDF, dict (positions, fonts)", PYMUPDF.format(count="sum(len(b.get('lines', ())) for b in page.get_text('dict')['blocks'])")),
        Side("PaperLoRA, 1 worker", READER, ("1",)),
        *((Side(f"PaperLoRA, {cores} workers", READER, (str(cores),)),) if cores > 1 else ()),
        Side("pypdf", PYPDF, package="pypdf", slow=True),
        Side("pdfminer.six", PDFMINER, package="pdfminer", slow=True),
    )  # fmt: skip


def bench_read(
    folder: Path | None = None, *, copies: int = 1, repeats: int = 3, peers: bool = True,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Result:  # fmt: skip
    """Measure every reader on every PDF of a folder.

    Args:
        folder: None for the papers of the sandbox.
        copies: every paper so often in one run: a batch as long as a night's.
        repeats: runs of each side in turn; their median counts. pypdf and pdfminer.six run once.
        peers: pypdf and pdfminer.six too.
        progress: told the side that runs.

    Raises:
        SettingsError: the folder holds no PDF.
    """
    with tempfile.TemporaryDirectory() as scratch:
        papers = sorted(folder.rglob("*.pdf")) if folder else _sandbox_papers(Path(scratch))
        if not papers:
            raise SettingsError(f"{folder} holds no PDF.", "Give a folder of papers, or none for the sandbox's.")
        return _measure_all([str(p) for p in papers], papers_name(folder), copies, repeats, peers, progress)


def papers_name(folder: Path | None) -> str:
    """What was read, in words."""
    return folder.name if folder else "the sandbox's papers"


def _measure_all(
    papers: Sequence[str], name: str, copies: int, repeats: int, peers: bool, progress: Callable[[str, int, int], None]
) -> Result:
    wanted = [side for side in sides(os.cpu_count() or 1) if peers or not side.slow]
    ready = [side for side in wanted if find_spec(side.package)]
    runs: dict[str, list[Measured]] = {side.name: [] for side in ready}
    starts = {side.name: measure(side, ()).cpu for side in ready}
    for turn in range(repeats):
        for number, side in enumerate(ready):
            if turn == 0 or not side.slow:
                progress(side.name, turn * len(ready) + number, repeats * len(ready))
                batch = list(papers) if side.slow else list(papers) * copies
                runs[side.name].append(measure(side, batch))
    missing = [side.name for side in wanted if side not in ready]
    return Result("read", _rows(runs, starts), _notes(name, papers, copies, repeats, missing), ("pymupdf", "pypdf", "pdfminer.six"))


def measure(side: Side, papers: Sequence[str]) -> Measured:
    """Run one side once.

    Args:
        side: what runs.
        papers: paths.

    Raises:
        SettingsError: it ends with an error.
    """
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([sys.executable, "-c", side.code, *side.arguments, *papers], stdout=output, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        lines = output.read().decode().splitlines()
    if process.returncode or not lines:
        raise SettingsError(f"{side.name} can't read these papers.", "Leave out broken files, or run with --no-peers.")
    return Measured(used.ru_utime + used.ru_stime, wall, *json.loads(lines[-1]))


def _rows(runs: dict[str, list[Measured]], starts: dict[str, float]) -> tuple[Row, ...]:
    whole = {name: statistics.median(run.pages / run.cpu for run in own) for name, own in runs.items()}
    after = {name: statistics.median(run.pages / max(run.cpu - starts[name], 1e-3) for run in own) for name, own in runs.items()}
    rows = []
    for name, own in runs.items():
        figures: dict[str, float | int | str] = {
            "pages": own[0].pages, "pages / CPU s": round(whole[name], 1), "spread": _spread([run.pages / run.cpu for run in own]),
            "of plain PyMuPDF": round(whole[name] / whole[PLAIN], 3), "start CPU s": round(starts[name], 2),
            "after the start": round(after[name] / after[PLAIN], 3),
            "pages / s": round(statistics.median(run.pages / run.wall for run in own), 1),
        }  # fmt: skip
        rows.append(Row(name, figures))
    return tuple(rows)


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.1f}–{max(values):.1f}" if len(values) > 1 else ""


def _notes(name: str, papers: Sequence[str], copies: int, repeats: int, missing: Sequence[str]) -> tuple[str, ...]:
    return (
        f"{len(papers)} papers ({name}), each {copies}× in a batch; median of {repeats} runs, pypdf and pdfminer.six once",
        "start of every process and its children included; processor time of all of them",
        "after the start: the same ratio without what each side costs before its first paper; our workers' start counts as reading",
        "PaperLoRA gives title, sections, reading order, mended words and what is left out; plain PyMuPDF the characters",
        *(f"{side} is not installed: pip install 'paperlora[bench]'" for side in missing),
    )


def _sandbox_papers(folder: Path) -> list[Path]:
    from paperlora.sandbox.corpus import PAPERS
    from paperlora.sandbox.pdf import render

    paths = []
    for paper in PAPERS:
        if not paper.broken:
            paths.append(folder / f"{paper.key.replace(':', '-')}.pdf")
            paths[-1].write_bytes(render(paper))
    return paths
