"""Papers a minute through an LLM endpoint that allows only so much: our reader beside other people's tools.

The endpoint answers after a fixed delay and refuses what exceeds its limit. Each tool does its own job on the same texts:
ours reads every section for ideas and reads each idea a second time; synthetic-data-kit summarises a text and makes
question-answer pairs of its chunks; distilabel makes pairs of the same chunks. They ask different numbers of questions of
different worth: the share of the allowed requests that is in flight is what compares.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from paperlora.bench.crowded import CrowdedEndpoint, Rules, Seen
from paperlora.bench.peers import peer_python
from paperlora.bench.result import Result, Row
from paperlora.errors import DocumentUnreadable, LlmError, PaperLoraError
from paperlora.ideas.llm_reader import Job
from paperlora.ideas.read import find_ideas_many
from paperlora.literature.reader import read_pdf
from paperlora.llm.client import LlmClient
from paperlora.llm.gate import Gate
from paperlora.progress import Progress, silent
from paperlora.records import Document, Paper, Topic
from paperlora.sandbox.library import sandbox_library
from paperlora.settings import LlmSettings, ReadingSettings, Settings
from paperlora.store import Store

SYNTHETIC_DATA_KIT = ("synthetic-data-kit==0.0.5",)
DISTILABEL = ("distilabel[openai]==1.5.3", "openai<3", "requests")
_WORKER = Path(__file__).with_name("distilabel_worker.py")
_MODEL = "oracle"


class Load(NamedTuple):
    """What is asked, and what the endpoint allows."""

    papers: int = 66
    """Read by ours, for the steady state: the sandbox's papers, in as many editions as it takes."""
    peer_papers: int = 8
    """Read by everybody."""
    delay: float = 2.0
    """Seconds an answer takes."""
    limit: int = 32
    """Requests in flight."""
    per_minute: float = 900.0
    """Requests a minute, at the second endpoint."""


class _Text(NamedTuple):
    job: Job
    name: str

    @property
    def plain(self) -> str:
        """What the other tools read: headings and text, without references."""
        document = self.job.document
        return "\n\n".join(f"{section.heading}\n\n{section.text}" for section in document.sections)


def bench_extract(load: Load, *, peers: bool = True, progress: Progress = silent) -> Result:
    """Measure ours at both limits, and everybody on the same few papers.

    Raises:
        PaperLoraError: our side fails. A peer that can't be installed or run is a note.
    """
    texts = _texts(max(load.papers, load.peer_papers))
    few = texts[: load.peer_papers]
    rows, notes = [], list(_notes(load))
    with CrowdedEndpoint(Rules(load.delay, limit=load.limit)) as endpoint, tempfile.TemporaryDirectory() as folder:
        progress("ours", 0, 5)
        rows.append(_row(f"ours, {load.papers} papers", load.papers, _ours(endpoint, texts, folder), load.limit))
        progress("ours", 1, 5)
        rows.append(_row("ours, once more", load.papers, _ours(endpoint, texts, folder), load.limit))
        progress("ours", 2, 5)
        rows.append(_row(f"ours, {len(few)} papers", len(few), _ours(endpoint, few, f"{folder}/few"), load.limit))
        for number, (name, run) in enumerate(_PEERS.items() if peers else ()):
            progress(name, 3 + number, 5)
            row = _peer(name, run, endpoint, few, load.limit)
            rows.append(row) if isinstance(row, Row) else notes.append(row)
    with CrowdedEndpoint(Rules(load.delay, per_minute=load.per_minute)) as endpoint, tempfile.TemporaryDirectory() as folder:
        progress("ours at a rate limit", 4, 5)
        seen = _ours(endpoint, texts, folder)
        rows.append(_row(f"ours, {load.per_minute:g} requests a minute", load.papers, seen, None, load.per_minute))
    return Result("extract", tuple(rows), tuple(notes), ("openai", "httpx2"))


def _notes(load: Load) -> tuple[str, ...]:
    return (
        f"An answer takes {load.delay:g} s; {load.limit} requests in flight are allowed, more get a 429. Ours starts with "
        f"{LlmSettings().concurrency} and does not know the limit.",
        "in flight: mean from the first request to the last answer; steady: without the first and the last tenth of the "
        "requests; share: steady in flight, or requests a minute, of what is allowed.",
        "Requests a paper count different work: ours asks about each section and checks each idea, the others ask for a "
        "summary and for pairs of 4,000 characters.",
    )


def _row(what: str, papers: int, seen: Seen, limit: int | None, per_minute: float | None = None) -> Row:
    figures: dict[str, float | int | str] = {"requests": seen.accepted, "requests/paper": seen.accepted / papers}
    if seen.accepted:
        share = seen.steady_in_flight / limit if limit else 60 * seen.steady_per_second / (per_minute or 1)
        figures |= {
            "papers/min": 60 * papers / seen.seconds, "in flight": seen.mean_in_flight, "steady": seen.steady_in_flight,
            "most": seen.most_in_flight, "share": f"{share:.1%}", "refused": seen.refused,
        }  # fmt: skip
    return Row(what, figures)


# ------------------------------------------------------------------------- ours


def _texts(papers: int) -> list[_Text]:
    """The sandbox's papers as read from their PDFs, in as many editions as are asked for."""
    documents: list[tuple[Document, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, entry in enumerate(sandbox_library().newest):
            path = Path(folder) / f"{number}.pdf"
            path.write_bytes(entry.pdf_bytes())
            try:
                documents.append((read_pdf(path, ReadingSettings()), entry.title))
            except DocumentUnreadable:  # one of them is broken by design
                continue
    texts = []
    for number in range(papers):
        document, title = documents[number % len(documents)]
        edition = number // len(documents) + 1
        paper = Paper(id=f"bench:{number}", title=f"{title} (edition {edition})")
        job = Job(document.model_copy(update={"paper": paper.key, "title": paper.title}), paper, Topic(name="bench"))
        texts.append(_Text(job, f"paper-{number:03d}"))
    return texts


def _ours(endpoint: CrowdedEndpoint, texts: Sequence[_Text], folder: str) -> Seen:
    fields = {"provider": "openai", "base_url": f"{endpoint.url}/v1", "model": _MODEL}
    settings = Settings(llm=LlmSettings.model_validate(fields))
    client = LlmClient(settings.llm, Store.at(folder))
    # Every measurement finds the limit anew, as the first night does.
    client.endpoint.gate = Gate(settings.llm.concurrency, settings.llm.max_concurrency, settings.llm.timeout_seconds)
    endpoint.seen()
    for _, found in find_ideas_many([text.job for text in texts], settings, client):
        if isinstance(found, LlmError):
            raise found
    return endpoint.seen()


# ------------------------------------------------------------------------ peers


def _peer(
    name: str, run: Callable[[str, Path], None], endpoint: CrowdedEndpoint, texts: Sequence[_Text], limit: int
) -> Row | str:
    """Its row, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        texts_folder = Path(folder) / "texts"
        texts_folder.mkdir()
        for text in texts:
            (texts_folder / f"{text.name}.txt").write_text(text.plain, encoding="utf-8")
        endpoint.seen()
        try:
            run(f"{endpoint.url}/v1", Path(folder))
        except PaperLoraError as error:
            return f"{name} was not measured: {error.message}"
        seen = endpoint.seen()
    return _row(f"{name}, {len(texts)} papers", len(texts), seen, limit) if seen.accepted else f"{name} asked nothing."


def _synthetic_data_kit(url: str, folder: Path) -> None:
    """Its own command line: ``create`` over the folder of texts."""
    python = peer_python("synthetic-data-kit", SYNTHETIC_DATA_KIT)
    config = {
        "llm": {"provider": "api-endpoint"},
        "api-endpoint": {"api_base": url, "api_key": "none", "model": _MODEL, "max_retries": 3, "retry_delay": 1.0},
        "generation": {"temperature": 0.7, "top_p": 0.95, "chunk_size": 4000, "overlap": 200, "max_tokens": 4096,
                       "num_pairs": 25, "batch_size": 32},
        "paths": {"input": "texts", "output": {"generated": "made"}},
        "prompts": _prompts(python),
    }  # fmt: skip
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    tool = python.parent / "synthetic-data-kit"
    _run([str(tool), "-c", "config.yaml", "create", "texts", "--type", "qa", "-o", "made"], folder)
    made = list((folder / "made").glob("*_qa_pairs.json"))
    if not any(json.loads(path.read_text(encoding="utf-8"))["qa_pairs"] for path in made):
        raise PaperLoraError("it made no pairs.")


def _prompts(python: Path) -> Any:
    """The prompts that it ships with."""
    code = (
        "import json, yaml, pathlib, importlib.util as u;"
        "root = pathlib.Path(u.find_spec('synthetic_data_kit').origin).parent;"
        "print(json.dumps(yaml.safe_load((root / 'config.yaml').read_text())['prompts']))"
    )
    return json.loads(_run([str(python), "-c", code], Path.cwd()))


def _distilabel(url: str, folder: Path) -> None:
    """A pipeline of its text generation over chunks of the same size and the same prompt."""
    python = peer_python("distilabel", DISTILABEL)
    _run([str(python), str(_WORKER), url, str(folder / "texts"), _MODEL], folder)


_PEERS: dict[str, Callable[[str, Path], None]] = {
    "synthetic-data-kit": _synthetic_data_kit,
    "distilabel": _distilabel,
}


def _run(command: Sequence[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAPERLORA_")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise PaperLoraError(f"it fails: {said[-1] if said else done.returncode}.")
    return done.stdout
