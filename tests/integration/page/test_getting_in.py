"""The page over HTTP: who gets in, what a form must carry, and what answers allow."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from itertools import count
from urllib.parse import quote

import pytest
from tests.integration.page.conftest import ASKING, TOKENS, Serve, conflict

from crmbridge.model.replacing import replace
from crmbridge.web.gate import POLICY
from crmbridge.web.rendering import style_path
from crmbridge.web.views import signing


def test_nothing_is_shown_without_a_token(serve: Serve) -> None:
    """Every page leads to the sign-in, and back to where one was going; only what a watcher needs is open."""
    served = serve()
    with served.visitor(None) as stranger:
        paths = [
            "/",
            "/deals?stage=x",
            "/deals/north/1",
            "/waiting",
            "/plan",
            "/plan/apply",
            "/work",
            "/runs",
            "/indicators",
            "/report",
            "/manual/",
        ]
        answers = [stranger.get(path) for path in paths]
        assert [303] * len(paths) == [answer.status_code for answer in answers]
        assert f"/sign-in?next={quote('/deals?stage=x', safe='')}" == answers[1].headers["location"]
        assert [200, 401, 404] == [stranger.get(path).status_code for path in ("/healthz", "/metrics", "/.env")]


def test_every_answer_allows_no_script_and_is_not_kept(serve: Serve) -> None:
    """Errors and refusals too."""
    served = serve()
    with served.visitor() as visitor:
        answers = [visitor.get(path) for path in ("/", "/nothing", "/sign-in")]
        answers.append(visitor.post("/plan/make", headers={"origin": "http://evil.example"}))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert ("default-src 'none'", False) == (policy.split(";")[0], "script-src" in policy or "unsafe" in policy)
        assert "frame-ancestors 'none'" in policy
        assert ("nosniff", "no-store") == (answer.headers["x-content-type-options"], answer.headers["cache-control"])
        assert "server" not in answer.headers


def test_a_name_that_was_turned_to_this_machine_leads_nowhere(serve: Serve) -> None:
    """Not even with a session; webhooks and the watcher's address ask for none, as before."""
    served = serve()
    with served.visitor() as visitor:
        answers = [visitor.get(path, headers={"host": "evil.example"}) for path in ("/", "/metrics", "/healthz")]
        answers.append(visitor.post("/webhooks/north", headers={"host": "evil.example"}))

    assert [421, 421, 200, 401] == [answer.status_code for answer in answers]
    assert [POLICY] * 2 == [answer.headers.get("content-security-policy") for answer in answers[:2]]


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"origin": "http://evil.example"}, {}),
        ({"origin": "null"}, {}),
        ({"origin": None}, {}),
        ({}, {"form": ""}),
        ({}, {"form": "0" * 64}),
    ],
    ids=["other origin", "no origin to name", "no origin", "no token", "wrong token"],
)
def test_a_form_that_is_not_our_own_does_nothing(
    serve: Serve, headers: Mapping[str, str | None], fields: dict[str, str]
) -> None:
    """Whatever it is about, and with a session."""
    served = serve()
    with served.visitor() as visitor:
        form = {**served.form(visitor), **fields}
        for name, value in headers.items():
            visitor.headers.pop(name)
            visitor.headers.update({name: value} if value else {})
        codes = [
            visitor.post(path, data=form).status_code
            for path in ("/plan/make", "/plan/apply", "/waiting/1", "/sign-out")
        ]

    assert [403] * 4 == codes
    assert served.site.desk.job is None


def test_who_may_look_can_do_nothing(serve: Serve) -> None:
    """Although the form is their own; a page that asks for a confirmation is not for them either."""
    served = serve(fill=conflict, **ASKING)
    (item,) = (one.item for one in served.bench.workspace.store.waiting.all())
    with served.visitor("read") as visitor:
        form = served.form(visitor, take="north", pull="yes")
        codes = [visitor.post(path, data=form).status_code for path in ("/plan/make", f"/waiting/{item.id}")]

    assert [403, 403] == codes
    assert [item] == [one.item for one in served.bench.workspace.store.waiting.all()]


def test_a_form_that_does_not_arrive_holds_no_connection(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred such would keep everybody else out; nobody needs a token for that."""
    monkeypatch.setattr("crmbridge.web.routes.PATIENCE", 0.05)
    served = serve()
    host, port = "127.0.0.1", int(served.url.rpartition(":")[2])
    head = f"POST /sign-in HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99\r\n\r\ntoken="
    with socket.create_connection((host, port), timeout=60) as slow:
        slow.sendall(head.encode())
        answer = b"".join(iter(lambda: slow.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_who_asks_and_takes_no_answer_holds_no_connection(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off, however much it asked for: two hundred such would keep everybody else out."""
    monkeypatch.setattr("crmbridge.web.server.UNREAD_SECONDS", 0.3)
    served = serve()
    request = f"GET {style_path()} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(30)
        greedy.connect(("127.0.0.1", int(served.url.rpartition(":")[2])))
        with pytest.raises(ConnectionError):
            all(greedy.sendall(request * 1000) is None for _ in count())


def test_guessing_tokens_is_turned_away(serve: Serve) -> None:
    """With the time to wait; what is no form is not read."""
    served = serve()
    with served.visitor(None) as stranger:
        claims = [{"x-forwarded-for": f"10.0.0.{number}"} for number in range(11)]
        codes = [stranger.post("/sign-in", data={"token": "guessed"}, headers=head).status_code for head in claims]
        assert [403] * 10 + [429] == codes
        assert "60" <= stranger.post("/sign-in", data={"token": TOKENS["act"]}).headers["retry-after"]
        large = stranger.post("/sign-in", data={"token": "x" * 70_000})
        other = stranger.post("/sign-in", json={"token": "x"})

    assert (413, 415) == (large.status_code, other.status_code)


def test_behind_a_proxy_one_guesser_locks_nobody_else_out(serve: Serve) -> None:
    """Where the settings name the proxy, wrong tokens count for who called it, whatever that one wrote itself."""
    served = serve(serve={"proxies": ["127.0.0.0/8"]})
    wrong = {"token": "wrong"}
    with served.visitor(None) as visitor:
        guesses = [
            visitor.post(
                "/sign-in", data=wrong, headers={"x-forwarded-for": f"203.0.113.{n}, 198.51.100.7"}
            ).status_code
            for n in range(11)
        ]
        other = visitor.post("/sign-in", data={"token": TOKENS["read"]}, headers={"x-forwarded-for": "198.51.100.8"})

    assert [403] * 10 + [429] == guesses
    assert 303 == other.status_code


def test_what_anybody_may_write_counts_for_nothing_without_a_proxy(serve: Serve) -> None:
    """Else each try could come from an address of its own."""
    with serve().visitor(None) as visitor:
        guesses = [
            visitor.post("/sign-in", data={"token": "wrong"}, headers={"x-forwarded-for": f"203.0.113.{n}"}).status_code
            for n in range(11)
        ]

    assert [403] * 10 + [429] == guesses


def test_two_pages_on_one_host_sign_nobody_out(serve: Serve) -> None:
    """Browsers keep cookies by host whatever the port, so each page has one of its own name."""
    served = serve()
    other = replace(served.site, port=8751)
    names = {signing.cookie_name(each) for each in (served.site, other, replace(other, secure=True))}

    assert {"crmbridge", "crmbridge_8751", "__Host-crmbridge_8751"} == names
