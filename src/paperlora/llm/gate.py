"""How many requests may be under way at one endpoint: found by trying, shared by all who ask, in turns.

An endpoint tells its limit only by refusing (429) or by getting slow. The gate starts low and doubles while more at once
is not slower each; every refusal of a place that was never served takes that place back, so that a crowd 30 too large
shrinks by 30 and not by a half; from then on one more is tried now and then. A refusal where as many were served before
means a limit by the clock: with a long Retry-After nobody asks until it is over, else requests are paced
(:class:`~paperlora.llm.signs.Pace`). Errors and time-outs halve. All methods are called on the loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Any, NamedTuple

from paperlora.llm.signs import Latencies, Pace

_PROBE_SECONDS = 1.0
"""A place more that is not refused for so long is taken for given: refusals come at once. Also the pause before the next
one is tried, doubled by each refusal."""
_LONGEST_PROBE_SECONDS = 5.0
_ANSWERS_A_PROBE = 16
"""After a refused one: few refusals among many answers, however slow those are."""
_LONGEST_STEP = 8
_LONG_SECONDS = 5.0
"""A Retry-After from here on stops everybody."""
_FEW = 4
"""Places of which one is a large share: where so few were served, a refusal means a slower pace."""
_WELL_KNOWN = 0.9
"""Of the most that were served at once lately: fewer can't have been too many."""
_LONG_ROW = 8
"""Refusals without an answer between them: fewer places, too, and not only a slower pace."""
_VAIN, _VAIN_SECONDS, _LONGEST_REST_SECONDS = 3, 0.25, 30.0
"""Vain tries, and how long nobody asks after them."""
_MEMORY_SECONDS = 120.0
"""As many as were served at once lately; after twice as long that is forgotten."""
_QUEUE_SECONDS = 120.0
"""So long an endpoint that only queued is not given more at once."""


class Caller:
    """One who asks many questions: has its own line at the gate, and may be stopped."""

    def __init__(self) -> None:
        self.stopped = False
        self.flying: set[asyncio.Task[Any] | None] = set()
        """Tasks that sent a request and did not begin to wait for another: what they asked is paid for."""


class Slot(NamedTuple):
    """A place at the endpoint."""

    number: int
    level: int
    """Requests under way when it was taken, this one included."""
    taken: float


class Gate:
    """The places at one endpoint.

    Args:
        start: places at first.
        most: places at most.
        slow_seconds: an answer that took longer gives no reason to ask for more at once.
    """

    def __init__(self, start: int, most: int, slow_seconds: float) -> None:
        self.limit = min(start, most)
        self.in_flight = self.served = self.refusals = 0
        self.pace = Pace()
        self._latencies = Latencies()
        self._most, self._slow_seconds = most, slow_seconds
        self._waiting: OrderedDict[Caller, deque[asyncio.Future[Slot]]] = OrderedDict()
        self._taken = 0
        self._best = self._best_before = 0  # as many at once were served, lately and before that
        self._best_since = 0.0
        self._row = self._row_best = self._row_end = self._row_after = (
            0  # refusals in a row, and how things stood before them
        )
        self._fresh = 0  # the first place that was taken after the last halving
        self._doubling, self._threshold = True, most
        self._rest_until = self._queue_until = 0.0
        self._probe_at, self._probe_pause, self._step = 0.0, _PROBE_SECONDS, 1
        self._probe_served = 0
        self._probing: int | None = None
        self._alarm: asyncio.TimerHandle | None = None

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
        self._admit()

    def answered(self, slot: Slot) -> None:
        """The endpoint served the request."""
        self.served += 1
        self._remember(slot.level)
        if slot.number >= self._row_end:
            self._row = 0
        seconds = _now() - slot.taken
        quick = self._latencies.note(slot.level, seconds) and seconds < self._slow_seconds
        if quick and self._doubling and slot.level > self.limit // 2 and self._roomy():
            self.limit = min(self._most, self.limit + 1)
            self._doubling = self.limit < self._threshold
        self.leave(slot)

    def refused(self, slot: Slot, retry_after: float) -> None:
        """Status 429, with the seconds it asked for (0 for none)."""
        now = _now()
        self.refusals += 1
        if self._row == 0:
            self._row_best, self._row_end = max(self._best, self._best_before), self._taken
            self._row_after = 0
        self._row += 1
        self._rest_if_vain(slot, now)
        known = slot.level <= self._row_best and slot.number != self._probing
        if known and (
            self._row > 1 or self.pace.gap or self.limit <= _FEW or slot.level < _WELL_KNOWN * self._row_best
        ):
            if retry_after >= _LONG_SECONDS:
                self._rest_until = max(self._rest_until, now + retry_after)
                self.pace.forget(slot.taken)
            else:
                self.pace.refused(slot.taken, now)
                if self._row > _LONG_ROW:
                    self.limit = max(1, min(self.limit, self.in_flight - 1))
        else:
            self.pace.forget(slot.taken)
            self._step_back(slot, retry_after, now, 0 if known else _ANSWERS_A_PROBE)
        self.leave(slot)

    def failed(self, slot: Slot) -> None:
        """Time-out, 5xx or no connection: half as many, once for all that were under way then."""
        if slot.number >= self._fresh:
            self._threshold = max(1, self.limit * 3 // 4)
            self.limit = max(1, self.limit // 2)
            self._fresh, self._doubling = self._taken, True
        self.leave(slot)

    # ----------------------------------------------------------------- learning

    def _remember(self, level: int) -> None:
        if _now() - self._best_since > _MEMORY_SECONDS:
            self._best, self._best_before, self._best_since = 0, self._best, _now()
        self._best = max(self._best, level)

    def _step_back(self, slot: Slot, retry_after: float, now: float, answers: int) -> None:
        self.limit = max(1, min(self.limit, self.in_flight - 1))
        self._doubling, self._step = False, 1
        self._probe_at, self._probe_served = now + self._probe_pause, self.served + answers
        self._probe_pause = min(2 * self._probe_pause, _LONGEST_PROBE_SECONDS)
        if slot.number == self._probing:
            self._probing = None
            self._probe_at = max(self._probe_at, now + retry_after)

    def _rest_if_vain(self, slot: Slot, now: float) -> None:
        """Rest, ever longer, while most of what is tried after a refusal is refused, too."""
        if slot.number < self._row_end or slot.taken < self._rest_until:
            return
        self._row_after += 1
        if self._row_after >= _VAIN and 2 * self._row_after > self._taken - self._row_end:
            rest = min(_VAIN_SECONDS * 2.0 ** (self._row_after - _VAIN), _LONGEST_REST_SECONDS)
            self._rest_until = max(self._rest_until, now + rest)

    def _survived(self, probe: int) -> None:
        if self._probing == probe:
            self._probing = None
            self.limit = min(self._most, self.limit + self._step)
            # One alone may have slipped into a place that was just left.
            self._probe_pause = _PROBE_SECONDS if self._step > 1 else max(self._probe_pause / 2, _PROBE_SECONDS)
            self._step = min(2 * self._step, _LONGEST_STEP)
            self._admit()

    def _roomy(self) -> bool:
        """More at once may bring more; where the endpoint only queues, the limit goes back."""
        now = _now()
        if now < self._queue_until:
            return False
        queued = self._latencies.queued_from()
        if queued is not None and queued <= self.limit:
            self.limit, self._step = queued, 1
            self._queue_until = now + _QUEUE_SECONDS
            self._latencies.forget_from(queued)
        return queued is None

    # ---------------------------------------------------------------- admitting

    def _admit(self) -> None:
        now = _now()
        while self._waiting:
            opens = max(self._rest_until, self.pace.next_at(now))
            if opens > now:
                self._wake_at(opens)
                return
            if self.in_flight < self.limit:
                self._seat(now)
            elif not self._try_more(now):
                return

    def _try_more(self, now: float) -> bool:
        """Seat one more than the limit, if it is time to."""
        if self._doubling or self._probing is not None or self.limit >= self._most or self.in_flight > self.limit:
            return False
        ready = max(self._probe_at, self.pace.calm_at(now))
        if now < ready:
            self._wake_at(ready)
            return False
        if self.served < self._probe_served or not self._roomy() or self.in_flight > self.limit:
            return False
        probe = self._seat(now)
        if probe is None:
            return False
        self._probing = probe
        asyncio.get_running_loop().call_later(_PROBE_SECONDS, self._survived, probe)
        return True

    def _seat(self, now: float) -> int | None:
        """Give the next line's first ticket a place; the line goes to the end."""
        while self._waiting:
            caller, line = self._waiting.popitem(last=False)
            while line and line[0].done():
                line.popleft()
            if not line or caller.stopped:
                continue
            ticket = line.popleft()
            if line:
                self._waiting[caller] = line
            self.in_flight += 1
            self.pace.began(now)
            ticket.set_result(Slot(self._taken, self.in_flight, now))
            self._taken += 1
            return self._taken - 1
        return None

    def _wake_at(self, moment: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(moment + 0.0005, self._admit)


def _now() -> float:
    return asyncio.get_running_loop().time()
