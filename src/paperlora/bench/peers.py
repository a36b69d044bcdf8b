"""Other people's tools to measure beside: each in a virtual environment of its own, made on first use."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

from paperlora.errors import PaperLoraError
from paperlora.records import digest


class PeerUnavailable(PaperLoraError):
    """A tool to compare with can't be installed."""

    default_remedy = "Check pip's index and the log above, or run the benchmark with --no-peers."


def peers_folder() -> Path:
    """Where the environments stand: ``PAPERLORA_TEST_PEERS``, else in the user's cache."""
    return Path(os.environ.get("PAPERLORA_TEST_PEERS", "~/.cache/paperlora/peers")).expanduser()


def peer_python(name: str, requirements: Sequence[str], constraints: Path | None = None, *, beside: bool = False) -> Path:
    """The interpreter of a peer's environment, which is made when it isn't there.

    Args:
        name: of the peer, for the folder.
        requirements: what pip installs.
        constraints: pins that hold there too, so that both sides run on the same torch.
        beside: it also sees the packages of this environment: the same torch and transformers on both sides, and
            nothing that is here already is installed again.

    Raises:
        PeerUnavailable: pip fails.
    """
    folder = peers_folder() / f"{name}-{digest(list(requirements), beside, sys.version_info[:2], sys.prefix)[:8]}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    if ready.exists():
        return python
    venv.create(folder, with_pip=True, clear=True)
    if beside:
        mine = sysconfig.get_path("purelib")
        (next(folder.glob("lib/python*/site-packages")) / "beside.pth").write_text(f"import site; site.addsitedir({mine!r})\n")
    pinned = ["--constraint", str(constraints)] if constraints else []
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pinned, *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerUnavailable(f"{name} can't be installed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'pip failed'}.")
    ready.touch()
    return python
