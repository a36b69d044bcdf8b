"""Commands that show something."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from paperlora.cli.app import AsJson, Config, app, console, print_json, settings_of
from paperlora.errors import SettingsError

if TYPE_CHECKING:
    from paperlora.control.overview import Costs
    from paperlora.records import Agreement

STATUS_WORDS = {
    "waiting": "papers that wait to be read", "stale": "stale (rest on an older or withdrawn paper)", "placebos": "placebo adapters (of no paper)",
    "repeats": "verdicts of other seeds (not counted below)",
}  # fmt: skip


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help="A PDF, arXiv's HTML or LaTeX source (.tar.gz .gz .tex), or a guide (.md .txt .srt .vtt).")],
    as_json: AsJson = False, config: Config = None,
) -> None:
    """Show a file as PaperLoRA reads it: title, sections, pages, and what was left out.

    Example: `paperlora read paper.pdf --json | jq '.sections[].heading'`
    """
    from paperlora.literature.reader import KINDS, read_file

    if not file.is_file():
        raise SettingsError(f"There is no file {file}.", f"Give the path of a file ending in {' '.join(KINDS)}.")
    document = read_file(file, settings_of(config).reading)
    if as_json:
        print_json({
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
    """Count papers, documents, ideas, datasets, adapters, verdicts and rejects, what waits and what is stale.

    Also what LLMs cost a day, and how far one that read answers agreed with the rules.

    Example: `paperlora status --json | jq .rejects`
    """
    from paperlora.catalog import open_catalog
    from paperlora.control import overview

    settings = settings_of(config)
    catalog = open_catalog(settings)
    counts = catalog.status()
    catalog.close()
    costs, agreement = overview.llm_costs(settings), overview.newest_agreement(settings)
    if as_json:
        read = agreement.model_dump(mode="json") if agreement else None
        print_json({**counts._asdict(), "llm": overview.plain(costs), "agreement": read})
        return
    table = Table("what", "count")
    for name in ("papers", "waiting", "documents", "ideas", "datasets", "adapters", "placebos", "lessons", "stale", "repeats"):
        table.add_row(STATUS_WORDS.get(name, name), str(getattr(counts, name)))
    for kind, number in sorted(counts.verdicts.items()):
        table.add_row(f"verdict {kind}", str(number))
    for stage, reasons in counts.rejects.items():
        for reason, number in sorted(reasons.items()):
            table.add_row(f"rejected at {stage}: {reason}", str(number))
    console.print(table)
    _tell_llm(costs, agreement)


def _tell_llm(costs: Costs, agreement: Agreement | None) -> None:
    from paperlora.control import overview

    if costs.days:
        table = Table("LLM", "spent")
        for line in costs.days[: overview.SHOWN_DAYS]:
            table.add_row(line.night, overview.told(line))
        table.add_row("ever", overview.told(costs.total))
        console.print(table)
    if agreement is not None:
        console.print(f"LLM as a reader of answers: {overview.believed(agreement)}", highlight=False, soft_wrap=True, markup=False)


@app.command()
def chat(
    adapter: Annotated[str, typer.Argument(help="Adapter id (or its beginning), or the folder of a peft adapter.")],
    config: Config = None,
    question: Annotated[list[str] | None, typer.Option("--ask", help="Ask this and end; may be given several times.")] = None,
) -> None:
    """Talk to base and adapter side by side; both answer greedily, in up to 96 tokens. An empty line ends it.

    Where several adapters begin so, the newest answers. Without a terminal each line of the input is a question.

    Examples: `paperlora chat arxiv-9901.00012v1 --ask "Which anchor weight does Lantern Anchoring use?"` ·
    `paperlora chat arxiv-9901.00012v1 < questions.txt`
    """
    from paperlora.control.chat import folder_of, open_pair

    settings = settings_of(config)
    folder = folder_of(settings, adapter)
    pair = open_pair(settings, str(folder))
    console.print(f"adapter: {folder.parent.name if folder.name == 'adapter' else folder}", style="dim", highlight=False, soft_wrap=True)
    for text in question or _typed():
        base, adapted = pair.ask(text)
        table = Table("base", "adapter", title=Text(text))
        table.add_row(Text(base), Text(adapted))
        console.print(table)


def _typed() -> Iterator[str]:
    """What a person types until an empty line, or the lines of a pipe until its end."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    while True:
        try:
            text = console.input("[bold]you:[/bold] ").strip()
        except EOFError:
            return
        if not text:
            return
        yield text


@app.command()
def report(config: Config = None) -> None:
    """Write the HTML report from what is stored, and print its path: report.html in the home.

    Example: `paperlora report && open var/report.html`
    """
    from paperlora.report.collect import collect_report
    from paperlora.report.html import write_report

    settings = settings_of(config)
    print(write_report(collect_report(settings), settings.home.expanduser().resolve() / "report.html"))


@app.command()
def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Look at settings, endpoints, model, GPU and Prefect: what works, what doesn't, what to do.

    Exit code 1 where something that is needed doesn't work.

    Example: `paperlora doctor --json | jq '.[] | select(.ok | not)'`
    """
    from paperlora.control.doctor import examine

    findings = examine(settings_of(config))
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        table = Table("", "what", "found", "what to do")
        for finding in findings:
            sign = "[green]✓[/green]" if finding.ok else "[red]✗[/red]" if finding.needed else "[yellow]–[/yellow]"
            table.add_row(sign, finding.what, finding.detail, finding.remedy)
        console.print(table)
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(1)


@app.command()
def rebuild(config: Config = None) -> None:
    """Make the catalog anew from the manifests of the store; nothing in the store changes.

    Example: `paperlora rebuild`
    """
    from paperlora.catalog import open_catalog, stores

    settings = settings_of(config)
    catalog = open_catalog(settings)
    print(f"{catalog.rebuild(stores(settings))} folders read")
    catalog.close()


@app.command()
def recipe(name: Annotated[str, typer.Argument(help="quick, seed or sweep.")] = "") -> None:
    """Print a training recipe with what each knob does, to start your own from.

    Example: `paperlora recipe quick > mine.toml`, edit it, then `paperlora train --recipe mine.toml`
    """
    from paperlora.lora.recipes import SHIPPED, recipe_text

    if name and name not in SHIPPED:
        raise SettingsError(f"There is no recipe {name}.", f"Name one of {', '.join(SHIPPED)}.")
    print(recipe_text(name) if name else "\n".join(f"{one}: {recipe_text(one).splitlines()[0].removeprefix('# ')}" for one in SHIPPED))
