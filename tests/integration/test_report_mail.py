"""Reports reach a mail server over a real socket: encrypted, verified, signed in, and told apart when they do not."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from tests.certificates import make_certificate

from crmbridge.errors import AuthenticationError, ConfigurationError, CrmbridgeError, RetryLaterError, UnclearError
from crmbridge.ports import Document
from crmbridge.report import open_sink

PASSWORD = "tall-secret-horse"


class Post:
    """A mail server that keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.answers: dict[str, str] = {}
        self.hangs_up = False

    async def handle_MAIL(  # noqa: N802  aiosmtpd looks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802  aiosmtpd looks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802  aiosmtpd looks for this name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        self.mails.append(envelope)
        if self.hangs_up:
            server.transport.abort()
        return self.answers.get("DATA", "250 OK")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for localhost that nobody but this test trusts."""
    folder = tmp_path_factory.mktemp("certificate")
    make_certificate(folder, "localhost")
    return folder


Serve = Callable[..., tuple[Post, dict[str, Any]]]


@pytest.fixture
def serve(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Give a function that starts a mail server and says what settings lead to it."""
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    with ExitStack() as started:

        def start(tls: str = "starttls", **overrides: Any) -> tuple[Post, dict[str, Any]]:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
            post = Post()
            more: dict[str, Any] = {}
            if tls == "implicit":
                more["ssl_context"] = context
            if tls == "starttls":
                more |= {"tls_context": context, "require_starttls": True}
            server = Controller(
                post,
                hostname="127.0.0.1",
                port=_free(),
                authenticator=_signed_in,
                auth_require_tls=tls == "starttls",
                **more,
            )
            server.start()
            started.callback(server.stop)
            usual = {
                "host": "localhost",
                "port": server.port,
                "tls": tls,
                "from": "Reports <reports@acme.example>",
                "to": ["head@acme.example"],
                "timeout": 5,
            }
            login = {"user": "reports", "password": {"env": "SMTP_PASSWORD"}, "ca": str(certificate / "ca.pem")}
            return post, {**usual, **login, **overrides}

        yield start


def _free() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _signed_in(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


def deliver(entry: dict[str, Any]) -> str:
    facts = {"summary": ["Open findings: 8", "."]}
    document = Document(name="weekly", title="Weekly", html="<p>all", markdown="", facts=facts)
    return open_sink({"email": {k: v for k, v in entry.items() if v is not None}}, Path(), {}).deliver(document)


def failure(entry: dict[str, Any]) -> CrmbridgeError:
    """Deliver, and give the error, in which no secret is."""
    with pytest.raises(CrmbridgeError) as caught:
        deliver(entry)

    assert PASSWORD not in f"{caught.value.message}{caught.value.advice}{caught.value!r}{caught.value.__cause__}"
    assert caught.value.advice
    return caught.value


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_mail_arrives_encrypted(serve: Serve, tls: str) -> None:
    """One delivery is one mail, from and to whom the settings say, and a line of one dot is still there."""
    post, entry = serve(tls, to=["head@acme.example", "Ann Lee <ann@acme.example>"])

    assert "2 mail addresses" == deliver(entry)
    ((sender, to, content),) = [(m.mail_from, m.rcpt_tos, bytes(m.content or b"")) for m in post.mails]
    assert ("reports@acme.example", ["head@acme.example", "ann@acme.example"]) == (sender, to)
    assert b"Open findings: 8\r\n\r\n.\r\n" in content


def test_a_server_that_nobody_vouches_for_gets_nothing(serve: Serve) -> None:
    """Without its certificate authority the server is not trusted, and sees neither login nor mail."""
    post, entry = serve(ca=None)
    error = failure(entry)

    assert isinstance(error, ConfigurationError)
    assert "not who it says it is" in error.message
    assert [] == post.mails


def test_a_server_of_another_name_gets_nothing(serve: Serve) -> None:
    """A certificate for localhost does not do for 127.0.0.1."""
    post, entry = serve(host="127.0.0.1")

    assert "not who it says it is" in failure(entry).message
    assert [] == post.mails


def test_a_server_without_encryption_gets_nothing(serve: Serve) -> None:
    """Where STARTTLS is asked for and not offered, nothing is sent in the clear."""
    post, entry = serve("none")

    assert "offers no encryption" in failure({**entry, "tls": "starttls"}).message
    assert [] == post.mails


def test_a_wrong_password_is_a_credential_to_mend(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal of a login is told from everything else."""
    _, entry = serve()
    monkeypatch.setenv("SMTP_PASSWORD", "wrong-" + PASSWORD)

    assert isinstance(failure(entry), AuthenticationError)


@pytest.mark.parametrize(
    ("where", "answer", "kind"),
    [
        ("MAIL", "451 4.3.0 greylisted", RetryLaterError),
        ("MAIL", "550 5.7.1 not you", ConfigurationError),
        ("head@acme.example", "450 4.2.1 later", RetryLaterError),
        ("head@acme.example", "550 5.1.1 nobody", ConfigurationError),
        ("DATA", "452 4.3.1 full", RetryLaterError),
        ("DATA", "554 5.7.1 spam\x1b]52;c;x", ConfigurationError),
    ],
)
def test_each_refusal_has_its_error(serve: Serve, where: str, answer: str, kind: type[CrmbridgeError]) -> None:
    """A refusal for now may be tried later, one for good must be mended; the server's words steer no terminal."""
    post, entry = serve()
    post.answers[where] = answer
    error = failure(entry)

    assert isinstance(error, kind)
    assert answer[:3] in error.message
    assert "\x1b" not in error.message


def test_who_is_refused_is_named_and_the_others_are_told(serve: Serve) -> None:
    """One address that is gone costs only itself."""
    post, entry = serve(to=["gone@acme.example", "head@acme.example"])
    post.answers["gone@acme.example"] = "550 5.1.1 nobody"

    assert "1 mail address; the server refused gone@acme.example" == deliver(entry)
    assert [["head@acme.example"]] == [mail.rcpt_tos for mail in post.mails]


def test_a_server_that_hangs_up_after_the_mail_is_unclear(serve: Serve) -> None:
    """When the connection breaks before the answer, the mail may have been sent."""
    post, entry = serve()
    post.hangs_up = True

    assert isinstance(failure(entry), UnclearError)
    assert 1 == len(post.mails)


def test_nobody_listening_is_tried_later(serve: Serve) -> None:
    """When the server can't be reached, nothing was sent and later is fine, unless its name or port is a slip."""
    _, entry = serve(port=_free())
    error = failure(entry)

    assert isinstance(error, RetryLaterError)
    assert "look at host and port" in error.advice


def test_certificates_that_cannot_be_read_are_named(serve: Serve, tmp_path: Path) -> None:
    """A wrong `ca` is a setting to correct."""
    _, entry = serve(ca=str(tmp_path / "none.pem"))

    assert "none.pem" in failure(entry).message


class _Dripping(socketserver.StreamRequestHandler):
    """Answers as a mail server does up to one command, and to that with a line that never ends, a byte at a time."""

    def handle(self) -> None:
        """Talk to one sender."""
        server = cast("_DrippingServer", self.server)
        if server.drips_at == b"":
            self._drip(server.over)
        self.wfile.write(b"220 mail\r\n")
        takes_mail = False
        for line in self.rfile:
            command = line.strip() if takes_mail else line[:4].upper()
            if takes_mail and command != b".":
                continue
            if command == server.drips_at:
                self._drip(server.over)
            takes_mail = command == b"DATA"
            self.wfile.write(b"354 go on\r\n" if takes_mail else b"250 mail\r\n")

    def _drip(self, over: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while not over.wait(0.05):
                self.wfile.write(b"2")


class _DrippingServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, drips_at: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Dripping)
        self.drips_at = drips_at
        self.over = threading.Event()


@pytest.mark.parametrize(
    ("drips_at", "expected"),
    [(b"", RetryLaterError), (b"EHLO", RetryLaterError), (b"MAIL", RetryLaterError), (b".", UnclearError)],
)
def test_a_server_that_drips_its_answers_is_cut_off(drips_at: bytes, expected: type[CrmbridgeError]) -> None:
    """Each byte comes in time, and the whole never would: only after the mail was handed over is it unclear."""
    with _DrippingServer(drips_at) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = {"host": "127.0.0.1", "port": server.server_address[1], "tls": "none", "timeout": 0.3}
        try:
            with pytest.raises(expected):
                deliver({**place, "from": "a@acme.example", "to": "b@acme.example"})
        finally:
            server.over.set()
            server.shutdown()
