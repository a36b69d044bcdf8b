"""The event loop that all clients of this process share, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Loop:
    """A running event loop, and one thread beside it for the disk."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._disk = ThreadPoolExecutor(1, "paperlora-llm-disk")
        threading.Thread(target=self._loop.run_forever, name="paperlora-llm", daemon=True).start()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function there, soon."""
        self._loop.call_soon_threadsafe(function, *arguments)

    async def on_disk(self, function: Callable[..., T], *arguments: Any) -> T:
        """Await a function that touches the disk, in order and without holding up the requests."""
        return await self._loop.run_in_executor(self._disk, function, *arguments)


_lock = threading.Lock()
_started: list[Loop] = []


def the_loop() -> Loop:
    """The process's loop, started at the first question."""
    with _lock:
        if not _started:
            _started.append(Loop())
        return _started[0]
