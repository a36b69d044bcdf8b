"""Runs of ingestion in a process of their own, so that their memory is theirs alone.

One JSON object on standard input: ``settings``, ``runs`` (how many unchanged runs), ``until_done`` (run again while
papers wait or a source failed) and ``bare`` (also fetch and read the same papers by the shortest way). Prints one JSON
object.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from paperlora.catalog import open_catalog
from paperlora.control.ingest import run_ingest
from paperlora.errors import NothingToDo, SourceError
from paperlora.literature.fulltext import address
from paperlora.literature.ingest import AHEAD, FETCHING
from paperlora.literature.reader import PdfReader
from paperlora.records import Document, Paper
from paperlora.runs import Done, write_run
from paperlora.settings import Settings
from paperlora.store import Store, read_json, slug

MOST_RUNS = 20


def main() -> None:
    given = json.load(sys.stdin)
    settings = Settings(**given["settings"])
    runs = [_run(settings, str(number), given["until_done"]) for number in range(given["runs"])]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    bare = {"bare_seconds": bare_seconds(settings)} if given["bare"] else {}
    print(json.dumps({"runs": runs, "peak_megabytes": peak, **bare, **_left(settings)}))


def _run(settings: Settings, key: str, until_done: bool) -> dict[str, Any]:
    asked, cpu, began = _requests(settings), time.process_time(), time.perf_counter()
    attempts = _attempts(settings, key) if until_done else _once(settings, key)
    return {
        "seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu, "attempts": attempts,
        "requests": _requests(settings) - asked,
    }  # fmt: skip


def _once(settings: Settings, key: str) -> int:
    outputs = run_ingest(settings, key).outputs
    # As in a night: the next stage takes up what was handed on.
    write_run(Store.at(settings.store_root), f"distill-{key}", Done("distill", [], taken=outputs))
    return 1


def _attempts(settings: Settings, key: str) -> int:
    """Runs until nothing waits, as a person would retry them."""
    for attempt in range(1, MOST_RUNS + 1):
        try:
            run_ingest(settings, f"{key}-{attempt}")
        except (SourceError, NothingToDo) as error:
            print(f"attempt {attempt}: {error.message}"[:300], file=sys.stderr)
            continue
        if not _waiting(settings):
            return attempt
    return MOST_RUNS


def _waiting(settings: Settings) -> int:
    catalog = open_catalog(settings)
    try:
        return catalog.status().waiting
    finally:
        catalog.close()


def _requests(settings: Settings) -> int:
    parts = urlsplit(settings.arxiv.url)
    counts = httpx.get(f"{parts.scheme}://{parts.netloc}/sandbox/counts").raise_for_status().json()
    return sum(counts.values())


def _left(settings: Settings) -> dict[str, Any]:
    catalog, store = open_catalog(settings), Store.at(settings.store_root)
    try:
        status, fates = catalog.status(), {reject.item: reject.reason for reject in catalog.rejects()}
    finally:
        catalog.close()
    keys = [read_json(Path(uri) / "paper.json", Paper).key for uri in store.folders("documents")]
    return {
        "papers": status.papers, "documents": sorted(keys), "rejects": fates, "waiting": status.waiting,
        "reasons": dict(Counter(fates.values())),
    }  # fmt: skip


def bare_seconds(settings: Settings) -> float:
    """Seconds for the same requests and the same files through the reading processes, as many at a time as in a run,
    and nothing else: no pace, no guard, no check, no hash, no store, no catalog; the answers are thrown away."""
    store = Store.at(settings.store_root)
    folders = {
        uri.rsplit("/", 1)[-1].removesuffix("-pdf"): Path(uri) / "paper.pdf" for uri in store.folders("fulltexts")
    }
    papers = [read_json(Path(uri) / "paper.json", Paper) for uri in store.folders("documents")]
    fetching = threading.BoundedSemaphore(FETCHING)
    began = time.perf_counter()
    with httpx.Client() as client, PdfReader(settings.reading) as reader, ThreadPoolExecutor(AHEAD) as pool:

        def one(paper: Paper) -> Document:
            with fetching:
                for kind in settings.reading.prefer:
                    if url := address(paper, kind, settings):
                        client.get(url)
            return reader.read(folders[slug(paper.key)])

        read = sum(document.pages > 0 for document in pool.map(one, papers))
    if read != len(papers):
        raise RuntimeError(f"{read} of {len(papers)} documents were read again")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
