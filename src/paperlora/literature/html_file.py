"""Being written."""

from __future__ import annotations

from typing import Any

from paperlora.literature.limits import Limits, UnreadableError


def read(data: bytes, limits: Limits, name: str) -> dict[str, Any]:
    """Nothing yet."""
    raise UnreadableError("unsupported", "this kind of file can't be read yet")
