"""Probes a second: the judge's way of asking a base and its adapters beside lm-evaluation-harness, in one run.

Both sides get the same rendered prompts, the same adapters and the same limit of new tokens. The questions are a sample of
what the judge asks of an idea in its first pass: free answers, the options of a multiple choice, and right and wrong answers
weighed after a free question. lm-evaluation-harness reads them from task files of its own kind that are written here: free
answers as ``generate_until`` with greedy decoding, the others as ``multiple_choice``.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from paperlora.bench.peers import peer_python
from paperlora.bench.result import Result, Row
from paperlora.bench.train_worker import MARK
from paperlora.errors import PaperLoraError
from paperlora.microdata.selection import select
from paperlora.model.scoring import score_answer
from paperlora.progress import Progress, silent
from paperlora.records import Idea, Probe, Quote, digest
from paperlora.sandbox.corpus import PAPERS

if TYPE_CHECKING:
    from paperlora.model.base import Base

LM_EVAL = "lm_eval==0.4.13"
BANK, USED, BEST = "bank", "used", "best"
NAMES = {BANK: "PaperLoRA's bank", USED: "lm-eval, adapter by adapter", BEST: "lm-eval, base kept, merged"}
FREE_TASK, CHOICE_TASK = "paperlora_free", "paperlora_choice"
MARGIN_PROBES, DISTRACTORS = 4, 3
"""As the judge weighs answers: so many direct probes of an idea, so many wrong answers beside the right one."""
_OPTION = re.compile(r"^[A-D]\) (.+)$", re.M)


class Load(NamedTuple):
    """What is asked."""

    base: str
    """Model folder, hub id, GGUF file or ``smollm2``."""
    cache: Path
    device: str = "cpu"
    adapters: int = 16
    """Beside the base."""
    questions: int = 24
    """Of each model."""
    max_new_tokens: int = 24
    batch_rows: int = 256
    """Prompts a forward pass, on both sides."""
    rank: int = 8
    strength: float = 0.05
    """‖ΔW‖ / ‖W‖ of every layer of the random adapters."""
    threads: int = 0
    """0: as many as torch takes."""


class Posed(NamedTuple):
    """One question, as both sides get it."""

    probe: Probe
    idea: Idea
    choices: tuple[str, ...] = ()
    """Texts that are weighed after the prompt, the right one first or in the probe's own order; empty for a free answer."""


def bench_judge_speed(load: Load, *, peers: bool = True, repeats: int = 1, progress: Progress = silent) -> Result:
    """Measure.

    Args:
        peers: run lm-evaluation-harness too.
        repeats: each side so often in turn; the fastest counts.

    Raises:
        PaperLoraError: a side fails.
    """
    sides = (BANK, USED, BEST) if peers else (BANK,)
    with tempfile.TemporaryDirectory() as folder:
        posed = questions_of(load.questions)
        job, base = job_of(load, posed, Path(folder))
        found: dict[str, dict[str, Any]] = {}
        for number, side in enumerate(side for _ in range(repeats) for side in sides):
            progress(f"bench: {NAMES[side]}", number, repeats * len(sides))
            one = _run(side, job, Path(folder))
            found[side] = min(found.get(side, one), one, key=lambda each: float(each["seconds"]))
        progress("bench", repeats * len(sides), repeats * len(sides))
    rows = tuple(Row(NAMES[side], _figures(found[side], found[BANK], load, posed)) for side in sides)
    return Result("judge, probes a second", rows, _notes(load, base, posed, peers), ("torch", "transformers", "peft"))


# ------------------------------------------------------------------ questions


def questions_of(count: int) -> list[Posed]:
    """So many questions, drawn evenly from what the first pass asks of as many ideas as it takes."""
    ideas = [_idea(fact.subject, fact.relation, fact.answer, fact.sentence) for paper in PAPERS for fact in paper.facts]
    every: list[Posed] = []
    for idea in {idea.id: idea for idea in ideas}.values():
        if len(every) >= count:
            break
        every += _posed(idea, ideas)
    if len(every) < count:
        raise PaperLoraError(f"There are {len(every)} questions, not {count}.", "Ask fewer: --questions.")
    return [every[number * len(every) // count] for number in range(count)]


def _posed(idea: Idea, ideas: Sequence[Idea]) -> list[Posed]:
    probes = [one for one in select([idea], ideas).probes if one.split == "test" and one.wave == 1]
    free = [Posed(probe, idea) for probe in probes]
    options = [Posed(probe, idea, tuple(_OPTION.findall(probe.messages[-1].content))) for probe in probes if probe.family == "choice"]
    direct = [probe for probe in probes if probe.family == "direct" and probe.distractors][:MARGIN_PROBES]
    margins = [Posed(probe, idea, (probe.answers[0], *probe.distractors[:DISTRACTORS])) for probe in direct]
    return [*free, *options, *margins]


def _idea(subject: str, relation: str, answer: str, sentence: str) -> Idea:
    quote = Quote(section=0, heading="", page=1, start=0, end=len(sentence), text=sentence)
    return Idea(
        id=digest("bench", subject, relation, answer)[:16], paper="bench", topic="", reader="bench", kind="finding", claim=sentence,
        subject=subject, relation=relation, answer=answer, answer_kind="number" if any(c.isdigit() for c in answer) else "name",
        qwen_change="", prediction="", quotes=(quote,),
    )  # fmt: skip


# ------------------------------------------------------------------------ job


def job_of(load: Load, posed: Sequence[Posed], folder: Path) -> tuple[dict[str, Any], str]:
    """Everything that both sides share, ready to be written as JSON, with adapters and task files; and the base's name.

    Raises:
        PaperLoraError: the rendered text doesn't give the prompt's tokens again.
    """
    from paperlora.model.base import base_folder, load_base
    from paperlora.model.chat import render_prompt

    where = base_folder(load.base, cache=load.cache)
    base = load_base(str(where), device="cpu", cache=load.cache)
    adapters = [random_adapter(base, load, seed, folder / f"adapter-{seed}") for seed in range(load.adapters)]
    prompts = []
    for one in posed:
        ids = render_prompt(base.tokenizer, one.probe.messages)
        prompts.append(base.tokenizer.decode(ids))
        if tuple(base.tokenizer(prompts[-1]).input_ids) != ids:
            raise PaperLoraError(f"The prompt of probe {one.probe.id} can't be given to lm-eval as text.")
    ends = [base.tokenizer.decode([token]) for token in sorted(base.end_ids)]
    write_tasks(folder / "tasks", posed, prompts, ends, load.max_new_tokens)
    asked = [
        {"messages": [message.model_dump() for message in one.probe.messages], "choices": list(one.choices)} for one in posed
    ]
    return {
        "base": str(where), "device": load.device, "adapters": [None, *map(str, adapters)], "questions": asked, "tasks": str(folder / "tasks"),
        "task_names": [FREE_TASK, CHOICE_TASK], "max_new_tokens": load.max_new_tokens, "batch_rows": load.batch_rows, "threads": load.threads,
        "dtype": base.id.dtype,
    }, base.id.name  # fmt: skip


def random_adapter(base: Base, load: Load, seed: int, folder: Path) -> Path:
    """A LoRA with random weights that is felt: every layer changes by ``strength`` of its own norm."""
    import torch

    from paperlora.model.bank import Bank
    from paperlora.model.peft_files import LayerWeights, PeftAdapter, write_adapter

    bank = Bank.fresh(base, 1, load.rank, [2.0 * load.rank], [seed])
    draw = torch.Generator().manual_seed(seed)
    fresh, layers = bank.adapter(0), {}
    for name, weights in fresh.layers.items():
        b = torch.randn(weights.b.shape, generator=draw)
        norm = float((fresh.scale * b @ weights.a).norm())
        layers[name] = LayerWeights(weights.a, b * (load.strength * bank.base_norms[name] / norm))
    write_adapter(folder, PeftAdapter(fresh.rank, fresh.alpha, fresh.rslora, layers), base.id.name)
    return folder


def write_tasks(folder: Path, posed: Sequence[Posed], prompts: Sequence[str], ends: Sequence[str], max_new_tokens: int) -> None:
    """Two tasks as lm-evaluation-harness reads them; ``place`` leads back to the question."""
    folder.mkdir()
    numbered = list(enumerate(zip(posed, prompts, strict=True)))
    free = [{"place": place, "prompt": prompt, "answer": one.probe.answers[0]} for place, (one, prompt) in numbered if not one.choices]
    choice = [{"place": place, "prompt": prompt, "choices": list(one.choices), "gold": 0} for place, (one, prompt) in numbered if one.choices]
    greedy = {"until": list(ends), "max_gen_toks": max_new_tokens, "do_sample": False}
    metric = [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]
    _write_task(folder, FREE_TASK, free, {
        "output_type": "generate_until", "doc_to_target": "{{answer}}", "generation_kwargs": greedy, "metric_list": metric,
    })  # fmt: skip
    _write_task(folder, CHOICE_TASK, choice, {
        "output_type": "multiple_choice", "doc_to_choice": "choices", "doc_to_target": "gold", "target_delimiter": "", "metric_list": [{"metric": "acc"}],
    })  # fmt: skip


def _write_task(folder: Path, name: str, rows: Sequence[dict[str, Any]], config: dict[str, Any]) -> None:
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    common = {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}}, "test_split": "test", "doc_to_text": "{{prompt}}"}
    (folder / f"{name}.yaml").write_text(json.dumps(common | config), encoding="utf-8")  # JSON is YAML


def _run(side: str, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    ours = side == BANK
    python = Path(sys.executable) if ours else peer_python("lm-eval", [LM_EVAL], beside=True)
    worker = "judge_worker" if ours else "lm_eval_worker"
    environment = {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "datasets")} | dict(os.environ)
    command = [str(python), "-m", f"paperlora.bench.{worker}", side, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if done.returncode or line is None:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise PaperLoraError(f"The side {NAMES[side]} failed: {last}.", "Run it with --no-peers, or with fewer adapters.")
    return dict(json.loads(line.removeprefix(MARK)))


# --------------------------------------------------------------------- result


def _figures(one: dict[str, Any], ours: dict[str, Any], load: Load, posed: Sequence[Posed]) -> dict[str, float | int | str]:
    asked = len(posed) * (load.adapters + 1)
    whole, our_whole = one["seconds"] + one["load_seconds"], ours["seconds"] + ours["load_seconds"]
    figures: dict[str, float | int | str] = {
        "probes/s": asked / one["seconds"], "s": one["seconds"], "loading s": one["load_seconds"], "CPU s": one["cpu_seconds"],
        "s/bank": one["seconds"] / ours["seconds"], "CPU/bank": one["cpu_seconds"] / ours["cpu_seconds"], "s/bank with loading": whole / our_whole,
        "in the model/bank": one["model_seconds"] / ours["seconds"],
    }  # fmt: skip
    if one is not ours:
        found = compare(one["said"], ours["said"], posed)
        figures |= {"equal texts": f"{found.texts:.1%}", "equal scores": f"{found.scores:.1%}", "equal choices": f"{found.choices:.1%}", "Δ log-lik.": found.apart}
    return figures


class Compared(NamedTuple):
    """How far two sides agree, over all models and questions; shares from 0 to 1."""

    texts: float
    """Free answers with the very same text."""
    scores: float
    """Free answers with the same score."""
    choices: float
    """Weighed questions on which the same text is the likeliest."""
    apart: float
    """Largest difference of a text's log-likelihood (nats) relative to the first text of its question: lm-eval counts the
    line break before an answer to the answer, which adds the same to all of them."""


def compare(theirs: Sequence[Sequence[Any]], ours: Sequence[Sequence[Any]], posed: Sequence[Posed]) -> Compared:
    """Hold two sides against each other.

    Args:
        theirs: of each model, of each question: the text of a free answer, or the log-likelihood of each choice.
        ours: likewise.
    """
    pairs = [each for model in zip(theirs, ours, strict=True) for each in zip(posed, *model, strict=True)]
    free, weighed = [[pair for pair in pairs if bool(pair[0].choices) == closed] for closed in (False, True)]
    texts = [left.strip() == right.strip() for _, left, right in free]
    scores = [score_answer(left, one.probe, one.idea) == score_answer(right, one.probe, one.idea) for one, left, right in free]
    chosen = [_best(left) == _best(right) for _, left, right in weighed]
    apart = [abs((a - left[0]) - (b - right[0])) for _, left, right in weighed for a, b in zip(left, right, strict=True)]
    return Compared(_share(texts), _share(scores), _share(chosen), max(apart, default=0.0))


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _share(held: Sequence[bool]) -> float:
    return sum(held) / len(held) if held else 1.0


def _notes(load: Load, base: str, posed: Sequence[Posed], peers: bool) -> tuple[str, ...]:
    weighed = sum(bool(one.choices) for one in posed)
    families = ", ".join(
        f"{len(list(group))} {family}" for family, group in itertools.groupby(sorted(one.probe.family for one in posed if not one.choices))
    )
    notes = [
        f"{Path(base).name} and {load.adapters} random adapters of rank {load.rank}; {len(posed)} questions of each: "
        f"{weighed} with four answers weighed, {len(posed) - weighed} free ({families}); {load.device}.",
        f"At most {load.max_new_tokens} new tokens, greedy, {load.batch_rows} prompts a pass, the same rendered prompts on both sides, "
        f"{load.threads or 'as many'} threads{'' if load.threads else ' as torch takes'}.",
        "s: all questions of all models, without loading base and adapters; s/bank and CPU/bank: as multiples of the bank's; on a busy machine the CPU seconds are the fairer.",
    ]
    if not peers:
        return (*notes, "The peers were left out.")
    return (
        *notes,
        "lm-eval, adapter by adapter: HFLM(pretrained, peft) for each, as its users run it. Base kept, merged: one base in memory, each adapter merged into it and out again.",
        "in the model/bank: only what lm-eval spends inside its calls of the model, its own task handling left out, as a multiple of all that the bank spends.",
        f"Δ log-lik.: largest difference in nats of a text against the first of its question. {LM_EVAL}.",
    )
