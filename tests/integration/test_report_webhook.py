"""Reports reach a webhook, and a place that apprise knows, over a real socket."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crmbridge.errors import AuthenticationError, ConfigurationError, CrmbridgeError, RetryLaterError, UnclearError
from crmbridge.ports import Document
from crmbridge.report import fingerprint, open_sink, render
from crmbridge.testing.factories import NOON
from crmbridge.testing.figures import make_indicator_figure, make_scorecard

KEY = "0123456789abcdef-signing"
HOSTILE = "<!channel> @everyone https://evil.example \u202e\x1b]52;c;x\x07"


class Receiver(ThreadingHTTPServer):
    """An address that keeps what it is sent and answers as told; status 0 hangs up, endless talks on and on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.status, self.headers, self.endless = 204, dict[str, str](), False
        self.posts: list[tuple[dict[str, str], bytes]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Post(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        receiver = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        receiver.posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
        if not receiver.status:
            self.close_connection = True
            return
        self.send_response(receiver.status)
        for name, value in receiver.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            while receiver.endless:
                self.wfile.write(b"x" * 4096)
        except OSError:
            receiver.endless = False

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Serve an address whose secrets are in the environment."""
    with Receiver() as server:
        monkeypatch.setenv("HOOK_URL", f"http://{server.address}/hooks/s3cret-path")
        monkeypatch.setenv("HOOK_KEY", KEY)
        monkeypatch.setenv("APPRISE_URL", f"json://{server.address}/s3cret-path")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def document(**overrides: Any) -> Document:
    return render(make_scorecard(**overrides), None, "Weekly", name="weekly")


def deliver(report: Document | None = None, **entry: Any) -> str:
    value = {"url": {"env": "HOOK_URL"}, "secret": {"env": "HOOK_KEY"}, "timeout": 5, **entry}
    return open_sink({"webhook": value}, Path(), {}, lambda: NOON).deliver(report or document())


def verify(headers: dict[str, str], body: bytes, key: str, now: float) -> bool:
    """Do what docs/guides/reports.md tells a receiver to do."""
    sent_at = headers["crmbridge-timestamp"]
    if abs(now - int(sent_at)) > 300:
        return False
    expected = "v1=" + hmac.new(key.encode(), sent_at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, headers["crmbridge-signature"])


def test_a_report_is_posted_signed(receiver: Receiver) -> None:
    """A receiver with the secret can tell who sent it and when; one changed byte, or another time, is noticed."""
    deliver()
    ((headers, body),) = receiver.posts
    told = json.loads(body)
    now = NOON.timestamp()

    assert verify(headers, body, KEY, now)
    assert not verify(headers, body.replace(b"22", b"99"), KEY, now)
    assert not verify(headers, body, "another" + KEY, now)
    assert not verify({**headers, "crmbridge-timestamp": str(int(now) + 60)}, body, KEY, now)
    assert ("weekly", 0.225) == (told["name"], told["report"]["indicators"][0]["figure"]["value"])
    assert "application/json" == headers["content-type"]


def test_the_same_report_has_the_same_key(receiver: Receiver) -> None:
    """A receiver knows a report that it has already by the fingerprint, which is also in the body."""
    deliver()
    deliver(document(as_of=NOON + timedelta(minutes=5)))
    deliver(document(indicators=(make_indicator_figure(met=True),)))
    keys = [headers["idempotency-key"] for headers, _ in receiver.posts]

    assert keys[0] == keys[1] != keys[2]
    assert [*keys] == [json.loads(body)["fingerprint"] for _, body in receiver.posts]
    assert fingerprint(document()) == keys[0]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, ConfigurationError),
        (301, ConfigurationError),
        (429, RetryLaterError),
        (503, RetryLaterError),
        (0, UnclearError),
    ],
)
def test_each_answer_has_its_error(receiver: Receiver, status: int, kind: type[CrmbridgeError]) -> None:
    """A redirect is not followed, and no error shows the address or the key."""
    receiver.status, receiver.headers = status, {"location": f"http://{receiver.address}/elsewhere"}

    with pytest.raises(kind) as caught:
        deliver()

    assert 1 == len(receiver.posts)
    said = f"{caught.value.message}{caught.value.advice}{caught.value!r}{caught.value.__cause__}"
    assert "s3cret-path" not in said
    assert KEY not in said


@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_without_end_is_not_read(receiver: Receiver, status: int) -> None:
    """Of what is answered only the beginning of a refusal is looked at."""
    receiver.status, receiver.endless = status, True
    if status == 200:
        deliver()
    else:
        with pytest.raises(ConfigurationError):
            deliver()

    assert 1 == len(receiver.posts)


@pytest.mark.parametrize("url", ["http://acme.example/hook", "file:///etc/passwd", "https://", "acme.example"])
def test_only_https_is_posted_to(receiver: Receiver, url: str) -> None:
    """Plain http is for this machine; anything else is no address."""
    with pytest.raises(ConfigurationError, match="https://"):
        deliver(url=url)


def test_a_secret_that_can_be_guessed_is_refused(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short key signs nothing."""
    monkeypatch.setenv("HOOK_KEY", "short")

    with pytest.raises(ConfigurationError, match="shorter than 16"):
        deliver()

    assert [] == receiver.posts


# ── apprise ─────────────────────────────────────────────────────────────────────────────────────────────────


def tell(report: Document | None = None) -> str:
    return open_sink({"apprise": {"env": "APPRISE_URL"}}, Path(), {}).deliver(report or document())


def test_apprise_gets_the_lines(receiver: Receiver) -> None:
    """What apprise sends has the title and the figures."""
    receiver.status = 200
    tell()
    ((_, body),) = receiver.posts
    told = json.loads(body)

    assert "Weekly" == told["title"]
    assert "Deals won: 22%" in told["message"]


def test_what_apprise_gets_is_inert(receiver: Receiver) -> None:
    """Whatever place it is, a name of a CRM is neither a mention nor a link there."""
    receiver.status = 200
    tell(document(indicators=(make_indicator_figure(name=HOSTILE),)))
    said = json.loads(receiver.posts[0][1])["message"]

    assert not any(bad in said for bad in ("<!channel", "@everyone", "://", "\u202e", "\x1b"))
    assert "evil.example" in said


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ConfigurationError), (404, ConfigurationError), (503, RetryLaterError), (0, UnclearError)],
)
def test_apprise_failing_says_as_much_as_it_knows(receiver: Receiver, status: int, kind: type[CrmbridgeError]) -> None:
    """An HTTP status tells a refusal from a busy place; without one it is unclear, and never sent again."""
    receiver.status = status

    with pytest.raises(kind) as caught:
        tell()

    assert "s3cret-path" not in f"{caught.value.message}{caught.value.advice}{caught.value!r}"


def test_a_place_that_apprise_does_not_know_is_a_setting(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL is not shown, as it is a secret."""
    monkeypatch.setenv("APPRISE_URL", "nowhere://s3cret-path")

    with pytest.raises(ConfigurationError, match="does not know") as caught:
        tell()

    assert "s3cret-path" not in f"{caught.value.message}{caught.value.advice}"


@pytest.mark.parametrize("url", ["twilio://ACs3cret-path:tok@123", "json://s3cret-path@127.0.0.1:1/"])
def test_what_apprise_logs_is_shown_to_nobody(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    """It repeats parts of the URL."""
    monkeypatch.setenv("APPRISE_URL", url)

    with caplog.at_level("INFO"), pytest.raises(CrmbridgeError):
        tell()

    assert "" == caplog.text


def test_without_apprise_it_says_what_to_install(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is an extra; who names the sink without it is told so."""
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(ConfigurationError) as caught:
        tell()

    assert "pip install 'crmbridge[notify]'" == caught.value.advice
