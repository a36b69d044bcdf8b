"""The command line."""

from __future__ import annotations

import signal
import sys

from rich.console import Console

from paperlora.cli import bench, datasets, flows, look, merge, show, topics
from paperlora.cli.app import app
from paperlora.errors import PaperLoraError

__all__ = ["app", "bench", "datasets", "flows", "look", "main", "merge", "show", "topics"]


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
