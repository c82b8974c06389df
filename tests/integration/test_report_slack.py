"""Reports reach a chat's webhook over a real socket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crmbridge.errors import AuthenticationError, ConfigurationError, CrmbridgeError, RetryLaterError, UnclearError
from crmbridge.model.replacing import replace
from crmbridge.ports import Document
from crmbridge.report import open_sink
from crmbridge.report.sinks.blocks import MAX_BLOCKS, MAX_TEXT, message
from crmbridge.report.sinks.slack import PLACE, SlackSink
from crmbridge.settings import Secret

PATH = "/services/T0/B0/s3cret"


class Webhook(ThreadingHTTPServer):
    """A webhook that keeps what it was sent and answers as told; status 0 hangs up, -1 never answers, -2 drips."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.status, self.body, self.headers = 200, b"ok", dict[str, str]()
        self.posts: list[tuple[str, Any]] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PATH}"


class _Post(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        hook = self.server
        hook.posts.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
        if hook.status == -1:
            hook.over.wait(10)
        if hook.status == -2:
            self._drip()
        if hook.status <= 0:
            self.close_connection = True
            return
        self.send_response(hook.status)
        for name, value in hook.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(hook.body)))
        self.end_headers()
        self.wfile.write(hook.body)

    def _drip(self) -> None:
        """Send a head that never ends, a byte at a time."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx-more: ")
        with contextlib.suppress(OSError):
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x")

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """Serve a webhook whose URL is in the environment."""
    with Webhook() as hook:
        monkeypatch.setenv("SLACK_URL", hook.url)
        thread = threading.Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield hook
        hook.over.set()
        hook.shutdown()
        thread.join()


def make_document(*lines: str) -> Document:
    """Make a document that says these lines."""
    facts = {"summary": list(lines or ["Open findings: 8"])}
    return Document(name="weekly", title="Weekly", html="", markdown="", facts=facts)


def deliver(document: Document | None = None) -> str:
    """Deliver to the webhook that the settings name."""
    return open_sink({"slack": {"env": "SLACK_URL"}}, Path(), {}).deliver(document or make_document())


def test_report_is_posted_once(webhook: Webhook) -> None:
    """One delivery is one post with the headline, and the answer does not say where."""
    where = deliver()

    ((path, body),) = webhook.posts
    assert PATH == path
    assert ["header", "section"] == [block["type"] for block in body["blocks"]]
    assert "Open findings: 8" == body["blocks"][1]["text"]["text"]
    assert "127.0.0.1" not in where


def test_mentions_and_links_are_text(webhook: Webhook) -> None:
    """A name that looks like a mention or a link alerts nobody and leads nowhere."""
    deliver(make_document("<!channel> <@U1> <https://evil.example|click> & co"))

    assert "&lt;!channel&gt; &lt;@U1&gt; &lt;https://evil.example|click&gt; &amp; co" in json.dumps(webhook.posts)
    assert "<" not in json.dumps(webhook.posts)


@pytest.mark.parametrize("line", ["&" * 500, "<x>" * 150, "word " * 90])
def test_message_keeps_the_limits(line: str) -> None:
    """However long a report is, its blocks and texts stay within what the chat takes, and no escape is cut."""
    blocks = message(make_document(*[line] * 400))["blocks"]

    assert len(blocks) <= MAX_BLOCKS
    assert all(0 < len(block["text"]["text"]) <= MAX_TEXT for block in blocks)
    whole = "".join(block["text"]["text"] for block in blocks).replace("&amp;", "").replace("&lt;", "")
    assert "&" not in whole.replace("&gt;", "")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, RetryLaterError),
        (500, RetryLaterError),
        (503, RetryLaterError),
        (400, ConfigurationError),
        (403, AuthenticationError),
        (404, ConfigurationError),
        (302, ConfigurationError),
        (0, UnclearError),
    ],
)
def test_each_answer_has_its_error(webhook: Webhook, status: int, error: type[CrmbridgeError]) -> None:
    """Busy means later, refused means the settings, hanging up means nobody knows; the URL is in none of it."""
    webhook.status, webhook.headers = status, {"location": "/elsewhere"} if status == 302 else {}

    with pytest.raises(error) as caught:
        deliver()

    assert 1 == len(webhook.posts)
    assert "s3cret" not in f"{caught.value.message}{caught.value.advice}{caught.value!r}{caught.value.__cause__}"
    assert caught.value.advice


def test_wait_that_is_asked_for_is_passed_on(webhook: Webhook) -> None:
    """A Retry-After in seconds is in the error."""
    webhook.status, webhook.headers = 429, {"retry-after": "30"}

    with pytest.raises(RetryLaterError) as caught:
        deliver()

    assert timedelta(seconds=30) == caught.value.after


def test_refusal_names_the_chats_own_word(webhook: Webhook) -> None:
    """The chat's short word for a refusal is shown; a longer answer, which may repeat the URL, is not."""
    webhook.status, webhook.body = 404, b"no_service"
    with pytest.raises(ConfigurationError, match="HTTP 404: no_service"):
        deliver()

    webhook.body = webhook.url.encode()
    with pytest.raises(ConfigurationError, match=r"HTTP 404\)"):
        deliver()


def test_no_answer_is_unclear(webhook: Webhook) -> None:
    """A webhook that takes the report and never answers may have posted it."""
    webhook.status = -1

    with pytest.raises(UnclearError, match="may have been posted"):
        SlackSink(Secret(env="SLACK_URL"), replace(PLACE, seconds=0.2)).deliver(make_document())

    assert 1 == len(webhook.posts)


def test_unreachable_webhook_is_tried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody listens, nothing was posted and later is fine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("SLACK_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/s3cret")

        with pytest.raises(RetryLaterError) as caught:
            deliver()

    assert "s3cret" not in caught.value.message
    assert "look whether its address is still right" in caught.value.advice


def test_a_socks_proxy_is_a_setting_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports did not go out, and the command ended as if crmbridge itself were broken."""
    monkeypatch.setenv("SLACK_URL", "https://hooks.example/s3cret")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")

    with pytest.raises(ConfigurationError, match="SOCKS proxy") as caught:
        deliver()
    assert "HTTPS_PROXY" in caught.value.advice


@pytest.mark.parametrize("url", ["http://hooks.example/s3cret", "ftp://127.0.0.1/s3cret", "s3cret", "https://[s3cret"])
def test_webhook_must_be_https(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A URL that would carry the secret in the clear, or is none, is refused unseen."""
    monkeypatch.setenv("SLACK_URL", url)

    with pytest.raises(ConfigurationError) as caught:
        deliver()

    assert "s3cret" not in f"{caught.value.message}{caught.value.advice}{caught.value.__cause__}"


def test_missing_secret_is_said_at_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is not there stops the delivery, not the opening."""
    monkeypatch.delenv("SLACK_URL", raising=False)
    sink = open_sink({"slack": {"env": "SLACK_URL"}}, Path(), {})

    with pytest.raises(ConfigurationError, match="SLACK_URL"):
        sink.deliver(make_document())


def test_an_answer_that_drips_is_cut_off(webhook: Webhook) -> None:
    """Each byte comes in time, and the whole never would: the run goes on, and a person looks."""
    webhook.status = -2
    with pytest.raises(UnclearError):
        SlackSink(Secret(env="SLACK_URL"), replace(PLACE, seconds=0.3)).deliver(make_document())

    assert 1 == len(webhook.posts)
