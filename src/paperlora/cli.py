"""The command line."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from paperlora.control import stack
from paperlora.control.api import PrefectApi, Run
from paperlora.errors import PaperLoraError, SettingsError
from paperlora.settings import CONFIG_VARIABLE, Settings, load_settings

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False, add_completion=False,
    help="Papers in, judged LoRA adapters out.\n\nStart with `paperlora demo`: the whole loop, offline, in ten minutes.",
)
console = Console(stderr=False)
Config = Annotated[Path | None, typer.Option("--config", help="Settings file; by default paperlora.toml where there is one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def main() -> None:
    """Entry point: every expected error is one clear line and a non-zero exit."""
    # A terminated command ends what it started, as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except PaperLoraError as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]✗[/red] {error}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def _settings(config: Path | None) -> Settings:
    if config is not None:
        # Everything started from here reads the same file.
        os.environ[CONFIG_VARIABLE] = str(config.resolve())
    return load_settings(config)


@app.command()
def demo(
    config: Config = None,
    base_model: Annotated[str, typer.Option(help="Hub id, folder, GGUF file, or smollm2.")] = "smollm2",
    keep_ui: Annotated[bool, typer.Option("--keep-ui", help="Leave the Prefect UI up until Ctrl+C.")] = False,
) -> None:
    """The whole loop offline: sandbox papers → ideas → micro-datasets → adapters → verdicts → report.

    Example: `paperlora demo --keep-ui`
    """
    from paperlora.control.demo import run_demo

    run_demo(_settings(config), base_model, console, keep_ui=keep_ui)


@app.command()
def up(config: Config = None) -> None:
    """Start Prefect's server, the work pools cpu and gpu, a worker on each, and all deployments.

    Example: `paperlora up && open http://127.0.0.1:4200`
    """
    settings = _settings(config)
    running = stack.current(settings)
    if running is not None:
        console.print(f"Already up: {running.ui_url}")
        return
    with console.status("starting") as status:
        running = stack.start(settings, config, owner=None, progress=lambda label, done, total: status.update(label))
    console.print(f"UI: {running.ui_url}\nFor the prefect command: export PREFECT_API_URL={running.api_url}\nEnd it with: paperlora down")


@app.command()
def down(config: Config = None) -> None:
    """End exactly what `paperlora up` started, runs in progress included."""
    console.print(f"{stack.stop(_settings(config))} processes ended")


@contextmanager
def _prefect(settings: Settings, config: Path | None) -> Iterator[PrefectApi]:
    from paperlora.control.follow import started

    with started(settings, config, console) as running, PrefectApi(running.api_url) as api:
        yield api


def _run_flow(name: str, config: Path | None, as_json: bool, **parameters: Any) -> None:
    from paperlora.control.follow import follow

    settings = _settings(config)
    chosen = str(config.resolve()) if config else None
    with _prefect(settings, config) as api:
        run = api.start(f"{name}/{name}", {"config": chosen, **{k: v for k, v in parameters.items() if v}})
        _tell(follow(api, run, console if not as_json else Console(stderr=True)), as_json)
    _record(settings)


def _record(settings: Settings) -> None:
    from paperlora.catalog import open_catalog, stores

    catalog = open_catalog(settings)
    catalog.refresh(stores(settings))
    catalog.close()


def _tell(run: Run, as_json: bool) -> None:
    if as_json:
        _print_json({"run": run.id, "name": run.name, "state": run.state})
    else:
        console.print(f"{run.name} ({run.id[:8]}): {run.state_name.lower()}. `paperlora status` counts what there is.")


Uris = Annotated[list[str] | None, typer.Argument(help="URIs of folders in the store; by default everything there is.")]


@app.command()
def ingest(config: Config = None, as_json: AsJson = False) -> None:
    """Search every topic, fetch and read the papers.

    Example: `paperlora ingest --config paperlora.toml`
    """
    _run_flow("ingest", config, as_json)


@app.command()
def distill(documents: Uris = None, config: Config = None, as_json: AsJson = False) -> None:
    """Read ideas out of documents and write micro-datasets."""
    _run_flow("distill", config, as_json, documents=documents)


@app.command()
def train(datasets: Uris = None, config: Config = None, as_json: AsJson = False) -> None:
    """Train an adapter for each micro-dataset.

    Example: `paperlora train datasets/arxiv-9901.00012v1/0123456789ab`
    """
    _run_flow("train", config, as_json, datasets=[str(Path(d).resolve()) if "://" not in d else d for d in datasets or []])


@app.command()
def judge(adapters: Uris = None, config: Config = None, as_json: AsJson = False) -> None:
    """Judge what each adapter learned."""
    _run_flow("judge", config, as_json, adapters=adapters)


@app.command()
def reflect(judgements: Uris = None, config: Config = None, as_json: AsJson = False) -> None:
    """Turn verdicts into lessons and write the report."""
    _run_flow("reflect", config, as_json, judgements=judgements)


@app.command()
def nightly(config: Config = None, as_json: AsJson = False) -> None:
    """Run all five stages now, one child run each."""
    _run_flow("nightly", config, as_json)


@app.command()
def rerun(
    run: Annotated[str, typer.Argument(help="Id, beginning of an id, or name of a flow run.")],
    from_stage: Annotated[str | None, typer.Option("--from", help="Run again from this stage on, whatever its state.")] = None,
    config: Config = None, as_json: AsJson = False,
) -> None:
    """Run a failed flow run again from the stage that failed; finished stages are not repeated.

    Example: `paperlora rerun 1c0ffee2 --from judge`
    """
    from paperlora.control.follow import follow
    from paperlora.control.rerun import revive

    settings = _settings(config)
    with _prefect(settings, config) as api:
        _tell(follow(api, revive(api, run, from_stage), console if not as_json else Console(stderr=True)), as_json)
    _record(settings)


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help="A PDF.")], as_json: AsJson = False, config: Config = None,
) -> None:
    """Show a PDF as PaperLoRA reads it: title, sections, pages, and what was left out.

    Example: `paperlora read paper.pdf --json | jq '.sections[].heading'`
    """
    from paperlora.literature.reader import read_pdf

    if not file.is_file():
        raise SettingsError(f"There is no file {file}.", "Give the path of a PDF.")
    document = read_pdf(file, _settings(config).reading)
    if as_json:
        _print_json({
            "title": document.title, "pages": document.pages, "parser": document.parser,
            "sections": [{"heading": s.heading, "text": s.text, "page": s.page} for s in document.sections],
            "left_out": [part.model_dump() for part in document.left_out],
        })
        return
    console.print(f"[bold]{document.title}[/bold]  ({document.pages} pages, {document.characters} characters)", highlight=False)
    for section in document.sections:
        console.print(f"\n[bold]{section.heading or '(before the first heading)'}[/bold]  p. {section.page}", highlight=False)
        console.print(section.text, highlight=False, markup=False)
    table = Table("left out", "parts", "characters")
    for kind in sorted({part.kind for part in document.left_out}):
        parts = [part for part in document.left_out if part.kind == kind]
        table.add_row(kind, str(len(parts)), str(sum(len(part.text) for part in parts)))
    console.print(table)


@app.command()
def status(config: Config = None, as_json: AsJson = False) -> None:
    """Count papers, documents, ideas, datasets, adapters, verdicts and rejects.

    Example: `paperlora status --json | jq .rejects`
    """
    from paperlora.catalog import open_catalog

    catalog = open_catalog(_settings(config))
    counts = catalog.status()
    catalog.close()
    if as_json:
        _print_json(counts._asdict())
        return
    table = Table("what", "count")
    for name in ("papers", "documents", "ideas", "datasets", "adapters", "lessons"):
        table.add_row(name, str(getattr(counts, name)))
    for kind, number in sorted(counts.verdicts.items()):
        table.add_row(f"verdict {kind}", str(number))
    for stage, reasons in counts.rejects.items():
        for reason, number in sorted(reasons.items()):
            table.add_row(f"rejected at {stage}: {reason}", str(number))
    console.print(table)


@app.command()
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Id of a paper, idea, dataset, adapter, verdict or lesson.")],
    config: Config = None, as_json: AsJson = False,
) -> None:
    """Show one thing with its lineage both ways.

    Example: `paperlora show arxiv:9901.00012v1`
    """
    from paperlora.catalog import open_catalog

    catalog = open_catalog(_settings(config))
    entry = catalog.show(identifier)
    catalog.close()
    if entry is None:
        raise SettingsError(f"The catalog knows no {identifier}.", "`paperlora status` counts what there is; ids stand in the report.")
    if as_json:
        _print_json({**entry._asdict(), "rejects": [reject.model_dump() for reject in entry.rejects]})
        return
    console.print(f"[bold]{entry.kind}[/bold] {entry.id}", highlight=False)
    console.print_json(json.dumps(entry.record, default=str))
    for title, ids in (("made from", entry.ancestors), ("used by", entry.descendants)):
        console.print(f"[bold]{title}[/bold]: {', '.join(ids) or 'nothing'}", highlight=False, soft_wrap=True)
    for reject in entry.rejects:
        console.print(f"rejected at {reject.stage}: {reject.reason} - {reject.detail}", highlight=False, markup=False)


@app.command()
def chat(
    adapter: Annotated[str, typer.Argument(help="Adapter id (or its beginning), or the folder of a peft adapter.")],
    config: Config = None,
    question: Annotated[list[str] | None, typer.Option("--ask", help="Ask this and end; may be given several times.")] = None,
) -> None:
    """Talk to base and adapter side by side.

    Example: `paperlora chat arxiv-9901.00012v1 --ask "Which anchor weight does Lantern Anchoring use?"`
    """
    from paperlora.control.chat import open_pair

    pair = open_pair(_settings(config), adapter)
    for text in question or iter(lambda: console.input("[bold]you:[/bold] ").strip(), ""):
        base, adapted = pair.ask(text)
        table = Table("base", "adapter", title=text)
        table.add_row(base, adapted)
        console.print(table)


@app.command()
def report(config: Config = None) -> None:
    """Write the HTML report from what is stored, and print its path."""
    from paperlora.report.collect import collect_report
    from paperlora.report.html import write_report

    settings = _settings(config)
    print(write_report(collect_report(settings), settings.home.expanduser().resolve() / "report.html"))


@app.command()
def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Look at settings, endpoints, model, GPU and Prefect: what works, what doesn't, what to do."""
    from paperlora.control.doctor import examine

    findings = examine(_settings(config))
    if as_json:
        _print_json([finding._asdict() for finding in findings])
    else:
        table = Table("", "what", "found", "what to do")
        for finding in findings:
            sign = "[green]✓[/green]" if finding.ok else "[red]✗[/red]" if finding.needed else "[yellow]–[/yellow]"
            table.add_row(sign, finding.what, finding.detail, finding.remedy)
        console.print(table)
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(1)


@app.command()
def sandbox(
    papers: Annotated[Path | None, typer.Option(help="Serve the PDFs of this folder instead of the invented papers.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8765,
) -> None:
    """Serve an offline arXiv, Semantic Scholar and LLM endpoint.

    Example: `paperlora sandbox --papers ~/papers`
    """
    from paperlora.sandbox.server import serve

    if papers is not None and not papers.is_dir():
        raise SettingsError(f"There is no folder {papers}.", "Give --papers a folder of PDFs.")
    serve(papers, host, port)


@app.command()
def rebuild(config: Config = None) -> None:
    """Make the catalog anew from the manifests of the store."""
    from paperlora.catalog import open_catalog, stores

    settings = _settings(config)
    catalog = open_catalog(settings)
    print(f"{catalog.rebuild(stores(settings))} folders read")
    catalog.close()
