"""Our side of `paperlora bench judge`, in a process of its own: `python -m paperlora.bench.judge_worker bank JOB.json`.

It asks as the judge does: through an :class:`~paperlora.judge.asking.Asker` with a memory on disk, which is empty.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from paperlora.bench.train_worker import MARK


def main() -> None:
    """Ask everything, print what was measured and said as one line of JSON."""
    job = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    import torch

    if job["threads"]:
        torch.set_num_threads(job["threads"])
    print(MARK + json.dumps(ask_all(job)), flush=True)


def ask_all(job: dict[str, Any]) -> dict[str, Any]:
    """Every question of every model: what was said, and how long it took."""
    from paperlora.judge.asking import Asker
    from paperlora.model.bank import Bank
    from paperlora.model.base import load_base
    from paperlora.progress import silent

    start = time.perf_counter()
    base = load_base(job["base"], device=job["device"], cache=Path(job["base"]))
    folders = [None if folder is None else Path(folder) for folder in job["adapters"]]
    with Bank.load(base, folders) as bank, tempfile.TemporaryDirectory() as work:
        loaded, cpu = time.perf_counter(), time.process_time()
        weights = [str(folder) for folder in folders]
        asker = Asker(bank, weights, Path(work), max_new_tokens=job["max_new_tokens"], batch_rows=job["batch_rows"], progress=silent)
        said = _said(job, asker)
        seconds, cpu_seconds = time.perf_counter() - loaded, time.process_time() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "model_seconds": seconds, "load_seconds": loaded - start, "said": said}


def _said(job: dict[str, Any], asker: Any) -> list[list[Any]]:
    """Of each model, of each question: the text, or the log-likelihood of each choice."""
    from paperlora.judge.asking import Question
    from paperlora.model.answers import Continuation
    from paperlora.records import Message

    posed = [(tuple(Message(**message) for message in one["messages"]), one["choices"]) for one in job["questions"]]
    slots = range(len(job["adapters"]))
    free = [Question(slot, messages) for slot in slots for messages, choices in posed if not choices]
    weighed = [Continuation(messages, text, slot) for slot in slots for messages, choices in posed for text in choices]
    texts = iter([one.text for one in asker.ask(free, beside=weighed)])
    totals = iter([one.total for one in asker.weigh(weighed)])
    return [[[next(totals) for _ in choices] if choices else next(texts) for _, choices in posed] for _ in slots]


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
