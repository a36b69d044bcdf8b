"""`paperlora bench ingest`: a crowd of papers over real HTTP on loopback, the sandbox in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from paperlora.bench.result import Result, Row
from paperlora.errors import PaperLoraError
from paperlora.progress import Progress, silent
from paperlora.sandbox.crowd import crowd_topics

FAULT_SHARE = 0.1
_SERVE = "import sys; from paperlora.sandbox.server import serve; serve(None, '127.0.0.1', 0, int(sys.argv[1]))"


class BenchFailed(PaperLoraError):
    """A measured run did not end, or lost something."""

    default_remedy = "Run `paperlora bench ingest --papers 100` and read the traceback above."


def bench_ingest(papers: int = 2000, *, faults: bool = False, progress: Progress = silent) -> Result:
    """Ingest a crowd of papers, then run again unchanged.

    Args:
        papers: of the largest run; a quarter and half of them are measured too, to see whether memory grows.
        faults: also with 10% of all requests spoiled at random, by each fault of the sandbox that applies.

    Raises:
        BenchFailed: a run ended with an error, or papers are missing from the account.
    """
    sizes = [max(papers // 4, 8), max(papers // 2, 8), papers]
    steps, measured = len(sizes) + faults, {}
    for number, size in enumerate(sizes):
        progress(f"{size} papers", number, steps)
        measured[size] = _measured(size, bare=size == papers)
    rows = [_first(size, figures) for size, figures in measured.items()]
    rows.append(_second(measured[papers]))
    if faults:
        progress(f"{papers} papers, one request in ten spoiled", steps - 1, steps)
        rows.append(_spoiled(papers, measured[papers]))
    growth = measured[papers]["peak_megabytes"] / measured[sizes[0]]["peak_megabytes"]
    return Result("ingest", tuple(rows), (
        "bare: the same requests and the same files through the reading processes, as many at a time, and nothing else",
            "overhead: wall time of the run less bare; CPU: of the ingesting process, HTTP client included",
            "the crowd has neither HTML nor source, so that every arXiv paper costs three requests",
        f"peak memory of {papers} papers is {growth:.2f} of that of {sizes[0]}",
        "in = papers and versions that any source listed = documents + rejects, each with its reason",
    ), ("paperlora", "httpx", "pymupdf", "sqlalchemy"))  # fmt: skip


def _first(size: int, figures: dict[str, Any]) -> Row:
    first, read = figures["runs"][0], len(figures["documents"])
    row: dict[str, float | int | str] = {
        "in": figures["papers"], "documents": read, "rejects": len(figures["rejects"]), "requests": first["requests"],
        "s": first["seconds"], "papers/s": read / first["seconds"], "CPU ms/paper": 1000 * first["cpu_seconds"] / read,
        "peak MB": figures["peak_megabytes"],
    }  # fmt: skip
    if "bare_seconds" in figures:
        row["bare ms/paper"] = 1000 * figures["bare_seconds"] / read
        row["overhead ms/paper"] = 1000 * (first["seconds"] - figures["bare_seconds"]) / read
    return Row(f"{size} papers, first run", row)


def _second(figures: dict[str, Any]) -> Row:
    first, second = figures["runs"]
    return Row("the same, unchanged", {
        "requests": second["requests"], "s": second["seconds"], "times faster": first["seconds"] / second["seconds"],
    })  # fmt: skip


def _spoiled(size: int, clean: dict[str, Any]) -> Row:
    figures = _measured(size, faults=True)
    missing = set(clean["documents"]) ^ set(figures["documents"])
    other = set(clean["rejects"].items()) ^ set(figures["rejects"].items())
    run = figures["runs"][0]
    return Row(f"{size} papers, 10% of requests spoiled", {
        "in": figures["papers"], "documents": len(figures["documents"]), "rejects": len(figures["rejects"]),
        "requests": run["requests"], "s": run["seconds"], "runs until done": run["attempts"],
        "papers that differ": len(missing) + len(other),
    })  # fmt: skip


def _measured(size: int, *, bare: bool = False, faults: bool = False) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="paperlora-bench-") as home, _sandbox(size) as url:
        if faults:
            httpx.post(f"{url}/sandbox/faults", json={"storm": FAULT_SHARE, "seed": 1}).raise_for_status()
        # The look at the counts is no request of the run, so it is never spoiled.
        given = {
            "settings": _settings(Path(home), url, 0.5 if faults else 30.0), "runs": 1 if faults else 2,
            "until_done": faults, "bare": bare,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "paperlora.bench.ingest_worker"],
            input=json.dumps(given),
            text=True,
            stdout=subprocess.PIPE,
        )
    if done.returncode:
        raise BenchFailed(f"The run of {size} papers ended with status {done.returncode}.")
    figures: dict[str, Any] = json.loads(done.stdout)
    if figures["papers"] != len(figures["documents"]) + len(figures["rejects"]) or figures["waiting"]:
        raise BenchFailed(
            f"Of {figures['papers']} papers {len(figures['documents'])} are documents, {len(figures['rejects'])} rejects, "
            f"and {figures['waiting']} wait."
        )
    return figures


def _settings(home: Path, url: str, timeout: float) -> dict[str, Any]:
    own = {"delay_seconds": 0, "timeout_seconds": timeout}
    return {
        "home": str(home), "datasets": str(home / "datasets"), "topics": [t.model_dump(mode="json") for t in crowd_topics()],
        "arxiv": {"url": f"{url}/api/query", "oai_url": f"{url}/oai", **own},
        "semantic_scholar": {"url": f"{url}/graph/v1", **own}, "openalex": {"url": url, **own},
    }  # fmt: skip


@contextmanager
def _sandbox(papers: int) -> Iterator[str]:
    """Address of a sandbox in a process of its own, as long as it is needed."""
    process = subprocess.Popen([sys.executable, "-c", _SERVE, str(papers)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if " at http://" not in line:
            raise BenchFailed("The sandbox did not start.")
        yield "http://" + line.split(" at http://")[1].split(". ")[0]
    finally:
        process.terminate()
        process.wait()
