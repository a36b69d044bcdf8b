"""How many requests may be under way at one endpoint: found by trying, shared by all who ask, in turns.

An endpoint tells its limit only by refusing (429) or by getting slow. The gate starts low and doubles while the endpoint
serves more that way; each refusal takes back one place, so that a crowd that is 30 too large shrinks by 30 and not by a
half; from then on one more place is tried now and then. Errors and time-outs halve. A refusal of a place that was never
served before concerns its question alone; a refusal where all went well before, with a long Retry-After, means a limit
by the clock: then nobody asks until it is over. All methods are called on the loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from typing import Any, NamedTuple

_PROBE_SECONDS = 1.0
"""Pause before one more place is tried; doubled by each refusal of one."""
_LONGEST_PROBE_SECONDS = 5.0
_LONGEST_STEP = 8
_LONG_SECONDS = 5.0
"""A Retry-After from here on is taken for a limit by the clock, unless the place was a new one."""
_GAIN = 1.1
"""Half as many requests again must be served at least so much faster, or the endpoint only queues them."""
_LEAST_ROUND = 16
"""Answers over which speed is measured: fewer say more about single questions than about the endpoint."""
_PLATEAU_SECONDS = 60.0


class Caller:
    """One who asks many questions: has its own line at the gate, and may be stopped."""

    def __init__(self) -> None:
        self.stopped = False
        self.flying: set[asyncio.Task[Any]] = set()
        """Tasks with a place at the endpoint: what they ask is paid for already."""


class Slot(NamedTuple):
    """A place at the endpoint."""

    number: int
    level: int
    """Requests under way when it was taken, this one included."""
    probe: bool
    taken: float


class _Round(NamedTuple):
    """Speed over some answers."""

    limit: int
    per_second: float


class Gate:
    """The places at one endpoint.

    Args:
        start: places at first.
        most: places at most.
        slow_seconds: an answer that took longer gives no reason to ask for more at once.
    """

    def __init__(self, start: int, most: int, slow_seconds: float) -> None:
        self.limit = min(start, most)
        self.in_flight = 0
        self.served = 0
        self.refusals = 0
        self._most, self._slow_seconds = most, slow_seconds
        self._waiting: OrderedDict[Caller, deque[asyncio.Future[Slot]]] = OrderedDict()
        self._taken = 0
        self._best = 0
        self._fresh = 0  # the first place that was taken after the last halving
        self._doubling, self._threshold = True, most
        self._rest_until = 0.0
        self._probe_at, self._probe_pause, self._step = 0.0, _PROBE_SECONDS, 1
        self._probing = False
        self._alarm: asyncio.TimerHandle | None = None
        self._round_began, self._round_served = time.monotonic(), 0
        self._reference: _Round | None = None

    # ------------------------------------------------------------------ callers

    async def enter(self, caller: Caller, *, again: bool = False) -> Slot:
        """Wait for a place; who was there before (``again``) goes to the head of its own line."""
        if caller.stopped:
            raise asyncio.CancelledError
        ticket: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        line = self._waiting.setdefault(caller, deque())
        line.appendleft(ticket) if again else line.append(ticket)
        self._admit()
        try:
            return await ticket
        except asyncio.CancelledError:
            if ticket.done() and not ticket.cancelled():
                self.leave(ticket.result())
            raise

    def leave(self, slot: Slot) -> None:
        """The place is free; nothing was learnt."""
        self.in_flight -= 1
        self._probing &= not slot.probe
        self._admit()

    def answered(self, slot: Slot) -> None:
        """The endpoint served the request."""
        self.served += 1
        self._best = max(self._best, slot.level)
        roomy = time.monotonic() - slot.taken < self._slow_seconds
        if roomy and slot.probe:
            self._grow(self._step)
            self._step, self._probe_at = min(2 * self._step, _LONGEST_STEP), 0.0
        elif roomy and self._doubling and slot.level > self.limit // 2:
            self._grow(1)
            self._doubling = self.limit < self._threshold
        elif not roomy:
            self._doubling = False
        self._measure()
        self.leave(slot)

    def refused(self, slot: Slot, retry_after: float) -> None:
        """Status 429, with the seconds it asked for (0 for none)."""
        now = time.monotonic()
        self.refusals += 1
        self._round_began, self._round_served = now, 0
        known = slot.level <= self._best and not slot.probe
        if known and retry_after >= _LONG_SECONDS:
            self._rest_until = max(self._rest_until, now + retry_after)
        else:
            self.limit = max(1, min(self.limit, self.in_flight - 1))
            self._best = min(self._best, self.limit)
            self._doubling, self._step = False, 1
            self._probe_at = now + (max(self._probe_pause, retry_after) if slot.probe else self._probe_pause)
            if slot.probe:
                self._probe_pause = min(2 * self._probe_pause, _LONGEST_PROBE_SECONDS)
        self.leave(slot)

    def failed(self, slot: Slot) -> None:
        """Time-out, 5xx or no connection: half as many, once for all that were under way then."""
        if slot.number >= self._fresh:
            self._threshold = max(1, self.limit * 3 // 4)
            self.limit = max(1, self.limit // 2)
            self._fresh, self._doubling = self._taken, True
            self._reference = None
        self.leave(slot)

    # ------------------------------------------------------------------- inside

    def _grow(self, places: int) -> None:
        self.limit = min(self._most, self.limit + places)

    def _measure(self) -> None:
        """Go back where more at once did not mean more in a second: the endpoint only queues."""
        now = time.monotonic()
        if not self._waiting:  # what is served now is what is asked for, and not what could be
            self._round_began, self._round_served = now, 0
            return
        self._round_served += 1
        if self._round_served < max(_LEAST_ROUND, self.limit):
            return
        this = _Round(self.limit, self._round_served / max(now - self._round_began, 1e-6))
        self._round_began, self._round_served = now, 0
        before = self._reference
        if before is None or this.limit < before.limit:
            self._reference = this
        elif 2 * this.limit >= 3 * before.limit:
            if this.per_second < _GAIN * before.per_second:
                self.limit, self._doubling, self._step = before.limit, False, 1
                self._probe_at = now + _PLATEAU_SECONDS
            else:
                self._reference = this

    def _admit(self) -> None:
        now = time.monotonic()
        if now < self._rest_until:
            self._wake_at(self._rest_until)
            return
        while self._waiting and self.in_flight < self.limit:
            if not self._seat(probe=False):
                return
        if not self._waiting or self._doubling or self._probing or self.limit >= self._most:
            return
        if now >= self._probe_at:
            self._probing = self._seat(probe=True)
        else:
            self._wake_at(self._probe_at)

    def _seat(self, *, probe: bool) -> bool:
        """Give the next line's first ticket a place; the line goes to the end."""
        while self._waiting:
            caller, line = self._waiting.popitem(last=False)
            while line and line[0].done():
                line.popleft()
            if not line:
                continue
            ticket = line.popleft()
            if line:
                self._waiting[caller] = line
            self.in_flight += 1
            ticket.set_result(Slot(self._taken, self.in_flight, probe, time.monotonic()))
            self._taken += 1
            return True
        return False

    def _wake_at(self, moment: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(max(0.0, moment - time.monotonic()) + 0.001, self._admit)
