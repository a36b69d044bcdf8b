"""The endpoint's limit is found and kept to: in virtual time for the shares, over real HTTP for the wiring."""

from __future__ import annotations

import asyncio
import math
import random
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from paperlora.bench.crowded import CrowdedEndpoint, Event, Rules, Seen
from paperlora.errors import LlmUnavailable
from paperlora.llm.client import LlmClient, Question, Reply
from paperlora.llm.gate import Caller, Gate
from paperlora.llm.layout import in_prefix_order, laid_out, shared_share
from paperlora.llm.transport import Patience
from paperlora.sandbox.server import Sandbox
from paperlora.settings import LlmSettings
from paperlora.store import Store

TRANSIT = 0.005
"""Seconds from the client to the endpoint."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only when nothing else is left to do: hours of an endpoint's life in a second of ours."""

    _virtual = 0.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        timers = sorted(timer.when() for timer in self._scheduled if not timer.cancelled())  # type: ignore[attr-defined]
        if timers and not self._ready:  # type: ignore[attr-defined]
            self._virtual = max(self._virtual, timers[0])
        super()._run_once()  # type: ignore[misc]


def in_virtual_time(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work)


class Model:
    """An endpoint in virtual time: so many in flight, so many a second (a bucket of one second or a window), or so many
    served at once while the others queue."""

    def __init__(
        self, delay: float, limit: int | None = None, rate: float | None = None, window: float | None = None,
        retry_after: float = 0.0, slots: int | None = None, spread: float = 0.0,
    ) -> None:  # fmt: skip
        self.delay, self.limit, self.rate, self.window, self.retry_after = delay, limit, rate, window, retry_after
        self.spread, self._random = spread, random.Random(1)
        self._queue = asyncio.Semaphore(slots) if slots else None
        self._most = max(1.0, (rate or 0) * (window or 1.0))
        self._tokens, self._filled, self.in_flight = self._most, 0.0, 0
        self.events: list[Event] = []
        self.refused: list[float] = []

    async def __call__(self) -> float | None:
        """None where it is served, else the Retry-After."""
        await asyncio.sleep(TRANSIT)
        wait = self._wait()
        if wait is not None:
            self.refused.append(now())
            return wait
        self._step(1)
        seconds = self.delay * self._random.lognormvariate(0, self.spread)
        if self._queue is None:
            await asyncio.sleep(seconds)
        else:
            async with self._queue:
                await asyncio.sleep(seconds)
        self._step(-1)
        return None

    def _wait(self) -> float | None:
        if self.limit is not None and self.in_flight >= self.limit:
            return self.retry_after
        if self.rate is None:
            return None
        if self.window is not None:
            if now() - self._filled >= self.window:
                self._tokens, self._filled = self._most, now()
            wait = self._filled + self.window - now()
        else:
            self._tokens = min(self._most, self._tokens + (now() - self._filled) * self.rate)
            self._filled, wait = now(), (1 - self._tokens) / self.rate
        if self._tokens < 1:
            return math.ceil(wait)
        self._tokens -= 1
        return None

    def _step(self, change: int) -> None:
        self.in_flight += change
        self.events.append(Event(now(), self.in_flight, change > 0))

    def seen(self) -> Seen:
        starts = sum(event.began for event in self.events)
        return Seen(starts, len(self.refused), tuple(self.refused), tuple(self.events))


def now() -> float:
    return asyncio.get_running_loop().time()


async def asked(model: Model, questions: int, *, start: int = 4, most: int = 128) -> Gate:
    """Ask that many through a gate; a refused one waits as the client lets it wait."""
    gate, caller = Gate(start, most, slow_seconds=150), Caller()

    async def one(number: int) -> None:
        again, pause = False, random.Random(number).uniform(1.0, 1.5)
        while True:
            slot = await gate.enter(caller, again=again)
            wait = await model()
            if wait is None:
                gate.answered(slot)
                return
            gate.refused(slot, wait)
            again = True
            await asyncio.sleep(max(wait, pause))

    await asyncio.gather(*(one(number) for number in range(questions)))
    return gate


@pytest.mark.parametrize(
    ("limit", "delay", "spread", "retry_after"),
    [(32, 0.5, 0.0, 0), (32, 0.5, 0.0, 1), (32, 0.5, 0.0, 30), (32, 5.0, 0.6, 1), (100, 5.0, 0.6, 0), (3, 5.0, 0.6, 0)],
)
def test_places_are_used_to_95_percent(limit: int, delay: float, spread: float, retry_after: float) -> None:
    async def work() -> None:
        model = Model(delay, limit, retry_after=retry_after, spread=spread)
        await asked(model, 1500)
        seen = model.seen()
        assert seen.accepted == 1500
        assert seen.most_in_flight == limit
        assert seen.steady_in_flight >= 0.95 * limit
        assert seen.refused <= 0.15 * seen.accepted

    in_virtual_time(work())


@pytest.mark.parametrize(("rate", "delay", "spread"), [(20, 0.5, 0.0), (10, 5.0, 0.6), (5, 2.0, 0.3)])
def test_even_rate_is_used_to_95_percent(rate: float, delay: float, spread: float) -> None:
    async def work() -> None:
        model = Model(delay, rate=rate, spread=spread)
        await asked(model, 1000)
        seen = model.seen()
        assert seen.steady_per_second >= 0.95 * rate
        assert seen.refused <= 0.15 * seen.accepted

    in_virtual_time(work())


@pytest.mark.parametrize("rate", [1, 10])
def test_rate_by_the_minute_is_used_whole_and_nobody_hammers(rate: float) -> None:
    async def work() -> None:
        model = Model(2.0, rate=rate, window=60)
        await asked(model, int(rate * 600))
        seen = model.seen()
        # Ten windows' worth; the first begins at once, so nine minutes pass, and what the tenth takes.
        assert seen.seconds <= 600
        assert seen.refused <= 0.25 * seen.accepted

    in_virtual_time(work())


@pytest.mark.parametrize("slots", [1, 2])
def test_endpoint_that_only_queues_is_not_given_ever_more(slots: int) -> None:
    async def work() -> None:
        model = Model(5.0, slots=slots)
        await asked(model, 300)
        assert slots <= model.seen().most_in_flight <= 16

    in_virtual_time(work())


def test_endpoint_without_limit_is_given_all_that_the_settings_allow() -> None:
    async def work() -> None:
        model = Model(5.0, spread=0.6)
        gate = await asked(model, 2000, most=64)
        assert model.seen().most_in_flight == gate.limit == 64

    in_virtual_time(work())


def test_limit_that_falls_and_rises_is_followed() -> None:
    async def work() -> None:
        model = Model(1.0, 40)

        async def change() -> None:
            await asyncio.sleep(60)
            model.limit = 8
            await asyncio.sleep(120)
            model.limit = 40

        changing = asyncio.create_task(change())
        await asked(model, 8000)
        await changing
        spans = {when: tuple(e for e in model.events if when < e.at < when + 30) for when in (30, 150, 250)}
        means = {when: Seen(0, 0, (), events).mean_in_flight for when, events in spans.items()}
        assert means[30] >= 0.95 * 40
        assert means[150] >= 0.95 * 8
        assert means[250] >= 0.95 * 40
        assert len(model.refused) <= 300

    in_virtual_time(work())


def test_errors_halve_once_for_a_whole_crowd() -> None:
    async def work() -> None:
        gate, caller = Gate(32, 128, 150), Caller()
        slots = [await gate.enter(caller) for _ in range(32)]
        for slot in slots:
            gate.failed(slot)
        assert gate.limit == 16
        later = await gate.enter(caller)
        gate.failed(later)
        assert gate.limit == 8

    in_virtual_time(work())


def test_a_small_caller_does_not_wait_behind_a_large_one() -> None:
    async def work() -> None:
        gate, large, small = Gate(1, 1, 150), Caller(), Caller()
        order: list[str] = []

        async def one(name: str, caller: Caller) -> None:
            slot = await gate.enter(caller)
            order.append(name)
            await asyncio.sleep(1)
            gate.answered(slot)

        crowd = [asyncio.create_task(one("large", large)) for _ in range(50)]
        await asyncio.sleep(0)
        few = [asyncio.create_task(one("small", small)) for _ in range(3)]
        await asyncio.gather(*crowd, *few)
        assert max(place for place, name in enumerate(order) if name == "small") <= 6

    in_virtual_time(work())


# --------------------------------------------------------------- over real HTTP


LIMIT = 8


class Said(BaseModel):
    ideas: list[dict[str, Any]]


def questions(count: int, tag: str = "") -> list[Question]:
    return [Question("Answer in JSON with quote.", f"{tag} {number}", Said, tag) for number in range(count)]


@pytest.fixture(scope="module")
def crowded() -> Iterator[CrowdedEndpoint]:
    # Eight answers cost this machine a small part of the delay, busy as it may be: else they would look queued.
    with CrowdedEndpoint(Rules(delay=0.8, limit=LIMIT)) as endpoint:
        yield endpoint


def client(url: str, **changes: Any) -> LlmClient:
    fields = {"provider": "openai", "base_url": f"{url}/v1", "model": "m"} | changes
    return LlmClient(LlmSettings.model_validate(fields), None)


def test_limit_is_found_over_http_and_shared_by_two_callers(crowded: CrowdedEndpoint) -> None:
    crowded.seen()
    asking = client(crowded.url, model="two")
    other = client(crowded.url, model="two")
    replies: dict[str, list[Any]] = {"a": [], "b": []}

    def ask(who: LlmClient, tag: str) -> None:
        replies[tag] = [reply for _, reply in who.ask_many(questions(40, tag))]

    threads = [threading.Thread(target=ask, args=pair) for pair in ((asking, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = crowded.seen()
    assert all(isinstance(reply, Reply) for group in replies.values() for reply in group)
    assert len(replies["a"]) == len(replies["b"]) == 40
    assert seen.accepted == 80
    assert seen.most_in_flight == LIMIT
    assert asking.endpoint is other.endpoint
    assert asking.endpoint.gate.in_flight == 0


def test_limit_is_remembered_for_the_next_process(crowded: CrowdedEndpoint, tmp_path: Any) -> None:
    fields = {"provider": "openai", "base_url": f"{crowded.url}/v1", "model": "remembered"}
    settings = LlmSettings.model_validate(fields)
    first = LlmClient(settings, Store.at(tmp_path))
    list(first.ask_many(questions(40)))
    found = first.endpoint.gate.limit
    del first
    crowded.seen()
    again = LlmClient(settings, Store.at(tmp_path))
    assert found > settings.concurrency
    assert again.endpoint.gate.limit == found


@pytest.mark.slow
def test_long_retry_after_stops_everybody_once() -> None:
    """A window of four requests: after the second refusal nobody asks until it is over."""
    with CrowdedEndpoint(Rules(delay=0.02, per_minute=60 * 4 / 6, window=6)) as endpoint:
        asked_ = client(endpoint.url, concurrency=2, max_concurrency=2)
        assert len(list(asked_.ask_many(questions(7)))) == 7
        seen = endpoint.seen()
        assert seen.accepted == 7
        assert seen.refused <= 4


def test_refusal_of_all_is_given_up_after_bounded_requests() -> None:
    patience = Patience(attempts=3, first_seconds=0.01, longest_seconds=0.02)
    with Sandbox() as sandbox:
        sandbox.fault("llm.chat", "rate_limit", retry_after=None)
        fields = {"provider": "openai", "base_url": sandbox.llm_url, "model": "m", "concurrency": 2}
        asking = LlmClient(LlmSettings.model_validate(fields), None, patience)
        with pytest.raises(LlmUnavailable):
            list(asking.ask_many(questions(30)))
        assert sandbox.counts["llm.chat"] <= 3 * 4


def test_stopping_early_leaves_nothing_behind(crowded: CrowdedEndpoint) -> None:
    asking = client(crowded.url, model="early")
    replies = asking.ask_many(questions(200))
    next(replies)
    replies.close()  # type: ignore[attr-defined]
    crowded.seen()
    assert len(list(asking.ask_many(questions(5, "later")))) == 5
    assert crowded.seen().accepted <= 5 + LIMIT


# ----------------------------------------------------------------- prefix order


def test_equal_beginnings_follow_each_other_and_papers_stay_in_order() -> None:
    text = {paper: f"Text of {paper}. " * 400 for paper in "ba"}
    mixed = [Question("s", laid_out(text[paper], ask=f"Ask {n}"), Said, paper) for n in range(4) for paper in "ba"]
    order = in_prefix_order(mixed)
    assert [mixed[index].tag for index in order] == ["b"] * 4 + ["a"] * 4
    assert sorted(order) == list(range(8))
    assert shared_share(mixed) > 0.7
    scattered = [question._replace(user=f"{n}\n\n{question.user}") for n, question in enumerate(mixed)]
    assert shared_share(scattered) == 0.0
