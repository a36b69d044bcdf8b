"""`paperlora bench …`: each measurement beside its peer, in one run."""

from __future__ import annotations

import typer

from paperlora.cli.app import app

bench = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown",
    help="Benchmarks, each beside its peer in one run: read the ratios, the seconds depend on the machine.",
)
app.add_typer(bench, name="bench")
