"""One thing of the catalog, for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from paperlora.cli.app import AsJson, Config, app, console, print_json, settings_of
from paperlora.errors import SettingsError
from paperlora.licences import publishing

if TYPE_CHECKING:
    from paperlora.catalog import Catalog, Entry, Stale
    from paperlora.control.inside import Seen
    from paperlora.settings import Settings

ORDER = ("paper", "document", "idea", "dataset", "adapter", "placebo dataset", "placebo", "verdict", "lesson")
LISTED = 6
LONGEST_FIELD = 300


@app.command()
def show(
    identifier: Annotated[str, typer.Argument(
        metavar="ID", help="Id of a paper (arXiv, DOI, Semantic Scholar, OpenAlex, or its address), idea, dataset, adapter, verdict or lesson.",
    )],
    config: Config = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show one thing: what it is, what it came from, what came of it, and what has to be made again.

    Of a judged adapter also what it looks like inside, and whose ideas it harms.

    Example: `paperlora show 2405.05904` or `paperlora show https://doi.org/10.48550/arXiv.2405.05904`
    """
    from paperlora.catalog import open_catalog

    settings = settings_of(config)
    catalog = open_catalog(settings)
    try:
        entry = catalog.show(identifier) or _beginning(catalog, settings, identifier)
        seen = _inside(catalog, entry) if entry is not None and entry.kind == "adapter" else None
    finally:
        catalog.close()
    if entry is None:
        raise SettingsError(f"The catalog knows no {identifier}.", "`paperlora status` counts what there is; ids stand in the report.")
    if as_json:
        print_json(_plain(entry, seen))
        return
    console.print(f"[bold]{_name(entry)}[/bold] {escape(entry.id)}", highlight=False, soft_wrap=True)
    fields = Table.grid(padding=(0, 2))
    fields.add_column(style="dim", no_wrap=True)
    fields.add_column(overflow="fold")
    for name, text in _fields(entry, seen):
        fields.add_row(name, escape(text))
    console.print(fields)
    _show_duty(entry)


def _beginning(catalog: Catalog, settings: Settings, text: str) -> Entry | None:
    """The newest adapter whose id begins so, as `chat` and `judge` take it; None where there is none."""
    from paperlora.control.chosen import find_adapter
    from paperlora.records import Adapter
    from paperlora.store import fetch, read_json

    try:
        folder = fetch(find_adapter(settings, text))
    except SettingsError:
        return None
    return catalog.show(read_json(folder / "adapter.json", Adapter).id)


def _name(entry: Entry) -> str:
    if entry.role == "placebo":
        return f"placebo {entry.kind}, taught nothing of any paper:"
    return f"{entry.kind}, of another seed:" if entry.role == "repeat" else entry.kind


def _inside(catalog: Catalog, entry: Entry) -> Seen | None:
    from paperlora.control.inside import look_at

    verdicts = [catalog.show(name) for name in entry.descendants if entry.kinds.get(name) == "verdict"]
    return look_at(entry.id, {verdict.uri for verdict in verdicts if verdict is not None})


def _plain(entry: Entry, seen: Seen | None) -> dict[str, Any]:
    inside = {} if seen is None else {"inside": {
        "judgement": seen.judgement, "geometry": seen.geometry.model_dump(mode="json"), "asked": seen.asked,
        **{name: [one.model_dump(mode="json") for one in getattr(seen, name)] for name in ("overlaps", "harms", "harmed_by")},
    }}  # fmt: skip
    return inside | {
        **entry._asdict(), "rejects": [reject.model_dump() for reject in entry.rejects],
        "candidates": [pair._asdict() for pair in entry.candidates], "stale": [one._asdict() for one in entry.stale],
    }  # fmt: skip


def _fields(entry: Entry, seen: Seen | None) -> Iterator[tuple[str, str]]:
    yield from _of_paper(entry) if entry.kind == "paper" else _of_record(entry)
    if seen is not None:
        from paperlora.control.inside import describe

        yield from describe(seen)
    for reject in entry.rejects:
        yield f"rejected at {reject.stage}", f"{reject.reason}{': ' if reject.detail else ''}{reject.detail}"
    yield from _lineage("made from", entry.ancestors, entry)
    yield from _lineage("used by", entry.descendants, entry)
    if entry.uri:
        yield "folder", entry.uri


def _of_paper(entry: Entry) -> Iterator[tuple[str, str]]:
    record = entry.record
    permission = publishing(record["licence"])
    dates = [f"{name} {record[name][:10]}" for name in ("published", "updated") if record[name]]
    yield "title", record["title"]
    yield "authors", _some(record["authors"], ", ") or "none named"
    yield "state", entry.state
    yield "known as", ", ".join(entry.aliases)
    if len(entry.versions) > 1:
        yield "versions", ", ".join(entry.versions)
    for pair in entry.candidates:
        yield "may be", f"{pair.a if pair.b in (*entry.aliases, entry.id) else pair.b} ({pair.score:.2f}: {pair.why})"
    yield "licence", f"{record['licence'] or 'none named'}: rows may {'' if permission.allowed else 'not '}be published ({permission.reason})"
    yield "topics", ", ".join(record["topics"]) or "none"
    yield "listed by", ", ".join(record["sources"]) + (" (incomplete)" if record["metadata_status"] == "partial" else "")
    yield "dates", ", ".join(dates) or "unknown"
    link = record["landing_url"] or record["pdf_url"]
    if link:
        yield "link", link


def _of_record(entry: Entry) -> Iterator[tuple[str, str]]:
    """Whatever fits a line; the rest is for --json."""
    if entry.state:
        yield "state", entry.state
    for name, value in entry.record.items():
        if isinstance(value, str | int | float) and value != "" and name != "id":
            yield name.replace("_", " "), str(value)[:LONGEST_FIELD]
    counts = entry.record.get("counts", {})
    if counts:
        yield "counts", ", ".join(f"{name} {number}" for name, number in counts.items())


def _lineage(title: str, ids: Sequence[str], entry: Entry) -> Iterator[tuple[str, str]]:
    if not ids:
        yield title, "nothing"
    # An id without an item is known from an edge alone: what it names was made elsewhere, or is gone.
    for kind in (*ORDER, "unknown"):
        some = [id_ for id_ in ids if entry.kinds.get(id_, "unknown") == kind]
        if some:
            yield title, f"{len(some)} {kind}{'s' if len(some) > 1 and kind != 'unknown' else ''}: {_some(some, ', ')}"
            title = ""


def _some(values: Sequence[str], separator: str) -> str:
    more = len(values) - LISTED
    return separator.join(values[:LISTED]) + (f"{separator}… and {more} more" if more > 0 else "")


def _show_duty(entry: Entry) -> None:
    """What is stale, why, and the commands that make it again."""
    if not entry.stale:
        return
    left = [one for one in entry.stale if not one.replaced]
    why = ", ".join(sorted({one.because for one in entry.stale}))
    if not left:
        console.print(f"[green]Made anew:[/green] {escape(why)}, and everything of it was made again.", highlight=False)
        return
    console.print(f"[yellow]Stale:[/yellow] {escape(why)}; {_kinds(left)}.", highlight=False)
    if entry.redo:
        console.print(f"To make it again: [bold]{' && '.join(entry.redo)}[/bold]", highlight=False, soft_wrap=True)
    else:
        console.print("There is nothing to make again: take its adapters out of use and publish none of its rows.", highlight=False)


def _kinds(stale: Sequence[Stale]) -> str:
    counts = Counter(one.kind for one in stale)
    return ", ".join(f"{counts[kind]} {kind}{'s' if counts[kind] > 1 else ''}" for kind in ORDER if counts[kind])
