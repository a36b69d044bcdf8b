"""What an endpoint's answers say beside yes and no: how fast it lets requests in, and whether it only queues them."""

from __future__ import annotations

import math
from collections import deque

_STARTS, _SECONDS = 30, 10.0
"""Requests that were let in, over which their rate is taken: at least so many, and all of so many seconds, since a crowd
that was answered at once begins at once."""
_LEAST_SECONDS = 1.0
_TRUSTED = 0.8
"""Of the measured gap: requests never begin closer than that after a refusal."""
_SLOWER_EACH_REFUSAL = 1.04
_PAUSE_BETWEEN = 0.25
"""Seconds: refusals so close together are one."""
_FASTER_EACH_SECOND, _FASTER_STILL = 0.01, 0.002
"""While nothing is refused, at first, and what each quiet second adds to it: a limit that rose is found within a minute."""
_NOT_BINDING = 0.8
_CATCH_UP_SECONDS = 0.5
"""A clock that rings late may be made good for so long."""


class Pace:
    """A rate limit, once there are signs of one: requests begin no faster than the endpoint lets them in."""

    def __init__(self) -> None:
        self.gap = 0.0
        """Seconds from one request to the next; 0 where no limit is known."""
        self._starts: deque[float] = deque()
        self._next = self._eased = self._slowed = 0.0

    def next_at(self, now: float) -> float:
        """When the next request may begin."""
        if self.gap:
            quiet, eased = now - self._slowed, self._eased - self._slowed
            self.gap *= math.exp(-_FASTER_EACH_SECOND * (quiet - eased) - _FASTER_STILL * (quiet**2 - eased**2) / 2)
            self._eased = now
        return self._next if self.gap else now

    def calm_at(self, now: float) -> float:
        """When one more can be tried that isn't too soon after the last: where one a second is let in, two at once tell
        nothing about how many may be under way."""
        return self._starts[-1] + min(self._measured(now) / 2, _LEAST_SECONDS) if self._starts else now

    def began(self, now: float) -> None:
        """A request began."""
        self._starts.append(now)
        while len(self._starts) > _STARTS and self._starts[0] < now - _SECONDS:
            self._starts.popleft()
        if self.gap and len(self._starts) >= _STARTS and self.gap < _NOT_BINDING * self._measured(now):
            self.gap = 0.0  # something else holds requests back by now
        self._next = max(self._next, now - _CATCH_UP_SECONDS) + self.gap

    def refused(self, began: float, now: float) -> None:
        """A request was not let in, although as many under way had been before: it came too soon."""
        self.forget(began)
        if (self.gap and now - self._slowed < _PAUSE_BETWEEN) or len(self._starts) < _STARTS // 3:
            return
        measured = self._measured(now)
        self.gap = max(self.gap * _SLOWER_EACH_REFUSAL, _TRUSTED * measured) if self.gap else measured
        self._eased = self._slowed = now
        self._next = max(self._next, now + self.gap)

    def _measured(self, now: float) -> float:
        return max(now - self._starts[0], _LEAST_SECONDS) / len(self._starts)

    def forget(self, began: float) -> None:
        """A request was not let in."""
        if began in self._starts:
            self._starts.remove(began)


_SLOWER = math.log(1.5)
"""Twice as many requests under way may take so much longer each; an endpoint that only queues them takes twice as long."""
_SIGMAS = 2.0
_FEWEST, _MOST = 8, 40
"""Answers that say something, and after which older ones fade."""


class _Level:
    """Mean and variance of the logarithm of seconds."""

    def __init__(self) -> None:
        self.count, self.mean, self.variance = 0, 0.0, 0.0

    def note(self, seconds: float) -> None:
        self.count = min(self.count + 1, _MOST)
        off = math.log(max(seconds, 1e-4)) - self.mean
        self.mean += off / self.count
        self.variance += (off * off * (1 - 1 / self.count) - self.variance) / self.count

    @property
    def error(self) -> float:
        """Square of the mean's standard error."""
        return self.variance / self.count


class Latencies:
    """Seconds of answers by how many requests were under way, in powers of two."""

    def __init__(self) -> None:
        self._levels: dict[int, _Level] = {}

    def note(self, level: int, seconds: float) -> bool:
        """Take an answer; false where it was so slow, beside those at half the level, that it may have queued."""
        power = level.bit_length()
        self._levels.setdefault(power, _Level()).note(seconds)
        half = self._levels.get(power - 1)
        return half is None or math.log(max(seconds, 1e-4)) - half.mean <= _SLOWER

    def queued_from(self) -> int | None:
        """The level from which on the endpoint only queues, if it shows."""
        for power, high in sorted(self._levels.items()):
            low = self._levels.get(power - 1)
            if low is None or min(low.count, high.count) < _FEWEST:
                continue
            if high.mean - low.mean > _SLOWER + _SIGMAS * math.sqrt(low.error + high.error):
                return 1 << (power - 1)
        return None

    def forget_from(self, level: int) -> None:
        """Let levels be tried again."""
        self._levels = {power: one for power, one in self._levels.items() if power < level.bit_length()}
