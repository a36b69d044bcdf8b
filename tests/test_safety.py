"""Only https at allowed hosts with public addresses is asked, however the address comes about."""

from __future__ import annotations

import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web import Reply, Web, serving

from paperlora.errors import AddressNotAllowed, HostNotAllowed, SourceUnavailable
from paperlora.literature import safety
from paperlora.literature.polite import Patience, Polite
from paperlora.literature.safety import Guard, innermost, is_public
from paperlora.settings import Settings

GUARD = Guard(Settings())


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


def local(web: Web, home: Path) -> Settings:
    """Settings whose arXiv stands at the server."""
    return Settings(home=home, arxiv={"url": f"{web.url}/api", "delay_seconds": 0, "timeout_seconds": 30})


def fetch(url: str, settings: Settings) -> bytes:
    with Polite("download", settings, Patience(0, attempts=1)) as polite:
        return polite.stream(url, lambda response: response.read())


# ------------------------------------------------------------------------------------------------- addresses as written


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://arxiv.org/pdf/2405.05904v2", "https://arxiv.org/pdf/2405.05904v2"),
        ("https://export.arxiv.org:443/api", "https://export.arxiv.org:443/api"),
        ("http://arxiv.org/pdf/2405.05904", "https://arxiv.org/pdf/2405.05904"),
        ("http://www.jmlr.org:80/a.pdf", "https://www.jmlr.org/a.pdf"),
        ("https://ACLanthology.org./x.pdf", "https://ACLanthology.org./x.pdf"),
        ("https://pmc.ncbi.nlm.nih.gov/a.pdf?x=1", "https://pmc.ncbi.nlm.nih.gov/a.pdf?x=1"),
        ("https://api.semanticscholar.org/graph/v1/x", "https://api.semanticscholar.org/graph/v1/x"),
    ],
)
def test_allowed_hosts_are_asked_over_https(url: str, asked: str) -> None:
    assert GUARD.admit(url) == asked


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.pdf",
        "https://notarxiv.org/a.pdf",
        "https://arxiv.org.example.com/a.pdf",
        "https://example.com/arxiv.org/a.pdf",
        "https://arxiv.org@example.com/a.pdf",
        "https://user:pass@arxiv.org/a.pdf",
        "https://example.com\\@arxiv.org/a.pdf",
        "https://arxiv.org:8443/a.pdf",
        "http://arxiv.org:8080/a.pdf",
        "https://127.0.0.1/a.pdf",
        "http://127.0.0.1/a.pdf",
        "http://localhost:8000/a.pdf",
        "https://[::1]/a.pdf",
        "http://169.254.169.254/latest/meta-data/",
        "https://2130706433/",
        "ftp://arxiv.org/a.pdf",
        "file:///etc/passwd",
        "gopher://arxiv.org/",
        "//arxiv.org/a.pdf",
        "arxiv.org/a.pdf",
        "",
        "https://",
        "https:///a.pdf",
        "https://arxiv.org:port/a",
        "https://arxiv.org/\r\nHost: x",
        "https://arxiv.org/a b",
        "https://аrxiv.org/a.pdf",  # a Cyrillic first letter
        "https://arxiv.org/" + "x" * 5000,
        "https://[::1/",
    ],
)
def test_anything_else_is_not_asked(url: str) -> None:
    with pytest.raises(HostNotAllowed) as caught:
        GUARD.admit(url)
    assert not caught.value.transient


def test_a_host_that_is_not_allowed_names_the_setting_that_allows_it() -> None:
    with pytest.raises(HostNotAllowed, match=r"reading\.hosts") as caught:
        GUARD.admit("https://journal.example.org/a.pdf")
    assert "reading.hosts" in caught.value.remedy
    allowing = Guard(Settings(reading={"hosts": ("Example.org",)}))
    assert allowing.admit("https://journal.example.org/a.pdf")
    with pytest.raises(HostNotAllowed):
        allowing.admit("https://aclanthology.org/a.pdf")


def test_plain_http_is_for_a_source_on_loopback_alone(web: Web, tmp_path: Path) -> None:
    guard = Guard(local(web, tmp_path))
    assert guard.admit(f"{web.url}/pdf/1") == f"{web.url}/pdf/1"
    for other in ("http://127.0.0.1:1/pdf", f"https://{web.netloc}/pdf", f"http://localhost:{web.netloc[10:]}/pdf"):
        with pytest.raises(HostNotAllowed):
            guard.admit(other)
    with pytest.raises(HostNotAllowed):
        Guard(Settings(arxiv={"url": "http://mirror.example.org/api"})).admit("http://mirror.example.org/api")


# ----------------------------------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://10.0.0.5/a.pdf",
        "https://192.168.1.1/a.pdf",
        "http://[fd00::1]/a.pdf",
        "http://[::ffff:10.0.0.5]/a.pdf",
        "http://0.0.0.0/a.pdf",
        "file:///etc/passwd",
        "https://example.com/a.pdf",
    ],
)
def test_a_redirect_is_checked_again(target: str, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connected = connections(monkeypatch)
    web.replies(Reply(b"", 302, {"Location": target}))
    with pytest.raises(HostNotAllowed):
        fetch(f"{web.url}/pdf/1", local(web, tmp_path))
    assert len(web.requests) == 1
    assert connected == [web.netloc]


def test_a_redirect_to_another_port_of_this_machine_is_not_followed(web: Web, tmp_path: Path) -> None:
    with serving() as inner:
        web.replies(Reply(b"", 307, {"Location": f"{inner.url}/admin"}))
        with pytest.raises(HostNotAllowed):
            fetch(f"{web.url}/pdf/1", local(web, tmp_path))
        assert inner.requests == []


# ------------------------------------------------------------------------------------------------------- name servers


def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses to which connections are made from now on."""
    made: list[str] = []
    real = socket.create_connection

    def create(address: Any, *args: Any, **kwargs: Any) -> socket.socket:
        made.append(f"{address[0]}:{address[1]}")
        if not address[0].startswith("127."):
            raise ConnectionRefusedError("this test stays at home")
        return real(address, *args, **kwargs)

    monkeypatch.setattr("socket.create_connection", create)
    return made


def names(monkeypatch: pytest.MonkeyPatch, *answers: tuple[str, ...]) -> list[str]:
    """A name server that gives these answers in turn, the last one ever after."""
    asked: list[str] = []
    left = list(answers)

    def look_up(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        asked.append(host)
        answer = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize(
    "addresses",
    [
        ("10.0.0.5",),
        ("127.0.0.1",),
        ("169.254.169.254",),
        ("172.16.0.1",),
        ("192.168.0.1",),
        ("100.64.0.1",),
        ("0.0.0.0",),
        ("224.0.0.1",),
        ("255.255.255.255",),
        ("::1",),
        ("fe80::1%eth0",),
        ("fc00::1",),
        ("ff02::1",),
        ("::ffff:169.254.169.254",),
        ("64:ff9b::a9fe:a9fe",),
        ("2002:a00:5::1",),
        ("fd00:ec2::254",),
        ("151.101.1.42", "10.0.0.5"),
    ],
)
def test_a_name_that_leads_to_no_public_address_is_not_asked(
    addresses: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = connections(monkeypatch)
    names(monkeypatch, addresses)
    with pytest.raises(AddressNotAllowed, match="no public address"):
        fetch("https://aclanthology.org/a.pdf", Settings(home=tmp_path))
    assert connected == []


def test_what_was_checked_is_what_is_connected_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connected = connections(monkeypatch)
    asked = names(monkeypatch, ("151.101.1.42", "151.101.65.42"), ("127.0.0.1",))
    with pytest.raises(SourceUnavailable, match="this test stays at home"):
        fetch("https://aclanthology.org/a.pdf", Settings(home=tmp_path))
    # Both checked addresses are tried; the name server, which would now lie, is asked no second time.
    assert connected == ["151.101.1.42:443", "151.101.65.42:443"]
    assert asked == ["aclanthology.org"]


def test_a_name_that_leads_nowhere_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    with pytest.raises(SourceUnavailable, match=r"aclanthology\.org can't be reached: its name leads nowhere"):
        fetch("https://aclanthology.org/a.pdf", Settings(home=tmp_path))


def test_a_source_on_loopback_must_stay_there(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = local(web, tmp_path)
    connected = connections(monkeypatch)
    names(monkeypatch, ("151.101.1.42",))
    with pytest.raises(AddressNotAllowed):
        fetch(f"{web.url}/pdf/1", settings)
    assert connected == []


@pytest.mark.parametrize(
    ("written", "inside", "public"),
    [
        ("::ffff:8.8.8.8", "8.8.8.8", True),
        ("64:ff9b::808:808", "8.8.8.8", True),
        ("2002:0808:0808::1", "8.8.8.8", True),
        ("2606:4700::1111", "2606:4700::1111", True),
        ("239.255.255.250", "239.255.255.250", False),
    ],
)
def test_addresses_within_addresses(written: str, inside: str, public: bool) -> None:
    found = innermost(ipaddress.ip_address(written))
    assert str(found) == inside
    assert is_public(found) is public


# --------------------------------------------------------------------------------------------------- https and proxies


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of 127.0.0.1, signed by itself, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl isn't installed")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key = path.with_name("key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    extension = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(path)]
    subprocess.run([*command, *extension], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


def test_https_holds_to_certificates(certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as web:
        web.replies(Reply(b"x" * 300_000))
        settings = local(web, tmp_path)
        with pytest.raises(SourceUnavailable, match=r"CERTIFICATE_VERIFY_FAILED"):
            fetch(f"{web.url}/pdf/1", settings)
        assert web.requests == []
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(safety, "_certificates", lambda: trusting)
        assert len(fetch(f"{web.url}/pdf/1", settings)) == 300_000


def test_a_proxy_of_the_environment_is_used_for_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def refuse() -> None:
        connection, _ = listener.accept()
        heard.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 503 Closed\r\nContent-Length: 0\r\n\r\n")
        connection.close()

    threading.Thread(target=refuse, daemon=True).start()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
    with pytest.raises(SourceUnavailable):
        fetch("https://aclanthology.org/a.pdf", Settings(home=tmp_path))
    assert heard[0].startswith(b"CONNECT aclanthology.org:443 ")
    with pytest.raises(HostNotAllowed):
        fetch("https://example.com/a.pdf", Settings(home=tmp_path))
    listener.close()
