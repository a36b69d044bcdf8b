"""The command line."""

from __future__ import annotations

import os
import signal
import sys

from rich.console import Console
from rich.markup import escape

from paperlora.cli import bench, datasets, flows, look, merge, show, topics
from paperlora.cli.app import app
from paperlora.cli.outside import said_of
from paperlora.errors import PaperLoraError

__all__ = ["app", "bench", "datasets", "flows", "look", "main", "merge", "show", "topics"]


def main() -> None:
    """Entry point: every expected error is one clear line and a non-zero exit; only a mistake of ours is a traceback."""
    # A terminated command ends what it started, as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except PaperLoraError as error:
        # a full disk behind it says more than what failed because of it
        _fail(said_of(error.__cause__, guess=False) or escape(str(error)))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # `paperlora … | head` has read enough; what is left in the buffer must not complain once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        said = said_of(error)
        if said is None:
            raise
        _fail(said)


def _fail(words: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"[red]✗[/red] {words}", highlight=False, markup=True)
    sys.exit(1)
