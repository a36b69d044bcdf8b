"""`paperlora merge`: several adapters in one, and what each of them keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from paperlora.cli.app import AsJson, Config, app, console, print_json, settings_of
from paperlora.errors import SettingsError
from paperlora.records import Interval, Merge, Rate

if TYPE_CHECKING:
    from paperlora.control.merge import Done

LISTED = 5
"""Lost ideas shown of each merge; `--json` has all."""


@app.command()
def merge(
    adapters: Annotated[list[str], typer.Argument(metavar="ADAPTER ADAPTER...", help="Ids of adapters, or beginnings of them.")],
    method: Annotated[str, typer.Option(help="linear, cat (exact sum), ties, dare_linear, dare_ties, svd, ties_svd, dare_linear_svd, dare_ties_svd, or all.")] = "linear",
    weights: Annotated[str, typer.Option(help="One for each adapter, such as 1,0.5; by default 1 for each.")] = "",
    density: Annotated[float, typer.Option(help="Share of the entries that TIES and DARE keep.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Of what DARE drops.")] = 0,
    config: Config = None, as_json: AsJson = False,
) -> None:
    """Merge adapters through peft, and ask each one's probes of the base, of it alone and of the merge.

    Merges are kept in the store; `paperlora chat` takes their ids.

    Example: `paperlora merge arxiv-9901.00012v1 arxiv-9901.00007v1 --method ties --weights 1,1 --density .5`

    Example: `paperlora merge arxiv-9901.00012v1 arxiv-9901.00007v1 --method all --json | jq '.[] | [.method, .kept[].merged.right]'`
    """
    from paperlora.control.follow import bars
    from paperlora.control.merge import merge as make

    settings = settings_of(config)
    with bars(console) as progress:
        row = progress.add_task("adapters", name="merge", total=1, visible=not as_json)

        def show(label: str, done: int, total: int) -> None:
            progress.update(row, completed=done, total=total, description=label)

        done = make(settings, adapters, method, _numbers(weights), density, seed, show)
    if as_json:
        print_json([{**one.merge.model_dump(mode="json"), "uri": one.uri} for one in done])
    else:
        _show(done)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.replace(" ", "").split(",") if part)
    except ValueError:
        raise SettingsError(f"{text} is no list of numbers.", "Write weights as 1,0.5.") from None


def _show(done: Sequence[Done]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("method", "adapter", "base", "alone", "merged", "keeps (95%)"):
        table.add_column(name, overflow="fold", justify="left" if name in ("method", "adapter") else "right")
    for one in done:
        for number, kept in enumerate(one.merge.kept):
            cells = (_share(kept.base), _share(kept.alone), _share(kept.merged), _interval(kept.keeps))
            table.add_row("" if number else one.merge.method, kept.adapter, *cells)
    console.print(table)
    for one in done:
        _tell(one)


def _tell(one: Done) -> None:
    console.print(f"[bold]{one.merge.method}[/bold] rank {one.merge.rank}, {_harm(one.merge)}: {one.merge.id}", highlight=False, soft_wrap=True)
    for lost in one.merge.diagnoses[:LISTED]:
        console.print(f"  {lost.symptom}: {lost.cause}. {lost.action}.", highlight=False, markup=False, soft_wrap=True)
    if len(one.merge.diagnoses) > LISTED:
        console.print(f"  and {len(one.merge.diagnoses) - LISTED} more ideas are lost", highlight=False)


def _harm(merge: Merge) -> str:
    drift = f", drift {merge.damage['nll_drift']:+.3f} nats a token" if "nll_drift" in merge.damage else ""
    return ("[red]damaged[/red]" if merge.damaged else "undamaged") + drift


def _share(rate: Rate) -> str:
    return f"{rate.right}/{rate.asked}"


def _interval(interval: Interval) -> str:
    return f"{interval.value:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"
