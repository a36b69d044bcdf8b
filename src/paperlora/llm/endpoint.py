"""One model at one endpoint, as all clients of this process share it: its gate, what it takes, its connections."""

from __future__ import annotations

import threading
import time
from typing import Any
from weakref import WeakValueDictionary, finalize

import openai

from paperlora.llm.book import Book
from paperlora.llm.gate import Gate
from paperlora.llm.ladder import Abilities
from paperlora.llm.loop import the_loop
from paperlora.llm.transport import Transport
from paperlora.records import digest
from paperlora.settings import LlmSettings

REMEMBERED_SECONDS = 7 * 24 * 3600.0
"""After this long an endpoint is tried again from the top: it may have been upgraded."""
_SLOW_SHARE = 0.5
"""Of the time-out: answers that take longer are no reason to ask for more at once."""


class Endpoint:
    """Made by :func:`endpoint_for`. What it learns goes into the book, without the key."""

    def __init__(self, settings: LlmSettings, book: Book | None) -> None:
        self.key = digest(settings.base_url.rstrip("/"), settings.model)[:32]
        self._book = book
        learnt, self._until = book.learnt(self.key) if book else ({}, 0.0)
        self._written = learnt
        start = max(settings.concurrency, int(learnt.get("concurrency", 0)))
        self.gate = Gate(start, settings.max_concurrency, _SLOW_SHARE * settings.timeout_seconds)
        self.transport = Transport(settings)
        # Its connections belong to the loop's thread: closed anywhere else, their numbers would be given to new ones while
        # the loop still listens to the old.
        finalize(self, _close, self.transport.client).atexit = False
        known = {name: value for name, value in learnt.items() if name in Abilities._fields}
        self._abilities = Abilities(**known)

    @property
    def abilities(self) -> Abilities:
        """What it takes, as far as is known."""
        if self._until and time.time() > self._until:
            self._abilities, self._until = Abilities(), 0.0
        return self._abilities

    def learn(self, abilities: Abilities) -> bool:
        """A request of this form went through; true where that is news."""
        if abilities == self.abilities:
            return False
        self._abilities = self._abilities.lowest(abilities)
        self._until = self._until or time.time() + REMEMBERED_SECONDS
        return True

    def write_down(self) -> None:
        """Keep what was learnt for the next process: the form of requests, and how many go at once."""
        if self._book is None:
            return
        until = self._until or time.time() + REMEMBERED_SECONDS
        learnt: dict[str, Any] = self._abilities._asdict() | {"concurrency": self.gate.limit}
        if learnt != self._written:
            self._written = learnt
            self._book.learn(self.key, learnt, until)


def _close(client: openai.AsyncOpenAI) -> None:
    the_loop().start(client.close())


_open: WeakValueDictionary[tuple[Any, ...], Endpoint] = WeakValueDictionary()
_lock = threading.Lock()


def endpoint_for(settings: LlmSettings, book: Book | None) -> Endpoint:
    """The endpoint of these settings, the same one for all clients that live at the same time."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    name = (
        settings.base_url.rstrip("/"), settings.model, key, settings.timeout_seconds, settings.concurrency,
        settings.max_concurrency,
    )  # fmt: skip
    with _lock:
        known = _open.get(name)
        if known is None:
            known = _open[name] = Endpoint(settings, book)
        return known
