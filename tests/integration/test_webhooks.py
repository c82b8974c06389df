"""Webhooks: a genuine delivery lets a record be re-read, and nothing else has any effect."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.integration.hooked import hooked_plugin, signature

from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.services.pull.hinting import receivers, reread_hints
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.running import run_hinted, run_pull
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.workspaces import Bench, make_bench
from crmbridge.web import receiver, server
from crmbridge.web.receiver import Reception, webhook_app
from crmbridge.web.server import listen, make_server

SECRET = "webhook-secret-of-north"
PUBLIC = "https://crm.example.com/bridge"
PATIENCE = 0.3


def hooked_bench() -> Bench:
    """Give north, which sends webhooks, and south, which sends none."""
    crms: dict[str, FakeCrm] = {}
    north = {"adapter": "hooked", "webhook": {"secret": {"env": "HOOK_SECRET"}}}
    bench = make_bench(
        connections={"north": north, "south": {"adapter": "fake"}}, plugins={"hooked": hooked_plugin(crms)}
    )
    crms.update(bench.crms)
    return bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A receiver that is being served."""

    bench: Bench
    port: int

    def post(self, events: Any, path: str = "/webhooks/north", **other: Any) -> httpx.Response:
        """Deliver events as the CRM does; `secret`, `age`, `body` or `called` make it differ."""
        at = (self.bench.clock.now() - other.get("age", timedelta(0))).isoformat()
        body = other.get("body", json.dumps({"events": events}).encode())
        called = other.get("called", f"{PUBLIC}{path}")
        headers = {"x-sent-at": at, "x-signature": signature(other.get("secret", SECRET), called, at, body)}
        return httpx.post(f"http://127.0.0.1:{self.port}{path}", content=body, headers=headers, trust_env=False)

    @property
    def pending(self) -> list[str]:
        """The refs that are noted."""
        return [str(ref) for ref, _ in self.bench.workspace.store.hints.pending("north")]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Serve the receiver on a free port."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    bench = hooked_bench()
    reception = Reception(bench.workspace, receivers(bench.workspace), PUBLIC, PATIENCE)
    with contextlib.closing(listen("127.0.0.1", 0)) as listener:
        made = make_server(webhook_app(reception), PATIENCE)
        thread = threading.Thread(target=made.run, kwargs={"sockets": [listener]})
        thread.start()
        while not made.started:
            time.sleep(0.005)
        yield Served(bench=bench, port=listener.getsockname()[1])
        made.should_exit = True
        thread.join(10)


def event(number: int = 1, record: str = "d1", kind: str = "deal") -> dict[str, str]:
    """Make an event."""
    return {"id": f"e{number}", "kind": kind, "record": record}


def test_a_genuine_delivery_is_noted_and_answered_as_the_crm_wants(served: Served) -> None:
    """Each record once, of the kinds that are pulled; the address is the one that the CRM called."""
    answer = served.post([event(1), event(2), event(3, "7", "company"), event(4, "9", "note")])

    assert (200, b"<taken/>", "text/xml; charset=utf-8") == (
        answer.status_code,
        answer.content,
        answer.headers["content-type"],
    )
    assert ["north:company:7", "north:d1"] == served.pending
    assert 200 == served.post([event(5, "d5")], "/webhooks/north?a=%20b&c").status_code
    assert "north:d5" in served.pending


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "guessed"},
        {"age": timedelta(minutes=5, seconds=1)},
        {"called": f"{PUBLIC}/webhooks/south"},
        {"path": "/webhooks/south"},
        {"path": "/webhooks/nobody"},
    ],
    ids=["forged", "stale", "for another address", "no webhooks there", "no such connection"],
)
def test_what_is_not_genuine_has_no_effect(served: Served, wrong: dict[str, Any]) -> None:
    """And the same answer, whatever is wrong: nobody finds out which connections there are."""
    answer = served.post([event()], **wrong)

    assert (401, {"error": "not accepted"}) == (answer.status_code, answer.json())
    assert [] == served.pending


def test_a_body_does_not_find_out_which_connections_there_are(served: Served) -> None:
    """One that is too large is turned away wherever it goes."""
    big = b" " * (receiver.LARGEST + 1)

    assert 413 == served.post([], "/webhooks/nobody", body=big).status_code


def test_a_replay_has_no_effect(served: Served) -> None:
    """It is answered as before, so that the CRM stops; within a day it is known again."""
    assert 200 == served.post([event(1)]).status_code
    hints = served.bench.workspace.store.hints
    hints.done(hints.pending("north"))
    assert 200 == served.post([event(1)]).status_code
    assert [] == served.pending

    assert 200 == served.post([event(1), event(2, "d2")]).status_code
    assert ["north:d1", "north:d2"] == served.pending


@pytest.mark.parametrize("body", [b"", b"<xml/>", b"\xff\xfe", b'{"events": [{"id": "e1"}]}'])
def test_what_cannot_be_read_is_refused(served: Served, body: bytes) -> None:
    """Although it is signed."""
    answer = served.post([], body=body)

    assert (400, {"error": "can't be read"}) == (answer.status_code, answer.json())
    assert [] == served.pending


def test_a_bug_in_an_adapter_tells_a_stranger_nothing(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """The next delivery is taken as ever. (This adapter does not expect so many brackets.)"""
    answer = served.post([], body=b"[" * 100_000)

    assert (500, {"error": "failed"}) == (answer.status_code, answer.json())
    assert "RecursionError" in caplog.text
    assert 200 == served.post([event()]).status_code


def test_a_body_that_is_too_large_is_refused(served: Served) -> None:
    """Announced or not; one of exactly the limit is read."""
    big = b" " * (receiver.LARGEST + 1)
    url = f"http://127.0.0.1:{served.port}/webhooks/north"
    chunked = httpx.post(url, content=iter([big[:-1], big[:1]]), trust_env=False)

    assert (413, 413) == (served.post([], body=big).status_code, chunked.status_code)
    assert 400 == served.post([], body=big[:-1]).status_code


def raw(served: Served, request: bytes) -> str:
    """Send bytes, and give the status line of the answer once the other side closes."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as opened:
        opened.sendall(request)
        answer = b"".join(iter(lambda: opened.recv(4096), b""))
    return answer.split(b"\r\n", 1)[0].decode()


def test_a_slow_body_is_not_waited_for(served: Served) -> None:
    """Nor one that is announced as huge: the connection is closed, and others are answered meanwhile."""
    head = b"POST /webhooks/north HTTP/1.1\r\nHost: x\r\nContent-Length: "

    assert "HTTP/1.1 408 Request Timeout" == raw(served, head + b"100\r\n\r\n{")
    assert raw(served, head + b"9999999999999\r\n\r\n{").startswith("HTTP/1.1 413 ")
    assert 200 == served.post([event()]).status_code


@pytest.mark.parametrize("start", [b"", b"POST /webhooks/north HTTP/1.1\r\nX: "], ids=["nothing", "half a head"])
def test_connections_that_ask_nothing_keep_nobody_out(served: Served, start: bytes) -> None:
    """They are closed, also when they go on with a byte now and then."""
    with contextlib.ExitStack() as stack:
        address = ("127.0.0.1", served.port)
        idle = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(server.CONNECTIONS)]
        for one in idle:
            one.sendall(start)
        ends = time.monotonic() + 60
        while (answer := served.post([event()]).status_code) == 503 and time.monotonic() < ends:
            with contextlib.suppress(OSError):
                idle[0].sendall(b"x" if start else b"")

    assert 200 == answer


def test_a_second_request_on_a_connection_is_waited_for_as_long(served: Served) -> None:
    """Half a head after a whole request is no way around it."""
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as opened:
        opened.sendall(request)
        answer = b""
        while not answer.endswith(b'{"ok":true}'):
            answer += opened.recv(4096)
        opened.sendall(request[:10])

        assert b"" == opened.recv(4096)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_only_post_delivers(served: Served, method: str) -> None:
    """Whatever else is asked of the address."""
    answer = httpx.request(method, f"http://127.0.0.1:{served.port}/webhooks/north", trust_env=False)

    assert (405, "POST") == (answer.status_code, answer.headers["allow"])


def test_who_watches_can_see_that_it_is_up(served: Served) -> None:
    """Without a secret; other addresses are not there."""
    with httpx.Client(base_url=f"http://127.0.0.1:{served.port}", trust_env=False) as client:
        assert {"ok": True} == client.get("/healthz").json()
        assert [404, 404, 404] == [
            client.get(path).status_code for path in ("/", "/webhooks/north/x", "/webhooks/north/")
        ]


def test_when_the_secret_cannot_be_had_the_crm_is_asked_to_come_again(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That is our trouble, not the CRM's; it is logged for us, and not told to others."""
    monkeypatch.delenv("HOOK_SECRET")
    answer = served.post([event()])

    assert (503, "60", {"error": "try again later"}) == (
        answer.status_code,
        answer.headers["retry-after"],
        answer.json(),
    )
    assert "HOOK_SECRET is not set" in caplog.text


def test_hinted_records_are_read_again(served: Served) -> None:
    """Past the index that a pull goes by; a hint that is heeded is gone, whatever the CRM had of it."""
    bench = served.bench
    deal = bench.crms["north"].create_deal("Before")
    pull(bench.workspace)
    bench.crms["north"].edit_deal(deal.id, name="After")
    served.post([event(1, deal.id), event(2, "gone-long-ago")])

    assert 1 == reread_hints(bench.workspace, "north")
    assert "After" == bench.workspace.store.records.get([deal])[deal].fields["name"]
    assert [] == served.pending


def test_hints_of_a_kind_that_was_never_pulled_wait(served: Served) -> None:
    """A first pull brings everything; one of a kind that is no longer pulled is dropped."""
    bench = served.bench
    served.post([event(1, "d1")])
    bench.workspace.store.hints.add([Ref("north", Kind.NOTE, "9")], bench.clock.now())

    assert 0 == reread_hints(bench.workspace, "north")
    assert ["north:d1"] == served.pending


def test_what_could_not_be_read_stays_noted(served: Served) -> None:
    """And the run that looked says why it could not."""
    bench = served.bench
    deal = bench.crms["north"].create_deal("Deal")
    pull(bench.workspace)
    served.post([event(1, deal.id)])
    bench.crms["north"].blind = 1
    ran = run_hinted(bench.workspace, ["north"])
    assert (5, [str(deal)]) == (ran.exit_code, served.pending)

    again = run_hinted(bench.workspace)
    assert (0, [1, 0]) == (again.exit_code, [one.records for one in again.cycle.pulled if again.cycle])
    assert [] == served.pending


def test_a_record_that_cannot_be_read_is_not_in_the_way(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """The CRM refuses a request for its sake; the others are read, and it is forgotten."""
    bench = served.bench
    deals = [bench.crms["north"].create_deal(f"Deal {number}") for number in range(5)]
    pull(bench.workspace)
    served.post([event(number, id_) for number, id_ in enumerate(["bad 1", *(deal.id for deal in deals), "bad 2"])])
    ran = run_hinted(bench.workspace)

    assert ran.cycle is not None
    assert (0, [5, 0]) == (ran.exit_code, [one.records for one in ran.cycle.pulled])
    assert [] == served.pending
    assert "north:bad 1: what a webhook named can't be read" in caplog.text


def test_what_a_webhook_cannot_name_is_pulled(served: Served) -> None:
    """By the next `pull --hinted`, or by the usual pull; until then it is noted, and afterwards no more."""
    bench = served.bench
    pull(bench.workspace)
    for number, look in enumerate([run_hinted, run_pull], start=1):
        deal = bench.crms["north"].create_deal("New")
        assert 200 == served.post([event(number, "d1", "note") | {"whole": True}]).status_code
        assert ["north:"] == served.pending
        look(bench.workspace)

        assert [deal] == list(bench.workspace.store.records.get([deal]))
        assert [] == served.pending


def test_a_connection_whose_adapter_reads_no_webhooks_says_so(served: Served) -> None:
    """Before anything is served."""
    settings = served.bench.workspace.project.settings
    south = settings.connections["south"].model_copy(update={"webhook": {}})
    other = settings.model_copy(update={"connections": {"south": south}})
    project = replace(served.bench.workspace.project, settings=other)

    with pytest.raises(ConfigurationError, match="'fake' of connection 'south' reads no webhooks"):
        receivers(replace(served.bench.workspace, project=project))
