"""`paperlora bench …`: each measurement beside its peer, in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paperlora.cli.app import AsJson, Config, app, console, print_json, settings_of

bench = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown",
    help="Benchmarks, each beside its peer in one run: read the ratios, the seconds depend on the machine.",
)
app.add_typer(bench, name="bench")


Peers = Annotated[bool, typer.Option("--peers/--no-peers", help="Measure the peers too; they are installed on first use.")]


@bench.command()
def train(
    config: Config = None,
    model: Annotated[str, typer.Option(help="Base: hub id, folder, GGUF file, smollm2, or qwen3-random (Qwen3-0.6B's shape, random weights).")] = "smollm2",
    adapters: Annotated[int, typer.Option(min=1, help="Adapters in the bank.")] = 8,
    batch: Annotated[int, typer.Option(min=1, help="Rows a step.")] = 4,
    tokens: Annotated[int, typer.Option(min=32, help="Tokens a row.")] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each adapter.")] = 8,
    rank: Annotated[int, typer.Option(min=1)] = 8,
    apart: Annotated[bool, typer.Option("--apart", help="Rows that share not even the template's system prompt.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Each side so often in turn; the fastest counts.")] = 1,
    grow: Annotated[str, typer.Option(help="Sizes of the bank for its own curve, such as 1,2,4,8.")] = "",
    plot: Annotated[Path | None, typer.Option(help="Write the curve of --grow as SVG.")] = None,
    peers: Peers = True, as_json: AsJson = False,
) -> None:
    """Adapters an hour: the bank beside TRL's SFTTrainer and a plain peft loop, losses side by side.

    Example: `paperlora bench train --adapters 8 --grow 1,2,4,8 --plot growth.svg`
    """
    from paperlora.bench.result import as_json as plain
    from paperlora.bench.result import print_result
    from paperlora.bench.train import Load, bench_train, growth_svg
    from paperlora.model.tiny import random_qwen3

    settings = settings_of(config)
    cache = settings.models.expanduser()
    base = str(random_qwen3(cache / "qwen3-0.6b-random")) if model == "qwen3-random" else model
    load = Load(base, cache, _device(settings.device), adapters=adapters, batch=batch, tokens=tokens, steps=steps, rank=rank, apart=apart)
    sizes = [int(size) for size in grow.split(",") if size]
    with console.status("bench") as status:
        result = bench_train(load, peers=peers, grow=sizes, repeats=repeats, progress=lambda label, done, total: status.update(f"{label} ({done} of {total})"))
    if plot is not None:
        plot.write_text(growth_svg(result), encoding="utf-8")
    print_json(plain(result)) if as_json else print_result(result, console)


@bench.command()
def read(
    folder: Annotated[Path | None, typer.Argument(help="A folder of PDFs; without it the sandbox's papers.")] = None,
    copies: Annotated[int, typer.Option(min=1, help="Every paper so often in one batch.")] = 4,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each reader; the median counts.")] = 3,
    peers: Peers = True, as_json: AsJson = False,
) -> None:
    """Pages a CPU second: the reader beside plain PyMuPDF, its dict, pypdf and pdfminer.six.

    Example: `paperlora bench read papers/ --copies 4`
    """
    from paperlora.bench.read import bench_read
    from paperlora.bench.result import as_json as plain
    from paperlora.bench.result import print_result

    with console.status("bench") as status:
        result = bench_read(
            folder, copies=copies, repeats=repeats, peers=peers,
            progress=lambda what, done, total: status.update(f"{what} ({done} of {total})"),
        )
    print_json(plain(result)) if as_json else print_result(result, console)


@bench.command()
def ingest(
    papers: Annotated[int, typer.Option(min=32, help="Papers of the sandbox's crowd.")] = 2000,
    faults: Annotated[bool, typer.Option("--faults", help="Also with one request in ten spoiled.")] = False,
    as_json: AsJson = False,
) -> None:
    """Papers a second and what each costs beyond transfer and parsing; a second, unchanged run; memory by size.

    Example: `paperlora bench ingest --papers 400 --faults`
    """
    from paperlora.bench.ingest import bench_ingest
    from paperlora.bench.result import as_json as plain
    from paperlora.bench.result import print_result

    with console.status("bench") as status:
        result = bench_ingest(papers, faults=faults, progress=lambda what, done, total: status.update(f"{what} ({done} of {total})"))
    print_json(plain(result)) if as_json else print_result(result, console)


@bench.command()
def extract(
    papers: Annotated[int, typer.Option(min=8, help="Papers for the steady state.")] = 66,
    peer_papers: Annotated[int, typer.Option(min=8, help="Papers that every tool reads.")] = 8,
    delay: Annotated[float, typer.Option(min=0.05, help="Seconds an answer takes.")] = 2.0,
    limit: Annotated[int, typer.Option(min=1, help="Requests in flight that the endpoint allows.")] = 32,
    per_minute: Annotated[float, typer.Option(min=60, help="Requests a minute, at the second endpoint.")] = 900.0,
    peers: Peers = True, as_json: AsJson = False,
) -> None:
    """Papers a minute through an LLM endpoint with a limit, beside synthetic-data-kit and distilabel.

    Example: `paperlora bench extract --no-peers`
    """
    from paperlora.bench.extract import Load, bench_extract
    from paperlora.bench.result import as_json as plain
    from paperlora.bench.result import print_result

    load = Load(papers, peer_papers, delay, limit, per_minute)
    with console.status("bench") as status:
        result = bench_extract(load, peers=peers, progress=lambda label, done, total: status.update(f"{label} ({done} of {total})"))
    print_json(plain(result)) if as_json else print_result(result, console)


@bench.command()
def judge(
    config: Config = None,
    planted: Annotated[bool, typer.Option("--planted", help="The verdicts instead of the speed, on tiny worlds whose truth is known.")] = False,
    worlds: Annotated[int, typer.Option(min=2, help="With --planted: worlds; each half of them is reported with the bar that the other half chose.")] = 6,
    model: Annotated[str, typer.Option(help="Base: hub id, folder, GGUF file, or smollm2.")] = "smollm2",
    adapters: Annotated[int, typer.Option(min=1, help="Adapters beside the base.")] = 16,
    questions: Annotated[int, typer.Option(min=1, help="Questions of each model.")] = 24,
    tokens: Annotated[int, typer.Option(min=1, help="Longest free answer.")] = 24,
    rows: Annotated[int, typer.Option(min=1, help="Prompts a forward pass, on both sides.")] = 256,
    threads: Annotated[int, typer.Option(min=0, help="Threads of each side; 0: as many as torch takes.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, help="Each side so often in turn; the fastest counts.")] = 1,
    plot: Annotated[Path | None, typer.Option(help="With --planted: write the confusion matrix as SVG.")] = None,
    peers: Peers = True, as_json: AsJson = False,
) -> None:
    """Probes a second over base and adapters beside lm-evaluation-harness, with the same answers; or, with --planted,
    the judge's verdicts beside planted truth: confusion matrix, false successes, flags, causes named right.

    Examples: `paperlora bench judge --adapters 16 --questions 24`, `paperlora bench judge --planted --plot matrix.svg`
    """
    from paperlora.bench.judge import bench_judge_planted, matrix_svg
    from paperlora.bench.judge_speed import Load, bench_judge_speed
    from paperlora.bench.result import as_json as plain
    from paperlora.bench.result import print_result

    settings = settings_of(config)
    cache = settings.models.expanduser()
    with console.status("bench") as status:

        def progress(label: str, done: int, total: int) -> None:
            status.update(f"{label} ({done} of {total})")

        if planted:
            result = bench_judge_planted(worlds, cache, settings.home.expanduser() / "planted", progress)
            if plot is not None:
                plot.write_text(matrix_svg(result), encoding="utf-8")
        else:
            load = Load(model, cache, _device(settings.device), adapters, questions, tokens, rows, threads=threads)
            result = bench_judge_speed(load, peers=peers, repeats=repeats, progress=progress)
    print_json(plain(result)) if as_json else print_result(result, console)


def _device(wanted: str) -> str:
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted
