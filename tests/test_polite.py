"""The one client: patient but bounded, obedient to Retry-After, cached without secrets, and never led astray."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until
from web import Reply, Request, Web, serving

from paperlora.errors import SourceAnswerInvalid, SourceRefused, SourceResting, SourceUnavailable
from paperlora.literature import patience
from paperlora.literature.polite import Answer, Patience, Polite, lane_of
from paperlora.pacing import OPENS_AFTER
from paperlora.settings import Settings

SECRET = "key/of + someone"
NOT_NOW = Reply(b"later", 503)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


@pytest.fixture
def settings(web: Web, tmp_path: Path) -> Settings:
    return at(web, tmp_path)


def at(web: Web, home: Path, **changes: Any) -> Settings:
    """Every source at one server, without pauses."""
    group = {"delay_seconds": 0, "timeout_seconds": 30, **changes}
    return Settings(
        home=home, contact="me@example.org",
        arxiv={"url": f"{web.url}/arxiv", "oai_url": f"{web.url}/oai", **group},
        semantic_scholar={"url": f"{web.url}/s2", "api_key": SECRET, **group},
        openalex={"url": f"{web.url}/openalex", **group},
    )  # fmt: skip


@pytest.fixture
def polite(settings: Settings) -> Iterator[Polite]:
    with Polite("semantic_scholar", settings) as client:
        yield client


def test_get_and_post_bring_what_was_asked(polite: Polite, web: Web) -> None:
    web.replies(Reply(b'{"a": 1}', headers={"ETag": "x"}))
    answer = polite.get(f"{web.url}/s2/paper?fixed=1", {"query": "a b"})
    assert (answer.status, answer.body, answer.headers["etag"], answer.cached) == (200, b'{"a": 1}', "x", False)
    polite.post(f"{web.url}/s2/batch", {"ids": ["1"]}, {"fields": "title"})
    assert web.paths == ["/s2/paper?fixed=1&query=a+b", "/s2/batch?fields=title"]
    assert json.loads(web.requests[1].body) == {"ids": ["1"]}
    assert all("mailto:me@example.org" in request.headers["user-agent"] for request in web.requests)


# ------------------------------------------------------------------------------------------------------------ patience


@pytest.mark.parametrize(
    "bad",
    [
        NOT_NOW,
        Reply(b"", 429),
        Reply(b"", 429, {"Retry-After": "0"}),
        Reply(b"<html>Just a moment</html>", headers={"Content-Type": "text/html"}),
        Reply(b'{"a"', headers={"Content-Length": "900", "Connection": "close"}),
    ],
)
def test_a_bad_moment_is_asked_away(bad: Reply, polite: Polite, web: Web) -> None:
    web.replies(bad, bad, Reply(b'{"good": 1}'))
    assert polite.get(f"{web.url}/s2/x").body == b'{"good": 1}'
    assert len(web.requests) == 3


def test_what_a_check_refuses_is_asked_for_again_and_never_kept(polite: Polite, web: Web) -> None:
    def check(answer: Answer) -> None:
        if b"papers" not in answer.body:
            raise SourceAnswerInvalid("no list")

    web.replies(Reply(b"[]"), Reply(b'{"papers": []}'))
    assert polite.get(f"{web.url}/s2/x", kept_for=60, check=check).body == b'{"papers": []}'
    assert polite.get(f"{web.url}/s2/x", kept_for=60).cached
    assert len(web.requests) == 2


def test_attempts_end(polite: Polite, web: Web) -> None:
    web.replies(NOT_NOW)
    with pytest.raises(SourceUnavailable, match="503"):
        polite.get(f"{web.url}/s2/x")
    assert len(web.requests) == patience.ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_final_and_says_why(status: int, polite: Polite, web: Web) -> None:
    web.replies(Reply(b'{"error": "no such field"}', status))
    with pytest.raises(SourceRefused, match="no such field") as caught:
        polite.get(f"{web.url}/s2/x")
    assert caught.value.status == status
    assert len(web.requests) == 1


def test_a_status_that_is_an_answer_comes_back(polite: Polite, web: Web) -> None:
    web.replies(Reply(b"none", 404))
    assert polite.get(f"{web.url}/s2/x", accept=(200, 404)).body == b"none"


def test_arxiv_shuts_out_for_a_while_only(settings: Settings, web: Web) -> None:
    web.replies(Reply(b"", 403), Reply(b"<feed/>"))
    with Polite("arxiv", settings) as polite:
        assert polite.get(f"{web.url}/arxiv").body == b"<feed/>"


def test_waits_double_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)

    def fail() -> None:
        raise SourceUnavailable("not now")

    for _ in range(20):
        with pytest.raises(SourceUnavailable):
            patience.patiently(fail, Patience(4, attempts=3, jitter=0.25))
    firsts, seconds = slept[::2], slept[1::2]
    assert all(4 <= wait <= 5 for wait in firsts)
    assert all(8 <= wait <= 10 for wait in seconds)
    assert len(set(firsts)) > 1


# ----------------------------------------------------------------------------------------------------------- Retry-After


def test_retry_after_is_waited_for(polite: Polite, web: Web) -> None:
    web.replies(Reply(b"", 429, {"Retry-After": "0.4"}), Reply())
    polite.get(f"{web.url}/s2/x")
    first, second = web.requests
    assert second.arrived - first.arrived >= 0.4


def test_retry_after_holds_for_every_client_of_the_catalog(settings: Settings, web: Web) -> None:
    web.replies(Reply(b"", 429, {"Retry-After": "3600"}), Reply())
    with Polite("semantic_scholar", settings) as first, pytest.raises(SourceUnavailable) as caught:
        first.get(f"{web.url}/s2/x")
    assert caught.value.retry_after == 3600
    slower = settings.semantic_scholar.model_copy(update={"delay_seconds": 0.01})
    slow = settings.model_copy(update={"semantic_scholar": slower})
    with Polite("semantic_scholar", slow) as second, pytest.raises(SourceResting):
        second.get(f"{web.url}/s2/x")
    assert len(web.requests) == 1


# -------------------------------------------------------------------------------------------------------------- breaker


def test_a_broken_source_is_left_alone_while_the_others_go_on(web: Web, tmp_path: Path) -> None:
    settings = at(web, tmp_path, delay_seconds=0.02)
    web.answer = lambda request: NOT_NOW if request.path.startswith("/s2") else Reply()
    with Polite("semantic_scholar", settings) as broken, Polite("openalex", settings) as sound:
        errors: list[SourceUnavailable] = []
        while not (errors and isinstance(errors[-1], SourceResting)):
            with pytest.raises(SourceUnavailable) as caught:
                broken.get(f"{web.url}/s2/x")
            errors.append(caught.value)
        asked = len(web.requests)
        with pytest.raises(SourceResting):
            broken.get(f"{web.url}/s2/x")
        assert len(web.requests) == asked >= OPENS_AFTER
        assert sound.get(f"{web.url}/openalex/works").status == 200


def test_a_source_that_is_back_is_found_again(web: Web, tmp_path: Path) -> None:
    settings = at(web, tmp_path, delay_seconds=0.02)
    web.replies(*[NOT_NOW] * (OPENS_AFTER + 1), Reply())
    with Polite("openalex", settings) as polite:
        with pytest.raises(SourceUnavailable):
            polite.get(f"{web.url}/openalex/x")
        assert polite.get(f"{web.url}/openalex/x").status == 200
        assert polite.get(f"{web.url}/openalex/x").status == 200


# --------------------------------------------------------------------------------------------------------------- limits


def dripping(seconds: float) -> Iterator[bytes]:
    for _ in range(int(seconds / 0.02)):
        yield b" "
        time.sleep(0.02)


def test_an_answer_that_drips_is_given_up(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Half a second for the whole answer, while a silence of thirty would be borne: this machine may be busy.
    monkeypatch.setattr("paperlora.literature.polite.TIMES_SILENCE", 1 / 60)
    settings = at(web, tmp_path, timeout_seconds=30)
    web.answer = lambda request: Reply(dripping(20))
    hurried = Polite("openalex", settings, Patience(0, attempts=1))
    with hurried as polite, pytest.raises(SourceUnavailable, match="too slowly"):
        polite.get(f"{web.url}/openalex/x")


def test_headers_that_drip_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paperlora.literature.polite.TIMES_SILENCE", 1 / 60)
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(1000):
            try:
                connection.sendall(f"X-{number}: 1\r\n".encode())
            except OSError:
                return
            time.sleep(0.02)

    threading.Thread(target=drip, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    settings = Settings(home=tmp_path, openalex={"url": url, "delay_seconds": 0, "timeout_seconds": 30})
    hurried = Polite("openalex", settings, Patience(0, attempts=1))
    with hurried as polite, pytest.raises(SourceUnavailable, match="too slowly"):
        polite.get(url)
    listener.close()


def test_silence_is_given_up(web: Web, tmp_path: Path) -> None:
    over = threading.Event()

    def answer(request: Request) -> Reply:
        over.wait(60)
        return Reply()

    web.answer = answer
    hurried = Polite("openalex", at(web, tmp_path, timeout_seconds=0.1), Patience(0, attempts=2))
    with hurried as polite, pytest.raises(SourceUnavailable, match="no answer in time"):
        polite.get(f"{web.url}/openalex/x")
    # A busy machine may bring the second request to the server only after it was given up.
    until(lambda: len(web.requests) == 2)
    over.set()


def test_too_large_an_answer_is_refused_while_it_comes_in(
    polite: Polite, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperlora.literature.polite.LARGEST_ANSWER", 10_000)
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        for number in range(100_000):
            sent.append(number)
            yield b"x" * 1000

    web.answer = lambda request: Reply(endless())
    with pytest.raises(SourceRefused, match="more than"):
        polite.get(f"{web.url}/s2/x")
    assert len(sent) < 100_000


# ---------------------------------------------------------------------------------------------------------------- cache


def test_an_equal_request_is_answered_from_the_cache(settings: Settings, web: Web) -> None:
    web.answer = lambda request: Reply(request.path.encode() + request.body)
    with Polite("openalex", settings) as polite:
        fresh = polite.get(f"{web.url}/openalex/x", {"b": "2", "a": "1"}, kept_for=60)
    with Polite("openalex", settings) as polite:
        kept = polite.get(f"{web.url}/openalex/x", {"a": "1", "b": "2"}, kept_for=60)
        assert (kept.cached, kept.body, kept.url) == (True, fresh.body, fresh.url)
        assert kept.headers["content-type"] == "application/json"
        assert len(web.requests) == 1
        # Another parameter, body, method, or no leave to use the cache: it is asked.
        polite.get(f"{web.url}/openalex/x", {"a": "1"}, kept_for=60)
        polite.post(f"{web.url}/openalex/x", ["1"], {"a": "1"}, kept_for=60)
        polite.post(f"{web.url}/openalex/x", ["2"], {"a": "1"}, kept_for=60)
        polite.get(f"{web.url}/openalex/x", {"a": "1", "b": "2"})
    assert len(web.requests) == 5


def test_an_old_answer_is_replaced(polite: Polite, web: Web) -> None:
    web.replies(Reply(b"old"), Reply(b"new"))
    assert polite.get(f"{web.url}/s2/x", kept_for=60).body == b"old"
    time.sleep(0.06)
    assert polite.get(f"{web.url}/s2/x", kept_for=0.05).body == b"new"
    assert polite.get(f"{web.url}/s2/x", kept_for=60) == polite.get(f"{web.url}/s2/x", kept_for=60)
    assert polite.get(f"{web.url}/s2/x", kept_for=60).body == b"new"
    assert len(web.requests) == 2


def test_an_altered_answer_is_asked_for_again(polite: Polite, web: Web, settings: Settings) -> None:
    web.replies(Reply(b"whole"))
    polite.get(f"{web.url}/s2/x", kept_for=60)
    (body,) = Path(settings.store_root).glob("responses/*/body")
    body.write_bytes(b"other")
    assert polite.get(f"{web.url}/s2/x", kept_for=60).body == b"whole"
    assert len(web.requests) == 2


def test_only_good_answers_are_kept(polite: Polite, web: Web) -> None:
    web.replies(Reply(b"none", 404), Reply(b"there"))
    assert polite.get(f"{web.url}/s2/x", kept_for=60, accept=(200, 404)).status == 404
    assert polite.get(f"{web.url}/s2/x", kept_for=60).body == b"there"


def test_a_secret_is_sent_and_nowhere_written(polite: Polite, web: Web, settings: Settings, tmp_path: Path) -> None:
    web.answer = lambda request: Reply(b"{}", 200 if "refuse" not in request.path else 400)
    sent = {"x-api-key": SECRET}
    first = polite.get(f"{web.url}/s2/x", {"api_key": SECRET, "q": "1"}, headers=sent, kept_for=60)
    # With another key it is the same request.
    assert polite.get(f"{web.url}/s2/x", {"api_key": "", "q": "1"}, kept_for=60).cached
    with pytest.raises(SourceRefused) as caught:
        polite.get(f"{web.url}/s2/refuse", {"api_key": SECRET}, headers=sent)
    assert web.requests[0].headers["x-api-key"] == SECRET
    web.replies(Reply(json.dumps({"your key": SECRET}).encode()))
    polite.get(f"{web.url}/s2/echo", kept_for=60)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    told = f"{first.url} {caught.value}".encode()
    for form in (SECRET, "key%2Fof%20%2B%20someone", "key%2Fof+%2B+someone", "key/of%20+%20someone"):
        assert form.encode() not in written + told
    assert b"responses" in b"".join(str(path).encode() for path in tmp_path.rglob("*"))


# ------------------------------------------------------------------------------------------------------------ redirects


def test_a_redirect_is_followed_and_a_key_stays_at_home(web: Web, tmp_path: Path) -> None:
    with serving() as other:
        settings = at(web, tmp_path)
        settings = settings.model_copy(
            update={"arxiv": settings.arxiv.model_copy(update={"url": f"{other.url}/arxiv", "delay_seconds": 0})}
        )
        web.answer = lambda request: (
            Reply(b"", 302, {"Location": "/s2/near"})
            if request.path == "/s2/x"
            else Reply(b"", 301, {"Location": f"{other.url}/far"})
        )
        with Polite("semantic_scholar", settings) as polite:
            polite.get(f"{web.url}/s2/x", headers={"x-api-key": SECRET, "Accept": "application/json"})
        assert web.paths == ["/s2/x", "/s2/near"]
        assert web.requests[1].headers["x-api-key"] == SECRET
        (far,) = other.requests
        assert "x-api-key" not in far.headers
        assert far.headers["accept"] == "application/json"


def test_redirects_in_a_circle_end(polite: Polite, web: Web) -> None:
    web.replies(Reply(b"", 302, {"Location": "/s2/x"}))
    with pytest.raises(SourceRefused, match="redirects"):
        polite.get(f"{web.url}/s2/x")
    assert len(web.requests) == 6


# ---------------------------------------------------------------------------------------------------------------- lanes


@pytest.mark.parametrize(
    ("source", "url", "name", "exclusive"),
    [
        ("arxiv", "https://export.arxiv.org/api/query", "arxiv", True),
        ("oai", "https://oaipmh.arxiv.org/oai", "arxiv", True),
        ("download", "https://arxiv.org/html/2405.05904v1", "arxiv", True),
        ("semantic_scholar", "https://api.semanticscholar.org/graph/v1/paper", "semantic_scholar", False),
        ("download", "https://aclanthology.org/a.pdf", "aclanthology.org", False),
        ("download", "https://notarxiv.org/a.pdf", "notarxiv.org", False),
        ("download", "https://JMLR.org.:443/a.pdf", "jmlr.org", False),
    ],
)
def test_all_hosts_of_arxiv_keep_one_pace_and_one_connection(source: Any, url: str, name: str, exclusive: bool) -> None:
    lane = lane_of(source, url, Settings())
    assert (lane.name, lane.exclusive) == (name, exclusive)
    assert lane.seconds == (3.0 if exclusive else 1.1)


def test_api_and_full_texts_of_a_stand_in_keep_one_pace(web: Web, tmp_path: Path) -> None:
    settings = at(web, tmp_path, delay_seconds=0.1)
    lanes = {lane_of("arxiv", f"{web.url}/arxiv", settings), lane_of("download", f"{web.url}/pdf/1", settings)}
    assert lanes == {(f"arxiv@{web.netloc}", 0.1, True)}


def test_threads_share_a_client(web: Web, tmp_path: Path) -> None:
    def echo(request: Request) -> Reply:
        time.sleep(0.01)
        return Reply(request.path.encode())

    web.answer = echo
    got: dict[int, bytes] = {}
    with Polite("openalex", at(web, tmp_path)) as polite:

        def ask(number: int) -> None:
            got[number] = polite.get(f"{web.url}/openalex/{number}").body

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == {number: f"/openalex/{number}".encode() for number in range(12)}
