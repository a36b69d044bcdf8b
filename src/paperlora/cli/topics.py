"""The map of topics: what each brought, and a map to start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich import box
from rich.table import Table

from paperlora.cli.app import AsJson, Config, app, console, print_json, settings_of
from paperlora.errors import SettingsError
from paperlora.records import Topic

if TYPE_CHECKING:
    from paperlora.catalog import TopicYield

SOURCES = ("arxiv", "semantic_scholar", "openalex")
COUNTS = ("papers", "waiting", "documents", "ideas", "datasets", "adapters", "absorbed")
SHORT = {"waiting": "wait", "documents": "docs", "datasets": "sets", "adapters": "LoRAs"}
OVERLAPS = 8

topics_app = typer.Typer(
    no_args_is_help=False, rich_markup_mode="markdown",
    help="List the topics with what each brought: papers → documents → ideas → datasets → adapters → absorbed.\n\n"
    "Example: `paperlora topics`, or `paperlora topics init topics.toml` for a map to start from.",
)  # fmt: skip
app.add_typer(topics_app, name="topics")


class Line(NamedTuple):
    """One topic of the list."""

    topic: Topic
    followed: bool
    """It stands in the settings; what a topic brought stays when it is dropped."""
    brought: TopicYield


@topics_app.callback(invoke_without_command=True)
def topics(
    context: typer.Context, config: Config = None, as_json: AsJson = False,
    starter: Annotated[bool, typer.Option("--starter", help="Print a map of AI research to start from, as TOML.")] = False,
) -> None:
    """List the topics with their counts, overlaps and yield."""
    if context.invoked_subcommand is not None:
        return
    if starter:
        from paperlora.topics import starter_text

        print(starter_text(), end="")
        return
    lines = _lines(config)
    if as_json:
        print_json([_plain(line) for line in lines])
    elif not lines:
        console.print("There is no topic yet. `paperlora topics init topics.toml` writes a map of AI research to start from.")
    else:
        _show(lines)


@topics_app.command()
def init(
    file: Annotated[Path, typer.Argument(help="A file that doesn't exist yet.")] = Path("topics.toml"),
) -> None:
    """Write the starter map to a file, to cut down and change.

    Example: `paperlora topics init topics.toml`
    """
    from paperlora.topics import starter, starter_text

    if file.exists():
        raise SettingsError(f"{file} is there already.", "Name another file, or remove it.")
    if not file.absolute().parent.is_dir():
        raise SettingsError(f"There is no folder {file.absolute().parent}.", "Make it first.")
    file.write_text(starter_text(), encoding="utf-8")
    console.print(f"{len(starter())} topics written. Keep those you follow, and name the file in paperlora.toml:", highlight=False)
    console.print(f'topics_file = "{file}"', highlight=False, markup=False, soft_wrap=True)


def _lines(config: Path | None) -> list[Line]:
    """The topics of the settings by priority, then those that only the catalog knows."""
    from paperlora.catalog import TopicYield, open_catalog

    settings = settings_of(config)
    catalog = open_catalog(settings)
    try:
        brought = {one.topic: one for one in catalog.topics()}
    finally:
        catalog.close()
    nothing = TopicYield("", 0, 0, 0, 0, 0, 0, 0, 0, {})
    ordered = sorted(settings.topics, key=lambda topic: -topic.priority)
    followed = [Line(topic, True, brought.pop(topic.name, nothing._replace(topic=topic.name))) for topic in ordered]
    return followed + [Line(Topic(name=name), False, one) for name, one in brought.items()]


def _plain(line: Line) -> dict[str, Any]:
    return {
        **line.topic.model_dump(mode="json"), "followed": line.followed,
        **{name: getattr(line.brought, name) for name in (*COUNTS, "verdicts", "overlaps")},
    }  # fmt: skip


def _show(lines: list[Line]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("topic", overflow="fold")
    table.add_column("prio", justify="right")
    for name in COUNTS:
        # With these words the table fits a terminal of 80 columns.
        table.add_column(SHORT.get(name, name), justify="right", no_wrap=True)
    for line in lines:
        numbers = (str(getattr(line.brought, name) or "·") for name in COUNTS)
        name, priority = (line.topic.name, str(line.topic.priority)) if line.followed else (f"{line.topic.name} (dropped)", "")
        table.add_row(name, priority, *numbers)
    console.print(table)
    _show_overlaps(lines)
    most = sum(line.topic.max_papers for line in lines if line.followed)
    console.print(f"At most {most} papers are read a day; max_papers of each topic decides.", highlight=False)
    missing = [line.topic.name for line in lines if line.followed and not any(getattr(line.topic, source) for source in SOURCES)]
    if missing:
        console.print(f"[yellow]Without any query:[/yellow] {', '.join(missing)}", highlight=False)


def _show_overlaps(lines: list[Line]) -> None:
    pairs = {tuple(sorted((line.topic.name, other))): count for line in lines for other, count in line.brought.overlaps.items()}
    most = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:OVERLAPS]
    if most:
        console.print("[bold]overlaps[/bold] (papers that both found)", highlight=False)
    for (one, other), count in most:
        console.print(f"  {count:>5}  {one} + {other}", highlight=False)
