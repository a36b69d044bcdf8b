"""Which addresses may be asked: https at allowed hosts, whose names lead to public addresses.

Two gates stand one behind the other. :meth:`Guard.admit` looks at the address as it is written, before every request and
again after every redirect. :class:`GuardedTransport` looks at what the name server answers and connects to exactly the
address that it looked at, so that a second answer of the name server can't lead elsewhere.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpcore
import httpx

from paperlora.errors import AddressNotAllowed, HostNotAllowed, SourceUnavailable
from paperlora.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LONGEST_URL = 2000
"""Characters; query strings of sources stay far below."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class Origin(NamedTuple):
    """Where a source of the settings is."""

    scheme: str
    host: str
    port: int


class Guard:
    """Says which addresses may be asked.

    Args:
        settings: ``reading.hosts``, and the sources' own addresses, which are allowed as they are written. Plain http is
            for loopback alone, and only where a source of the settings stands there.
    """

    def __init__(self, settings: Settings) -> None:
        urls = (settings.arxiv.url, settings.arxiv.oai_url, settings.semantic_scholar.url, settings.openalex.url)
        self._own = {origin_of(urlsplit(url)) for url in urls}
        self._local = {(origin.host, origin.port) for origin in self._own if is_loopback(origin.host)}
        self._hosts = tuple(host.casefold().strip(".") for host in settings.reading.hosts)

    def admit(self, url: str) -> str:
        """The address to ask: as given, or over https where it says http.

        Raises:
            HostNotAllowed: nothing may be fetched from there.
        """
        parts = _split(url)
        origin = origin_of(parts)
        if (origin.host, origin.port) in self._local and origin in self._own:
            return url
        if parts.scheme == "http" and parts.port in (None, 80):
            parts = parts._replace(scheme="https", netloc=parts.netloc.removesuffix(":80"))
            origin = origin_of(parts)
        if parts.scheme != "https":
            raise HostNotAllowed(f"{_shown(parts)} is not fetched: it is not https.", "Only https is fetched.")
        if origin in self._own:
            return urlunsplit(parts)
        if (
            not any(origin.host == host or origin.host.endswith(f".{host}") for host in self._hosts)
            or origin.port != 443
        ):
            raise HostNotAllowed(f"{_shown(parts)} is not fetched: its host is not among reading.hosts.")
        return urlunsplit(parts)

    def check(self, host: str, port: int, addresses: Iterable[str]) -> tuple[str, ...]:
        """The addresses of a host, if all of them may be connected to.

        Raises:
            AddressNotAllowed: one of them is private, local, multicast or otherwise special.
        """
        local = (host, port) in self._local
        found = tuple(dict.fromkeys(addresses))
        for text in found:
            address = innermost(ipaddress.ip_address(text.partition("%")[0]))
            if local != address.is_loopback or not (local or is_public(address)):
                raise AddressNotAllowed(f"{host} is not asked: its name leads to {text}, which is no public address.")
        return found


def origin_of(parts: SplitResult) -> Origin:
    """Scheme, host and port of an address."""
    return Origin(parts.scheme, (parts.hostname or "").rstrip("."), parts.port or {"http": 80}.get(parts.scheme, 443))


def is_loopback(host: str) -> bool:
    """A host of this machine alone, by its address or as ``localhost``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_public(address: Address) -> bool:
    """An address of one machine of the public internet."""
    return address.is_global and not address.is_multicast


def innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 address carries (mapped, 6to4, Teredo, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _split(url: str) -> SplitResult:
    if len(url) > LONGEST_URL or not url.isascii() or any(char <= " " or char == "\\" for char in url):
        raise HostNotAllowed(f"{url[:60]!r} … is no address.", "The source's link is wrong.")
    try:
        parts = urlsplit(url)
        if parts.port == 0 or not parts.hostname:
            raise ValueError
    except ValueError:
        raise HostNotAllowed(f"{url[:60]!r} is no address.", "The source's link is wrong.") from None
    if parts.username is not None or parts.password is not None:
        raise HostNotAllowed(f"{_shown(parts)} is not fetched: it carries a name.", "The source's link is wrong.")
    return parts


def _shown(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]


# ------------------------------------------------------------------------------------------------------ connections


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Everything that this thread reads from a guarded connection inside the block comes within so many seconds, however
    slowly it drips: connecting, headers and body together."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def _left(timeout: float | None) -> float | None:
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("it comes in too slowly")
    return left if timeout is None else min(left, timeout)


class GuardedTransport(httpx.BaseTransport):
    """httpx's transport on connections that a :class:`Guard` has checked.

    Where the environment names a proxy for https, only the proxy can reach the network and look names up: it is asked
    for what the guard admitted, and the guard of addresses is its own.
    """

    def __init__(self, guard: Guard) -> None:
        self._direct = _Transport(_Backend(guard))
        proxy = urllib.request.getproxies().get("https")
        self._proxied = _Transport(_Backend(None), proxy) if proxy else None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        direct = request.url.scheme != "https" or is_loopback(host) or urllib.request.proxy_bypass(host)
        transport = self._direct if direct or self._proxied is None else self._proxied
        return transport.handle_request(request)

    def close(self) -> None:
        self._direct.close()
        if self._proxied is not None:
            self._proxied.close()


class _Transport(httpx.HTTPTransport):
    def __init__(self, backend: _Backend, proxy: str | None = None) -> None:
        super().__init__(verify=_certificates())
        options: dict[str, Any] = {"ssl_context": _certificates(), "keepalive_expiry": 5.0, "network_backend": backend}
        self._pool = httpcore.HTTPProxy(proxy, **options) if proxy else httpcore.ConnectionPool(**options)


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class _Backend(httpcore.SyncBackend):
    """Looks a name up, has every address checked, and connects to those that were checked."""

    def __init__(self, guard: Guard | None) -> None:
        self._guard = guard

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any) -> Any:
        error: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        found = _look_up(host, port)
        for address in found if self._guard is None else self._guard.check(host, port, found):
            try:
                return _Stream(super().connect_tcp(address, port, _left(timeout), *args, **kwargs))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error or httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("literature comes over the network")


def _look_up(host: str, port: int) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise SourceUnavailable(f"{host} can't be reached: its name leads nowhere ({error}).") from error


class _Stream(httpcore.NetworkStream):
    """A connection on which :func:`within` holds."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
