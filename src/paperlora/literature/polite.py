"""The one client for everything that comes from a source: paced, patient, bounded, and on guard.

A request is made in layers: :meth:`Polite.get` looks into the cache and asks several times where asking again may help;
an attempt follows redirects by hand; each hop of it is admitted by the guard, waits for its host's turn and tells the
breaker how it went. Nothing below retries.
"""

from __future__ import annotations

import json as json_text
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NamedTuple, Self, TypeVar
from urllib.parse import quote, quote_plus, urljoin, urlsplit

import httpx

from paperlora.errors import SourceAnswerInvalid, SourceRefused, SourceUnavailable
from paperlora.literature.patience import ATTEMPTS, JITTER, LONGEST_WAIT, Patience, check_status, patiently, retry_after
from paperlora.literature.responses import Answer, Asked, Responses, secrets_of
from paperlora.literature.safety import Guard, GuardedTransport, is_loopback, within
from paperlora.pacing import REST_TURNS, Pacer
from paperlora.settings import Settings
from paperlora.store import Store

__all__ = ["Answer", "Patience", "Polite", "check_status", "patiently", "retry_after"]

T = TypeVar("T")
Source = Literal["arxiv", "oai", "semantic_scholar", "openalex", "download"]
NAMES: dict[Source, str] = {
    "arxiv": "arXiv", "oai": "arXiv's OAI-PMH", "semantic_scholar": "Semantic Scholar", "openalex": "OpenAlex",
    "download": "The host",
}  # fmt: skip
TIMES_SILENCE = 10
"""A whole answer may take this many times the longest silence that is waited for."""
LARGEST_ANSWER = 64_000_000
"""Bytes of an answer that is held in memory; arXiv's largest pages are a few million."""
MOST_HOPS = 5
"""Redirects of one request."""


class Lane(NamedTuple):
    """Whose pace a request keeps."""

    name: str
    """Hosts of one name share a limit."""
    seconds: float
    """Pause between two requests."""
    exclusive: bool
    """One connection at a time."""


class Polite:
    """A client of one source, as a context manager. Safe between threads.

    Args:
        source: whose pace, time-out and name in messages; ``download`` for full texts from any allowed host.
        patience: None for four attempts whose waits begin at the source's own pause.
    """

    def __init__(self, source: Source, settings: Settings, patience: Patience | None = None) -> None:
        self._source, self._settings = source, settings
        delay = self._group.delay_seconds
        # The first three rests of a broken host are waited for; then its requests are given up at once.
        self._patience = patience or Patience(delay, ATTEMPTS, JITTER, min(4 * REST_TURNS * delay, LONGEST_WAIT))
        self._guard = Guard(settings)
        self._pacer = Pacer(settings.catalog_address)
        self._secrets = secrets_of(settings)
        self._responses = Responses(Store.at(settings.store_root), self._secrets)
        seconds = self._group.timeout_seconds
        self._client = httpx.Client(
            transport=GuardedTransport(self._guard), headers={"User-Agent": settings.user_agent}, follow_redirects=False,
            timeout=httpx.Timeout(seconds, connect=min(seconds, 10.0)),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()
        self._pacer.close()

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        kept_for: float = 0.0,
        check: Callable[[Answer], object] | None = None,
        accept: Collection[int] = (200,),
    ) -> Answer:
        """Ask for something.

        Args:
            headers: sent to this origin alone, never along a redirect to another; a key belongs here.
            kept_for: seconds for which an equal request is answered from the cache; 0 asks always. Headers and secrets
                don't count as part of a request.
            check: raises a SourceError where the answer can't be one (a web page for a feed, a cut-off list); then it is
                asked for again and never kept.
            accept: statuses that are answers; any other is an error.

        Raises:
            SourceError: after the last attempt, or at once where asking again is no use.
        """
        return self._answer(Asked("GET", url, dict(params or {}), None), headers, kept_for, check, accept)

    def post(
        self,
        url: str,
        json: Any,
        params: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        kept_for: float = 0.0,
        check: Callable[[Answer], object] | None = None,
        accept: Collection[int] = (200,),
    ) -> Answer:
        """Ask with a JSON body, see :meth:`get`."""
        return self._answer(Asked("POST", url, dict(params or {}), json), headers, kept_for, check, accept)

    def stream(self, url: str, take: Callable[[httpx.Response], T], headers: Mapping[str, str] | None = None) -> T:
        """What ``take`` makes of a good answer, for bodies that are too large to hold. It is called again for every
        attempt, and raises a transient SourceError where asking again may help.

        Raises:
            SourceError: as with :meth:`get`.
        """
        asked = Asked("GET", url, {}, None)
        return patiently(lambda: self._attempt(asked, headers, (200,), take), self._patience)

    def _answer(
        self,
        asked: Asked,
        headers: Mapping[str, str] | None,
        kept_for: float,
        check: Callable[[Answer], object] | None,
        accept: Collection[int],
    ) -> Answer:
        if kept_for > 0 and (kept := self._responses.find(asked, kept_for)):
            return kept
        take = partial(self._take, check=check)
        answer = patiently(lambda: self._attempt(asked, headers, accept, take), self._patience)
        if kept_for > 0 and answer.status == 200:
            self._responses.keep(asked, answer)
        return answer

    def _take(self, response: httpx.Response, check: Callable[[Answer], object] | None) -> Answer:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise SourceRefused(
                    f"{self._name} sends more than {LARGEST_ANSWER / 1e6:.0f} MB.", "Ask for smaller pages."
                )
        if response.status_code == 200 and "html" in response.headers.get("content-type", ""):
            raise SourceAnswerInvalid(f"{self._name} sends a web page where data is due.")
        answer = Answer(
            response.status_code, response.headers, bytes(body), self._clean(str(response.url)), cached=False
        )
        if check is not None:
            check(answer)
        return answer

    # ------------------------------------------------------------------------------------------------------- attempts

    def _attempt(
        self,
        asked: Asked,
        headers: Mapping[str, str] | None,
        accept: Collection[int],
        take: Callable[[httpx.Response], T],
    ) -> T:
        headers = dict(headers or {})
        for _ in range(MOST_HOPS + 1):
            outcome = self._hop(asked, headers, accept, take)
            if not isinstance(outcome, _Redirect):
                return outcome
            if urlsplit(outcome.url)[:2] != urlsplit(asked.url)[:2]:
                headers = {name: value for name, value in headers.items() if name.casefold() == "accept"}
            asked = Asked("GET", outcome.url, {}, None)
        raise SourceRefused(f"{self._name} redirects more than {MOST_HOPS} times.", "The source's link is wrong.")

    def _hop(
        self,
        asked: Asked,
        headers: Mapping[str, str],
        accept: Collection[int],
        take: Callable[[httpx.Response], T],
    ) -> T | _Redirect:
        url = self._guard.admit(_whole(asked))
        lane = lane_of(self._source, url, self._settings)
        if lane.exclusive:
            headers = {**headers, "Connection": "close"}  # an idle connection is one, too
        with self._pacer.turn(lane.name, lane.seconds, lane.exclusive) as turn:
            try:
                with self._sent(asked._replace(url=url), headers) as response:
                    turn.answered()
                    outcome = self._outcome(response, lane, accept, take)
            except (SourceUnavailable, SourceAnswerInvalid) as error:
                self._pacer.failed(lane.name, lane.seconds, getattr(error, "retry_after", None))
                raise
            except SourceRefused:
                self._pacer.succeeded(lane.name)
                raise
            self._pacer.succeeded(lane.name)
        return outcome

    def _outcome(
        self, response: httpx.Response, lane: Lane, accept: Collection[int], take: Callable[[httpx.Response], T]
    ) -> T | _Redirect:
        if response.has_redirect_location:
            if response.request.method != "GET":
                raise SourceRefused(
                    f"{self._name} redirects the request elsewhere.", "Correct its url in the settings."
                )
            return _Redirect(urljoin(str(response.url), response.headers["location"]))
        if response.status_code not in accept:
            if response.status_code == 403 and lane.name.startswith(
                "arxiv"
            ):  # arXiv has no keys: it shut this machine out
                raise SourceUnavailable(
                    f"{self._name} shuts this machine out for now (403).", retry_after=retry_after(response.headers)
                )
            check_status(self._name_of(response), response.status_code, response.headers, self._detail(response))
        return take(response)

    @contextmanager
    def _sent(self, asked: Asked, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        shown = self._shown(asked.url)
        began, longest = time.monotonic(), TIMES_SILENCE * self._group.timeout_seconds
        try:
            with (
                within(longest),
                self._client.stream(asked.method, asked.url, json=asked.json, headers=headers) as response,
            ):
                yield response
        except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
            raise SourceAnswerInvalid(f"{self._name}'s answer from {shown} was cut off.") from error
        except httpx.TimeoutException as error:
            why = "no answer in time" if time.monotonic() - began < longest else "it comes in too slowly"
            raise SourceUnavailable(f"{self._name} can't be reached at {shown}: {why}.") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise SourceRefused(f"{shown} is no address.", "Correct the source's url in the settings.") from error
        except httpx.TransportError as error:
            raise SourceUnavailable(f"{self._name} can't be reached at {shown}: {_cause(error)}.") from error

    # ------------------------------------------------------------------------------------------------------- wording

    @property
    def _group(self) -> Any:
        name = {"oai": "arxiv", "download": "arxiv"}.get(self._source, self._source)
        return getattr(self._settings, name)

    @property
    def _name(self) -> str:
        return NAMES[self._source]

    def _name_of(self, response: httpx.Response) -> str:
        return self._shown(str(response.url)) if self._source == "download" else self._name

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            for written in (secret, quote(secret, safe=""), quote_plus(secret)):
                text = text.replace(written, "…")
        return text

    def _shown(self, text: str) -> str:
        text = self._clean(text)
        return text if len(text) <= 200 else f"{text[:200]}…"

    def _detail(self, response: httpx.Response) -> str:
        """What the source says of a refusal, one line."""
        if self._source == "download" or response.status_code < 400:
            return ""
        body = b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > 100_000:
                break
        return self._shown(_words(body))


class _Redirect(NamedTuple):
    url: str


def _whole(asked: Asked) -> str:
    try:
        return str(httpx.URL(asked.url).copy_merge_params(asked.params)) if asked.params else asked.url
    except httpx.InvalidURL as error:
        raise SourceRefused(
            f"{asked.url[:60]!r} is no address.", "Correct the source's url in the settings."
        ) from error


def lane_of(source: Source, url: str, settings: Settings) -> Lane:
    """Whose pace a request keeps. All hosts of arXiv are one, and get one connection at a time, whatever they are asked
    for; a stand-in on loopback is its own host, so that it never waits for the real one."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    at = f"@{parts.netloc}" if is_loopback(host) else ""
    arxiv = settings.arxiv
    on_arxiv = host == "arxiv.org" or host.endswith(".arxiv.org")
    its_own = source == "download" and parts.netloc == urlsplit(arxiv.url).netloc
    if on_arxiv or its_own or source in ("arxiv", "oai"):
        return Lane(f"arxiv{at}", arxiv.delay_seconds, on_arxiv or arxiv.delay_seconds > 0)
    if source == "download":
        return Lane(at.lstrip("@") or host, settings.semantic_scholar.delay_seconds, False)
    return Lane(f"{source}{at}", getattr(settings, source).delay_seconds, False)


def _words(body: bytes) -> str:
    try:
        found = json_text.loads(body)
    except ValueError:
        summary = re.search(rb"<summary[^>]*>(.*?)</summary>", body, re.S)
        return " ".join(summary[1].decode("utf-8", "replace").split())[:200] if summary else ""
    told = found.get("message") or found.get("error") or "" if isinstance(found, dict) else ""
    return " ".join(str(told).split())[:200]


def _cause(error: Exception) -> str:
    return "connection refused" if "refused" in str(error) else str(error) or type(error).__name__
