"""The way to a server: what a person is told where the environment names none, or nothing answers at its end."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.certificates import make_certificate

from crmbridge.errors import ConfigurationError, RetryLaterError
from crmbridge.http import Budget, Dialect, HttpClient, trust
from crmbridge.http.reaching import open_way, unreachable
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.testing.factories import NOON

URL = "https://crm.example"


def opened(url: str = URL) -> HttpClient:
    """Open a client."""
    clock = VirtualClock(NOON)
    return HttpClient(connection="hs", base_url=url, clock=clock, budget=Budget((), clock), dialect=Dialect())


def failure_of(url: str) -> RetryLaterError:
    """Give the error of a read that reaches nobody."""
    client = opened(url)
    with pytest.raises(RetryLaterError) as caught:
        client.read("GET", "/deals")
    client.close()
    return caught.value


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://me:s3cr3t-word@127.0.0.1:1080"),
        ("HTTPS_PROXY", "ftp://me:s3cr3t-word@127.0.0.1"),
        ("HTTPS_PROXY", "http://me:s3cr3t-word@127.0.0.1:port"),
        ("NO_PROXY", "fe80::/10"),
    ],
)
def test_a_proxy_that_cant_be_used_is_a_setting_to_mend(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """It was taken for a bug of the adapter, which people were asked to report. Its password is not shown."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="hs: the proxy") as caught:
        opened()

    assert name in caught.value.advice
    assert "s3cr3t-word" not in f"{caught.value} {caught.value.advice}"


def test_a_file_of_certificates_that_is_not_there_is_a_setting_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the setting is told."""
    trust._usual.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    with pytest.raises(ConfigurationError, match="can't be read") as caught:
        opened()

    assert "SSL_CERT_FILE" in caught.value.advice


def test_nobody_listening_is_told_as_that() -> None:
    """A port that is wrong looks so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    error = failure_of(f"http://127.0.0.1:{closed}")

    assert error.message == "hs: 127.0.0.1 can't be reached (the connection is refused)"
    assert "base_url" in error.advice


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_proxy_is_not_named_where_none_is_asked(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """This machine is asked without one, however it is written."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]

    assert "proxy" not in failure_of(f"http://{host}:{closed}").advice


def test_a_header_that_cant_be_sent_is_no_matter_of_the_proxy() -> None:
    """Whoever writes an adapter hears of the header."""
    with pytest.raises(UnicodeEncodeError):
        open_way("hs", URL, headers={"X-App": "não"}, timeout=5)


def test_behind_a_proxy_that_one_is_named_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the one that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{taken.getsockname()[1]}")

    assert "the proxy that the environment names" in failure_of(URL).advice


@pytest.fixture
def speaker(tmp_path: Path) -> Iterator[socket.socket]:
    """Give a server that speaks TLS with a certificate that it signed itself."""
    make_certificate(tmp_path, "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                asking, _ = listening.accept()
            except OSError:
                return
            with asking:
                try:
                    context.wrap_socket(asking, server_side=True)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening
    listening.shutdown(socket.SHUT_RDWR)
    thread.join()
    listening.close()


def test_a_certificate_of_an_unknown_authority_is_told_as_that(speaker: socket.socket) -> None:
    """A proxy that reads encrypted connections has one of its own: people need to know where to name it."""
    error = failure_of(f"https://127.0.0.1:{speaker.getsockname()[1]}")

    assert "its certificate is not to be trusted: self-signed certificate" in error.message
    assert "SSL_CERT_FILE" in error.advice


def test_a_server_that_encrypts_nothing_is_told_as_that() -> None:
    """Whoever wrote https for http finds it by that."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_refuse_all, args=(listening,), daemon=True)
        thread.start()
        error = failure_of(f"https://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()

    assert "it does not speak https there" in error.message


def test_a_proxy_that_wants_a_password_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it answered tells people what is missing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_refuse_all, args=(listening,), daemon=True)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listening.getsockname()[1]}")
        error = failure_of(URL)
        thread.join()

    assert "the proxy does not let us through: 407 Proxy Authentication Required" in error.message
    assert "password" in error.advice


def _refuse_all(listening: socket.socket) -> None:
    for _ in range(5):
        asking, _ = listening.accept()
        with asking:
            asking.recv(65_536)
            asking.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_who_does_not_take_a_call_is_given_up_sooner_than_who_is_slow_to_answer(seconds: float) -> None:
    """After ten seconds at most. For a connection that another thread of ours has, any time is waited."""
    with open_way("hs", URL, headers={}, timeout=seconds) as way:
        said = (way.timeout.connect, way.timeout.read, way.timeout.write, way.timeout.pool)

    assert (min(10.0, seconds), seconds, seconds, None) == said


def encrypting(reason: str | None) -> ssl.SSLError:
    """Make the error of a connection that was to be encrypted."""
    error = ssl.SSLError(1, "words of a library")
    error.reason = reason  # None where OpenSSL gave none
    return error


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        (socket.gaierror(-2, "Name or service not known"), "its name is not known"),
        (ConnectionRefusedError(111, "refused"), "the connection is refused"),
        (encrypting("UNSUPPORTED_PROTOCOL"), "no encrypted connection comes about: unsupported protocol"),
        (encrypting(None), "no encrypted connection comes about: it does not say why"),
        (OSError("odd"), "connect error"),
        (None, "connect error"),
    ],
)
@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_why_nobody_is_reached_is_told_in_plain_words(cause: OSError | None, why: str, link: str) -> None:
    """By what lies beneath the error, whether it was named as its cause or was only at work when it came up."""
    error = httpx.ConnectError("words of a library")
    setattr(error, link, cause)
    told = unreachable("hs", f"{URL}/api", error)

    assert f"hs: crm.example can't be reached ({why})" == told.message
    assert "base_url" in (told.advice or "")


def test_what_a_proxy_says_is_told_in_one_line_that_is_not_too_long() -> None:
    """However much it says."""
    told = unreachable("hs", URL, httpx.ProxyError("407\n  Who are you? " + "x" * 500)).message

    assert told.startswith("hs: crm.example can't be reached (the proxy does not let us through: 407 Who are you? xxx")
    assert len(told) < 200


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", None])
def test_a_proxy_is_named_where_the_environment_names_one(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    """It may be what does not answer."""
    if name:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    told = unreachable("hs", URL, httpx.ConnectTimeout("late"))

    assert (name is not None) == ("the proxy that the environment names" in (told.advice or ""))
    assert "(connect timeout)" in told.message
