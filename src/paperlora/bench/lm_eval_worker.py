"""lm-evaluation-harness over its own task files. Runs in the peer's environment: SIDE JOB.json.

Side ``used``: a new ``HFLM(pretrained, peft)`` for each adapter, as its users run it. Side ``best``: one base in memory, each
adapter merged into it while it is asked, so that neither loading nor the adapters' own products cost anything.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paperlora.bench.train_worker import MARK


class Clock:
    """Seconds by what they went into."""

    def __init__(self) -> None:
        self.load = self.work = self.cpu = self.model = 0.0

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Base and adapters come into memory."""
        start = time.perf_counter()
        yield
        self.load += time.perf_counter() - start

    @contextmanager
    def working(self) -> Iterator[None]:
        """Questions are answered, from the task files to the results."""
        start, cpu = time.perf_counter(), time.process_time()
        yield
        self.work += time.perf_counter() - start
        self.cpu += time.process_time() - cpu

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, its seconds counted as the model's."""

        def counted(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*args, **options)
            finally:
                self.model += time.perf_counter() - start

        return counted


def main() -> None:
    """Run one side, print what was measured and said as one line of JSON."""
    side, job = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    import torch

    if job["threads"]:
        torch.set_num_threads(job["threads"])
    print(MARK + json.dumps(SIDES[side](job)), flush=True)


def used(job: dict[str, Any]) -> dict[str, Any]:
    """A model object for each adapter."""
    from lm_eval.models.huggingface import HFLM  # type: ignore[import-not-found]
    from lm_eval.tasks import TaskManager  # type: ignore[import-not-found]

    clock, said = Clock(), []
    with clock.loading():
        tasks = TaskManager(include_path=job["tasks"], include_defaults=False)
    for folder in job["adapters"]:
        with clock.loading():
            chosen = {} if folder is None else {"peft": folder}
            model = HFLM(pretrained=job["base"], device=job["device"], dtype=job["dtype"], batch_size=job["batch_rows"], **chosen)
        said.append(_evaluate(model, tasks, job, clock))
    return _told(clock, said)


def best(job: dict[str, Any]) -> dict[str, Any]:
    """One model object, adapters merged in and out."""
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    clock, said = Clock(), []
    with clock.loading():
        tasks = TaskManager(include_path=job["tasks"], include_defaults=False)
        base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=getattr(torch, job["dtype"])).to(job["device"])
        tokenizer = AutoTokenizer.from_pretrained(job["base"])
    for folder in job["adapters"]:
        with clock.loading():
            tuned = None if folder is None else PeftModel.from_pretrained(base, folder)
            if tuned is not None:
                tuned.merge_adapter()
            model = HFLM(pretrained=tuned or base, tokenizer=tokenizer, backend="causal", batch_size=job["batch_rows"])
        said.append(_evaluate(model, tasks, job, clock))
        with clock.loading():
            if tuned is not None:
                tuned.unmerge_adapter()
                base = tuned.unload()
    return _told(clock, said)


def _evaluate(model: Any, tasks: Any, job: dict[str, Any], clock: Clock) -> list[Any]:
    """Of each question the text, or the log-likelihood of each choice."""
    from lm_eval import simple_evaluate  # type: ignore[import-not-found]

    model.generate_until, model.loglikelihood = clock.timed(model.generate_until), clock.timed(model.loglikelihood)
    with clock.working():
        done = simple_evaluate(model=model, tasks=job["task_names"], task_manager=tasks, bootstrap_iters=0, log_samples=True)
    said: dict[int, Any] = {}
    for samples in done["samples"].values():
        for sample in samples:
            answers = [answer[0] for answer in sample["resps"]]
            weighed = "choices" in sample["doc"]
            said[sample["doc"]["place"]] = [float(answer[0]) for answer in answers] if weighed else answers[0]
    return [said[place] for place in sorted(said)]


def _told(clock: Clock, said: list[list[Any]]) -> dict[str, Any]:
    return {"seconds": clock.work, "cpu_seconds": clock.cpu, "model_seconds": clock.model, "load_seconds": clock.load, "said": said}


SIDES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"used": used, "best": best}

if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
