"""Turns at a host hold across threads and processes, on SQLite and on PostgreSQL, and end with whoever holds them."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from waiting import PATIENCE, being_made
from web import Reply, Request, Web, serving

from paperlora import pacing
from paperlora.catalog import Catalog
from paperlora.errors import SourceResting, StoreError
from paperlora.pacing import OPENS_AFTER, PACES, Pacer, rest_of

pytest_plugins = ["postgres"]


def slowly(request: Request) -> Reply:
    time.sleep(0.02)
    return Reply()


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as running:
        running.answer = slowly
        yield running


@pytest.fixture
def pacer(catalog_url: str) -> Iterator[Pacer]:
    pacer = Pacer(catalog_url)
    yield pacer
    pacer.close()


def python(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, **options)


ASK = """
import sys
from paperlora.literature.polite import Polite
from paperlora.settings import Settings
url, catalog, home, source, delay, count = sys.argv[1:]
group = {"url": url + "/api", "delay_seconds": float(delay)}
with Polite(source, Settings(home=home, catalog_url=catalog, **{source: group})) as polite:
    for number in range(int(count)):
        assert polite.get(url + "/api", {"n": str(number)}).body == b"{}"
"""


def test_two_processes_ask_arxiv_one_at_a_time_and_never_closer_than_the_pause(
    web: Web, catalog_url: str, tmp_path: Path
) -> None:
    pause = 0.15
    asking = [python(ASK, web.url, catalog_url, str(tmp_path), "arxiv", str(pause), "4") for _ in range(2)]
    assert [process.wait(PATIENCE) for process in asking] == [0, 0]
    gaps = [later.arrived - earlier.arrived for earlier, later in itertools.pairwise(web.requests)]
    assert len(gaps) == 7
    assert min(gaps) >= pause
    assert {request.at_once for request in web.requests} == {1}


def test_turns_without_a_connection_of_their_own_are_spread_over_threads_too(pacer: Pacer) -> None:
    began = time.monotonic()
    turns: list[float] = []

    def take() -> None:
        for _ in range(4):
            with pacer.turn("host", 0.05):
                turns.append(time.monotonic())

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns.sort()
    assert len(turns) == 12
    # The n-th turn can't have been given before n pauses were over, whatever else this machine was doing.
    assert all(moment - began >= number * 0.05 for number, moment in enumerate(turns))


HOLD = """
import sys, time
from paperlora import pacing
pacing.LEASE_SECONDS = float(sys.argv[3])
with pacing.Pacer(sys.argv[1]).turn("arxiv", 0.0, exclusive=True):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
    print("done", flush=True)
"""


def test_a_killed_holder_blocks_nobody_for_ever(pacer: Pacer, catalog_url: str) -> None:
    holder = python(HOLD, catalog_url, "600", "0.5")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with pacer.turn("arxiv", 0.0, exclusive=True):
        assert row(catalog_url).holder.split(":")[1] == str(os.getpid())
    assert row(catalog_url).holder == ""


def test_a_holder_that_lives_keeps_its_connection_beyond_the_lease(pacer: Pacer, catalog_url: str) -> None:
    # The lease is renewed every .75 s: a busy machine may come late to that by two seconds.
    holder = python(HOLD, catalog_url, "6.5", "3")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pacer.turn("arxiv", 0.0, exclusive=True):
        os.set_blocking(holder.stdout.fileno(), False)
        assert holder.stdout.readline() == "done\n"  # it had ended before this turn began
    assert holder.wait(PATIENCE) == 0


def test_one_host_rests_while_another_goes_on(pacer: Pacer, catalog_url: str) -> None:
    for _ in range(OPENS_AFTER):
        with pacer.turn("broken", 0.0):
            pacer.failed("broken", seconds=10)
    with pytest.raises(SourceResting) as caught, pacer.turn("broken", 0.0):
        pass
    assert caught.value.transient
    assert caught.value.retry_after == pytest.approx(rest_of(OPENS_AFTER, 10), abs=20)
    # A process that opens the same database knows it as soon as it looks.
    other = Pacer(catalog_url)
    with pytest.raises(SourceResting), other.turn("broken", 0.01):
        pass
    with other.turn("sound", 0.01), pacer.turn("sound", 0.0):
        other.succeeded("sound")
    other.close()


def test_fewer_failures_or_a_success_between_them_open_nothing(pacer: Pacer, catalog_url: str) -> None:
    for _ in range(3):
        for _ in range(OPENS_AFTER - 1):
            pacer.failed("host", seconds=1000)
        assert row(catalog_url, "host").open_until < time.time()
        with pacer.turn("host", 0.0):
            pacer.succeeded("host")
        assert row(catalog_url, "host").failures == 0


def test_after_a_rest_one_request_tries_and_its_failure_doubles_the_rest(pacer: Pacer, catalog_url: str) -> None:
    other = Pacer(catalog_url)
    for _ in range(OPENS_AFTER):
        pacer.failed("host", seconds=50)
    rest_ends(catalog_url)
    with pacer.turn("host", 0.01):
        with pytest.raises(SourceResting), other.turn("host", 0.01):
            pass
        pacer.failed("host", seconds=50)
    seconds = row(catalog_url, "host").open_until - time.time()
    assert seconds == pytest.approx(2 * rest_of(OPENS_AFTER, 50), abs=60)
    rest_ends(catalog_url)
    with pacer.turn("host", 0.01):
        pacer.succeeded("host")
    with other.turn("host", 0.01):
        assert row(catalog_url, "host").failures == 0
    other.close()


def test_a_pause_that_a_host_asked_for_holds_for_everybody(pacer: Pacer, catalog_url: str) -> None:
    other = Pacer(catalog_url)
    pacer.failed("host", seconds=0, asked=3600)
    with pytest.raises(SourceResting, match="as it asked for") as caught, other.turn("host", 0.01):
        pass
    assert caught.value.retry_after == pytest.approx(3600, abs=60)
    other.close()


def test_a_clock_that_was_set_back_stops_nobody(pacer: Pacer, catalog_url: str) -> None:
    with pacer.turn("host", 0.01):
        pass
    engine = sa.create_engine(catalog_url)
    with engine.begin() as connection:
        ahead = time.time() + 7 * 86_400
        connection.execute(sa.update(PACES).values(open_until=ahead, lease_until=ahead, next_at=ahead, holder="gone"))
    engine.dispose()
    with pacer.turn("host", 0.01, exclusive=True):
        assert row(catalog_url, "host").next_at < ahead


def test_no_pause_and_no_trouble_costs_no_database(tmp_path: Path) -> None:
    pacer = Pacer(f"sqlite:///{tmp_path / 'never.sqlite'}")
    with pacer.turn("host", 0.0):
        pacer.succeeded("host")
    assert list(tmp_path.iterdir()) == []


def test_pacer_and_catalog_open_a_database_in_any_order(catalog_url: str) -> None:
    pacer = Pacer(catalog_url)
    with pacer.turn("host", 0.01):
        pass
    Catalog(catalog_url).close()
    with pacer.turn("host", 0.01):
        assert row(catalog_url, "host").next_at > 0
    pacer.close()


def test_new_database_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    pacer = Pacer(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    with being_made(tmp_path / "catalog.sqlite"), pacer.turn("host", 0.01):
        pass
    pacer.close()


def test_a_locked_database_is_an_error_and_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(f"sqlite:///{path}").close()
    monkeypatch.setattr(pacing, "BUSY_SECONDS", 0.2)
    with sqlite3.connect(path, isolation_level=None) as blocking:
        blocking.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"), Pacer(f"sqlite:///{path}").turn("host", 1.0):
            pass
        blocking.execute("ROLLBACK")


def test_a_locked_row_of_postgresql_is_an_error_and_no_hang(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "BUSY_SECONDS", 1)
    pacer = Pacer(postgres_url)
    with pacer.turn("host", 0.0, exclusive=True):
        pass
    with sa.create_engine(postgres_url).begin() as blocking:
        blocking.execute(sa.select(PACES).with_for_update())
        with pytest.raises(StoreError, match="lock timeout"), pacer.turn("host", 0.01):
            pass
    pacer.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://nobody@127.0.0.1:9/none",
        "sqlite:////proc/no/such/folder/catalog.sqlite",
        "no address",
        "nothing://x",
    ],
)
def test_a_database_that_is_not_there_is_an_error_with_a_remedy(url: str) -> None:
    with pytest.raises(StoreError) as caught, Pacer(url).turn("host", 1.0):
        pass
    assert "PAPERLORA_CATALOG_URL" in caught.value.remedy


def test_many_pacers_open_a_new_database_at_once(catalog_url: str) -> None:
    pacers = [Pacer(catalog_url) for _ in range(8)]
    broken: list[Exception] = []

    def open_it(pacer: Pacer) -> None:
        try:
            with pacer.turn("host", 0.001):
                pass
        except Exception as error:
            broken.append(error)

    threads = [threading.Thread(target=open_it, args=(pacer,)) for pacer in pacers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pacer in pacers:
        pacer.close()
    assert broken == []


def row(url: str, host: str = "arxiv") -> Any:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(sa.select(PACES).where(PACES.c.host == host)).one()
    engine.dispose()
    return found


def rest_ends(url: str) -> None:
    """Let every rest be over."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.update(PACES).values(open_until=time.time() - 1))
    engine.dispose()
