"""The typer app, and what every command shares."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from paperlora.settings import CONFIG_VARIABLE, Settings, load_settings

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False, add_completion=False,
    help="Papers in, judged LoRA adapters out.\n\nStart with `paperlora demo`: the whole loop, offline, in fifteen to thirty minutes.",
)
console = Console(stderr=False)
Config = Annotated[Path | None, typer.Option("--config", help="Settings file; by default paperlora.toml where there is one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def settings_of(config: Path | None) -> Settings:
    if config is not None:
        # Everything started from here reads the same file.
        os.environ[CONFIG_VARIABLE] = str(config.resolve())
    return load_settings(config)


def record(settings: Settings) -> None:
    from paperlora.catalog import open_catalog, stores

    catalog = open_catalog(settings)
    catalog.refresh(stores(settings))
    catalog.close()
