"""Commands for what becomes of micro-datasets outside: exported, published, compared, reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from paperlora.cli.app import AsJson, Config, app, console, print_json, settings_of
from paperlora.errors import SettingsError
from paperlora.records import Reject

Names = Annotated[list[str] | None, typer.Argument(
    metavar="[DATASET]...", help="Ids, beginnings of ids, paper keys or folders; by default the newest revision of every paper.",
)]
Name = Annotated[str, typer.Argument(metavar="DATASET", help="Id, beginning of an id, paper key or folder.")]


@app.command()
def export(
    to: Annotated[Path, typer.Option(help="A folder that doesn't exist yet.")],
    datasets: Names = None,
    form: Annotated[str, typer.Option("--format", help="trl, llama-factory, axolotl or unsloth.")] = "trl",
    config: Config = None, as_json: AsJson = False,
) -> None:
    """Write rows in the form another trainer takes, with a configuration to start from.

    Example: `paperlora export --format axolotl --to for-axolotl arxiv:9901.00012v1`
    """
    from paperlora.control.datasets import find_datasets
    from paperlora.microdata.export import export as write

    settings = settings_of(config)
    found = find_datasets(settings, datasets or [])
    done = write([one.dataset for one in found], form, to, settings.base_model)
    if as_json:
        print_json({"folder": str(done.folder), "rows": done.rows, "rejects": [r.model_dump() for r in done.rejects]})
        return
    console.print(f"{done.rows} rows of {len(found)} micro-datasets: {done.folder}", highlight=False)
    _tell_rejects(done.rejects)


@app.command()
def publish(
    to: Annotated[Path, typer.Option(help="A folder that doesn't exist yet.")],
    datasets: Names = None,
    push: Annotated[str, typer.Option(metavar="USER/NAME", help="Upload it to this repository of the Hugging Face hub (HF_TOKEN, HF_ENDPOINT).")] = "",
    public: Annotated[bool, typer.Option("--public", help="Where the repository is made now: visible to everybody.")] = False,
    config: Config = None, as_json: AsJson = False,
) -> None:
    """Put micro-datasets together as one Hugging Face dataset with its card; what a licence forbids stays behind.

    Example: `paperlora publish --to published --push me/paper-claims`
    """
    from paperlora.control.datasets import find_datasets, verdicts_of
    from paperlora.microdata.hub import push as upload
    from paperlora.microdata.publish import publish as write

    settings = settings_of(config)
    found = find_datasets(settings, datasets or [])
    done = write([one.part for one in found], to, verdicts_of(settings, [one.dataset for one in found]))
    pushed = upload(done.folder, push, private=not public) if push else None
    if as_json:
        print_json({**done._asdict(), "rejects": [r.model_dump() for r in done.rejects], "pushed": pushed._asdict() if pushed else None})
        return
    console.print(f"{done.rows} rows and {done.probes} probes: {done.folder}", highlight=False)
    _tell_rejects(done.rejects)
    if pushed:
        console.print(f"Pushed: {pushed.url}", highlight=False)


def _tell_rejects(rejects: Sequence[Reject]) -> None:
    counts: dict[tuple[str, str], int] = {}
    for reject in rejects:
        counts[reject.reason, reject.detail] = counts.get((reject.reason, reject.detail), 0) + 1
    for (reason, detail), count in counts.items():
        console.print(f"left out: {count} × {reason} ({escape(detail)})", highlight=False)


@app.command()
def diff(
    before: Name, after: Annotated[str, typer.Argument(metavar="DATASET")], config: Config = None, as_json: AsJson = False,
) -> None:
    """Compare two revisions: ideas, rows and probes that came, went or changed.

    Example: `paperlora diff arxiv-9901.00012v1/0123456789ab arxiv-9901.00012v1/ba9876543210`
    """
    from paperlora.control.datasets import find_datasets
    from paperlora.microdata.diff import as_json as plain
    from paperlora.microdata.diff import difference

    settings = settings_of(config)
    one, two = (find_datasets(settings, [name])[0].dataset for name in (before, after))
    found = difference(one, two)
    if as_json:
        print_json(plain(found))
        return
    table = Table("", "added", "removed", "changed", "same", title=f"{found.before} → {found.after}")
    for name in ("ideas", "rows", "probes"):
        kind = getattr(found, name)
        table.add_row(name, *(str(n) for n in (len(kind.added), len(kind.removed), len(kind.changed), kind.same)))
    console.print(table)
    for change in found.ideas.changed:
        for field in change.fields:
            _tell_change(f"idea {change.after.subject}, {field}", str(getattr(change.before, field)), str(getattr(change.after, field)))
    for row in found.rows.changed:
        _tell_change(f"{row.after.form}: {row.after.messages[-2].content}", row.before.messages[-1].content, row.after.messages[-1].content)
    for sign, rows in (("+", found.rows.added), ("-", found.rows.removed)):
        for added in rows:
            console.print(f"{sign} {added.form}: {escape(added.messages[-2].content)} → {escape(added.messages[-1].content)}", highlight=False,
                          style="green" if sign == "+" else "red", soft_wrap=True)


def _tell_change(where: str, before: str, after: str) -> None:
    if before == after:
        return
    console.print(escape(where), style="bold", highlight=False, soft_wrap=True)
    console.print(f"- {escape(before)}", style="red", highlight=False, soft_wrap=True)
    console.print(f"+ {escape(after)}", style="green", highlight=False, soft_wrap=True)


@app.command()
def review(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Id, beginning of an id, or a paper key (of a guide too).")],
    to: Annotated[Path | None, typer.Option("--file", help="Write the review file here, to edit it in peace.")] = None,
    taken: Annotated[Path | None, typer.Option("--import", help="Take in an edited review file and write the revision it asks for.")] = None,
    rows: Annotated[bool, typer.Option("--rows", help="In the terminal: go through the rows too, not the ideas alone.")] = False,
    config: Config = None,
) -> None:
    """Accept, reject or correct ideas and rows beside their evidence. Later revisions of the paper obey it.

    Examples: `paperlora review arxiv:9901.00012v1` · `paperlora review arxiv:9901.00012v1 --file r.yaml`, edit it, then
    `paperlora review arxiv:9901.00012v1 --import r.yaml`
    """
    from paperlora.control import review as control

    settings = settings_of(config)
    subject = control.subject_of(settings, dataset)
    if to is not None:
        if to.exists():
            raise SettingsError(f"{to} is there already.", "Give another name, or remove it.")
        to.write_text(subject.template(), encoding="utf-8")
        console.print(f"{len(subject.ideas)} ideas and {len(subject.rows)} rows: {to}\nEdit it, then: paperlora review {dataset} --import {to}", highlight=False)
        return
    decided = subject.parse(taken) if taken else control.ask(subject, console, with_rows=rows)
    console.print(control.take_in(settings, subject, decided), highlight=False)
